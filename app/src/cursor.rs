//! Pages of lists: how long they are, and cursors, which say where a page ended,
//! and of which list.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use pizza_domain::InvalidField;

use super::error::{UseCaseError, Violation};
use super::failures::invalid_cursor;

/// The most that a page may have.
const MOST: u32 = 100;

/// What a page has unless the client says.
const DEFAULT: u32 = 50;

/// How many a page has that is to have so many.
///
/// # Errors
/// When that is too few or too many.
pub(super) fn page_size(limit: Option<i128>) -> Result<u32, UseCaseError> {
    let size = limit.map_or(Some(DEFAULT), |limit| u32::try_from(limit).ok());
    size.filter(|size| (1..=MOST).contains(size))
        .ok_or_else(|| {
            let field = InvalidField {
                field: "limit",
                expected: format!("must be from 1 to {MOST}"),
            };
            UseCaseError::invalid(Violation::OutOfRange, field)
        })
}

/// How many bytes of a cursor say which list it is of.
const MARK_LENGTH: usize = 8;

/// Marks cursors as those of one list: behind a page of another one there is
/// another page, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; MARK_LENGTH]);

impl Mark {
    /// The mark of the list that is described so.
    pub(super) fn of(list: &str) -> Self {
        let digest = Sha256::digest(list);
        Self(std::array::from_fn(|index| digest[index]))
    }

    /// The cursor for what comes after `end`.
    pub(super) fn cursor(self, end: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.0[..], end].concat())
    }

    /// Where the page of a cursor ended.
    ///
    /// # Errors
    /// When it is no cursor, or one of another list.
    pub(super) fn read(self, cursor: &str) -> Result<Vec<u8>, UseCaseError> {
        let marked = BASE64_URL_SAFE_NO_PAD.decode(cursor);
        let marked = marked.map_err(|_| invalid_cursor())?;
        match marked.strip_prefix(&self.0[..]) {
            Some(end) if !end.is_empty() => Ok(end.to_vec()),
            _ => Err(invalid_cursor()),
        }
    }
}
