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
        (status = 503, description = "The store cannot tell right now."),
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
        (status = 400, description = "The body cannot be read."),
        (status = 403, description = "This gateway has no kitchens, the key is not one's, or errors are not simulated here."),
        (status = 422, description = "A field is unknown or not allowed."),
        (status = 503, description = "The store did not answer in time."),
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
