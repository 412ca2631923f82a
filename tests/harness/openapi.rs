//! The OpenAPI document of a gateway, and whether answers are as it says.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// The document.
pub(crate) struct Document(pub(crate) Value);

/// An operation that it describes.
pub(crate) struct Operation {
    /// Its method, and its path with the names of its parameters.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) described: Value,
}

impl Operation {
    /// Its path, whose parameters name what belongs to an order, or may.
    pub(crate) fn path(&self, id: &str) -> String {
        let (_, path) = self.name.split_once(' ').expect("a path");
        let task = format!("/failures/failed-refund-payment-{id}");
        path.replace("/failures/{id}", &task)
            .replace("{queue}", "refund-payment")
            .split('/')
            .map(|part| if part.starts_with('{') { id } else { part })
            .collect::<Vec<_>>()
            .join("/")
    }
}

impl Document {
    /// Every operation.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for (path, item) in object(&self.0["paths"]) {
            for (method, described) in object(item) {
                let method: Method = method.to_uppercase().parse().expect("a method");
                all.push(Operation {
                    name: format!("{method} {path}"),
                    method,
                    described: described.clone(),
                });
            }
        }
        all
    }

    /// Holds an answer against what is said of the operation's.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn describes(
        &self,
        operation: &Operation,
        status: u16,
        media_type: &str,
        body: &Value,
    ) -> Result<(), String> {
        let responses = &operation.described["responses"];
        let described = self.resolved(&responses[status.to_string()]);
        let schema = &described["content"][media_type]["schema"];
        let name = &operation.name;
        if schema.is_null() {
            return Err(format!(
                "{name}: {status} of {media_type} is not described: {body}"
            ));
        }
        let valid = self.validator(schema).validate(body);
        valid.map_err(|error| format!("{name}: {status}: {error} in {body}"))
    }

    /// What tells whether a value is as a schema of the document says.
    pub(crate) fn validator(&self, schema: &Value) -> Validator {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&schema)
            .expect("a schema")
    }

    /// What a schema refers to, or the one of its choices that is not `null`,
    /// where it has no more.
    pub(crate) fn resolved(&self, schema: &Value) -> Value {
        if let Some(place) = schema["$ref"].as_str() {
            let place = place.trim_start_matches('#');
            return self.resolved(self.0.pointer(place).expect("what is referred to"));
        }
        match schema["oneOf"].as_array().map(Vec::as_slice) {
            Some([one, other]) if other["type"] == "null" => self.resolved(one),
            _ => schema.clone(),
        }
    }
}

/// The members of an object; none of anything else.
pub(crate) fn object(value: &Value) -> &Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}
