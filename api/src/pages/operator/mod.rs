//! What operators look after: the failure queues, the orders, and what was
//! done about them.

mod audit;
mod bulk;
mod bulk_list;
mod filter;
mod frame;
mod orders;
mod policy;
mod queues;
mod task;
mod task_forms;
mod task_list;
mod tasks;
mod words;

use axum::Router;
use axum::routing::{get, post};

use super::form_page::page_of_form;
use crate::gateway::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(queues::page))
        .route("/live", get(queues::live))
        .route("/tasks", get(tasks::page))
        .route("/tasks/{id}", get(task::page))
        .route("/tasks/{id}/live", get(task::live))
        .route("/tasks/{id}/redrive", post(task::redrive).get(page_of_form))
        .route("/tasks/{id}/discard", post(task::discard).get(page_of_form))
        .route("/queues/{queue}", get(policy::page))
        .route(
            "/queues/{queue}/policy",
            post(policy::set).get(page_of_form),
        )
        .route("/bulk", get(bulk::preview).post(bulk::start))
        .route("/bulk/{id}", get(bulk::page))
        .route("/bulk/{id}/live", get(bulk::live))
        .route("/bulk/{id}/stop", post(bulk::stop).get(page_of_form))
        .route("/audit", get(audit::page))
        .route("/orders", get(orders::page))
}
