//! Texts from servers, for terminals and logs.

/// A text from elsewhere as a part of one line: it holds no line break, and no
/// character that a terminal acts on.
#[must_use]
pub fn plain(text: &str) -> String {
    escaped(text, |c| steers(c) || c == '\n' || c == '\t')
}

/// Lines that cannot steer a terminal.
#[must_use]
pub fn harmless(text: &str) -> String {
    escaped(text, steers)
}

/// Writes characters as JSON writes them, so that JSON stays what it was:
/// there, they only ever stand in strings.
fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_bad(c) {
            // None of them lies beyond the first plane.
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Whether a terminal may take a character as an order, or show what follows
/// it in another order.
fn steers(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(plain("a\nb\t\x1b[31mc"), "a\\u000ab\\u0009\\u001b[31mc");
        assert_eq!(harmless("a\nb\r\u{9b}2J"), "a\nb\\u000d\\u009b2J");
        assert_eq!(plain("\u{202e}evil"), "\\u202eevil");
        assert_eq!(plain("Ананас 🍍 10.00 €"), "Ананас 🍍 10.00 €");
        let bad = (0..0x20).chain(0x7f..0xa0).chain(0x2028..=0x202e);
        let bad = bad.chain(0x2066..=0x206f).chain([0x61c, 0x200e, 0x200f]);
        for c in bad.filter_map(char::from_u32) {
            let code = u32::from(c);
            assert_eq!(plain(&c.to_string()), format!("\\u{code:04x}"));
        }
    }
}
