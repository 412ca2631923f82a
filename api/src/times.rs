//! Times, as clients write and read them.

use jiff::Timestamp;
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::Offset;
use pizza_domain::InvalidField;

use pizza_app::{UseCaseError, Violation};

/// How many digits of a second's fraction are kept: nanoseconds.
const FRACTION: usize = 9;

/// Reads an instant as RFC 3339 has it. One beyond the last that can be
/// computed with (in the last days of the year 9999) becomes that one, and a
/// leap second the second before it.
///
/// # Errors
/// When it is none, with the field; and with a hint where it would be one if a
/// space were the `+` that an address writes as `%2B`.
pub(crate) fn instant(field: &'static str, text: &str) -> Result<Timestamp, UseCaseError> {
    read(text).ok_or_else(|| {
        let with_plus = text
            .rsplit_once(' ')
            .map(|(time, offset)| format!("{time}+{offset}"));
        let hint = match with_plus.as_deref().and_then(read) {
            Some(_) => "; in an address, a + is written %2B",
            None => "",
        };
        invalid(
            field,
            format!("must be a time as RFC 3339 has it: 2026-01-31T18:30:00Z{hint}"),
        )
    })
}

/// Reads an instant in seconds and nanoseconds since the Unix epoch, as
/// protocol buffers have it, in the same way.
///
/// # Errors
/// When it is outside of the years 1 to 9999, which they have.
pub(crate) fn protobuf_instant(
    field: &'static str,
    time: prost_types::Timestamp,
) -> Result<Timestamp, UseCaseError> {
    let in_range = (-62_135_596_800..=253_402_300_799).contains(&time.seconds)
        && (0..=999_999_999).contains(&time.nanos);
    if !in_range {
        let expected = "must be a time of the years 1 to 9999, with 0 to 999999999 nanoseconds";
        return Err(invalid(field, expected.to_owned()));
    }
    Ok(Timestamp::new(time.seconds, time.nanos).unwrap_or(Timestamp::MAX))
}

fn read(text: &str) -> Option<Timestamp> {
    if !has_form(text) {
        return None;
    }
    let shortened = shortened(text);
    let pieces = Pieces::parse(shortened.as_bytes()).ok()?;
    let offset = match pieces.offset()? {
        PiecesOffset::Numeric(numeric) => numeric.offset(),
        _ => Offset::UTC,
    };
    let time = pieces.date().to_datetime(pieces.time()?);
    let is_late = time.year() > 0;
    let bound = if is_late {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    };
    let instant = offset.to_timestamp(time).unwrap_or(bound);
    let is_leap_second = text.get(17..19) == Some("60");
    (!is_leap_second || ends_a_month(instant)).then_some(instant)
}

/// Whether a text has the form of RFC 3339's `date-time`; a space may stand
/// between date and time. The reader takes more: times without seconds, a
/// comma before a fraction, offsets of 24 hours and above.
fn has_form(text: &str) -> bool {
    const TIME: &str = "0000-00-00T00:00:00";
    let Some((time, rest)) = text.split_at_checked(TIME.len()) else {
        return false;
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let offset = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(is_digit) => fraction.trim_start_matches(is_digit),
        _ => rest,
    };
    let is_numeric = || is_like(offset, "+00:00") && &offset[1..3] < "24" && &offset[4..] < "60";
    is_like(time, TIME) && (matches!(offset, "Z" | "z") || is_numeric())
}

/// Whether a text has a digit where the pattern has `0`, a sign for its `+`, a
/// `t` or a space for its `T`, and otherwise what the pattern has.
fn is_like(text: &str, pattern: &str) -> bool {
    let is_like = |(byte, pattern): (u8, u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        _ => byte == pattern,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(is_like)
}

/// Whether a leap second may come after this second: they are put at the end
/// of a month, in UTC. In which months there was one, no table here says.
fn ends_a_month(instant: Timestamp) -> bool {
    let time = Offset::UTC.to_datetime(instant);
    (time.hour(), time.minute(), time.second()) == (23, 59, 59)
        && time.date() == time.date().last_of_month()
}

/// A time with no more digits of a second than are kept.
fn shortened(text: &str) -> String {
    let Some((whole, rest)) = text.split_once('.') else {
        return text.to_owned();
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = rest.split_at(digits);
    format!("{whole}.{}{rest}", &fraction[..digits.min(FRACTION)])
}

fn invalid(field: &'static str, expected: String) -> UseCaseError {
    UseCaseError::invalid(Violation::InvalidValue, InvalidField { field, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_rfc_3339_instant_is_read() {
        for (text, expected) in [
            ("2026-01-31T18:30:00Z", "2026-01-31T18:30:00Z"),
            ("2026-01-31t18:30:00z", "2026-01-31T18:30:00Z"),
            ("2026-01-31 18:30:00Z", "2026-01-31T18:30:00Z"),
            ("2026-01-31T18:30:00+01:00", "2026-01-31T17:30:00Z"),
            ("2026-01-31T18:30:00-23:59", "2026-02-01T18:29:00Z"),
            ("2026-01-31T18:30:00-00:00", "2026-01-31T18:30:00Z"),
            ("2026-01-31T18:30:00.5Z", "2026-01-31T18:30:00.5Z"),
            (
                "2026-01-31T18:30:00.123456789987654321+00:00",
                "2026-01-31T18:30:00.123456789Z",
            ),
            // A leap second.
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59Z"),
            ("2015-07-01T01:59:60.25+02:00", "2015-06-30T23:59:59.25Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
            (
                "9999-12-31T23:59:59-23:59",
                "9999-12-30T22:00:00.999999999Z",
            ),
        ] {
            let expected: Timestamp = expected.parse().expect("a time");
            let read = instant("placedAfter", text).expect(text);
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_named_and_a_lost_plus_is_hinted_at() {
        for (text, has_hint) in [
            ("", false),
            ("yesterday", false),
            ("2026-01-31", false),
            ("2026-01-31T18:30:00", false),
            ("2026-02-30T18:30:00Z", false),
            ("2026-01-31T25:30:00Z", false),
            ("2026-01-31T18:30:00.Z", false),
            ("2026-01-31T18:30Z", false),
            ("2026-01-31T18Z", false),
            ("2026-01-31T183000Z", false),
            ("20260131T183000Z", false),
            ("2026-01-31T18:30:00,5Z", false),
            ("2026-01-31T24:00:00Z", false),
            ("2026-01-31T18:60:00Z", false),
            ("2026-01-31T18:30:00+24:00", false),
            ("2026-01-31T18:30:00+01:60", false),
            ("2026-01-31T18:30:00+01", false),
            ("2026-01-31T18:30:00+0100", false),
            ("2026-01-31T18:30:00+01:00:00", false),
            ("2026-01-31T18:30:00\u{2212}01:00", false),
            ("2026-01-31T18:30:00Z[UTC]", false),
            ("2026-01-31T18:30:00+01:00[Europe/Rome]", false),
            ("2026-01-31_18:30:00Z", false),
            ("2026-01-31T18:30:00 Z", false),
            (" 2026-01-31T18:30:00Z", false),
            ("2026-01-31T18:30:00Z\n", false),
            ("+002026-01-31T18:30:00Z", false),
            ("２026-01-31T18:30:00Z", false),
            // No leap seconds.
            ("2026-01-31T18:30:60Z", false),
            ("2016-12-30T23:59:60Z", false),
            ("2016-12-31T23:59:60+01:00", false),
            ("2016-12-31T23:59:61Z", false),
            ("1769884200", false),
            ("2026-01-31T18:30:00 01:00", true),
            ("2026-01-31 18:30:00.25 01:00", true),
            ("2026-01-31T18:30:00 25:99", false),
        ] {
            let refused = instant("placedBefore", text).expect_err(text).to_string();
            assert!(refused.starts_with("placedBefore must be"), "{refused}");
            assert_eq!(refused.contains("%2B"), has_hint, "{text}: {refused}");
        }
    }

    #[test]
    fn an_instant_of_a_protocol_buffer_is_read_over_its_whole_range() {
        let read = |seconds, nanos| {
            protobuf_instant("placedAfter", prost_types::Timestamp { seconds, nanos }).ok()
        };
        assert_eq!(read(0, 5), Some(Timestamp::new(0, 5).expect("a time")));
        assert_eq!(read(253_402_300_799, 999_999_999), Some(Timestamp::MAX));
        assert!(read(-62_135_596_800, 0).is_some());
        for (seconds, nanos) in [
            (253_402_300_800, 0),
            (-62_135_596_801, 0),
            (0, -1),
            (0, 1_000_000_000),
        ] {
            assert_eq!(read(seconds, nanos), None);
        }
    }
}
