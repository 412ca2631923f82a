//! The OpenAPI document against what the gateway reads: whatever the document
//! allows is not refused for its type or its range, and whatever it does not
//! allow is refused with a code and the field. Driven by the document itself,
//! so that a new operation is held to it, too. What answers look like when
//! orders are made is held against it by the journeys.

use std::time::Duration;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::openapi::{Document, Operation, object};
use crate::support::{OPERATOR_KEY, TestGateway};

/// The codes by which a request's form is refused.
const FORM: [&str; 8] = [
    "invalid-json",
    "invalid-type",
    "invalid-value",
    "invalid-order-id",
    "missing-field",
    "unknown-field",
    "duplicate-field",
    "out-of-range",
];

/// Those of them that a rule between fields, or one on the words of a text,
/// may give although the document can say neither.
const BEYOND_THE_DOCUMENT: [&str; 3] = ["invalid-value", "missing-field", "invalid-order-id"];

/// An id of which there may be an order, a ticket or an operation.
const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

struct Contract {
    gateway: TestGateway,
    document: Document,
    /// What does not agree.
    differences: Vec<String>,
}

/// A request, and what the document makes of it.
struct Case<'a> {
    what: String,
    query: String,
    body: String,
    /// The field that must be named, if it is to be refused.
    refused: Option<&'a str>,
}

#[tokio::test]
async fn requests_are_read_as_the_openapi_document_describes_them() {
    let gateway = TestGateway::with(|gateway| {
        gateway.use_cases.settings.temporal_timeout = Duration::from_millis(20);
        gateway.use_cases.settings.report_timeout = Duration::from_millis(20);
    })
    .await;
    let document = gateway.get("/openapi.json").await.json().await;
    let mut contract = Contract {
        gateway,
        document: Document(document.expect("JSON")),
        differences: Vec::new(),
    };
    let operations = contract.document.operations();
    let (mut bodies, mut queries) = (0, 0);
    for operation in &operations {
        if let Some(schema) = body_schema(operation) {
            contract.bodies(operation, &schema).await;
            bodies += 1;
        }
        let parameters = query_of(operation);
        if !parameters.is_empty() {
            contract.queries(operation, &parameters).await;
            queries += 1;
        }
    }
    assert!(bodies >= 8 && queries >= 3, "{bodies} {queries}");
    let differences = contract.differences;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

impl Contract {
    /// Sends each field every kind of value, and no, two and foreign fields.
    async fn bodies(&mut self, operation: &Operation, schema: &Value) {
        let whole = self.document.validator(schema);
        let fields = self.document.resolved(schema);
        let base = self.sample(&fields);
        for body in [json!(null), json!(true), json!(1), json!("x"), json!([])] {
            let case = Case::of_body("the body", body.to_string(), Some(""));
            self.hold(operation, case, &["invalid-json"]).await;
        }
        let optional = operation.described["requestBody"]["required"] != true;
        let nothing = match optional {
            true => Case::of_body("no body", String::new(), None),
            false => {
                let required = fields["required"][0].as_str();
                Case::of_body("no body", String::new(), Some(required.unwrap_or("*")))
            }
        };
        self.hold(operation, nothing, &["missing-field"]).await;
        self.fields(operation, &whole, &base, &fields, &[]).await;
    }

    /// The same for the fields of an object at a place within the body.
    async fn fields(
        &mut self,
        operation: &Operation,
        whole: &Validator,
        base: &Value,
        schema: &Value,
        place: &[String],
    ) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for name in &required {
            let name = text(name);
            let mut body = base.clone();
            at(&mut body, place).remove(&name);
            let field = path(place, &name);
            let case = Case::of_body("a missing field", body.to_string(), Some(&field));
            self.hold(operation, case, &["missing-field"]).await;
        }
        let field = path(place, "surprise");
        let mut body = base.clone();
        at(&mut body, place).insert("surprise".to_owned(), json!(1));
        let case = Case::of_body("an unknown field", body.to_string(), Some(&field));
        self.hold(operation, case, &["unknown-field"]).await;
        for (name, property) in object(&schema["properties"]) {
            let property = self.document.resolved(property);
            let field = path(place, name);
            let twice = twice(base, place, name, &self.sample(&property));
            let case = Case::of_body("a field twice", twice, Some(&field));
            self.hold(operation, case, &["duplicate-field"]).await;
            for value in samples(&property) {
                let mut body = base.clone();
                at(&mut body, place).insert(name.clone(), value);
                let refused = (!whole.is_valid(&body)).then_some(field.as_str());
                let case = Case::of_body(&field, body.to_string(), refused);
                self.hold(operation, case, &FORM).await;
            }
            if property["properties"].is_object() {
                let mut base = base.clone();
                at(&mut base, place).insert(name.clone(), self.sample(&property));
                let inner = [place, std::slice::from_ref(name)].concat();
                Box::pin(self.fields(operation, whole, &base, &property, &inner)).await;
            }
        }
    }

    /// Sends each parameter every kind of text.
    async fn queries(&mut self, operation: &Operation, parameters: &[(String, Value)]) {
        for query in ["surprise=1", "surprise"] {
            let case = Case::of_query(query.to_owned(), Some("surprise"));
            self.hold(operation, case, &["unknown-field"]).await;
        }
        for (name, schema) in parameters {
            let validator = self.document.validator(schema);
            let twice = format!("{name}=1&{name}=1");
            let case = Case::of_query(twice, Some(name));
            self.hold(operation, case, &["duplicate-field"]).await;
            let mut values: Vec<String> = [
                "", "x", "0", "1", "-1", "0.5", "1.0", "10e-1", "-1.0", "null", "true", "[]", "{}",
            ]
            .map(str::to_owned)
            .into();
            values.push("9".repeat(30));
            values.extend(bounds(schema).iter().map(ToString::to_string));
            for value in values {
                let meant = match serde_json::from_str(&value) {
                    Ok(number @ Value::Number(_)) if schema["type"] == "integer" => number,
                    _ => json!(value),
                };
                let refused = (!validator.is_valid(&meant)).then_some(name.as_str());
                let encoded: String =
                    url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                let case = Case::of_query(format!("{name}={encoded}"), refused);
                self.hold(operation, case, &FORM).await;
            }
        }
    }

    /// Holds the answer to a request against the document.
    async fn hold(&mut self, operation: &Operation, case: Case<'_>, codes: &[&str]) {
        let url = format!("{}{}", self.gateway.url(&operation.path(ID)), case.query);
        let mut request = self.gateway.http.request(operation.method.clone(), url);
        request = request.bearer_auth(OPERATOR_KEY);
        if !case.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let answer = request.body(case.body.clone()).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"]
            .to_str()
            .expect("text")
            .to_owned();
        let answer: Value = answer.json().await.expect("JSON");
        if let Err(difference) = self.document.describes(operation, status, &kind, &answer) {
            self.differences.push(difference);
        }
        let (code, field) = (text(&answer["code"]), text(&answer["field"]));
        let agrees = match case.refused {
            Some(expected) => {
                let inner = format!("{expected}.");
                codes.contains(&code.as_str())
                    && (field == expected || field.starts_with(&inner) || expected == "*")
            }
            None => {
                !FORM.contains(&code.as_str())
                    || BEYOND_THE_DOCUMENT.contains(&code.as_str())
                    // Of the range that another field leaves.
                    || (code == "out-of-range" && field != case.what)
            }
        };
        if !agrees {
            let Case {
                what,
                query,
                body,
                refused,
            } = case;
            self.differences.push(format!(
                "{} {query} {body}: {what}, to be refused: {refused:?}; answered {status} {answer}",
                operation.name
            ));
        }
    }

    /// A value that a schema allows, with what it requires alone.
    fn sample(&self, schema: &Value) -> Value {
        let schema = self.document.resolved(schema);
        if let Some(first) = schema["enum"].get(0).or_else(|| schema.get("default")) {
            return first.clone();
        }
        if let Some(choice) = schema["oneOf"].get(0) {
            return self.sample(choice);
        }
        match text(&schema["type"]).as_str() {
            "object" => {
                let required = schema["required"].as_array().into_iter().flatten();
                let fields = required.map(|name| {
                    let name = text(name);
                    let value = self.sample(&schema["properties"][&name]);
                    (name, value)
                });
                Value::Object(fields.collect())
            }
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            "array" => json!([]),
            _ if schema["format"] == "uuid" => json!(ID),
            _ => json!("x"),
        }
    }
}

impl<'a> Case<'a> {
    fn of_body(what: &str, body: String, refused: Option<&'a str>) -> Self {
        Self {
            what: what.to_owned(),
            query: String::new(),
            body,
            refused,
        }
    }

    fn of_query(query: String, refused: Option<&'a str>) -> Self {
        Self {
            what: "a parameter".to_owned(),
            query: format!("?{query}"),
            body: String::new(),
            refused,
        }
    }
}

/// The schema of an operation's JSON body, if it has one.
fn body_schema(operation: &Operation) -> Option<Value> {
    let content = &operation.described["requestBody"]["content"];
    content["application/json"].get("schema").cloned()
}

/// The parameters of its query, with their schemas.
fn query_of(operation: &Operation) -> Vec<(String, Value)> {
    let parameters = operation.described["parameters"].as_array();
    parameters
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| (text(&parameter["name"]), parameter["schema"].clone()))
        .collect()
}

/// Values of each type, and those at the bounds of a schema.
fn samples(schema: &Value) -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(1.0),
        json!(-1.0),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!("x"),
        json!(""),
        json!("y".repeat(1000)),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({ "x": 1 }),
        json!(ID),
    ];
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    for schema in choices.chain([schema]) {
        values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
        values.extend(bounds(schema));
        for (bound, more) in [
            ("minLength", -1),
            ("minLength", 0),
            ("maxLength", 0),
            ("maxLength", 1),
        ] {
            if let Some(length) = schema[bound].as_i64() {
                values.push(json!(
                    "é".repeat(usize::try_from(length + more).unwrap_or_default())
                ));
            }
        }
    }
    values
}

/// The least and the greatest number that a schema allows, and those beyond.
fn bounds(schema: &Value) -> Vec<Value> {
    let bound = |name: &str, beyond: i64| {
        let Some(bound) = schema.get(name) else {
            return Vec::new();
        };
        let next = match bound.as_i64() {
            Some(bound) => bound.checked_add(beyond).map(|it| json!(it)),
            None => bound.as_f64().map(|it| json!(it + beyond as f64)),
        };
        [Some(bound.clone()), next].into_iter().flatten().collect()
    };
    [bound("minimum", -1), bound("maximum", 1)].concat()
}

/// A body in which the object at a place has one field twice.
fn twice(base: &Value, place: &[String], name: &str, value: &Value) -> String {
    const MARK: &str = "the second";
    let mut body = base.clone();
    let fields = at(&mut body, place);
    fields.insert(name.to_owned(), value.clone());
    fields.insert(MARK.to_owned(), value.clone());
    body.to_string()
        .replace(&format!("\"{MARK}\":"), &format!("\"{name}\":"))
}

/// The object at a place within a body.
fn at<'a>(body: &'a mut Value, place: &[String]) -> &'a mut Map<String, Value> {
    let inner = place
        .iter()
        .fold(body, |value, name| &mut value[name.as_str()]);
    inner.as_object_mut().expect("an object")
}

fn path(place: &[String], name: &str) -> String {
    [place, &[name.to_owned()]].concat().join(".")
}

/// A string; empty where it is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
