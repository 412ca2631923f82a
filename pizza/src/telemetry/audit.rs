//! The audit that runs by itself, so that a broken promise is heard of.

use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use pizza_activities::meters;
use pizza_activities::store::Store;
use tokio::time::{MissedTickBehavior, interval};

use super::books::seconds_since_epoch;
use crate::audit::{self, Invariant};

/// How many violations of an audit are named in the log.
const NAMED: usize = 20;

/// Audits the store again and again, one at a time. Temporal is left out: what
/// needs it, `pizza audit` looks at.
pub(super) async fn keep_auditing(store: Store, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let started = Instant::now();
        match audit::of_store(store.clone()).await {
            Ok(tally) => note(&tally, started.elapsed()),
            Err(error) => {
                counter!(meters::AUDIT_FAILURES.name).increment(1);
                tracing::warn!(error = format!("{error:#}"), "the audit was not made");
            }
        }
    }
}

fn note(tally: &audit::Tally, took: Duration) {
    for invariant in Invariant::ALL {
        #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
        let found = tally.violations_of(invariant) as f64;
        gauge!(meters::AUDIT_VIOLATIONS.name, "invariant" => invariant.name()).set(found);
    }
    #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
    gauge!(meters::AUDIT_ORDERS.name).set(tally.orders as f64);
    gauge!(meters::AUDIT_RUN_SECONDS.name).set(took);
    gauge!(meters::AUDIT_RUN_AT.name).set(seconds_since_epoch());
    // What is wrong about an order, sums for example, is not for logs.
    for violation in tally.violations().take(NAMED) {
        tracing::error!(
            order_id = violation.order_id,
            invariant = violation.invariant.name(),
            "what must hold of this order does not: see `pizza audit`"
        );
    }
}
