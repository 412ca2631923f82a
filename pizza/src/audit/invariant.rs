//! What the audit checks of every order, by name.

use std::fmt;

use serde::Serialize;

/// A promise that the audit holds every order to. The names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Invariant {
    Charge,
    Refund,
    Points,
    Parked,
    Ended,
    Statuses,
    Kitchen,
    Amendments,
    Notified,
}

impl Invariant {
    pub(crate) const ALL: [Self; 9] = [
        Self::Charge,
        Self::Refund,
        Self::Points,
        Self::Parked,
        Self::Ended,
        Self::Statuses,
        Self::Kitchen,
        Self::Amendments,
        Self::Notified,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Points => "points",
            Self::Parked => "parked",
            Self::Ended => "ended",
            Self::Statuses => "statuses",
            Self::Kitchen => "kitchen",
            Self::Amendments => "amendments",
            Self::Notified => "notified",
        }
    }

    /// What it says.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Charge => "one charge of the total if the order was paid, else none",
            Self::Refund => "a refund, or one task that owes it, if charged and not delivered",
            Self::Points => "points agree with the ledger; their sum is 0 or the order's award",
            Self::Parked => "each step that failed for good is parked once, in books and Temporal",
            Self::Ended => "each accepted order has ended, or still runs in Temporal",
            Self::Statuses => "status, money and points went a legal way, without gaps",
            Self::Kitchen => "ticket and reports are whole, and tell the order's end",
            Self::Amendments => {
                "the order is what was amended last; no other amendment moved money"
            }
            Self::Notified => "the customer was told of a cancellation, why, and nothing else",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
