//! When a parked task is run again by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::invalid_request::{InvalidRequest, check};

/// The shortest wait, so that a queue cannot be made to spin.
const MIN_WAIT_MS: u64 = 100;
/// The longest wait: thirty days.
const MAX_WAIT_MS: u64 = 30 * 24 * 3600 * 1000;
/// The longest age: ten years.
const MAX_AGE_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// A queue's policy of automatic redrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutoRedrive {
    /// The wait from a task's last failure to its first automatic redrive, or
    /// from the policy's arrival if that is later; 100 ms to 30 days.
    pub first_wait_ms: u64,
    /// What each wait is multiplied by to make the next, 1 to 10.
    pub backoff: f64,
    /// The longest wait, from the first wait to 30 days.
    pub longest_wait_ms: u64,
    /// How often a task is redriven by itself at most, 1 to 1,000.
    pub max_attempts: u32,
    /// From this age on, counted from its parking, a task is left alone; up to
    /// ten years.
    pub max_age_ms: u64,
}

impl AutoRedrive {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a field is beyond its limit.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        check(
            (MIN_WAIT_MS..=MAX_WAIT_MS).contains(&self.first_wait_ms),
            "firstWaitMs",
            "must be from 100 ms to 30 days",
        )?;
        check(
            (1.0..=10.0).contains(&self.backoff),
            "backoff",
            "must be from 1 to 10",
        )?;
        check(
            (self.first_wait_ms..=MAX_WAIT_MS).contains(&self.longest_wait_ms),
            "longestWaitMs",
            "must be from the first wait to 30 days",
        )?;
        check(
            (1..=1000).contains(&self.max_attempts),
            "maxAttempts",
            "must be from 1 to 1000",
        )?;
        check(
            (1..=MAX_AGE_MS).contains(&self.max_age_ms),
            "maxAgeMs",
            "must be from 1 ms to ten years",
        )
    }

    /// The wait before the automatic redrive that follows `made` of them; none
    /// when there were enough.
    pub(crate) fn wait_after(&self, made: u32) -> Option<Duration> {
        if made >= self.max_attempts {
            return None;
        }
        let first = Duration::from_millis(self.first_wait_ms).as_secs_f64();
        let longest = Duration::from_millis(self.longest_wait_ms);
        // Grows past any number before a thousand attempts are over.
        let wait = first * self.backoff.powf(f64::from(made));
        Some(Duration::try_from_secs_f64(wait).map_or(longest, |wait| wait.min(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> AutoRedrive {
        AutoRedrive {
            first_wait_ms: 1000,
            backoff: 2.0,
            longest_wait_ms: 5000,
            max_attempts: 900,
            max_age_ms: 60_000,
        }
    }

    #[test]
    fn waits_grow_to_the_longest_and_end_at_the_cap() {
        let waits: Vec<_> = [0, 1, 2, 3, 899]
            .map(|made| policy().wait_after(made))
            .into_iter()
            .flatten()
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(policy().wait_after(900), None);
    }

    #[test]
    fn a_policy_beyond_its_limits_is_refused_by_field() {
        let broken = |change: fn(&mut AutoRedrive)| {
            let mut policy = policy();
            change(&mut policy);
            policy.check().map_err(|invalid| invalid.field)
        };
        assert_eq!(broken(|_| ()), Ok(()));
        let refused = |field: &str| Err(field.to_owned());
        assert_eq!(broken(|p| p.first_wait_ms = 99), refused("firstWaitMs"));
        assert_eq!(broken(|p| p.backoff = 0.9), refused("backoff"));
        assert_eq!(broken(|p| p.backoff = f64::NAN), refused("backoff"));
        assert_eq!(
            broken(|p| p.longest_wait_ms = 999),
            refused("longestWaitMs")
        );
        assert_eq!(broken(|p| p.max_attempts = 0), refused("maxAttempts"));
        assert_eq!(broken(|p| p.max_age_ms = 0), refused("maxAgeMs"));
    }
}
