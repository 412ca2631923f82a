//! Numbers on the command line, within limits.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The longest that a command waits for something, in seconds: a week.
pub(crate) const LONGEST_WAIT: u64 = 604_800;

/// What reads whole numbers in `range`.
pub(crate) fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                format!("must be a whole number from {least} to {most}")
            })
    }
}

/// What reads numbers in `range`. One that ends with [`f64::MAX`] has no upper
/// limit here: the gateway has it.
pub(crate) fn decimal(
    range: RangeInclusive<f64>,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| number(text, range.clone(), "number")
}

/// Reads a number in `range`, a "number of seconds" for example.
///
/// # Errors
/// When it is none, or outside of the range.
pub(crate) fn number(text: &str, range: RangeInclusive<f64>, what: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| match (range.start(), range.end()) {
            (least, &f64::MAX) => format!("must be a {what} from {least} up"),
            (least, most) => format!("must be a {what} from {least} to {most}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_refused_with_its_limits() {
        let read = whole(1..=100_u64);
        assert_eq!((read("1"), read("100")), (Ok(1), Ok(100)));
        for bad in ["", "0", "101", "-1", "1.5", "x"] {
            let expected = "must be a whole number from 1 to 100";
            assert_eq!(read(bad), Err(expected.to_owned()), "{bad}");
        }
    }

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
