//! What the tests stand on.

mod errand;
mod hands;
mod ledger;
mod temporal;
mod wait;
mod world;

pub(crate) use errand::{Errand, ErrandWorkflow};
pub(crate) use ledger::{Ledger, LedgerActivities, Next, Payment};
pub(crate) use wait::{A_MINUTE, SOON, eventually};
pub(crate) use world::{World, discard_by, redrive_by};
