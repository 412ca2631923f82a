//! The pages: the door for people.
//!
//! They are drawn by the gateway and are part of its binary: what a browser
//! shows first comes in one answer, and nothing comes from elsewhere. Every
//! form works without a script; the script (`app.js`) keeps what is shown up
//! to date. A page asks the same use cases as the other doors do.

mod accept;
mod assets;
mod form;
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

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::gateway::App;

pub(crate) use accept::wants_page;
pub(crate) use assets::FOR_GOOD;
pub(crate) use operator::Seen as QueuesSeen;
pub(crate) use order::page as order_page;
pub(crate) use problem::{finish, text_page};
pub(crate) use security::protect;
pub(crate) use session::Visitor;
pub(crate) use sign_in::WrongKey;

/// The routes of the pages.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(shop::page))
        .route("/shop/quote", get(shop::quote))
        .route("/shop/orders", post(shop::place))
        .route("/shop/scenarios", get(shop::scenarios))
        .route("/shop/scenarios/live", get(shop::scenarios_live))
        .route("/shop/orders/{id}/live", get(order::live))
        .route("/shop/orders/{id}/cancel", post(order::cancel))
        .route("/shop/orders/{id}/amend", post(order::amend))
        .route("/kitchen", get(kitchen::page))
        .route("/kitchen/live", get(kitchen::live))
        .route("/kitchen/board/{id}", post(kitchen::report))
        .route("/kitchen/pause", post(kitchen::pause))
        .nest("/operator", operator::router())
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{file}", get(assets::serve))
        .with_state(Arc::clone(app))
}
