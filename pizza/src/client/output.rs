//! Data on stdout, the rest on stderr.
//!
//! Much of what is printed comes from elsewhere: a customer's words, a
//! provider's error message. None of it may steer the terminal, or make a line
//! of its own.

use std::fmt;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ColumnConstraint, ContentArrangement};
use failure_queue::error_chain;
use pizza_client::harmless;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::streams::{STDERR, STDOUT};

pub(crate) use pizza_client::plain;

/// The exit code of every command whose output could not be written: that of
/// an input or output error in `sysexits.h`.
const UNWRITTEN: u8 = 74;

/// Says something to the person at the terminal, in a line.
pub(crate) fn note(line: &str) {
    STDERR.say(format!("{}{}\n", drawn().erased(), plain(line)));
}

/// Says what went wrong, with all causes. Only the first line begins at the
/// margin.
pub(crate) fn error(error: &anyhow::Error) {
    let text = harmless(&format!("error: {}", error_chain(error.as_ref()))).replace('\n', "\n  ");
    STDERR.say(format!("{}{text}\n", drawn().erased()));
}

/// Asks the person at the terminal, who answers behind the question.
pub(crate) fn question(text: &str) {
    STDERR.say(format!("{} ", plain(text)));
}

/// Writes a line of data.
pub(crate) fn data(line: &str) {
    write(plain(line));
}

/// Writes a line with a secret that is kept nowhere else: a closed stdout loses
/// it.
pub(crate) fn secret(line: &str) {
    data(line);
    STDOUT.fail_if_closed();
}

/// Writes lines of data. What comes from elsewhere was made [`plain`] before
/// it became a part of them.
pub(crate) fn lines(text: &str) {
    write(harmless(text));
}

/// Writes a page of a list for a person, and says how to see the next one.
pub(crate) fn page(table: &Table, next_cursor: Option<impl fmt::Display>) {
    if table.0.is_empty() {
        note("none");
    } else {
        lines(&table.to_string());
    }
    if let Some(cursor) = next_cursor {
        note(&format!("more: the same with --cursor {cursor}"));
    }
}

/// Writes a line of JSON.
pub(crate) fn json(value: &Value) {
    data(&value.to_string());
}

fn write(text: String) {
    // On a terminal, both streams are one.
    STDERR.is_idle_soon();
    STDOUT.write(text + "\n");
}

/// Says on stdout that a role has begun. The role goes on, whatever becomes
/// of it: the exit code tells in the end.
pub(crate) fn announce(text: &str) {
    STDOUT.say(harmless(text) + "\n");
    if let Some(error) = STDOUT.fault() {
        tracing::error!(error, "that all is ready could not be written to stdout");
    }
}

/// Prints what the command line's parser says, and gives its exit code.
pub(crate) fn usage(said: &clap::Error) -> ExitCode {
    let text = said.render();
    let is_error = said.use_stderr();
    let is_terminal = if is_error {
        io::stderr().is_terminal()
    } else {
        io::stdout().is_terminal()
    };
    let text = if is_terminal && escapes_are_welcome() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    if is_error {
        STDERR.say(text);
    } else {
        STDOUT.write(text);
    }
    ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(u8::MAX))
}

/// Waits until everything is written, as long as somebody reads, and gives
/// the exit code: where output was lost, that one.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    let lost = STDOUT.finish();
    if let Some(error) = &lost {
        let name = STDOUT.name();
        note(&format!(
            "error: the output could not be written to {name}: {error}"
        ));
    }
    if lost.is_some() || STDERR.finish().is_some() {
        return ExitCode::from(UNWRITTEN);
    }
    code
}

/// Whether colours and other escapes are wanted, where there is a terminal.
pub(crate) fn escapes_are_welcome() -> bool {
    let is_capable = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    is_capable && std::env::var_os("NO_COLOR").is_none()
}

/// A table, each of whose cells is one text from anywhere.
pub(crate) struct Table(comfy_table::Table);

/// A table with these columns.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns);
    Table(table)
}

impl Table {
    pub(crate) fn add_row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells = cells.into_iter().map(|cell| plain(cell.as_ref()));
        self.0.add_row(cells.collect::<Vec<_>>());
    }

    /// Keeps this column as wide as its texts: an id that is cut into two
    /// lines cannot be copied.
    pub(crate) fn keep_whole(&mut self, column: usize) {
        if let Some(column) = self.0.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The lines that are drawn last on the terminal, and can be replaced.
static DRAWN: Mutex<Drawn> = Mutex::new(Drawn {
    rows: 0,
    size: Size {
        columns: 0,
        rows: 0,
    },
});

fn drawn() -> MutexGuard<'static, Drawn> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Drawn {
    rows: usize,
    /// The terminal's size when they were drawn.
    size: Size,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    columns: usize,
    rows: usize,
}

impl Size {
    /// Of the terminal; where it does not know, what most of them have.
    fn now() -> Self {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
        let known = |length: Option<u16>, else_it_is| match length {
            None | Some(0) => else_it_is,
            Some(length) => usize::from(length),
        };
        Self {
            columns: known(size.as_ref().ok().map(|size| size.ws_col), 80),
            rows: known(size.ok().map(|size| size.ws_row), 24),
        }
    }

    /// The lines as they fit: none wraps, and none has left the screen, so
    /// that all of them can be found again. Of too many, the last.
    fn fit(self, text: &str) -> Vec<String> {
        let lines: Vec<String> = text.lines().map(plain).collect();
        let left_out = (lines.len() + 1).saturating_sub(self.rows.max(3));
        let mut fitting = Vec::new();
        if left_out > 0 {
            fitting.push(self.cut(&format!("({} lines more)", left_out + 1)));
        }
        let skipped = if left_out > 0 { left_out + 1 } else { 0 };
        fitting.extend(lines.iter().skip(skipped).map(|line| self.cut(line)));
        fitting
    }

    fn cut(self, line: &str) -> String {
        // In the last column, some terminals wrap already.
        let most = self.columns.max(2) - 1;
        if line.width() <= most {
            return line.to_owned();
        }
        let mut width = 0;
        let fits = |c: &char| {
            width += c.width().unwrap_or(0);
            width < most
        };
        let mut cut: String = line.chars().take_while(fits).collect();
        cut.push('…');
        cut
    }
}

impl Drawn {
    /// What erases the lines, for those that take their place; nothing where
    /// none are drawn.
    fn erased(&mut self) -> String {
        let size = Size::now();
        let erase = match self.rows {
            0 => String::new(),
            // Up over them, then clear to the end of the screen.
            rows if self.size == size => format!("\x1b[{rows}A\r\x1b[J"),
            // Where they are now, only the terminal knows.
            _ => "\x1b[H\x1b[2J".to_owned(),
        };
        *self = Self { rows: 0, size };
        erase
    }
}

/// Redraws lines in place on a terminal; elsewhere draws nothing.
pub(crate) struct Live {
    is_shown: bool,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal() && escapes_are_welcome(),
        }
    }

    /// Whether anything is drawn.
    pub(crate) const fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Replaces what was drawn before. Where the terminal has not taken that
    /// yet, nothing: it is drawn anew soon.
    pub(crate) fn draw(&mut self, text: &str) {
        if !self.is_shown || !STDERR.is_idle_soon() {
            return;
        }
        let mut drawn = drawn();
        let erase = drawn.erased();
        let lines = drawn.size.fit(text);
        drawn.rows = lines.len();
        STDERR.log(format!("{erase}{}\n", lines.join("\n")).as_bytes());
    }

    /// Erases what was drawn.
    pub(crate) fn erase(&mut self) {
        if self.is_shown {
            STDERR.log(drawn().erased().as_bytes());
        }
    }
}

impl Drop for Live {
    /// What was drawn last stays.
    fn drop(&mut self) {
        drawn().rows = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_a_table_makes_no_line_of_its_own() {
        let mut table = table(&["order", "reason"]);
        table.add_row(["1", "late\n2 delivered\u{2028}\u{202e}"]);
        let shown = table.to_string();
        assert_eq!(shown.lines().count(), 5, "{shown}");
        assert!(
            shown.contains("late\\u000a2 delivered\\u2028\\u202e"),
            "{shown}"
        );
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "a\u{7f}": "\u{9b}31m \n \u{2066}x" });
        let printed = plain(&value.to_string());
        assert!(printed.is_ascii(), "{printed}");
        let read: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn what_is_drawn_fits_on_the_screen() {
        let size = |columns, rows| Size { columns, rows };
        assert_eq!(size(8, 24).fit("1234567\n12345678"), ["1234567", "123456…"]);
        assert_eq!(size(8, 24).fit("全全全全"), ["全全全…"]);
        assert_eq!(size(8, 24).fit("全全全全").concat().width(), 7);
        assert_eq!(size(80, 4).fit("1\n2\n3"), ["1", "2", "3"]);
        assert_eq!(size(80, 4).fit("1\n2\n3\n4"), ["(2 lines more)", "3", "4"]);
        assert_eq!(size(1, 1).fit("1\n2\n3"), ["…", "3"]);
    }
}
