//! An order costs what its histories cost.

use serde_json::json;

use crate::harness::World;
use crate::harness::history::History;

/// Of parent and children together, for a delivered order. Each of the
/// kitchen's four reports is an update in a workflow task of its own.
pub(crate) const MOST_EVENTS: usize = 64;

/// As [`History::billable_actions`] counts them.
const MOST_ACTIONS: usize = 18;

const ORDERS: usize = 20;

#[tokio::test]
async fn a_delivered_order_takes_at_most_64_events_and_18_actions() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let mut events = Vec::new();
    let mut actions = Vec::new();
    let mut dearest = (0, String::new());
    for _ in 0..ORDERS {
        let id = gateway.place(json!({})).await;
        gateway.until(&id, "DeliveryConfirmed").await;
        let order = histories(&world, &id).await;
        let length: usize = order
            .iter()
            .map(|(_, history)| history.events().len() - history.lost_task_events())
            .sum();
        let billed: usize = order
            .iter()
            .map(|(_, history)| history.billable_actions())
            .sum();
        if length > dearest.0 {
            dearest = (length, annotated(&order));
        }
        events.push(length);
        actions.push(billed);
    }
    let (_, shown) = dearest;
    println!(
        "history events of a delivered order: {}",
        distribution(&mut events)
    );
    println!(
        "billable actions of a delivered order: {}",
        distribution(&mut actions)
    );
    println!("the dearest, with the actions that each event costs:\n{shown}");
    assert!(
        *events.last().expect("orders") <= MOST_EVENTS,
        "{events:?}\n{shown}"
    );
    assert!(
        *actions.last().expect("orders") <= MOST_ACTIONS,
        "{actions:?}\n{shown}"
    );
}

/// The finished histories of an order's three workflows.
async fn histories(world: &World, id: &str) -> Vec<(String, History)> {
    let mut all = Vec::new();
    for part in ["", "-loyalty", "-fulfilment"] {
        let workflow = format!("order-{id}{part}");
        let history = world.final_history(&workflow).await;
        all.push((workflow, history));
    }
    all
}

fn annotated(order: &[(String, History)]) -> String {
    order
        .iter()
        .map(|(workflow, history)| format!("{workflow}\n{}", history.annotated()))
        .collect()
}

/// Sorts the figures and says where they lie.
fn distribution(figures: &mut [usize]) -> String {
    figures.sort_unstable();
    let (least, most) = (figures.first(), figures.last());
    let median = figures[figures.len() / 2];
    format!(
        "min {} median {median} max {} ({figures:?})",
        least.unwrap_or(&0),
        most.unwrap_or(&0)
    )
}
