//! Lists parked tasks.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use failure_queue::client::{ListedTask, Page, StateFilter, TaskFilter};
use pizza_activities::store::now_ms;
use pizza_domain::InvalidField;
use sha2::{Digest, Sha256};

use super::failures::{FailureFilter, invalid_cursor};
use super::{UseCaseError, UseCases, Violation};

/// How many bytes of a cursor say which list it is of.
const MARK_LENGTH: usize = 8;

/// Which parked tasks to list, as a client says it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ListFailures {
    /// Which are meant.
    pub filter: FailureFilter,
    /// Whether those that wait or those that are closed.
    pub state: StateFilter,
    /// Tasks on a page, [`Self::DEFAULT_LIMIT`] when none.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl ListFailures {
    /// The most that a page may have.
    pub const MAX_LIMIT: u32 = 100;
    /// What a page has unless the client says.
    pub const DEFAULT_LIMIT: u32 = 50;

    /// Marks a cursor as one of this list: behind a page of another one there
    /// is another page, or none.
    fn mark(&self) -> [u8; MARK_LENGTH] {
        let list = format!("{:?} {:?}", self.filter, self.state);
        let digest = Sha256::digest(list);
        std::array::from_fn(|index| digest[index])
    }

    fn page(&self) -> Result<Page, UseCaseError> {
        let size = self.limit.unwrap_or(Self::DEFAULT_LIMIT);
        if !(1..=Self::MAX_LIMIT).contains(&size) {
            let field = InvalidField {
                field: "limit",
                expected: format!("must be from 1 to {}", Self::MAX_LIMIT),
            };
            return Err(UseCaseError::invalid(Violation::OutOfRange, field));
        }
        let token = match &self.cursor {
            Some(cursor) => read_cursor(cursor, self.mark())?,
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
            next_cursor: (!page.next.is_empty())
                .then(|| BASE64_URL_SAFE_NO_PAD.encode([&mark[..], &page.next].concat())),
        })
    }
}

fn read_cursor(text: &str, mark: [u8; MARK_LENGTH]) -> Result<Vec<u8>, UseCaseError> {
    let marked = BASE64_URL_SAFE_NO_PAD.decode(text);
    let marked = marked.map_err(|_| invalid_cursor())?;
    match marked.strip_prefix(&mark[..]) {
        Some(token) if !token.is_empty() => Ok(token.to_vec()),
        _ => Err(invalid_cursor()),
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
        let cursor = BASE64_URL_SAFE_NO_PAD.encode([&open.mark()[..], b"token"].concat());
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
