//! What handlers take from a request: who asks, an id in the address, the host.
//! A handler that takes first who asks is reached by those alone, and before
//! anything else of the request is looked at: a client without a key learns
//! nothing of what is there.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, header};
use pizza_app::access::{KitchenAccess, Operator, Viewer};
use pizza_contract::ErrorCode;
use pizza_domain::OrderId;

use crate::gateway::AppState;
use crate::problem::Problem;
use crate::request::ReachedAt;

/// Has requests show the key that these kinds of access ask for.
macro_rules! extracted {
    ($($access:ty),+) => {$(
        impl FromRequestParts<AppState> for $access {
            type Rejection = Problem;

            async fn from_request_parts(
                parts: &mut Parts,
                app: &AppState,
            ) -> Result<Self, Problem> {
                Ok(Self::of_key(&app.gateway.keys, bearer(&parts.headers))?)
            }
        }
    )+};
}

extracted!(Viewer, Operator, KitchenAccess);

/// Lets those through who may ask for `A`, and tells what comes after who they
/// are: for services that read a request's message before they are asked.
pub(crate) async fn only<A: Clone + Send + Sync + 'static>(
    State(_): State<AppState>,
    access: A,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(access);
    next.run(request).await
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

/// The order's id in the address.
pub(crate) struct OrderIdInPath(pub(crate) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for OrderIdInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let invalid = |detail| Problem::new(ErrorCode::InvalidOrderId, detail).field("id");
        let Path(id) = id.map_err(|rejection| invalid(rejection.body_text()))?;
        id.parse()
            .map(Self)
            .map_err(|refusal: pizza_domain::InvalidField| {
                invalid(format!("the id in the address {}", refusal.expected))
            })
    }
}

/// The host by which the client reached the gateway.
pub(crate) struct Authority(pub(crate) Option<http::uri::Authority>);

impl<S: Send + Sync> FromRequestParts<S> for Authority {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let reached_at = parts.extensions.get::<ReachedAt>();
        Ok(Self(
            reached_at.map(|ReachedAt(authority)| authority.clone()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use pizza_app::access::AccessError;
    use pizza_app::keys::{KeyHash, Keyring, Role};

    const KEY: &str = "pizza_op_an-example";

    fn answer(keys: &Keyring, authorization: &[&'static str]) -> Result<String, AccessError> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        Operator::of_key(keys, bearer(&headers)).map(|operator| operator.name)
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
            let refused = answer(&keys, bad);
            let is_unknown = matches!(refused, Err(AccessError::Unauthenticated(_)));
            assert!(is_unknown, "{bad:?}: {refused:?}");
        }
    }

    #[test]
    fn without_keys_nobody_is_let_in() {
        for authorization in [&[][..], &["Bearer pizza_op_an-example"]] {
            let refused = answer(&Keyring::default(), authorization);
            assert!(
                matches!(refused, Err(AccessError::Forbidden(_))),
                "{refused:?}"
            );
        }
    }
}
