//! Times, spans and amounts, for people.

use maud::{Markup, html};
use pizza_domain::Money;

use pizza_contract::rfc_3339;

/// A time, said relative to now, with the exact one on hover. The script keeps
/// it up to date.
pub(super) fn ago(at_ms: i64, now_ms: i64) -> Markup {
    let exact = rfc_3339(at_ms);
    html! {
        time datetime=(exact) title=(exact) data-ago=(at_ms) { (said_ago(now_ms - at_ms)) }
    }
}

/// How long it is until a time; the script counts it down.
pub(super) fn left(until_ms: i64, now_ms: i64) -> Markup {
    let exact = rfc_3339(until_ms);
    html! {
        time datetime=(exact) title=(exact) data-until=(until_ms) {
            (said_left(until_ms - now_ms))
        }
    }
}

/// `just now`, `12 s ago`, `3 min ago`. `app.js` says the same.
pub(super) fn said_ago(milliseconds: i64) -> String {
    match milliseconds {
        ..1000 => "just now".to_owned(),
        _ => format!("{} ago", span(milliseconds)),
    }
}

/// `12 s left`, `119 s left`, `2 min left`, `3 s over`. `app.js` says the same.
pub(super) fn said_left(milliseconds: i64) -> String {
    match milliseconds {
        ..=-1000 => format!("{} over", span(-milliseconds)),
        -999..120_000 => format!("{} s left", milliseconds.max(0) / 1000),
        120_000.. => format!("{} left", span(milliseconds)),
    }
}

/// A span in its largest unit: `0 s`, `59 s`, `3 min`, `2 h`, `5 d`.
pub(super) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long something took: `12 ms`, `1.4 s`, `3 min`.
pub(super) fn took(milliseconds: u64) -> String {
    match milliseconds {
        ..1000 => format!("{milliseconds} ms"),
        1000..60_000 => {
            let tenths = milliseconds / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => span(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
    }
}

/// An amount of money. The shop has one currency, and does not say which.
pub(super) fn money(minor: i64) -> Markup {
    html! { span.money title="units of the shop's currency" { (Money::from_minor(minor)) } }
}

/// `1 pizza`, `2 pizzas`.
pub(super) fn count(number: i64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

/// The beginning of a text that may be long, this many characters at most.
pub(super) fn beginning(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(beginning("🍕🍕🍕", 2), "🍕…");
        assert_eq!(beginning("🍕🍕", 2), "🍕🍕");
    }

    #[test]
    fn a_span_is_said_in_one_unit() {
        for (milliseconds, said) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_599_999, "59 min"),
            (3_600_000, "1 h"),
            (86_400_000, "1 d"),
        ] {
            assert_eq!(span(milliseconds), said);
        }
        assert_eq!(said_ago(-5), "just now");
        assert_eq!(said_ago(61_000), "1 min ago");
        assert_eq!(said_left(9_500), "9 s left");
        assert_eq!(said_left(119_999), "119 s left");
        assert_eq!(said_left(120_000), "2 min left");
        assert_eq!(said_left(-1), "0 s left");
        assert_eq!(said_left(-2_000), "2 s over");
        assert_eq!(took(7), "7 ms");
        assert_eq!(took(1_460), "1.4 s");
        assert_eq!(took(61_000), "1 min");
        assert_eq!(count(1, "pizza", "pizzas"), "1 pizza");
        assert_eq!(count(2, "pizza", "pizzas"), "2 pizzas");
    }
}
