//! What several messages have in common.

use pizza_app::{IdempotencyKey, UseCaseError, Violation};
use pizza_domain::OrderId;
use prost_types::Timestamp;

/// The client's own key for a request, if it gave one.
pub(super) fn key(text: Option<String>) -> Result<Option<IdempotencyKey>, UseCaseError> {
    text.as_deref().map(IdempotencyKey::parse).transpose()
}

pub(super) fn order_id(text: &str) -> Result<OrderId, UseCaseError> {
    text.parse()
        .map_err(|field| UseCaseError::invalid(Violation::InvalidId, field))
}

/// A time in milliseconds since the Unix epoch.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp {
        seconds: milliseconds.div_euclid(1000),
        // Below 1000, so it fits.
        nanos: i32::try_from(milliseconds.rem_euclid(1000)).unwrap_or_default() * 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_epoch_has_positive_nanoseconds() {
        assert_eq!(
            timestamp(-1),
            Timestamp {
                seconds: -1,
                nanos: 999_000_000
            }
        );
        assert_eq!(
            timestamp(1_500),
            Timestamp {
                seconds: 1,
                nanos: 500_000_000
            }
        );
    }
}
