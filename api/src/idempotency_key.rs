//! The client's own key of a request, whichever door it comes through.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use pizza_app::IdempotencyKey;
use pizza_contract::ErrorCode;
use pizza_contract::IDEMPOTENCY_KEY;

use crate::problem::Problem;

/// The client's own key for the request, if it gave one.
pub(crate) struct Key(pub(crate) Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        idempotency_key(&parts.headers).map(Self)
    }
}

/// The one key of a request, if it has any. Of two, nobody could say which
/// counts.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            // What is no text has characters that are not allowed.
            let key = key.to_str().unwrap_or_default();
            Ok(Some(IdempotencyKey::parse(unquoted(key))?))
        }
        (Some(_), Some(_)) => {
            let detail = format!("{IDEMPOTENCY_KEY} is given twice");
            Err(Problem::new(ErrorCode::DuplicateField, detail).field(IDEMPOTENCY_KEY))
        }
    }
}

/// The IETF's draft has keys in quotes, most clients have not: it is the same
/// key.
fn unquoted(key: &str) -> &str {
    key.strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<String>, (ErrorCode, Option<String>)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
        }
        idempotency_key(&headers)
            .map(|key| key.map(String::from))
            .map_err(|problem| (problem.code, problem.field))
    }

    #[test]
    fn a_request_has_one_key_or_none() {
        assert_eq!(read(&[]), Ok(None));
        for key in ["a-1", "\"a-1\""] {
            assert_eq!(read(&[key]), Ok(Some("a-1".to_owned())), "{key}");
        }
        let field = || Some(IDEMPOTENCY_KEY.to_owned());
        for bad in ["", "\"\"", "\"a", "a\"", "a b", "a, b", "\"\"a\"\""] {
            assert_eq!(
                read(&[bad]),
                Err((ErrorCode::InvalidValue, field())),
                "{bad}"
            );
        }
        let twice = read(&["a-1", "a-1"]);
        assert_eq!(twice, Err((ErrorCode::DuplicateField, field())));
    }
}
