//! Times, as the API writes them.

use jiff::Timestamp;

/// A time in milliseconds since the Unix epoch, as RFC 3339 in UTC. One
/// beyond the year 9999 is not a time that this gateway wrote.
#[must_use]
pub fn rfc_3339(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc_3339(1_763_810_000_123), "2025-11-22T11:13:20.123Z");
    }
}
