//! A timeline in lines for a person.

use pizza_app::timeline::{Entry, Outcome, Timeline};

use crate::client::output::plain;

/// The widest that a column gets for the sake of the others, in characters.
const WIDEST: usize = 48;

/// The columns of a line: when, what kind, what, attempts, how long, how it
/// ended.
type Columns = [String; 6];

/// An entry a line, in columns. Times count from when the order was placed,
/// where that is not known from the first entry.
pub(super) fn lines(timeline: &Timeline) -> String {
    let first = timeline.entries.first().map(|entry| entry.at_ms);
    let zero = timeline.placed_at.or(first).unwrap_or_default();
    let rows: Vec<Columns> = timeline
        .entries
        .iter()
        .map(|entry| columns(entry, zero))
        .collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let head = timeline.order_id.as_ref();
    let head = head.map(|id| format!("order {}", plain(id)));
    let lines = rows.iter().map(|row| line(row, &widths));
    head.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn line([at, kind, what, attempts, took, end]: &Columns, widths: &[usize; 6]) -> String {
    let line = format!(
        "{at:>0$}  {kind:<1$}  {what:<2$}  {attempts:>3$}  {took:>4$}  {end}",
        widths[0], widths[1], widths[2], widths[3], widths[4]
    );
    line.trim_end().to_owned()
}

fn columns(entry: &Entry, zero: i64) -> Columns {
    // Every time fits: they come from RFC 3339.
    let since = entry.at_ms.saturating_sub(zero);
    [
        seconds(since, true),
        entry.kind.as_str().to_owned(),
        what(entry),
        entry
            .attempts
            .map_or_else(String::new, |attempts| format!("{attempts}x")),
        entry.duration_ms.map_or_else(String::new, length),
        end(entry),
    ]
}

/// What happened, and whose doing it was.
fn what(entry: &Entry) -> String {
    match &entry.detail.principal {
        Some(principal) => plain(&format!("{} by {principal}", entry.what)),
        None => plain(&entry.what),
    }
}

/// Milliseconds in tenths of a second.
fn seconds(ms: i64, signed: bool) -> String {
    let sign = match (ms < 0, signed) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let tenths = ms.unsigned_abs() / 100;
    format!("{sign}{}.{} s", tenths / 10, tenths % 10)
}

fn length(ms: u64) -> String {
    match i64::try_from(ms) {
        Ok(ms) if ms >= 1_000 => seconds(ms, false),
        _ => format!("{ms} ms"),
    }
}

/// How an entry ended, where it did not end well, with its reason.
fn end(entry: &Entry) -> String {
    let detail = &entry.detail;
    let outcome = match entry.outcome {
        None | Some(Outcome::Ok) => None,
        Some(outcome) => Some(outcome.as_str().to_owned()),
    };
    let code = detail.code.as_ref().map(|code| match &detail.message {
        Some(message) if !message.is_empty() => format!("{message} ({code})"),
        _ => code.clone(),
    });
    let parts = [outcome, code, detail.reason.clone()];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    plain(&parts.join(": "))
}
