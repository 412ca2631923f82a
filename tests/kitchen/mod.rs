//! The kitchen's door: what may be reported when, for how long it is waited
//! for, and what there is to do.

mod deadlines;
mod list;
mod rejections;
mod repetitions;
mod sequences;
mod simulated;
mod unreliable;

use serde_json::{Value, json};

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::{SOON, eventually};

/// The reports that bring an order to the door.
const WAY: [&str; 4] = ["accepted", "cooked", "pickedUp", "delivered"];

/// Makes a report as soon as the kitchen has the ticket.
async fn report_at_last(gateway: &Gateway, id: &str, report: &Value) -> Answer {
    eventually(SOON, "the kitchen has the ticket", async || {
        let answer = gateway.report_all(id, report).await;
        (answer.status != 404).then_some(answer)
    })
    .await
}

/// A report under an id that follows from what it says.
fn with_id(event: &str) -> Value {
    json!({ "event": event, "reportId": format!("journey/{event}") })
}

/// An order on which so many reports came in time, if they did: on a busy
/// machine it may be given up before.
async fn come_so_far(gateway: &Gateway, reports: usize) -> Option<String> {
    let id = gateway.place(json!({})).await;
    for event in &WAY[..reports] {
        let answer = report_at_last(gateway, &id, &with_id(event)).await;
        if answer.status != 200 {
            return None;
        }
    }
    Some(id)
}
