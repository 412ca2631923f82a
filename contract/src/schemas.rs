//! Schemas of enums that know nothing of schemas, and of names that stand in
//! answers alone.
#![allow(missing_docs, reason = "the names say it")]

use std::borrow::Cow;

use pizza_domain::ErrorOnStep as Scenario;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! schema_of {
    ($($(#[doc = $doc:literal])+ $name:ident of $type:ty;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .description(Some(concat!($($doc),+).trim()))
                    .schema_type(Type::String)
                    .enum_values(Some(<$type>::ALL.iter().map(|value| value.as_str())))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
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

/// Where a parked task stands. `done` and `discarded` are final.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureState {
    Waiting,
    Redriving,
    Done,
    Discarded,
}

/// Where a listed task stands.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ListedFailureState {
    Waiting,
    Done,
    Discarded,
}

/// How far an open ticket is.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum TicketStage {
    Received,
    Accepted,
    Cooked,
    PickedUp,
}

/// What the kitchen reports, in the order in which it must; that it rejects,
/// at any time before the last.
#[derive(Debug, serde::Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum KitchenEvent {
    Accepted,
    Cooked,
    PickedUp,
    Delivered,
    Rejected,
}

/// A step by its number (0 none, 1 to 7, 100 `ALL`) or by its name.
#[derive(Debug)]
pub struct ErrorOnStep;

impl PartialSchema for ErrorOnStep {
    fn schema() -> RefOr<Schema> {
        let numbers = 0..Scenario::SCENARIOS.len() as u64;
        let numbers = numbers.chain([Scenario::ALL_NUMBER]);
        let names = Scenario::all().map(Scenario::as_str);
        let names = names.chain([Scenario::ALL_NAME]);
        let by_number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .enum_values(Some(numbers));
        let by_name = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names));
        OneOfBuilder::new()
            .description(Some(
                "A step by its number (0 none, 1 to 7, 100 `ALL`) or by its name.",
            ))
            .item(by_number)
            .item(by_name)
            .into()
    }
}

impl ToSchema for ErrorOnStep {
    fn name() -> Cow<'static, str> {
        "ErrorOnStep".into()
    }
}
