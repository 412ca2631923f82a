//! What a customer changes about an order, and how the order workflow and its
//! fulfilment branch agree on it.
//!
//! What the kitchen has reported is known to the branch alone, so the order
//! workflow asks it and waits for its word; each side decides by itself in one
//! breath, so that no change and no report can pass each other by.

pub(crate) mod amend;
mod ask;
pub(crate) mod cancel;
pub(crate) mod refusal;
pub(crate) mod signals;
