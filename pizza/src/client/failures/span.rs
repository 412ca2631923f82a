//! Lengths of time on a command line: `90s`, `15m`, `2h`, `3d`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

const DAY: u64 = 24 * 3600;

/// The greatest age: ten years.
pub(super) const MAX_AGE: Duration = Duration::from_secs(3650 * DAY);

/// The shortest wait of an automatic redrive.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// The longest wait of an automatic redrive.
const MAX_WAIT: Duration = Duration::from_secs(30 * DAY);

/// Reads an age in whole seconds, up to ten years.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let age = read(text)?;
    let fits = age.subsec_nanos() == 0 && !age.is_zero() && age <= MAX_AGE;
    fits.then_some(age)
        .ok_or_else(|| "must be whole seconds, from 1s to 3650d".to_owned())
}

/// Reads a wait, from a tenth of a second to thirty days.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    let wait = read(text)?;
    let fits = wait.subsec_nanos() % 1_000_000 == 0 && (MIN_WAIT..=MAX_WAIT).contains(&wait);
    fits.then_some(wait)
        .ok_or_else(|| "must be whole milliseconds, from 100ms to 30d".to_owned())
}

/// A day is 24 hours here. Months and years are no lengths of time.
fn read(text: &str) -> Result<Duration, String> {
    let days = SpanRelativeTo::days_are_24_hours();
    text.parse::<Span>()
        .and_then(|span| span.to_duration(days))
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| "must be a length of time like 90s, 15m, 2h or 3d".to_owned())
}

/// A length of time for a person, in its two greatest units.
pub(crate) fn in_words(seconds: f64) -> String {
    if seconds < 60.0 && seconds.fract() != 0.0 {
        return format!("{seconds}s");
    }
    // Saturates: whatever the server sends is some length of time.
    let whole = seconds as u64;
    let units = [
        (whole / DAY, "d"),
        (whole % DAY / 3600, "h"),
        (whole % 3600 / 60, "m"),
        (whole % 60, "s"),
    ];
    let first = units
        .iter()
        .position(|(count, _)| *count > 0)
        .unwrap_or(units.len() - 1);
    units[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0)
        .map(|(_, (count, unit))| format!("{count}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_within_their_limits() {
        for (text, seconds) in [
            ("1s", 1),
            ("90s", 90),
            ("15m", 900),
            ("2h", 7200),
            ("1h30m", 5400),
            ("3d", 3 * DAY),
            ("1w", 7 * DAY),
            ("3650d", 3650 * DAY),
        ] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "5",
            "-5m",
            "5m ago",
            "0s",
            "1500ms",
            "3651d",
            "1y",
            "2mo",
            "P1M",
            "later",
            "99999999999999999999d",
        ] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn waits_are_read_within_their_limits() {
        assert_eq!(wait("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(wait("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(wait("30d"), Ok(Duration::from_secs(30 * DAY)));
        for bad in ["99ms", "30d1s", "100ms1ns"] {
            assert!(wait(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_length_of_time_is_told_in_two_units() {
        for (seconds, words) in [
            (0.0, "0s"),
            (0.25, "0.25s"),
            (59.0, "59s"),
            (60.0, "1m"),
            (3661.7, "1h 1m"),
            (3600.0, "1h"),
            (90061.0, "1d 1h"),
            (86460.0, "1d"),
            (-5.0, "0s"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
        assert!(in_words(f64::INFINITY).contains("d "));
    }
}
