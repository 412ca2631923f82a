//! Integers from outside, by their value: `1`, `1.0` and `10e-1` are one, as
//! JSON Schema has it.

use serde_json::{Number, Value};

/// From here on, a number that is written with a point or an exponent may
/// have lost its last digits as it was read.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number that was written with a point or an exponent, as the integer that
/// it is, if it is one for sure. One that cannot be told (infinity) is `null`.
pub(super) fn by_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// The integer that a value is which was read [`by_value`]. One that may have
/// lost digits is out of every range, as one beyond 64 bits is.
pub(super) fn integer(value: &Value) -> Option<i128> {
    let unsigned = || value.as_u64().map(i128::from);
    let huge = || {
        let number = value.as_f64().filter(|n| n.abs() >= EXACT)?;
        Some(if number > 0.0 { i128::MAX } else { i128::MIN })
    };
    value
        .as_i64()
        .map(i128::from)
        .or_else(unsigned)
        .or_else(huge)
}

/// The integer that a text is, of a query or a form.
#[must_use]
pub fn integer_in(text: &str) -> Option<i128> {
    let as_json = || {
        let number: Number = serde_json::from_str(text).ok()?;
        integer(&by_value(number.as_f64()?))
    };
    // White space around it is JSON's, and no part of the number.
    let is_bare = text.trim() == text;
    text.parse()
        .ok()
        .or_else(|| is_bare.then(as_json).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::unique_json::UniqueFields;

    fn of_json(json: &str) -> Option<i128> {
        let object: UniqueFields =
            serde_json::from_str(&format!("{{\"n\":{json}}}")).expect("an object");
        integer(&object.fields["n"])
    }

    #[test]
    fn an_integer_is_known_by_its_value_however_it_is_written() {
        for (text, number) in [
            ("3", 3),
            ("3.0", 3),
            ("3.000", 3),
            ("3e0", 3),
            ("30E-1", 3),
            ("0.3e1", 3),
            ("-1", -1),
            ("-1.0", -1),
            ("0.0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("1e2", 100),
            ("9007199254740991.0", 9_007_199_254_740_991),
            ("9007199254740993", 9_007_199_254_740_993),
            ("18446744073709551615", u64::MAX.into()),
        ] {
            assert_eq!(of_json(text), Some(number), "{text}");
            assert_eq!(integer_in(text), Some(number), "{text}");
        }
    }

    #[test]
    fn what_may_have_lost_digits_is_out_of_every_range() {
        for text in ["9007199254740992.0", "9007199254740993.0", "1e16", "1e300"] {
            assert_eq!(of_json(text), Some(i128::MAX), "{text}");
            assert_eq!(integer_in(text), Some(i128::MAX), "{text}");
            let negative = format!("-{text}");
            assert_eq!(of_json(&negative), Some(i128::MIN), "{negative}");
        }
        assert_eq!(of_json("18446744073709551616"), Some(i128::MAX));
    }

    #[test]
    fn what_is_no_integer_is_none() {
        for text in ["0.5", "3.0000001", "1e-1", "\"3\"", "true", "null", "[]"] {
            assert_eq!(of_json(text), None, "{text}");
            assert_eq!(integer_in(text), None, "{text}");
        }
        for text in [
            "", "x", "1.", ".5", "1_0", "0x1", "inf", "NaN", "1e999", " 1",
        ] {
            assert_eq!(integer_in(text), None, "{text}");
        }
    }
}
