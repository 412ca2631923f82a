//! The simulated kitchen: takes the tickets that are due and reports on them
//! at the gateway's door, as a real kitchen would.
//!
//! It remembers nothing: what there is to report stands in its books, so it
//! may be killed at any moment, and any number of kitchens share the work.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::future::join_all;
use pizza_activities::store::Store;
use pizza_activities::{DueReport, SimulatedKitchen};
use tokio_util::sync::CancellationToken;

use crate::client::gateway::{Gateway, GatewayUrl, ReportAnswer};
use crate::shutdown;
use crate::worker::StoreArgs;

/// How long the kitchen looks away when nothing is due.
const IDLE: Duration = Duration::from_millis(10);

/// How long it looks away when its books or the gateway do not answer.
const TROUBLED: Duration = Duration::from_millis(500);

/// After this time an unanswered report is made again. Longer than the
/// gateway takes for a report in all but the worst case; making one twice
/// does no harm.
const LEASE_MS: i64 = 2_000;

/// Reports under way at once.
const BATCH: i64 = 32;

#[derive(Args, Debug)]
pub(crate) struct KitchenArgs {
    #[command(flatten)]
    gateway: GatewayUrl,
    #[command(flatten)]
    store: StoreArgs,
}

/// Cooks until a signal stops it.
pub(crate) async fn run(args: KitchenArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let store = Store::open(&args.store.database_url).await?;
    let gateway = args.gateway.connect()?;
    tracing::info!(gateway = %args.gateway.gateway, "cooking");
    cook(&SimulatedKitchen::new(store), &gateway, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

/// Cooks until `shutdown`.
pub(crate) async fn cook(
    kitchen: &SimulatedKitchen,
    gateway: &Gateway,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let pause = match kitchen.take_due(BATCH, LEASE_MS).await {
            Ok(due) if due.is_empty() => Some(IDLE),
            Ok(due) => {
                let made = join_all(due.iter().map(|report| make(kitchen, gateway, *report))).await;
                made.contains(&false).then_some(TROUBLED)
            }
            Err(error) => {
                tracing::warn!(%error, "the kitchen's books do not answer");
                Some(TROUBLED)
            }
        };
        if let Some(pause) = pause {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
}

/// Makes one report. Whether it was answered.
async fn make(kitchen: &SimulatedKitchen, gateway: &Gateway, due: DueReport) -> bool {
    let DueReport { order_id, report } = due;
    let booked = match gateway.report(order_id, report).await {
        Ok(ReportAnswer::Taken) => kitchen.book_taken(order_id, report).await,
        Ok(ReportAnswer::Late) => kitchen.give_up(order_id).await,
        Err(error) => {
            tracing::warn!(%order_id, %report, error = format!("{error:#}"), "report not made");
            return false;
        }
    };
    if let Err(error) = booked {
        tracing::warn!(%order_id, %report, %error, "the kitchen's books do not answer");
        return false;
    }
    true
}
