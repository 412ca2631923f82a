//! What clients of 0.3.0 rely on is there, unchanged.
//!
//! `wire/0.3.0/` holds what that release documented: its OpenAPI document
//! without descriptions, its protocol file without comments, its error codes
//! (with their HTTP and gRPC statuses) and its metrics (with kind and labels).
//! The service of the failure queues over gRPC is not in it: that was removed
//! on purpose. Additions are allowed, and so are the changes in [`CORRECTED`].

use std::fs;
use std::path::{Path, PathBuf};

use pizza_contract::ErrorCode;
use pizza_store::meters;
use serde_json::{Map, Value, json};

/// Where the OpenAPI document of 0.3.0 was wrong: it described something else
/// than what that release's gateway did.
const CORRECTED: [(&str, &str); 10] = [
    (
        "parameters/Idempotency-Key/schema/type",
        "a header is a text, never null",
    ),
    (
        "parameters/Last-Event-ID/schema/type",
        "a header is a number, never null",
    ),
    (
        "requestBody/content/application/json/schema/oneOf",
        "an object, and never null: `$ref` says the same",
    ),
    (
        "/kitchen/simulation/put/requestBody/required",
        "an empty body is refused for a missing field either way",
    ),
    (
        "/schemas/ErrorOnStep",
        "names and numbers in one schema, with every number that is taken",
    ),
    (
        "/schemas/ReportKitchenEvent/properties/reason",
        "null was never taken; the limits are those of the reader",
    ),
    (
        "/schemas/ReportKitchenEvent/properties/reportId",
        "null was never taken; the limits are those of the reader",
    ),
    (
        "/schemas/AutoRedrive/additionalProperties",
        "unknown fields were always refused",
    ),
    (
        "/schemas/SetKitchenSimulation/additionalProperties",
        "unknown fields were always refused",
    ),
    (
        "/schemas/SetQueuePolicy/additionalProperties",
        "unknown fields were always refused",
    ),
];

/// Members of a schema that narrow what it allows, also by being added.
const NARROWING: [&str; 9] = [
    "additionalProperties",
    "enum",
    "format",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "pattern",
    "required",
];

#[test]
fn requests_and_answers_of_0_3_0_are_described_as_they_were() {
    let then: Value = serde_json::from_str(&documented("openapi.json")).expect("JSON");
    let now: Value = serde_json::from_str(&pizza_api::openapi_json()).expect("JSON");
    let mut changes = Vec::new();
    compare("", &then, &now, &mut changes);
    let (corrected, wrong): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| CORRECTED.iter().any(|(path, _)| change.contains(path)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (path, why) in CORRECTED {
        let is_used = corrected.iter().any(|change| change.contains(path));
        assert!(is_used, "{path} is as it was: {why}");
    }
}

#[test]
fn a_change_that_breaks_a_client_is_noticed() {
    let then: Value = serde_json::from_str(&documented("openapi.json")).expect("JSON");
    for (within, member, value) in [
        ("PlaceOrder/properties", "quantity", None),
        ("PlaceOrder", "required", Some(json!(["quantity"]))),
        (
            "PlaceOrder/properties/quantity",
            "type",
            Some(json!("string")),
        ),
        ("PlaceOrder/properties/quantity", "maximum", Some(json!(3))),
        ("Probe", "required", Some(json!([]))),
    ] {
        let mut now = then.clone();
        let schema = now.pointer_mut(&format!("/components/schemas/{within}"));
        let schema = schema.and_then(Value::as_object_mut).expect("a schema");
        match value {
            Some(value) => schema.insert(member.to_owned(), value),
            None => schema.remove(member),
        };
        let mut changes = Vec::new();
        compare("", &then, &now, &mut changes);
        assert_eq!(changes.len(), 1, "{member}: {changes:?}");
    }
}

#[test]
fn messages_and_calls_of_0_3_0_keep_their_numbers_and_types() {
    let now = fs::read_to_string(root().join("api/proto/cloud_pizza/v1/orders.proto"));
    let now = now.expect("the protocol file");
    let mut now = now
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim());
    for line in documented("orders.proto").lines() {
        let line = line.trim();
        assert!(now.any(|it| it == line), "gone, or moved: {line}");
    }
}

#[test]
fn error_codes_of_0_3_0_keep_their_statuses() {
    let codes = ErrorCode::ALL.iter().map(|code| {
        let (status, grpc) = (code.status().as_u16(), code.grpc());
        format!("{} {status} {grpc:?}", code.as_str())
    });
    assert_contains("error_codes.txt", codes);
}

#[test]
fn metrics_of_0_3_0_keep_their_kinds_and_labels() {
    let metrics = meters::ALL.iter().map(|metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name).collect();
        let line = format!(
            "{} {} {}",
            metric.name,
            metric.kind.as_str(),
            labels.join(",")
        );
        line.trim_end().to_owned()
    });
    assert_contains("metrics.txt", metrics);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documented(name: &str) -> String {
    let path = root().join("tests/wire/0.3.0").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every line of a document is among those of today.
fn assert_contains(name: &str, now: impl Iterator<Item = String>) {
    let now: Vec<_> = now.collect();
    let then = documented(name);
    let gone: Vec<_> = then
        .lines()
        .filter(|line| !now.iter().any(|it| it == line))
        .collect();
    assert!(gone.is_empty(), "{name}: {gone:?}");
    assert!(then.lines().count() > 20, "{name} is not whole");
}

/// Collects what `then` says and `now` does not, and what `now` narrows.
fn compare(path: &str, then: &Value, now: &Value, changes: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            compare_members(path, then, now, changes);
        }
        (Value::Array(then), Value::Array(now)) if path.ends_with("/parameters") => {
            compare_members(path, &by_name(then), &by_name(now), changes);
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            for (number, (then, now)) in then.iter().zip(now).enumerate() {
                compare(&format!("{path}/{number}"), then, now, changes);
            }
        }
        _ if then == now => {}
        _ => changes.push(format!("{path}: {then} became {now}")),
    }
}

fn compare_members(
    path: &str,
    then: &Map<String, Value>,
    now: &Map<String, Value>,
    changes: &mut Vec<String>,
) {
    let holds_names = path.ends_with("/properties");
    for (name, value) in then {
        let path = format!("{path}/{name}");
        match now.get(name) {
            // An answer may have more: a client ignores what it does not know.
            Some(more) if name == "required" && !is_request(now) => {
                let more = names(more);
                let gone = names(value).into_iter().filter(|it| !more.contains(it));
                changes.extend(gone.map(|it| format!("{path}: {it} may be missing")));
            }
            Some(now) => compare(&path, value, now, changes),
            None => changes.push(format!("{path} is gone")),
        }
    }
    for (name, value) in now {
        let narrows = NARROWING.contains(&name.as_str());
        if !then.contains_key(name) && narrows && !holds_names {
            changes.push(format!("{path}/{name} is added: {value}"));
        }
    }
}

/// Whether a schema is that of a request: those allow no other members.
fn is_request(schema: &Map<String, Value>) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(false))
}

/// The names in a list of required members.
fn names(required: &Value) -> Vec<&str> {
    let names = required.as_array().into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// Parameters by their names.
fn by_name(parameters: &[Value]) -> Map<String, Value> {
    parameters
        .iter()
        .map(|it| {
            (
                it["name"].as_str().unwrap_or_default().to_owned(),
                it.clone(),
            )
        })
        .collect()
}
