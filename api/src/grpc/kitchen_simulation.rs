//! `KitchenService/GetKitchenSimulation` and `SetKitchenSimulation`.

use pizza_app::{UseCaseError, Violation};
use pizza_contract::SetKitchenSimulation;
use pizza_domain::{InvalidField, KitchenSimulation};

use super::proto::{
    self, GetKitchenSimulationResponse, SetKitchenSimulationRequest, SetKitchenSimulationResponse,
};
use crate::gateway::App;

pub(super) async fn get(app: &App) -> Result<GetKitchenSimulationResponse, UseCaseError> {
    let simulation = app.use_cases().kitchen_simulation().await?;
    Ok(GetKitchenSimulationResponse {
        simulation: Some(simulation.into()),
    })
}

pub(super) async fn set(
    app: &App,
    request: SetKitchenSimulationRequest,
) -> Result<SetKitchenSimulationResponse, UseCaseError> {
    let wished = request.simulation.ok_or_else(missing)?;
    let request = SetKitchenSimulation {
        paused: Some(wished.paused),
        delay_seconds: Some(wished.delay_seconds),
        lose_rate: Some(wished.lose_rate),
        repeat_rate: Some(wished.repeat_rate),
        reorder_rate: Some(wished.reorder_rate),
        seed: Some(wished.seed.into()),
    };
    let simulation = app.use_cases().set_kitchen_simulation(request).await?;
    Ok(SetKitchenSimulationResponse {
        simulation: Some(simulation.into()),
    })
}

/// An empty one is the wish for a kitchen that behaves; it has to be said.
fn missing() -> UseCaseError {
    let field = InvalidField {
        field: "simulation",
        expected: "is missing".to_owned(),
    };
    UseCaseError::invalid(Violation::Missing, field)
}

impl From<KitchenSimulation> for proto::KitchenSimulation {
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
