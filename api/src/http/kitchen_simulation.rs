//! `GET` and `PUT /kitchen/simulation`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::KitchenAccess;
use pizza_contract as contract;
use pizza_domain::KitchenSimulation;

use super::json::Body;
use crate::gateway::AppState;
use crate::problem::Problem;

/// See how simulated kitchens are to behave.
#[utoipa::path(
    get, path = "/kitchen/simulation", operation_id = "getKitchenSimulation", tag = "kitchen",
    responses(
        (status = 200, description = "How they are to behave.", body = contract::KitchenSimulation),
        (status = 401, description = "A kitchen's key is needed.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, or the key is not one's.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot tell right now.", body = contract::Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn kitchen_simulation(
    _: KitchenAccess,
    State(app): State<AppState>,
) -> Result<Json<contract::KitchenSimulation>, Problem> {
    Ok(answer(app.use_cases().kitchen_simulation().await?))
}

/// Change how simulated kitchens are to behave.
///
/// They hear of it within a second. To make one unreliable takes a gateway
/// with fault injection.
#[utoipa::path(
    put, path = "/kitchen/simulation", operation_id = "setKitchenSimulation", tag = "kitchen",
    request_body(content = Option<contract::SetKitchenSimulation>, description = "How; may be empty."),
    responses(
        (status = 200, description = "How they are to behave now.", body = contract::KitchenSimulation),
        (status = 400, description = "The body cannot be read.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 401, description = "A kitchen's key is needed.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, the key is not one's, or errors are not simulated here.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is unknown or not allowed.", body = contract::Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer in time.", body = contract::Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn set_kitchen_simulation(
    _: KitchenAccess,
    State(app): State<AppState>,
    Body(request): Body<contract::SetKitchenSimulation>,
) -> Result<Json<contract::KitchenSimulation>, Problem> {
    let simulation = app.use_cases().set_kitchen_simulation(request).await?;
    Ok(answer(simulation))
}

fn answer(simulation: KitchenSimulation) -> Json<contract::KitchenSimulation> {
    Json(contract::KitchenSimulation {
        paused: simulation.paused,
        delay_seconds: f64::from(simulation.delay_ms) / 1000.0,
        lose_rate: KitchenSimulation::rate(simulation.lose_ppm),
        repeat_rate: KitchenSimulation::rate(simulation.repeat_ppm),
        reorder_rate: KitchenSimulation::rate(simulation.reorder_ppm),
        seed: simulation.seed,
    })
}
