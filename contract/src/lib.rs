//! What clients of the gateway may rely on: the JSON of its HTTP API, each
//! concept declared once for the gateway and its clients, and the error codes.

mod bulk;
mod error_code;
mod failures;
mod kitchen;
mod menu;
mod names;
mod orders;
mod problem;
mod queue_policy;
pub mod reading;
#[cfg(feature = "schema")]
pub mod schemas;
pub mod timeline;
mod times;
mod workflows;

pub use bulk::*;
pub use error_code::{ErrorCode, GrpcStatus};
pub use failures::*;
pub use kitchen::*;
pub use menu::*;
pub use names::{Integer, Name};
pub use orders::*;
pub use problem::Problem;
pub use queue_policy::*;
pub use times::rfc_3339;
pub use workflows::*;

/// What a customer is told whose order was taken.
pub const ORDER_PLACED: &str =
    "Order created successfully. Use the statusCheck link to see how the order is going!";

/// The header under whose key a request acts once, however often it is sent.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
