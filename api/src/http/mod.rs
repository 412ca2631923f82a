//! The HTTP door.

mod amend_order;
mod bulk;
mod cancel_order;
mod discard_failure;
mod error_pages;
mod failure_queues;
mod failures;
mod get_menu;
mod get_order;
mod get_timeline;
mod json;
mod kitchen_simulation;
mod list_failures;
mod list_orders;
mod list_tickets;
mod list_workflows;
mod openapi;
mod orders;
mod place_order;
mod probes;
pub(crate) mod problem;
mod query;
mod queue_policy;
mod redrive_failure;
mod report_kitchen_event;
mod show_failure;
mod watch_order;

use axum::Router;
use pizza_contract::ErrorCode;

use crate::gateway::AppState;
use crate::problem::Problem;

pub use openapi::openapi_json;

/// The routes of the HTTP door.
pub(crate) fn router(app: &AppState) -> Router {
    let (routes, _) = openapi::routes().split_for_parts();
    routes
        .route("/openapi.json", axum::routing::get(openapi::serve))
        .route("/errors", axum::routing::get(error_pages::index))
        .route("/errors/{code}", axum::routing::get(error_pages::page))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(app.clone())
}

async fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound, "nothing is served at this address")
}

async fn method_not_allowed() -> Problem {
    let detail = "this address is served with the methods that the header Allow lists";
    Problem::new(ErrorCode::MethodNotAllowed, detail)
}
