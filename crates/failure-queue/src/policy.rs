//! How often and how soon a step is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_workflow::RetryPolicy;

/// How long one attempt of a step may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// One attempt, and no more.
    #[must_use]
    pub const fn once() -> Self {
        Self {
            attempts: Some(1),
            first_wait: Duration::from_secs(1),
            backoff: 1.0,
            longest_wait: Duration::from_secs(1),
        }
    }

    /// The policy of bookkeeping: giving up would leave the books behind, so
    /// it is tried until it works.
    #[must_use]
    pub const fn bookkeeping() -> Self {
        Self {
            attempts: None,
            first_wait: Duration::from_millis(200),
            backoff: 2.0,
            longest_wait: Duration::from_secs(10),
        }
    }

    /// This policy as Temporal's.
    #[must_use]
    pub fn retry_policy(&self) -> RetryPolicy {
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
    #[must_use]
    pub fn after_first_attempt(&self) -> Option<Self> {
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

    #[test]
    fn what_is_left_after_an_attempt_waits_longer_and_ends_with_the_last() {
        let policy = StepPolicy {
            attempts: Some(3),
            first_wait: Duration::from_secs(2),
            backoff: 4.0,
            longest_wait: Duration::from_secs(5),
        };
        let second = policy.after_first_attempt();
        assert_eq!(
            second.as_ref().map(|left| (left.attempts, left.first_wait)),
            Some((Some(2), Duration::from_secs(5)))
        );
        let third = second.and_then(|left| left.after_first_attempt());
        assert_eq!(third.as_ref().map(|left| left.attempts), Some(Some(1)));
        assert_eq!(third.and_then(|left| left.after_first_attempt()), None);
    }

    #[test]
    fn bookkeeping_is_never_given_up() {
        let policy = StepPolicy::bookkeeping();
        assert_eq!(policy.retry_policy().maximum_attempts(), 0);
        assert_eq!(policy.after_first_attempt().map(|p| p.attempts), Some(None));
    }
}
