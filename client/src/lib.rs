//! The typed client of the gateway's HTTP API: its requests and answers are
//! the types of `pizza-contract`.
//!
//! [`Gateway`] makes a customer's calls, [`KitchenApi`] a kitchen's, and
//! [`FailureQueues`] an operator's. Each answer is [`Sent`]: as the type that
//! this version knows, and as the JSON that was sent.

mod error;
mod events;
mod failures;
mod gateway;
mod kitchen;
mod secret;
mod sent;
mod shown_url;
#[cfg(test)]
mod stub;
mod text;

pub use error::{CallError, ConnectError, Problem};
pub use events::Changes;
pub use failures::{FailureQueues, Redriven};
pub use gateway::{Gateway, Key};
pub use kitchen::{KitchenApi, ReportAnswer};
pub use secret::{InvalidKey, MAX_KEY, Secret};
pub use sent::Sent;
pub use shown_url::{is_bare, shown};
pub use text::{harmless, plain};
