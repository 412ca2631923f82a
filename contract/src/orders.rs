//! Orders: what is asked of the gateway, and its answers.

use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use pizza_domain::{OrderId, OrderStatus};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
#[cfg(feature = "schema")]
use utoipa::{IntoParams, ToSchema};

use crate::names::names;
#[cfg(feature = "schema")]
use crate::schemas;
use crate::{Integer, Name};

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

names! {
    /// How far a cancellation is.
    CancellationOutcome {
        /// It is decided; what was given is being taken back.
        Cancelling = "cancelling",
        /// It is done.
        Cancelled = "cancelled",
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

/// What a customer asks for. Every field may be left out, and so may the
/// whole body; none may be `null`, and there are no others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct PlaceOrder {
    /// What is on the pizza, without control characters, with at least one
    /// character that is visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(default = "plain", min_length = 1, max_length = 64, nullable = false)
    )]
    pub flavour: Option<String>,
    /// The wait after each status change, in seconds, to the millisecond. The
    /// operator of a gateway may allow less: the error then names the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(default = 0, minimum = 0, maximum = 3600, nullable = false)
    )]
    pub per_step_delay_seconds: Option<f64>,
    /// The step that is to fail for good, or `ALL` (100): one order for each
    /// of 0 to 7. Other than 0 only where the gateway simulates errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<schemas::ErrorOnStep>, nullable = false))]
    pub error_on_step: Option<ErrorOnStep>,
    /// How large.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Size>, nullable = false))]
    pub size: Option<String>,
    /// How many pizzas.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(
        value_type = Option<u32>, default = 1, minimum = 1, maximum = 20, nullable = false
    ))]
    pub quantity: Option<Integer>,
    /// An opaque key, never a name or an address. By default the holder of
    /// the customer's key, or `guest` where customers have none; never another
    /// than the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(pattern = "^[A-Za-z0-9._-]{1,64}$", nullable = false)
    )]
    pub customer_id: Option<String>,
}

/// Which orders to list: the query of `GET /orders`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(IntoParams), into_params(parameter_in = Query))]
pub struct ListOrders {
    /// Only orders that stand there, by the status' name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only this customer's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub customer_id: Option<String>,
    /// Only orders of this flavour, all of it, however it is spelled: in any
    /// case, width and composition of its letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(min_length = 1, max_length = 64))]
    pub flavour: Option<String>,
    /// Only orders that were accepted after this time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(format = DateTime))]
    pub placed_after: Option<String>,
    /// Only orders that were accepted before this time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(format = DateTime))]
    pub placed_before: Option<String>,
    /// Only orders that were cancelled because this step failed for good, or
    /// that are still owed it: `processPayment` for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Orders on a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50))]
    pub limit: Option<Integer>,
    /// The `nextCursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What is wanted instead; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct AmendOrder {
    /// What is on the pizza: any text, without control characters, with at
    /// least one character that is visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 64, nullable = false)
    )]
    pub flavour: Option<String>,
    /// How large.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Size>, nullable = false))]
    pub size: Option<String>,
    /// How many pizzas.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(
        value_type = Option<u32>, minimum = 1, maximum = 20, nullable = false
    ))]
    pub quantity: Option<Integer>,
}

/// The step that is to fail, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ErrorOnStep {
    /// By its number.
    Number(Integer),
    /// By its name.
    Name(String),
}

impl<'de> Deserialize<'de> for ErrorOnStep {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrName;

        impl Visitor<'_> for NumberOrName {
            type Value = ErrorOnStep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a string")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<ErrorOnStep, E> {
                Ok(ErrorOnStep::Number(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<ErrorOnStep, E> {
                Ok(ErrorOnStep::Number(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<ErrorOnStep, E> {
                // One that may have lost digits is far beyond all that are allowed.
                if number.fract() == 0.0 {
                    return Ok(ErrorOnStep::Number(number as Integer));
                }
                Err(E::invalid_type(Unexpected::Float(number), &self))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ErrorOnStep, E> {
                Ok(ErrorOnStep::Name(name.to_owned()))
            }
        }

        from.deserialize_any(NumberOrName)
    }
}
