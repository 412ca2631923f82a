//! `POST /orders`.

use std::borrow::Cow;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{StatusCode, header};
use pizza_app::access::Viewer;
use pizza_app::{IdempotencyKey, PlaceOrder, PlacedOrder, ScenarioChoice};
use pizza_contract as contract;
use pizza_domain::ErrorOnStep;
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::json::Fields;
use super::problem::ProblemBody;
use crate::client::Client;
use crate::extract::Authority;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// What a customer asks for. Every field may be left out, and so may the
/// whole body; none may be `null`, and there are no others.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PlaceOrder)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct PlaceOrderBody {
    /// What is on the pizza, without control characters, with at least one
    /// character that is visible.
    #[schema(default = "plain", min_length = 1, max_length = 64, nullable = false)]
    flavour: Option<String>,
    /// The wait after each status change, in seconds, to the millisecond. The
    /// operator of a gateway may allow less: the error then names the limit.
    #[schema(default = 0, minimum = 0, maximum = 3600, nullable = false)]
    per_step_delay_seconds: Option<f64>,
    /// The step that is to fail for good, or `ALL` (100): one order for each
    /// of 0 to 7. Other than 0 only where the gateway simulates errors.
    #[schema(nullable = false)]
    error_on_step: Option<ErrorOnStepBody>,
    /// How large.
    #[schema(nullable = false)]
    size: Option<contract::Size>,
    /// How many pizzas.
    #[schema(default = 1, minimum = 1, maximum = 20, nullable = false)]
    quantity: Option<u32>,
    /// An opaque key, never a name or an address. By default the holder of
    /// the customer's key, or `guest` where customers have none; never another
    /// than the holder.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", nullable = false)]
    customer_id: Option<String>,
}

/// A step by its number (0 none, 1 to 7, 100 `ALL`) or by its name.
#[derive(Deserialize)]
struct ErrorOnStepBody;

impl PartialSchema for ErrorOnStepBody {
    fn schema() -> RefOr<Schema> {
        let steps = ErrorOnStep::SCENARIOS;
        let numbers = steps.map(|step| u64::from(step.number()));
        let numbers = numbers.into_iter().chain([ErrorOnStep::ALL_NUMBER]);
        let names = steps.map(ErrorOnStep::as_str).into_iter();
        let names = names.chain([ErrorOnStep::ALL_NAME]);
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

impl ToSchema for ErrorOnStepBody {
    fn name() -> Cow<'static, str> {
        "ErrorOnStep".into()
    }
}

/// Place an order.
///
/// The order is accepted once this answers 201. After a 503 the detail names
/// the orders that exist, or may, all the same.
///
/// With an `Idempotency-Key` the same request of the same customer is the same
/// order with the same answer, however often, and however much at once, it is
/// sent. So a client that heard nothing, or a 503, sends it again. The key is
/// kept for as long as the order. Without one, each request is a new order.
#[utoipa::path(
    post, path = "/orders", operation_id = "placeOrder", tag = "orders",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'; may stand in double quotes.",
    )),
    request_body(content = Option<PlaceOrderBody>, description = "What is asked for; may be empty."),
    responses(
        (status = 201, description = "The order was accepted.", body = contract::OrderPlaced,
         headers(("Location" = String, description = "The path of the order's status."))),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A customer's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The order would be another customer's, or errors are not simulated here.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is unknown, its value not allowed, or the key was used for another request.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal is away, the store where there is a key, or too much is going on.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn place_order(
    viewer: Viewer,
    State(app): State<AppState>,
    Authority(authority): Authority,
    Extension(client): Extension<Client>,
    Key(key): Key,
    fields: Fields,
) -> Result<Response, Problem> {
    let request = request(key, fields)?;
    let placed = app.place_order(&client, &viewer, request).await?;
    let status_check = |order: &PlacedOrder| app.status_check(authority.as_ref(), order.order_id);
    let body = contract::OrderPlaced {
        message: contract::ORDER_PLACED.into(),
        order_id: placed.first.order_id,
        status_check: status_check(&placed.first),
        orders: placed
            .all
            .iter()
            .map(|order| contract::PlacedOrder {
                error_on_step: order.error_on_step.as_str().into(),
                order_id: order.order_id,
                status_check: status_check(order),
            })
            .collect(),
    };
    let location = [(header::LOCATION, format!("/orders/{}", body.order_id))];
    Ok((StatusCode::CREATED, location, Json(body)).into_response())
}

fn request(key: Option<IdempotencyKey>, fields: Fields) -> Result<PlaceOrder, Problem> {
    let mut fields = fields.only(&[
        "flavour",
        "perStepDelaySeconds",
        "errorOnStep",
        "size",
        "quantity",
        "customerId",
    ])?;
    Ok(PlaceOrder {
        flavour: fields.text("flavour")?,
        per_step_delay_seconds: fields.number("perStepDelaySeconds")?,
        error_on_step: fields
            .integer_or_text("errorOnStep")?
            .map(|choice| choice.map_or_else(ScenarioChoice::Name, ScenarioChoice::Number)),
        size: fields.text("size")?,
        quantity: fields.integer("quantity")?,
        customer_id: fields.text("customerId")?,
        key,
    })
}
