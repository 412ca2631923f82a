//! What clients of the gateway may rely on.

mod error_code;

pub use error_code::{ErrorCode, GrpcStatus};

/// What a customer is told whose order was taken.
pub const ORDER_PLACED: &str =
    "Order created successfully. Use the statusCheck link to see how the order is going!";
