//! `GET /healthz` and `GET /readyz`.

use axum::Json;
use axum::extract::State;
use pizza_contract::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::AppState;
use crate::problem::Problem;

/// The gateway's word on itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Probe)]
pub(super) struct ProbeBody {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Is the process alive?
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "operations",
    responses((status = 200, description = "It is.", body = ProbeBody))
)]
pub(super) async fn healthz() -> Json<ProbeBody> {
    Json(ProbeBody { status: "ok" })
}

/// Can orders be placed and looked up right now?
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "operations",
    responses(
        (status = 200, description = "They can.", body = ProbeBody),
        (status = 503, description = "The store or Temporal is away, or the store takes nothing; the detail says which."),
    )
)]
pub(super) async fn readyz(State(app): State<AppState>) -> Result<Json<ProbeBody>, Problem> {
    let limit = app.gateway.limits.readiness;
    let missing = app.use_cases().missing(limit).await;
    if missing.is_ready() {
        return Ok(Json(ProbeBody { status: "ready" }));
    }
    let faults = [missing.store, missing.temporal].into_iter().flatten();
    let away: Vec<_> = faults.map(|fault| fault.told).collect();
    Err(Problem::new(ErrorCode::NotReady, away.join("; ")))
}
