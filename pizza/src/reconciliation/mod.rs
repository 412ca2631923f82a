//! The reconciliation of the orders' records with Temporal: how often it runs,
//! and `pizza reconcile`.

mod command;
mod schedule;

use std::time::Duration;

use clap::Args;

use crate::numbers::{number, whole};

pub(crate) use command::{ReconcileArgs, run};
pub(crate) use schedule::keep;

/// How often, and after what silence, orders are held against Temporal.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReconciliationArgs {
    /// How often the orders' records are brought in line with Temporal, in
    /// whole seconds; the worker that starts last decides for all
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_RECONCILE_EVERY_SECONDS",
        default_value_t = 60,
        value_parser = whole(1..=86_400_u32)
    )]
    pub(super) reconcile_every_seconds: u32,
    /// How long an order is left alone after its last change
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_RECONCILE_GRACE_SECONDS",
        default_value = "30",
        value_parser = grace
    )]
    pub(super) reconcile_grace_seconds: Duration,
}

impl ReconciliationArgs {
    fn every(&self) -> Duration {
        Duration::from_secs(self.reconcile_every_seconds.into())
    }
}

/// Reads a number of seconds, up to a day.
fn grace(text: &str) -> Result<Duration, String> {
    number(text, 0.0..=86_400.0, "number of seconds").map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_a_number_of_seconds_up_to_a_day() {
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        assert_eq!(grace("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(grace("86400"), Ok(Duration::from_hours(24)));
        for wrong in ["", "-1", "86401", "NaN", "inf", "1m"] {
            assert!(grace(wrong).is_err(), "{wrong}");
        }
    }
}
