//! JSON bodies, read strictly: what a client got wrong, it is told, and not
//! left to find out from an order that is not what it meant.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use pizza_contract::ErrorCode;
use serde_json::{Map, Value};

use crate::gateway::AppState;
use crate::numbers::integer;
use crate::problem::Problem;
use crate::unique_json::UniqueFields;

/// How much of an unknown field's name is repeated, in characters.
const NAME_LENGTH: usize = 64;

/// The fields of a body, or of an object in one, to be taken one by one. An
/// empty body has none.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    values: BTreeMap<String, Value>,
    /// The field that holds these.
    within: Option<&'static str>,
}

impl FromRequest<AppState> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // It is there, and not too large: see `arrival`.
        let unread =
            |error: axum::Error| Problem::new(ErrorCode::InvalidRequest, error.to_string());
        let body = to_bytes(body, app.gateway.limits.body_bytes)
            .await
            .map_err(unread)?;
        if body.is_empty() {
            return Ok(Self::default());
        }
        check_media_type(&parts.headers)?;
        Self::parse(&body)
    }
}

impl Fields {
    /// Reads a body that is one JSON object, each of its fields given once.
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let object: UniqueFields = serde_json::from_slice(body).map_err(|error| {
            Problem::new(
                ErrorCode::InvalidJson,
                format!("the body is not a JSON object: {error}"),
            )
        })?;
        match object.repeated {
            None => Ok(Self {
                values: object.fields,
                within: None,
            }),
            Some(name) => Err(field_problem(
                ErrorCode::DuplicateField,
                &name,
                "is given twice",
            )),
        }
    }

    /// Refuses every field but these.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self
            .values
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            None => Ok(self),
            Some(name) => {
                let rule = format!("is not a field; there are {}", known.join(", "));
                Err(self.problem(ErrorCode::UnknownField, name, &rule))
            }
        }
    }

    /// Takes a field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        take: impl FnOnce(&mut Self, &'static str) -> Result<Option<T>, Problem>,
    ) -> Result<T, Problem> {
        let taken = take(self, name)?;
        taken.ok_or_else(|| self.problem(ErrorCode::MissingField, name, "is missing"))
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.take(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// Takes a number.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, Problem> {
        self.take(name, "must be a number", |value| value.as_f64())
    }

    /// Takes an integer.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i128>, Problem> {
        self.take(name, "must be an integer", |value| integer(&value))
    }

    /// Takes an integer or a text.
    pub(super) fn integer_or_text(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Result<i128, String>>, Problem> {
        self.take(
            name,
            "must be an integer or a string",
            |value| match value {
                Value::String(text) => Some(Err(text)),
                value => integer(&value).map(Ok),
            },
        )
    }

    /// Takes a truth value.
    pub(super) fn truth(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.take(name, "must be true or false", |value| value.as_bool())
    }

    /// Takes an object as it is.
    pub(super) fn object(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Map<String, Value>>, Problem> {
        self.take(name, "must be an object", |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// Takes the fields of an object, or that it is `null`.
    pub(super) fn fields_or_null(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Option<Self>>, Problem> {
        self.take(name, "must be an object or null", |value| match value {
            Value::Null => Some(None),
            Value::Object(object) => Some(Some(Self {
                values: object.into_iter().collect(),
                within: Some(name),
            })),
            _ => None,
        })
    }

    /// Takes a field. One that is `null` has no value of its type: a client
    /// that wants the default leaves it out.
    fn take<T>(
        &mut self,
        name: &'static str,
        rule: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.values.remove(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.problem(ErrorCode::InvalidType, name, rule)),
        }
    }

    fn problem(&self, code: ErrorCode, name: &str, rule: &str) -> Problem {
        match self.within {
            None => field_problem(code, name, rule),
            Some(outer) => field_problem(code, &format!("{outer}.{name}"), rule),
        }
    }
}

fn field_problem(code: ErrorCode, name: &str, rule: &str) -> Problem {
    let name = truncated(name);
    Problem::new(code, format!("{name} {rule}")).field(name)
}

/// As much of an unknown field's name as is repeated.
pub(super) fn truncated(name: &str) -> String {
    name.chars().take(NAME_LENGTH).collect()
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Problem::new(ErrorCode::UnsupportedMediaType, detail);
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(refused("the body must not be compressed"));
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (
        types.next().map(|media_type| media_type.to_str()),
        types.next(),
    ) {
        (Some(Ok(media_type)), None) if is_json(media_type) => Ok(()),
        _ => Err(refused("the content type must be application/json")),
    }
}

/// `application/json` or `application/*+json`, in UTF-8.
fn is_json(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let json = essence.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json"
            || subtype
                .strip_suffix("+json")
                .is_some_and(|name| !name.is_empty())
    });
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_json() {
        for good in [
            "application/json",
            "Application/JSON; Charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/vnd.pizza+json",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "json",
            "text/json",
            "text/plain",
            "application/jsonx",
            "application/+json",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
