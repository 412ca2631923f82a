//! What clients of the gateway may rely on: the JSON of its HTTP API, each
//! concept declared once for the gateway and its clients, and the error codes.

mod error_code;
mod orders;
mod times;

pub use error_code::{ErrorCode, GrpcStatus};
#[cfg(feature = "schema")]
pub use orders::schemas;
pub use orders::{
    CancelReason, CancellationOutcome, Name, Order, OrderAmended, OrderCancelled, OrderChange,
    OrderPlaced, OrderSummary, Orders, Owed, PlacedOrder, Size,
};
pub use times::rfc_3339;

/// What a customer is told whose order was taken.
pub const ORDER_PLACED: &str =
    "Order created successfully. Use the statusCheck link to see how the order is going!";

/// The header under whose key a request acts once, however often it is sent.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
