//! How many requests one counts as.
//!
//! The unit is what an order's JSON takes: a look into the store. Reading
//! histories took 20 to 130 times as long, so a client that may ask 50 times a
//! second must not ask for as many of those. A request is weighed before
//! anything of it is looked at, so a weight goes by what has to be asked, not
//! by what is found: calls of Temporal, events to decode, queries that a worker
//! answers.

use std::num::NonZeroU32;

use axum::extract::MatchedPath;
use http::{Method, Request};
use pizza_domain::ErrorOnStep;
use url::form_urlencoded;

use crate::pages::wants_page;

/// The histories of one order: three workflows with some 60 events, and a
/// list of their runs, or what is pending in each.
const HISTORIES: u32 = 20;

/// A query of Temporal's lists, of which a namespace has ten a second unless
/// Temporal is told otherwise.
const LISTED: u32 = 10;

/// A query that a worker answers from the history of a task or an operation.
const ANSWERED: u32 = 10;

/// Three counts and a call of Temporal for each of the four failure queues.
const COUNTED: u32 = 40;

/// A query of Temporal's lists, and a worker's answer for each of up to 20
/// tasks or operations that it finds.
const EACH_ANSWERED: u32 = 100;

/// A page of up to 100 orders from the store, by a filter.
const ORDERS: u32 = 5;

/// What weighs more than one: the method, the route (of gRPC, the path), the
/// weight.
const WEIGHTS: &[(&str, &str, u32)] = &[
    ("GET", "/orders/{id}/timeline", HISTORIES),
    (
        "POST",
        "/cloud_pizza.v1.OrderService/GetTimeline",
        HISTORIES,
    ),
    // Where one of these is refused, the order's page says why.
    ("POST", "/shop/orders/{id}/cancel", HISTORIES),
    ("POST", "/shop/orders/{id}/amend", HISTORIES),
    ("GET", "/orders/{id}/workflows", LISTED),
    ("GET", "/orders", ORDERS),
    ("POST", "/cloud_pizza.v1.OrderService/ListOrders", ORDERS),
    ("GET", "/operator/orders", ORDERS),
    ("GET", "/failures", LISTED),
    ("POST", "/failures/bulk", LISTED),
    ("GET", "/failures/bulk/{bulkId}", ANSWERED),
    ("GET", "/failures/{id}", ANSWERED),
    ("GET", "/failure-queues", COUNTED),
    ("GET", "/failure-queues/{queue}/policy", ANSWERED),
    ("GET", "/operator", COUNTED),
    ("GET", "/operator/tasks", EACH_ANSWERED),
    ("GET", "/operator/tasks/{id}", ANSWERED),
    ("POST", "/operator/tasks/{id}/redrive", ANSWERED),
    ("POST", "/operator/tasks/{id}/discard", ANSWERED),
    ("GET", "/operator/queues/{queue}", ANSWERED),
    ("POST", "/operator/queues/{queue}/policy", ANSWERED),
    ("GET", "/operator/bulk", EACH_ANSWERED),
    ("POST", "/operator/bulk", EACH_ANSWERED),
    ("GET", "/operator/bulk/{id}", ANSWERED),
    ("GET", "/operator/audit", EACH_ANSWERED),
];

/// How many requests this one counts as. A stream counts as one: what it reads
/// waits for its client's turn ([`crate::streams`]).
pub(crate) fn weight<B>(request: &Request<B>) -> NonZeroU32 {
    let weight = weight_of(request);
    NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN)
}

fn weight_of<B>(request: &Request<B>) -> u32 {
    let path = request.uri().path();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(path, MatchedPath::as_str);
    let method = match *request.method() {
        Method::HEAD => "GET",
        ref method => method.as_str(),
    };
    match (method, route) {
        ("GET", "/orders/{id}") if wants_page(request.headers()) => return HISTORIES,
        ("GET", "/shop/scenarios") => return HISTORIES * orders_named(request.uri().query()),
        _ => {}
    }
    // The route of a gRPC method has a placeholder for the method's name.
    let known = WEIGHTS
        .iter()
        .find(|(of, place, _)| *of == method && (*place == route || *place == path));
    known.map_or(1, |(.., weight)| *weight)
}

/// How many orders a page is asked to show side by side.
fn orders_named(query: Option<&str>) -> u32 {
    let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let named = fields.find(|(field, _)| field == "orders");
    let count = named.map_or(1, |(_, ids)| ids.split('.').count());
    // More are refused.
    u32::try_from(count.min(ErrorOnStep::SCENARIOS.len())).unwrap_or(1)
}
