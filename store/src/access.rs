//! What a connection to the store is for.

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// To write, and to make what is not there.
    Write,
    /// To look at what is there.
    Read,
}
