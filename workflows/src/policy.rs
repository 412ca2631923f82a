//! How often and how soon each step is tried again.
//!
//! The figures are the specification's (`docs/saga.md`).

use std::time::Duration;

use pizza_domain::Step;
use serde::{Deserialize, Serialize};
use temporalio_workflow::RetryPolicy;

/// How long one attempt of a step may take.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the first attempt may take where it runs inside the workflow
/// task. Shorter, because it holds the workflow task open.
pub(crate) const LOCAL_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// When a step that met a fault is tried again. A refusal never is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPolicy {
    /// Attempts in all; none for "until it works".
    pub attempts: Option<u32>,
    /// The wait before the second attempt.
    #[serde(rename = "firstWaitMs", with = "milliseconds")]
    pub first_wait: Duration,
    /// What each wait is multiplied by to make the next.
    pub backoff: f64,
    /// The longest wait.
    #[serde(rename = "longestWaitMs", with = "milliseconds")]
    pub longest_wait: Duration,
}

/// Durations as whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(value.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

impl StepPolicy {
    /// The policy of a step.
    pub(crate) fn of(step: Step) -> Self {
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
        Self {
            attempts: Some(retries + 1),
            first_wait: Duration::from_secs(first_wait),
            backoff,
            longest_wait: Duration::from_secs(100),
        }
    }

    /// The policy of our own bookkeeping: giving up would leave the books
    /// behind, so it waits for the store however long that is away.
    pub(crate) fn bookkeeping() -> Self {
        Self {
            attempts: None,
            first_wait: Duration::from_millis(200),
            backoff: 2.0,
            longest_wait: Duration::from_secs(10),
        }
    }

    /// This policy as Temporal's.
    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::builder()
            .initial_interval(self.first_wait)
            .backoff_coefficient(self.backoff)
            .maximum_interval(self.longest_wait)
            // 0 is Temporal's word for no limit.
            .maximum_attempts(self.attempts.unwrap_or(0))
            .build()
    }

    /// What is left of this policy after a first attempt and the first wait.
    /// None when that was the only attempt.
    pub(crate) fn after_first_attempt(&self) -> Option<Self> {
        let attempts = match self.attempts {
            Some(0 | 1) => return None,
            Some(attempts) => Some(attempts - 1),
            None => None,
        };
        Some(Self {
            attempts,
            first_wait: self.first_wait.mul_f64(self.backoff).min(self.longest_wait),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(policy: &StepPolicy) -> Vec<Duration> {
        let mut waits = Vec::new();
        let mut left = Some(policy.clone());
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
            waits(&StepPolicy::of(step))
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

    #[test]
    fn bookkeeping_is_never_given_up() {
        let policy = StepPolicy::bookkeeping();
        assert_eq!(policy.retry_policy().maximum_attempts(), 0);
        assert_eq!(policy.after_first_attempt().map(|p| p.attempts), Some(None));
    }
}
