//! What the store tells about what waits in it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use metrics::gauge;
use pizza_domain::OrderStatus;
use pizza_store::meters::{self, Metric};
use pizza_store::{Store, StoreError, Waiting, now_ms};
use pizza_workflows::steps::Parked;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is read. Both statements look at what waits alone.
const EVERY: Duration = Duration::from_secs(5);

/// Reads it again and again. What the last look found stays while the store is
/// away; when that was says a metric of its own.
pub(super) async fn keep_reading(store: Store) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // The store counts its errors itself.
        if read(&store).await.is_ok() {
            let now = Timestamp::now().as_duration();
            gauge!(meters::BOOKS_READ_AT.name).set(now.as_secs_f64());
        }
    }
}

async fn read(store: &Store) -> Result<(), StoreError> {
    let tasks = store.waiting_tasks().await?;
    let orders = store.waiting_orders().await?;
    let queues = Parked::ALL.map(|it| it.queue);
    note(
        (meters::FAILURE_QUEUE_DEPTH, meters::FAILURE_QUEUE_AGE),
        "queue",
        queues,
        tasks,
    );
    let statuses = OrderStatus::ALL.iter().filter(|status| !status.is_final());
    note(
        (meters::ORDERS_OPEN, meters::ORDERS_OPEN_AGE),
        "status",
        statuses.map(|status| status.as_str()),
        orders,
    );
    Ok(())
}

/// Notes how many wait, and for how long; none where nobody does.
fn note(
    (count, age): (Metric, Metric),
    label: &'static str,
    known: impl IntoIterator<Item = &'static str>,
    waiting: Vec<Waiting>,
) {
    let now = now_ms();
    let mut waiting: HashMap<_, _> = waiting
        .into_iter()
        .map(|waiting| (waiting.what.clone(), waiting))
        .collect();
    for what in known {
        let (number, since_ms) = waiting
            .remove(what)
            .map_or((0, now), |waiting| (waiting.count, waiting.since_ms));
        let waited = u64::try_from(now - since_ms).unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
        gauge!(count.name, label => what).set(number as f64);
        gauge!(age.name, label => what).set(Duration::from_millis(waited));
    }
}

/// Notes how many connections to the store there are.
pub(super) fn note_connections(store: &Store) {
    let connections = store.connections();
    gauge!(meters::STORE_CONNECTIONS.name, "state" => "idle").set(connections.idle);
    gauge!(meters::STORE_CONNECTIONS.name, "state" => "used").set(connections.used);
    gauge!(meters::STORE_CONNECTIONS_MAX.name).set(connections.max);
}
