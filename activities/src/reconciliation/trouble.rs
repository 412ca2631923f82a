//! Why the reconciliation did not look at an order to the end.

use pizza_store::StoreError;

/// Why an order was not looked at to the end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The store or Temporal does not answer. The page is tried again.
    Fault(String),
    /// It is this order's own, and nothing for a program.
    Stuck(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if error.may_pass() {
            Self::Fault(text)
        } else {
            Self::Stuck(text)
        }
    }
}
