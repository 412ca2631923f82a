//! The pages: the door for people.
//!
//! They are drawn by the gateway and are part of its binary: what a browser
//! shows first comes in one answer, and nothing comes from elsewhere. Every
//! form works without a script; the script (`app.js`) keeps what is shown up
//! to date. A page asks the same use cases as the other doors do.

mod accept;
mod assets;
mod form;
mod form_page;
mod kitchen;
mod layout;
mod live;
mod looking;
mod operator;
mod order;
mod picture;
mod problem;
mod security;
mod session;
mod shop;
mod sign_in;
mod temporal_ui;
mod text;

use axum::Router;
use axum::routing::{get, post};

use crate::gateway::AppState;
use form_page::page_of_form;

pub(crate) use accept::wants_page;
pub(crate) use assets::FOR_GOOD;
pub(crate) use order::page as order_page;
pub(crate) use problem::{finish, text_page};
pub(crate) use security::protect;
pub use session::SessionCookie;
pub(crate) use session::{Visitor, holder as session_holder};
pub(crate) use sign_in::WrongKey;

/// The routes of the pages.
pub(crate) fn router(app: &AppState) -> Router {
    Router::new()
        .route("/", get(shop::page))
        .route("/shop/quote", get(shop::quote))
        .route("/shop/orders", post(shop::place).get(page_of_form))
        .route("/shop/scenarios", get(shop::scenarios))
        .route("/shop/scenarios/live", get(shop::scenarios_live))
        .route("/shop/orders/{id}/live", get(order::live))
        .route(
            "/shop/orders/{id}/cancel",
            post(order::cancel).get(page_of_form),
        )
        .route(
            "/shop/orders/{id}/amend",
            post(order::amend).get(page_of_form),
        )
        .route("/kitchen", get(kitchen::page))
        .route("/kitchen/live", get(kitchen::live))
        .route("/kitchen/", get(page_of_form))
        .route(
            "/kitchen/board/{id}",
            post(kitchen::report).get(page_of_form),
        )
        .route("/kitchen/pause", post(kitchen::pause).get(page_of_form))
        .nest("/operator", operator::router())
        .route("/operator/", get(page_of_form))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out).get(page_of_form))
        .route("/assets/{file}", get(assets::serve))
        .with_state(app.clone())
}
