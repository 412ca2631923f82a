//! `GET /orders/{id}`.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use pizza_domain::CancelReason;
use pizza_store::{OrderRecord, OwedTask};
use serde::Serialize;
use utoipa::ToSchema;

use super::place_order::SizeBody;
use super::problem::ProblemBody;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::pages::{self, Visitor};
use crate::problem::Problem;
use crate::times::rfc_3339;
use pizza_app::OrderState;
use pizza_app::access::Viewer;

/// An order as an observer sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(super) struct OrderBody {
    #[serde(flatten)]
    order: OrderSummaryBody,
    /// What failed for good and is still owed, by queue.
    owed: Vec<OwedBody>,
    /// How old this is: how many seconds ago the order last changed, by the
    /// gateway's clock, to the millisecond.
    #[schema(minimum = 0)]
    age_seconds: f64,
}

/// An order as a list shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderSummary)]
pub(super) struct OrderSummaryBody {
    /// The order's id.
    #[schema(format = "uuid")]
    order_id: String,
    /// Where it stands.
    #[schema(value_type = OrderStatusBody)]
    status: &'static str,
    /// What is on the pizza.
    flavour: String,
    /// How large.
    #[schema(value_type = SizeBody)]
    size: &'static str,
    /// How many pizzas.
    quantity: i64,
    /// The discount that was given, `20%` or `0%`.
    discount_applied: String,
    /// Why it was given; `null` when there is none.
    #[schema(required = true)]
    discount_reason: Option<&'static str>,
    /// What is to be paid, after the discount, in minor units (cents) of the
    /// shop's one currency.
    total: i64,
    /// What became of the money.
    #[schema(value_type = MoneyStateBody)]
    money: &'static str,
    /// What became of the points.
    #[schema(value_type = PointsStateBody)]
    points: &'static str,
    /// Why it was cancelled; `null` when it was not.
    #[schema(required = true)]
    cancelled: Option<CancelReasonBody>,
    /// Whose it is.
    customer_id: String,
    /// Grows with each change; 0 until a worker has taken the order up.
    version: i64,
    /// When it was accepted.
    #[schema(format = DateTime)]
    placed_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Why an order was cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CancelReason)]
pub(super) struct CancelReasonBody {
    /// The name of the step that failed for good.
    step: &'static str,
    /// A stable code for programs.
    code: String,
    /// A sentence for people.
    message: String,
}

/// Something that an order, or its customer, is still owed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Owed)]
struct OwedBody {
    /// The failure queue that its task is in.
    queue: String,
    /// What the task is about: `RefundPaymentFailed` for example.
    message_type: String,
    /// The task's id.
    task_id: String,
    /// Where the task stands.
    #[schema(value_type = OwedStateBody)]
    state: &'static str,
}

/// Where a task stands that owes something.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OwedState)]
#[expect(dead_code, reason = "only its schema is used")]
enum OwedStateBody {
    /// It waits for an operator.
    Parked,
    /// An operator let it go; it is owed all the same.
    Discarded,
}

/// Gives a schema to an enum of the domain, which knows nothing of schemas.
macro_rules! schema_of {
    ($($(#[doc = $doc:literal])+ $body:ident as $name:ident of $type:ty;)+) => {$(
        $(#[doc = $doc])+
        pub(super) struct $body;

        impl utoipa::PartialSchema for $body {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .description(Some(concat!($($doc),+).trim()))
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some(<$type>::ALL.iter().map(|value| value.as_str())))
                    .into()
            }
        }

        impl ToSchema for $body {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

schema_of! {
    /// Where an order stands. `DeliveryConfirmed` and `Cancelled` are final.
    OrderStatusBody as OrderStatus of pizza_domain::OrderStatus;
    /// What became of the money.
    MoneyStateBody as MoneyState of pizza_domain::MoneyState;
    /// What became of the points.
    PointsStateBody as PointsState of pizza_domain::PointsState;
}

/// See how an order is going.
///
/// A browser, which would rather have `text/html`, gets a page.
#[utoipa::path(
    get, path = "/orders/{id}", operation_id = "getOrder", tag = "orders",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "The order, as the store has it, whether or not anything else is there.", body = OrderBody,
         headers(("Age" = u64, description = "How many whole seconds ago the order last changed."))),
        (status = 400, description = "The id is not one.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A customer's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key is the kitchen's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such order.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn get_order(
    State(app): State<AppState>,
    asking: Asking,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Response, Problem> {
    let viewer = match asking {
        Asking::Program(viewer) => viewer,
        Asking::Browser(visitor) => return pages::order_page(&app, &visitor, id).await,
    };
    let state = app.use_cases().get_order(&viewer, id).await?;
    let age = [(header::AGE, state.age.as_secs().to_string())];
    Ok((age, Json(OrderBody::from(state))).into_response())
}

/// Whoever asks, and in which form the answer is wanted.
pub(super) enum Asking {
    /// As JSON.
    Program(Viewer),
    /// As a page.
    Browser(Visitor),
}

impl FromRequestParts<AppState> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        if pages::wants_page(&parts.headers) {
            let visitor = Visitor::from_request_parts(parts, app).await?;
            return Ok(Self::Browser(visitor));
        }
        let viewer = Viewer::from_request_parts(parts, app).await?;
        Ok(Self::Program(viewer))
    }
}

impl From<OrderState> for OrderBody {
    fn from(state: OrderState) -> Self {
        Self {
            order: state.record.into(),
            owed: state.owed.into_iter().map(Into::into).collect(),
            age_seconds: state.age.as_secs_f64(),
        }
    }
}

impl From<OrderRecord> for OrderSummaryBody {
    fn from(order: OrderRecord) -> Self {
        Self {
            order_id: order.order_id.to_string(),
            status: order.status.as_str(),
            flavour: order.flavour.into(),
            size: order.size.as_str(),
            quantity: order.quantity,
            discount_applied: format!("{}%", order.discount.percent()),
            discount_reason: order.discount.reason(),
            total: order.total,
            money: order.money.as_str(),
            points: order.points.as_str(),
            cancelled: order.cancelled.map(Into::into),
            customer_id: order.customer_id.into(),
            version: order.version,
            placed_at: rfc_3339(order.placed_at_ms),
            updated_at: rfc_3339(order.updated_at_ms),
        }
    }
}

impl From<CancelReason> for CancelReasonBody {
    fn from(reason: CancelReason) -> Self {
        Self {
            step: reason.step.as_str(),
            code: reason.code,
            message: reason.message,
        }
    }
}

impl From<OwedTask> for OwedBody {
    fn from(task: OwedTask) -> Self {
        Self {
            queue: task.queue,
            message_type: task.message_type,
            task_id: task.task_id,
            state: task.state.as_str(),
        }
    }
}
