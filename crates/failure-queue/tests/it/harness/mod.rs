//! What the tests stand on.

mod errand;
mod hands;
mod ledger;
mod temporal;
mod wait;
mod world;

use errand::{Errand, ErrandWorkflow};
pub(crate) use ledger::Next;
use ledger::{Ledger, LedgerActivities, Payment};
pub(crate) use temporal::{SEARCH_ATTRIBUTES, shared_server};
pub(crate) use wait::{A_MINUTE, SOON, eventually};
pub(crate) use world::{World, discard_by, redrive_by};
