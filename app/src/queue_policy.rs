//! When the tasks of a queue are run again by themselves.

use failure_queue::{AutoRedrive, PolicyRequest, QueuePolicy};
use pizza_contract as contract;

use super::error::UseCaseError;
use super::failures::{check_visible, queue_in_path};
use super::use_cases::UseCases;

fn in_milliseconds(policy: contract::AutoRedrive) -> AutoRedrive {
    AutoRedrive {
        first_wait_ms: milliseconds(policy.first_wait_seconds),
        backoff: policy.backoff,
        longest_wait_ms: milliseconds(policy.longest_wait_seconds),
        // What does not fit is beyond the limit, and 0 below it.
        max_attempts: u32::try_from(policy.max_attempts.max(0)).unwrap_or(u32::MAX),
        max_age_ms: milliseconds(policy.max_age_seconds),
    }
}

/// What is less than 0 or no number is 0, which no policy may have; what does
/// not fit is beyond every limit.
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

impl UseCases {
    /// A queue's policy, and how it came about.
    ///
    /// # Errors
    /// When there is no such queue, or Temporal or its worker is away.
    pub async fn queue_policy(&self, queue: &str) -> Result<QueuePolicy, UseCaseError> {
        let queue = queue_in_path(queue)?;
        Ok(self.queues_to_read().await?.policy(queue).await?)
    }

    /// Changes a queue's policy, also for the tasks that are parked already;
    /// none switches it off.
    ///
    /// # Errors
    /// When there is no such queue, a value is beyond its limit, or Temporal
    /// or its worker is away.
    pub async fn set_queue_policy(
        &self,
        queue: &str,
        principal: String,
        reason: Option<String>,
        auto_redrive: Option<contract::AutoRedrive>,
    ) -> Result<QueuePolicy, UseCaseError> {
        let queue = queue_in_path(queue)?;
        let request = PolicyRequest {
            principal,
            reason,
            auto_redrive: auto_redrive.map(in_milliseconds),
        };
        request.check()?;
        check_visible("reason", request.reason.as_deref())?;
        Ok(self
            .queues_to_act()
            .await?
            .set_policy(queue, request)
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: contract::AutoRedrive = contract::AutoRedrive {
        first_wait_seconds: 0.5,
        backoff: 2.0,
        longest_wait_seconds: 60.0,
        max_attempts: 10,
        max_age_seconds: 86_400.0,
    };

    fn refused(change: fn(&mut contract::AutoRedrive)) -> Option<String> {
        let mut policy = POLICY;
        change(&mut policy);
        in_milliseconds(policy)
            .check()
            .err()
            .map(|invalid| invalid.field)
    }

    #[test]
    fn seconds_become_milliseconds() {
        let policy = in_milliseconds(POLICY);
        assert_eq!(
            (
                policy.first_wait_ms,
                policy.longest_wait_ms,
                policy.max_age_ms
            ),
            (500, 60_000, 86_400_000)
        );
        assert_eq!(refused(|_| ()), None);
    }

    #[test]
    fn what_is_no_time_or_no_count_is_beyond_every_limit() {
        for bad in [
            (|p| p.first_wait_seconds = -1.0) as fn(&mut contract::AutoRedrive),
            |p| p.first_wait_seconds = f64::NAN,
            |p| p.first_wait_seconds = f64::INFINITY,
            |p| p.first_wait_seconds = 1e300,
        ] {
            assert_eq!(refused(bad).as_deref(), Some("firstWaitMs"));
        }
        for bad in [
            (|p| p.max_attempts = -1) as fn(&mut contract::AutoRedrive),
            |p| p.max_attempts = 0,
            |p| p.max_attempts = i128::MAX,
        ] {
            assert_eq!(refused(bad).as_deref(), Some("maxAttempts"));
        }
        assert_eq!(
            refused(|p| p.backoff = f64::NAN).as_deref(),
            Some("backoff")
        );
        assert_eq!(
            refused(|p| p.max_age_seconds = -5.0).as_deref(),
            Some("maxAgeMs")
        );
    }
}
