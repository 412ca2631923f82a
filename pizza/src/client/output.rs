//! Data on stdout, the rest on stderr.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};

/// Says something to the person at the terminal.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a line of data.
pub(crate) fn data(text: &str) {
    // A reader that has gone has read enough.
    let _ = writeln!(io::stdout(), "{text}");
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
        let _ = writeln!(err, "{up}\r\x1b[J{text}");
        self.lines = text.lines().count();
    }
}
