//! Pure types and rules of a pizza order.
//!
//! Everything here is a value or a function of values: no async, no I/O, no
//! clock. Input from outside becomes a type of this crate by parsing, so that
//! code further in never has to ask whether a value was checked.

mod discount;
mod ids;
mod kitchen;
mod kitchen_simulation;
mod menu;
mod money;
mod order;
mod simulation;
mod status;
mod step;
mod text;

pub use discount::Discount;
pub use ids::{CustomerId, OrderId, ReportId};
pub use kitchen::{KitchenReport, ReportRefusal, StageDeadlines, TicketProgress, TicketReport};
pub use kitchen_simulation::KitchenSimulation;
pub use menu::{Menu, MenuItem, Prices, Size};
pub use money::Money;
pub use order::{Amendment, Order, OrderRequest, PricedFlavour, Quantity, Recovery};
pub use simulation::{ErrorOnStep, Pace, Simulation};
pub use status::{MoneyState, OrderStatus, PointsState};
pub use step::{CancelReason, Step};
pub use text::{Flavour, Rejection, composed, is_blank};

/// Why a value from outside was not accepted: the field, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {expected}")]
pub struct InvalidField {
    /// The field as the client named it, `perStepDelaySeconds` for example.
    pub field: &'static str,
    /// The rule that was broken, with its limit: "must be from 1 to 20".
    pub expected: String,
}

impl InvalidField {
    pub(crate) fn new(field: &'static str, expected: impl Into<String>) -> Self {
        Self {
            field,
            expected: expected.into(),
        }
    }
}
