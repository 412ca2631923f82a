//! The audit that a worker makes of the store periodically, for its metrics and its log.

use std::time::{Duration, Instant};

use clap::Args;
use failure_queue::error_chain;
use jiff::Timestamp;
use metrics::{counter, gauge};
use pizza_store::Store;
use pizza_store::meters;
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::invariant::Invariant;
use super::{Report, of_store};
use crate::numbers::whole;

/// How many violations of an audit are named in the log.
const NAMED: usize = 20;

/// How often the store is audited.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PeriodicAuditArgs {
    /// How often the worker of `reconciliation` audits the store for the
    /// metrics; 0 for never
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_AUDIT_EVERY_SECONDS",
        default_value_t = 300,
        value_parser = whole(0..=86_400_u32)
    )]
    audit_every_seconds: u32,
}

impl PeriodicAuditArgs {
    /// Audits `store` until `shutdown`; does nothing where the period is 0.
    pub(crate) fn start(self, store: &Store, shutdown: &CancellationToken) {
        let every = Duration::from_secs(self.audit_every_seconds.into());
        if every.is_zero() {
            return;
        }
        // A thread of its own: judging orders is work, and waits for none.
        let (runtime, store) = (Handle::current(), store.clone());
        let shutdown = shutdown.clone();
        tokio::task::spawn_blocking(move || {
            runtime.block_on(shutdown.run_until_cancelled(keep_auditing(store, every)));
        });
    }
}

/// Audits the store again and again, one at a time. Temporal is left out: what
/// needs it, `pizza audit` looks at.
async fn keep_auditing(store: Store, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let started = Instant::now();
        match of_store(store.clone()).await {
            Ok(report) => note(&report, started.elapsed()),
            Err(error) => {
                counter!(meters::AUDIT_FAILURES.name).increment(1);
                tracing::warn!(
                    error = error_chain(error.as_ref()),
                    "the audit was not made"
                );
            }
        }
    }
}

fn note(report: &Report, took: Duration) {
    for invariant in Invariant::ALL {
        #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
        let found = report.violations_of(invariant) as f64;
        gauge!(meters::AUDIT_VIOLATIONS.name, "invariant" => invariant.name()).set(found);
    }
    #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
    gauge!(meters::AUDIT_ORDERS.name).set(report.orders() as f64);
    gauge!(meters::AUDIT_RUN_SECONDS.name).set(took);
    gauge!(meters::AUDIT_RUN_AT.name).set(Timestamp::now().as_duration().as_secs_f64());
    // What is wrong about an order, sums for example, is not for logs.
    for violation in report.shown().take(NAMED) {
        tracing::error!(
            order_id = violation.order_id,
            invariant = violation.invariant.name(),
            "what must hold of this order does not: see `pizza audit`"
        );
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use sqlx::{AnyConnection, Connection};
    use tempfile::TempDir;

    use super::*;

    /// How soon a change of the books must be heard of.
    const SOON: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_broken_promise_is_counted_until_it_is_put_right() {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("pizza.db").display());
        let store = Store::open(&url).await.expect("a store");
        let mut books = AnyConnection::connect(&url).await.expect("the books");
        let recorder = PrometheusBuilder::new().build_recorder();
        let exported = recorder.handle();
        // Tests run on one thread each, and so does all that is counted here.
        let _counting = metrics::set_default_local_recorder(&recorder);
        let charges = |count: u32| {
            let line = format!("pizza_audit_violations{{invariant=\"charge\"}} {count}\n");
            let exported = exported.clone();
            async move {
                while !exported.render().contains(&line) {
                    tokio::task::yield_now().await;
                }
            }
        };
        let story = async {
            charges(0).await;
            sqlx::query(
                "INSERT INTO payments VALUES \
                 ('6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11', 'charge', 'guest', 1200, 'key', 0)",
            )
            .execute(&mut books)
            .await
            .expect("a charge for an order that nobody placed");
            charges(1).await;
            sqlx::query("DELETE FROM payments")
                .execute(&mut books)
                .await
                .expect("taken back");
            charges(0).await;
        };
        tokio::select! {
            () = keep_auditing(store, Duration::from_millis(10)) => {}
            heard = tokio::time::timeout(SOON, story) => {
                assert!(heard.is_ok(), "not heard of:\n{}", exported.render());
            }
        }
    }
}
