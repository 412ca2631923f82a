//! What needs an operator's key, whichever door it comes through.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, header};

use crate::gateway::App;
use crate::keys::{Keyring, Principal, Role};
use crate::problem::{ErrorCode, Problem};

/// An operator, by name. A handler that takes one first is reached by
/// operators alone, and before anything else of the request is looked at:
/// whoever has no key learns nothing about what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// The name of their key.
    pub(crate) name: String,
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        authenticate(&app.gateway.keys, &parts.headers)
    }
}

/// Lets operators alone through, and tells what comes after who they are:
/// for services that read a request's message before they are asked.
pub(crate) async fn operators_only(
    State(_): State<Arc<App>>,
    operator: Operator,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(operator);
    next.run(request).await
}

fn authenticate(keys: &Keyring, headers: &HeaderMap) -> Result<Operator, Problem> {
    // A gateway without such keys says so, whatever it is shown.
    let holder = match keys.knows(Role::Operator) {
        true => keys.shown(headers)?,
        false => None,
    };
    Operator::of(keys, holder)
}

impl Operator {
    /// Whoever holds a known key, if that makes them an operator.
    pub(crate) fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, Problem> {
        if !keys.knows(Role::Operator) {
            let detail = "this gateway has no operator keys, so nobody may do this; \
                          PIZZA_OPERATOR_KEYS sets them, `pizza operator-key` makes them";
            return Err(Problem::new(ErrorCode::Forbidden, detail));
        }
        let holder = holder.ok_or_else(|| {
            let detail = "an operator's key is needed, as `Authorization: Bearer <key>`";
            Problem::new(ErrorCode::Unauthenticated, detail)
        })?;
        if holder.role != Role::Operator {
            let detail = "this key is not an operator's";
            return Err(Problem::new(ErrorCode::Forbidden, detail));
        }
        Ok(Self {
            name: holder.name.clone(),
        })
    }
}

/// The one bearer token of a request. Of two, nobody could say which counts.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::keys::KeyHash;

    const KEY: &str = "pizza_op_an-example";

    fn answer(keys: &Keyring, authorization: &[&'static str]) -> Result<String, ErrorCode> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        authenticate(keys, &headers)
            .map(|operator| operator.name)
            .map_err(|problem| problem.code)
    }

    #[test]
    fn one_known_key_in_its_scheme_lets_in() {
        let mut keys = Keyring::default();
        keys.add(Role::Operator, &KeyHash::of(KEY).entry("ann"))
            .expect("a key");
        for good in [
            "Bearer pizza_op_an-example",
            "bearer pizza_op_an-example",
            "BEARER  pizza_op_an-example ",
        ] {
            assert_eq!(answer(&keys, &[good]), Ok("ann".to_owned()), "{good}");
        }
        for bad in [
            &[][..],
            &[""],
            &["pizza_op_an-example"],
            &["Basic pizza_op_an-example"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer pizza_op_another"],
            &["Bearer pizza_op_an-example", "Bearer pizza_op_an-example"],
        ] {
            let refused = Err(ErrorCode::Unauthenticated);
            assert_eq!(answer(&keys, bad), refused, "{bad:?}");
        }
    }

    #[test]
    fn without_keys_nobody_is_let_in() {
        for authorization in [&[][..], &["Bearer pizza_op_an-example"]] {
            let refused = Err(ErrorCode::Forbidden);
            assert_eq!(answer(&Keyring::default(), authorization), refused);
        }
    }
}
