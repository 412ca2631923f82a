//! The clients of the gateway.

pub(crate) mod failures;
pub(crate) mod gateway;
pub(crate) mod operator_key;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod output;
pub(crate) mod scenarios;
pub(crate) mod status;
#[cfg(test)]
mod stub;
mod watch;
