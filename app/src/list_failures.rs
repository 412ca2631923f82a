//! Lists parked tasks.

use failure_queue::client::{ListedTask, Page, StateFilter, TaskFilter};
use pizza_store::now_ms;

use super::cursor::{Mark, page_size};
use super::error::UseCaseError;
use super::failures::FailureFilter;
use super::use_cases::UseCases;

/// Which parked tasks to list, as a client says it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ListFailures {
    /// Which are meant.
    pub filter: FailureFilter,
    /// Whether those that wait or those that are closed.
    pub state: StateFilter,
    /// Tasks on a page, 50 when none.
    pub limit: Option<i128>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl ListFailures {
    fn mark(&self) -> Mark {
        Mark::of(&format!("{:?} {:?}", self.filter, self.state))
    }

    fn page(&self) -> Result<Page, UseCaseError> {
        let size = page_size(self.limit)?;
        let token = match &self.cursor {
            Some(cursor) => self.mark().read(cursor)?,
            None => Vec::new(),
        };
        Ok(Page { size, token })
    }
}

/// A page of parked tasks.
#[derive(Clone, Debug)]
pub struct Failures {
    /// The page, latest first.
    pub failures: Vec<ListedTask>,
    /// Asks for the next page; none after the last.
    pub next_cursor: Option<String>,
}

impl UseCases {
    /// A page of parked tasks as Temporal lists them: a moment behind what it
    /// does.
    ///
    /// # Errors
    /// When a value is not allowed, the cursor is none, or Temporal is away.
    pub async fn list_failures(&self, request: ListFailures) -> Result<Failures, UseCaseError> {
        let (page, mark) = (request.page()?, request.mark());
        let filter = TaskFilter {
            tasks: request.filter.check(now_ms())?,
            state: request.state,
        };
        let page = self.queues_to_read().await?.list(&filter, page).await?;
        Ok(Failures {
            failures: page.tasks,
            next_cursor: (!page.next.is_empty()).then(|| mark.cursor(&page.next)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_of_its_own_list() {
        let open = ListFailures::default();
        let done = ListFailures {
            state: StateFilter::Done,
            ..open.clone()
        };
        let of_queue = ListFailures {
            filter: FailureFilter {
                queue: Some("refund-payment".to_owned()),
                ..FailureFilter::default()
            },
            ..open.clone()
        };
        let cursor = open.mark().cursor(b"token");
        let page_of = |list: &ListFailures| {
            let list = ListFailures {
                cursor: Some(cursor.clone()),
                ..list.clone()
            };
            list.page().map(|page| page.token).ok()
        };
        assert_eq!(page_of(&open), Some(b"token".to_vec()));
        assert_eq!(page_of(&done), None);
        assert_eq!(page_of(&of_queue), None);
    }
}
