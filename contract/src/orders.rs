//! Orders, as the gateway answers with them.
//!
//! States and sizes are texts, so that a client can read what a later gateway
//! has added; their schemas list those that this version knows.

use std::borrow::Cow;
use std::ops::Deref;

use jiff::Timestamp;
use pizza_domain::{OrderId, OrderStatus};
use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

/// The name of a state, a size or a step.
pub type Name = Cow<'static, str>;

/// An order as an observer sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Order {
    #[serde(flatten)]
    #[allow(missing_docs, reason = "a description would stand in the schema")]
    pub summary: OrderSummary,
    /// What failed for good and is still owed, by queue.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub owed: Vec<Owed>,
    /// How old this is: how many seconds ago the order last changed, by the
    /// gateway's clock, to the millisecond.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 0, required = true))]
    pub age_seconds: f64,
}

impl Deref for Order {
    type Target = OrderSummary;

    fn deref(&self) -> &OrderSummary {
        &self.summary
    }
}

/// An order as a list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderSummary {
    /// The order's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// Where it stands.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::OrderStatus))]
    pub status: Name,
    /// What is on the pizza.
    pub flavour: String,
    /// How large.
    #[cfg_attr(feature = "schema", schema(value_type = Size))]
    pub size: Name,
    /// How many pizzas.
    pub quantity: i64,
    /// The discount that was given, `20%` or `0%`.
    pub discount_applied: String,
    /// Why it was given; `null` when there is none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, required = true))]
    pub discount_reason: Option<Name>,
    /// What is to be paid, after the discount, in minor units (cents) of the
    /// shop's one currency.
    pub total: i64,
    /// What became of the money.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::MoneyState))]
    pub money: Name,
    /// What became of the points.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::PointsState))]
    pub points: Name,
    /// Why it was cancelled; `null` when it was not.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub cancelled: Option<CancelReason>,
    /// Whose it is.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub customer_id: String,
    /// Grows with each change; 0 until a worker has taken the order up.
    pub version: i64,
    /// When it was accepted.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(format = DateTime, required = true))]
    pub placed_at: String,
    /// When it last changed.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(format = DateTime, required = true))]
    pub updated_at: String,
}

impl OrderSummary {
    /// Whether no other status follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        is_final(&self.status)
    }

    /// When it was accepted, by the gateway's clock.
    #[must_use]
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.placed_at.parse().ok()
    }
}

/// Whether no other status follows this one.
fn is_final(status: &str) -> bool {
    status.parse().is_ok_and(OrderStatus::is_final)
}

/// Why an order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct CancelReason {
    /// The name of the step that failed for good.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub step: Name,
    /// A stable code for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Something that an order, or its customer, is still owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Owed {
    /// The failure queue that its task is in.
    pub queue: String,
    /// What the task is about: `RefundPaymentFailed` for example.
    pub message_type: String,
    /// The task's id.
    pub task_id: String,
    /// Where the task stands.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::OwedState))]
    pub state: Name,
}

/// A page of orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Orders {
    /// The page, newest first.
    pub orders: Vec<OrderSummary>,
    /// Asks for the next page; `null` after the last.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// An order as it was at one of its versions: the data of an event `change`,
/// whose id is the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderChange {
    /// The order's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// Grows by one with each change.
    pub version: i64,
    /// Where it stood.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::OrderStatus))]
    pub status: Name,
    /// What had become of the money.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::MoneyState))]
    pub money: Name,
    /// What had become of the points.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::PointsState))]
    pub points: Name,
    /// What was on the pizza.
    pub flavour: String,
    /// How large.
    #[cfg_attr(feature = "schema", schema(value_type = Size))]
    pub size: Name,
    /// How many pizzas.
    pub quantity: i64,
    /// What was to be paid, after the discount, in minor units (cents) of the
    /// shop's one currency.
    pub total: i64,
    /// The discount that was given, `20%` or `0%`.
    pub discount_applied: String,
    /// Why it was cancelled; `null` when it was not.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub cancelled: Option<CancelReason>,
    /// When it changed.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub changed_at: String,
}

impl OrderChange {
    /// Whether no other status follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        is_final(&self.status)
    }

    /// When the order came to this status, by the clock of who wrote it.
    #[must_use]
    pub fn came_at(&self) -> Option<Timestamp> {
        self.changed_at.parse().ok()
    }
}

/// An order that was accepted: Temporal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderPlaced {
    /// A sentence for people.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub message: Name,
    /// The order's id. For `ALL`, that of the order in which nothing fails.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// The absolute address of the order's status.
    #[cfg_attr(feature = "schema", schema(format = "uri"))]
    pub status_check: String,
    /// For `ALL` alone: every order that was started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub orders: Vec<PlacedOrder>,
}

/// One of the orders that `ALL` started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct PlacedOrder {
    /// The name of the step that is to fail, or `none`.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub error_on_step: Name,
    /// The order's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// The absolute address of the order's status.
    #[cfg_attr(feature = "schema", schema(format = "uri"))]
    pub status_check: String,
}

/// An order that was amended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderAmended {
    /// The order as it is now.
    pub order: Order,
    /// What was charged on top, or, when negative, given back, in minor units
    /// (cents) of the shop's one currency. 0 for an order that is not paid yet.
    pub difference: i64,
}

/// An order that is cancelled, or will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderCancelled {
    /// The order's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// How far the cancellation is.
    #[cfg_attr(feature = "schema", schema(value_type = CancellationOutcome))]
    pub outcome: Name,
    /// The status that the order's record has now.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::OrderStatus))]
    pub status: Name,
}

/// How far a cancellation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub enum CancellationOutcome {
    /// It is decided; what was given is being taken back.
    Cancelling,
    /// It is done.
    Cancelled,
}

impl CancellationOutcome {
    /// Its name in an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The size of a pizza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(default = "medium"))]
#[allow(missing_docs, reason = "the names say it")]
pub enum Size {
    Small,
    Medium,
    Large,
}

/// Schemas of the domain's enums, which know nothing of schemas.
#[cfg(feature = "schema")]
pub mod schemas {
    use utoipa::ToSchema;

    macro_rules! schema_of {
        ($($(#[doc = $doc:literal])+ $name:ident of $type:ty;)+) => {$(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub struct $name;

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                    utoipa::openapi::schema::ObjectBuilder::new()
                        .description(Some(concat!($($doc),+).trim()))
                        .schema_type(utoipa::openapi::schema::Type::String)
                        .enum_values(Some(<$type>::ALL.iter().map(|value| value.as_str())))
                        .into()
                }
            }

            impl ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+};
    }

    schema_of! {
        /// Where an order stands. `DeliveryConfirmed` and `Cancelled` are final.
        OrderStatus of pizza_domain::OrderStatus;
        /// What became of the money.
        MoneyState of pizza_domain::MoneyState;
        /// What became of the points.
        PointsState of pizza_domain::PointsState;
    }

    /// Where a task stands that owes something.
    #[derive(Debug, serde::Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum OwedState {
        /// It waits for an operator.
        Parked,
        /// An operator let it go; it is owed all the same.
        Discarded,
    }
}
