//! The description of the HTTP API, generated from its handlers.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use pizza_contract as contract;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr};
use utoipa::{Modify, OpenApi, PartialSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    amend_order, bulk, cancel_order, discard_failure, failure_queues, get_menu, get_order,
    get_timeline, kitchen_simulation, list_failures, list_orders, list_tickets, list_workflows,
    place_order, probes, queue_policy, redrive_failure, report_kitchen_event, show_failure,
    watch_order,
};
use crate::gateway::AppState;

/// The name of the answer to a client that asks too often.
const TOO_OFTEN: &str = "TooManyRequests";

/// The errors that all operations with a body may answer with.
const OF_BODIES: [(&str, &str); 3] = [
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    ("415", "The body is not JSON."),
];

/// Those of all operations for operators.
const OF_OPERATORS: [(&str, &str); 2] = [
    ("401", "An operator's key is needed."),
    ("403", "This gateway has no operators."),
];

/// Those of all operations for kitchens.
const OF_KITCHENS: [(&str, &str); 2] = [
    ("401", "A kitchen's key is needed."),
    (
        "403",
        "This gateway has no kitchens, or the key is not one's.",
    ),
];

#[derive(OpenApi)]
#[openapi(
    components(schemas(contract::Problem)),
    info(
        title = "cloud-pizza",
        description = "Orders of pizza, each a durable saga. Errors are RFC 9457 problems with a stable `code`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "orders", description = "For customers."),
        (name = "kitchen", description = "For the kitchen."),
        (name = "failures", description = "For operators: what failed for good and waits."),
        (name = "operations", description = "For whoever runs the gateway."),
    ),
    modifiers(&Keys),
)]
struct Document;

/// How a caller is known.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, description) in [
            (
                "operatorKey",
                "An operator's key, as `pizza operator-key` makes them.",
            ),
            (
                "kitchenKey",
                "A kitchen's key, as `pizza kitchen-key` makes them, or an operator's.",
            ),
            (
                "customerKey",
                "A customer's key, as `pizza customer-key` makes them. Needed where the gateway \
                 is told of customers' keys; an operator's does as well, and sees every order.",
            ),
        ] {
            let mut bearer = Http::new(HttpAuthScheme::Bearer);
            bearer.description = Some(description.to_owned());
            components.add_security_scheme(name, SecurityScheme::Http(bearer));
        }
    }
}

/// The described routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(get_menu::get_menu))
        .routes(routes!(
            get_order::get_order,
            cancel_order::cancel_order,
            amend_order::amend_order
        ))
        .routes(routes!(get_timeline::get_timeline))
        .routes(routes!(place_order::place_order, list_orders::list_orders))
        .routes(routes!(watch_order::watch_order))
        .routes(routes!(list_workflows::list_workflows))
        .routes(routes!(list_tickets::list_tickets))
        .routes(routes!(report_kitchen_event::report_kitchen_event))
        .routes(routes!(
            kitchen_simulation::kitchen_simulation,
            kitchen_simulation::set_kitchen_simulation
        ))
        .routes(routes!(failure_queues::failure_queues))
        .routes(routes!(
            queue_policy::queue_policy,
            queue_policy::set_queue_policy
        ))
        .routes(routes!(list_failures::list_failures))
        .routes(routes!(bulk::start_bulk))
        .routes(routes!(bulk::bulk))
        .routes(routes!(bulk::stop_bulk))
        .routes(routes!(show_failure::show_failure))
        .routes(routes!(redrive_failure::redrive_failure))
        .routes(routes!(discard_failure::discard_failure))
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::readyz))
}

/// The OpenAPI 3.1 document, as it is committed and served.
#[must_use]
pub fn openapi_json() -> String {
    let (_, mut document) = routes().split_for_parts();
    describe_errors(&mut document);
    describe_rate_limits(&mut document);
    leave_out_instead_of_null(&mut document);
    close(&mut document, "AutoRedrive");
    // A document that was built from types can be serialized.
    let mut json = document.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// Takes `null` from where it cannot stand. A parameter or a body that may be
/// left out is optional in Rust, and its schema says `null` for it.
fn leave_out_instead_of_null(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
                    && let SchemaType::Array(types) = &mut schema.schema_type
                {
                    types.retain(|it| *it != Type::Null);
                    if let [only] = &types[..] {
                        schema.schema_type = SchemaType::Type(only.clone());
                    }
                }
            }
            let Some(RefOr::T(body)) = &mut operation.request_body else {
                continue;
            };
            for content in body.content.values_mut() {
                if let RefOr::T(content) = content
                    && let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema
                    && let [body @ RefOr::Ref(_), _] = &choice.items[..]
                {
                    content.schema = Some(body.clone());
                }
            }
        }
    }
}

/// Says that an object of this schema has no other fields: requests hold it as
/// well as answers, and of answers the contract's types read what they know.
fn close(document: &mut utoipa::openapi::OpenApi, name: &str) {
    let schemas = document.components.as_mut().map(|it| &mut it.schemas);
    if let Some(RefOr::T(Schema::Object(object))) = schemas.and_then(|it| it.get_mut(name)) {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// Adds what every operation but the probes may answer.
fn describe_rate_limits(document: &mut utoipa::openapi::OpenApi) {
    let answer: RefOr<utoipa::openapi::Response> = RefOr::Ref(Ref::from_response_name(TOO_OFTEN));
    let mut described =
        response("This client asks too often; nothing of the request was looked at.");
    describe_error(&mut described, true);
    let components = document.components.get_or_insert_default();
    components
        .responses
        .insert(TOO_OFTEN.to_owned(), described.into());
    for (path, item) in &mut document.paths.paths {
        if crate::routes::is_http_probe(path) {
            continue;
        }
        for operation in operations(item) {
            let responses = &mut operation.responses.responses;
            responses.insert("429".to_owned(), answer.clone());
        }
    }
}

/// Adds the errors that all operations of a kind may answer with, where an
/// operation says nothing else of them, and what holds for every error.
fn describe_errors(document: &mut utoipa::openapi::OpenApi) {
    let operations = document.paths.paths.values_mut().flat_map(operations);
    for operation in operations {
        let is_tagged = |tag: &str| operation.tags.iter().flatten().any(|it| it == tag);
        let kinds = [
            (is_tagged("failures"), &OF_OPERATORS[..]),
            (is_tagged("kitchen"), &OF_KITCHENS[..]),
            (operation.request_body.is_some(), &OF_BODIES[..]),
        ];
        let responses = &mut operation.responses.responses;
        for (status, description) in kinds.iter().filter(|it| it.0).flat_map(|it| it.1) {
            let answer = responses.entry((*status).to_owned());
            answer.or_insert_with(|| response(description).into());
        }
        for (status, answer) in responses {
            let RefOr::T(answer) = answer else { continue };
            if status.starts_with(['4', '5']) {
                describe_error(answer, status == "503");
            }
        }
    }
}

fn response(description: &str) -> utoipa::openapi::Response {
    ResponseBuilder::new().description(description).build()
}

/// Adds an error's document and, where another try may help, how long to wait.
fn describe_error(answer: &mut utoipa::openapi::Response, may_pass: bool) {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    let media_type = "application/problem+json".to_owned();
    answer.content.insert(media_type, problem.into());
    if may_pass {
        let mut wait = Header::new(u32::schema());
        wait.description = Some("Seconds to wait before another try.".to_owned());
        answer.headers.insert("Retry-After".to_owned(), wait.into());
    }
}

/// The document of this build, written once.
static DOCUMENT: LazyLock<String> = LazyLock::new(openapi_json);

/// Serves the document.
pub(super) async fn serve() -> Response {
    let document: &'static str = &DOCUMENT;
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn openapi_document_is_the_committed_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let current = super::openapi_json();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &current).expect("openapi.json is written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == current,
            "api/openapi.json is not what the handlers say; if they are right, run \
             `UPDATE_OPENAPI=1 cargo test -p pizza-api openapi` and commit it"
        );
    }
}
