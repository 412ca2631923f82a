//! The end of an order, from the change that brought it about to its measure.

use pizza_domain::{CancelReason, OrderStatus};

/// The end that a change brought an order to, if it did.
#[derive(Debug, Default)]
#[must_use = "it is measured once the change is committed"]
pub(super) struct Ended(pub(super) Option<(OrderStatus, Option<CancelReason>)>);

impl Ended {
    /// The order ended as this.
    pub(super) const fn as_now(status: OrderStatus, cancelled: Option<CancelReason>) -> Self {
        Self(Some((status, cancelled)))
    }
}
