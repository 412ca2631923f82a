//! The clients of the gateway.

pub(crate) mod amend;
pub(crate) mod cancel;
pub(crate) mod customer_key;
pub(crate) mod failures;
pub(crate) mod gateway_args;
pub(crate) mod healthcheck;
pub(crate) mod kitchen_key;
pub(crate) mod kitchen_simulation;
pub(crate) mod menu;
pub(crate) mod operator_key;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod output;
pub(crate) mod report;
pub(crate) mod scenarios;
pub(crate) mod shown_key;
pub(crate) mod status;
#[cfg(test)]
#[path = "../../../client/src/stub.rs"]
pub(crate) mod stub;
pub(crate) mod tickets;
mod timeline;
mod watch;
