//! `GET` and `PUT /kitchen/simulation`.

use axum::Json;
use axum::extract::State;
use pizza_app::SetKitchenSimulation;
use pizza_app::access::KitchenAccess;
use pizza_domain::KitchenSimulation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::Fields;
use super::problem::ProblemBody;
use crate::gateway::AppState;
use crate::problem::Problem;

/// How simulated kitchens are to behave. What is missing is `false` or 0.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SetKitchenSimulation)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct SetKitchenSimulationBody {
    /// Nothing is reported. The deadlines run on.
    #[schema(nullable = false)]
    paused: Option<bool>,
    /// The wait before each report, in seconds.
    #[schema(minimum = 0, maximum = 3600, nullable = false)]
    delay_seconds: Option<f64>,
    /// How likely it is that a report is never made.
    #[schema(minimum = 0, maximum = 1, nullable = false)]
    lose_rate: Option<f64>,
    /// How likely it is that a report is made twice.
    #[schema(minimum = 0, maximum = 1, nullable = false)]
    repeat_rate: Option<f64>,
    /// How likely it is that the report after it is tried first.
    #[schema(minimum = 0, maximum = 1, nullable = false)]
    reorder_rate: Option<f64>,
    /// What the choice of those reports follows from.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, nullable = false)]
    seed: Option<i64>,
}

/// How simulated kitchens are to behave. A real one ignores it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenSimulation)]
pub(super) struct KitchenSimulationBody {
    /// Nothing is reported.
    paused: bool,
    /// The wait before each report, in seconds, beside the pace of its order.
    delay_seconds: f64,
    /// How likely it is that a report is never made.
    lose_rate: f64,
    /// How likely it is that a report is made twice.
    repeat_rate: f64,
    /// How likely it is that the report after it is tried first.
    reorder_rate: f64,
    /// What the choice of those reports follows from.
    seed: u64,
}

/// See how simulated kitchens are to behave.
#[utoipa::path(
    get, path = "/kitchen/simulation", operation_id = "getKitchenSimulation", tag = "kitchen",
    responses(
        (status = 200, description = "How they are to behave.", body = KitchenSimulationBody),
        (status = 401, description = "A kitchen's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, or the key is not one's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn kitchen_simulation(
    _: KitchenAccess,
    State(app): State<AppState>,
) -> Result<Json<KitchenSimulationBody>, Problem> {
    Ok(Json(app.use_cases().kitchen_simulation().await?.into()))
}

/// Change how simulated kitchens are to behave.
///
/// They hear of it within a second. To make one unreliable takes a gateway
/// with fault injection.
#[utoipa::path(
    put, path = "/kitchen/simulation", operation_id = "setKitchenSimulation", tag = "kitchen",
    request_body(content = Option<SetKitchenSimulationBody>, description = "How; may be empty."),
    responses(
        (status = 200, description = "How they are to behave now.", body = KitchenSimulationBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A kitchen's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, the key is not one's, or errors are not simulated here.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is unknown or not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer in time.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn set_kitchen_simulation(
    _: KitchenAccess,
    State(app): State<AppState>,
    fields: Fields,
) -> Result<Json<KitchenSimulationBody>, Problem> {
    let request = request(fields)?;
    let simulation = app.use_cases().set_kitchen_simulation(request).await?;
    Ok(Json(simulation.into()))
}

fn request(fields: Fields) -> Result<SetKitchenSimulation, Problem> {
    let mut fields = fields.only(&[
        "paused",
        "delaySeconds",
        "loseRate",
        "repeatRate",
        "reorderRate",
        "seed",
    ])?;
    Ok(SetKitchenSimulation {
        paused: fields.truth("paused")?,
        delay_seconds: fields.number("delaySeconds")?,
        lose_rate: fields.number("loseRate")?,
        repeat_rate: fields.number("repeatRate")?,
        reorder_rate: fields.number("reorderRate")?,
        seed: fields.integer("seed")?,
    })
}

impl From<KitchenSimulation> for KitchenSimulationBody {
    fn from(simulation: KitchenSimulation) -> Self {
        Self {
            paused: simulation.paused,
            delay_seconds: f64::from(simulation.delay_ms) / 1000.0,
            lose_rate: KitchenSimulation::rate(simulation.lose_ppm),
            repeat_rate: KitchenSimulation::rate(simulation.repeat_ppm),
            reorder_rate: KitchenSimulation::rate(simulation.reorder_ppm),
            seed: simulation.seed,
        }
    }
}
