//! Data on stdout, the rest on stderr.
//!
//! Much of what is printed comes from elsewhere: a customer's words, a
//! provider's error message. None of it may steer the terminal.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

/// Says something to the person at the terminal.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr(), "{}", harmless(text));
}

/// Writes a line of data.
pub(crate) fn data(text: &str) {
    // A reader that has gone has read enough.
    let _ = writeln!(io::stdout(), "{}", harmless(text));
}

/// Writes a line of JSON.
pub(crate) fn json(value: &Value) {
    data(&value.to_string());
}

/// A text from elsewhere as a part of one line.
pub(crate) fn plain(text: &str) -> String {
    escaped(text, |c| steers(c) || c == '\n' || c == '\t')
}

/// Lines that cannot steer a terminal.
fn harmless(text: &str) -> String {
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
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        _ => c.is_control(),
    }
}

/// A table with these columns.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns);
    table
}

/// Redraws a block of lines in place on a terminal; elsewhere draws nothing.
pub(crate) struct Live {
    lines: usize,
    terminal: bool,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            lines: 0,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether anything is drawn.
    pub(crate) const fn is_shown(&self) -> bool {
        self.terminal
    }

    /// Replaces what was drawn before.
    pub(crate) fn draw(&mut self, text: &str) {
        if !self.terminal {
            return;
        }
        let mut err = io::stderr();
        // Up over the old lines, then clear to the end of the screen.
        let up = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        };
        let _ = writeln!(err, "{up}\r\x1b[J{}", harmless(text));
        self.lines = text.lines().count();
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
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "a\u{7f}": "\u{9b}31m \n \u{2066}x" });
        let printed = harmless(&value.to_string());
        assert!(printed.is_ascii(), "{printed}");
        let read: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(read, value);
    }
}
