//! Lists the parked tasks that are over: what operators did lately.

use pizza_store::{ResolvedPosition, ResolvedTask};

use super::cursor::Mark;
use super::error::UseCaseError;
use super::failures::invalid_cursor;
use super::use_cases::UseCases;

/// Tasks on a page.
const PAGE: u32 = 20;

/// A page of tasks that are over.
#[derive(Clone, Debug, Default)]
pub struct ResolvedFailures {
    /// The page, last first.
    pub tasks: Vec<ResolvedTask>,
    /// Asks for the next page; none after the last.
    pub next_cursor: Option<String>,
}

impl UseCases {
    /// A page of the tasks that were done or let go, by the books, behind the
    /// one that ended with `cursor`. What ends meanwhile shifts no page.
    ///
    /// # Errors
    /// When the cursor is none, or the store is away.
    pub async fn resolved_failures(
        &self,
        cursor: Option<&str>,
    ) -> Result<ResolvedFailures, UseCaseError> {
        let after = match cursor {
            Some(cursor) => position(cursor)?,
            None => ResolvedPosition::start(),
        };
        // One more than the page has says whether there is another.
        let mut tasks = self.store.resolved_tasks(&after, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let is_last = tasks.len() <= page;
        tasks.truncate(page);
        let end = tasks.last().filter(|_| !is_last).map(cursor_of);
        Ok(ResolvedFailures {
            tasks,
            next_cursor: end,
        })
    }
}

fn mark() -> Mark {
    Mark::of("resolved failures")
}

fn cursor_of(task: &ResolvedTask) -> String {
    mark().cursor(format!("{}/{}", task.resolved_at_ms, task.task_id).as_bytes())
}

/// The position that a cursor names.
fn position(cursor: &str) -> Result<ResolvedPosition, UseCaseError> {
    let end = String::from_utf8(mark().read(cursor)?).map_err(|_| invalid_cursor())?;
    let (resolved_at_ms, task_id) = end.split_once('/').ok_or_else(invalid_cursor)?;
    Ok(ResolvedPosition {
        resolved_at_ms: resolved_at_ms.parse().map_err(|_| invalid_cursor())?,
        task_id: task_id.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_a_position() {
        let found = position(&mark().cursor(b"17/failed-a-1")).expect("a position");
        assert_eq!(
            (found.resolved_at_ms, found.task_id.as_str()),
            (17, "failed-a-1")
        );
        for bad in ["17", "x/y", "/"] {
            assert!(position(&mark().cursor(bad.as_bytes())).is_err(), "{bad}");
        }
        assert!(position("").is_err());
        assert!(position(&Mark::of("another list").cursor(b"17/a")).is_err());
    }
}
