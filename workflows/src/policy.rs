//! How often and how soon each step is tried again.
//!
//! The figures are the specification's (`docs/saga.md`).

use std::time::Duration;

use failure_queue::StepPolicy;
use pizza_domain::Step;

/// The policy of a step.
pub(crate) fn policy_of(step: Step) -> StepPolicy {
    let (retries, first_wait, backoff) = match step {
        Step::CreateOrder => (3, 1, 2.0),
        Step::ProcessPayment
        | Step::AddLoyaltyPoints
        | Step::PrepareOrder
        | Step::ProcessOrder
        | Step::ReclaimLoyaltyPoints => (6, 2, 2.0),
        Step::RefundPayment => (5, 1, 1.1),
        Step::NotifyCustomer => (5, 1, 2.0),
    };
    StepPolicy {
        attempts: Some(retries + 1),
        first_wait: Duration::from_secs(first_wait),
        backoff,
        longest_wait: Duration::from_secs(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(step: Step) -> Vec<Duration> {
        let mut waits = Vec::new();
        let mut left = Some(policy_of(step));
        while let Some(policy) = left {
            left = policy.after_first_attempt();
            if left.is_some() {
                waits.push(policy.first_wait);
            }
        }
        waits
    }

    #[test]
    fn the_waits_are_those_of_the_specification() {
        let seconds = |numbers: &[f64]| -> Vec<Duration> {
            numbers
                .iter()
                .map(|s| Duration::from_secs_f64(*s))
                .collect()
        };
        let rounded = |step| -> Vec<Duration> {
            waits(step)
                .into_iter()
                .map(|wait| Duration::from_micros((wait.as_nanos() as f64 / 1e3).round() as u64))
                .collect()
        };
        assert_eq!(rounded(Step::CreateOrder), seconds(&[1.0, 2.0, 4.0]));
        assert_eq!(
            rounded(Step::ProcessPayment),
            seconds(&[2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
        );
        assert_eq!(
            rounded(Step::RefundPayment),
            seconds(&[1.0, 1.1, 1.21, 1.331, 1.4641])
        );
        assert_eq!(rounded(Step::NotifyCustomer).len(), 5);
    }
}
