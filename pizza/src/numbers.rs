//! Numbers on the command line, within limits.

use std::ops::RangeInclusive;

/// Reads a number in `range`, a "number of seconds" for example.
///
/// # Errors
/// When it is none, or outside of the range.
pub(crate) fn number(text: &str, range: RangeInclusive<f64>, what: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("must be a {what} from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limits() {
        let read = |text| number(text, 0.1..=86_400.0, "number of seconds");
        assert_eq!(read("0.1"), Ok(0.1));
        assert_eq!(read("86400"), Ok(86_400.0));
        for bad in ["", "0", "86401", "NaN", "inf", "1s"] {
            let expected = "must be a number of seconds from 0.1 to 86400";
            assert_eq!(read(bad), Err(expected.to_owned()), "{bad}");
        }
    }
}
