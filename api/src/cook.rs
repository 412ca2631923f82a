//! What needs a kitchen's key, whichever door it comes through.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;

use crate::gateway::App;
use crate::keys::{Keyring, Principal, Role};
use crate::problem::{ErrorCode, Problem};

/// A kitchen, or an operator in its place. A handler that takes one first is
/// reached by them alone, and before anything else of the request is looked
/// at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cook;

impl FromRequestParts<Arc<App>> for Cook {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        authenticate(&app.gateway.keys, &parts.headers)
    }
}

/// Lets kitchens and operators alone through: for services that read a
/// request's message before they are asked.
pub(crate) async fn cooks_only(
    State(_): State<Arc<App>>,
    _: Cook,
    request: Request,
    next: Next,
) -> Response {
    next.run(request).await
}

fn authenticate(keys: &Keyring, headers: &HeaderMap) -> Result<Cook, Problem> {
    // A gateway without such keys says so, whatever it is shown.
    let holder = match keys.knows(Role::Kitchen) {
        true => keys.shown(headers)?,
        false => None,
    };
    Cook::of(keys, holder)
}

impl Cook {
    /// Whoever holds a known key, if that lets them cook.
    pub(crate) fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, Problem> {
        if !keys.knows(Role::Kitchen) {
            let detail = "this gateway has no kitchen keys, so nobody may do this; \
                          PIZZA_KITCHEN_KEYS sets them, `pizza kitchen-key` makes them";
            return Err(Problem::new(ErrorCode::Forbidden, detail));
        }
        let holder = holder.ok_or_else(|| {
            let detail = "a kitchen's key is needed, as `Authorization: Bearer <key>`";
            Problem::new(ErrorCode::Unauthenticated, detail)
        })?;
        match holder.role {
            Role::Kitchen | Role::Operator => Ok(Self),
            Role::Customer => {
                let detail = "this key is not a kitchen's";
                Err(Problem::new(ErrorCode::Forbidden, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;
    use crate::keys::KeyHash;

    fn asked(keys: &Keyring, key: Option<&str>) -> Result<Cook, Problem> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a value");
            headers.insert(header::AUTHORIZATION, value);
        }
        authenticate(keys, &headers)
    }

    #[test]
    fn kitchens_and_operators_are_let_in_once_there_is_a_kitchen() {
        let mut keys = Keyring::default();
        let add = |keys: &mut Keyring, role, name: &str| {
            keys.add(role, &KeyHash::of(name).entry(name))
                .expect("a key");
        };
        add(&mut keys, Role::Operator, "ann");
        add(&mut keys, Role::Customer, "ben");
        for key in [None, Some("ann"), Some("ben"), Some("dan")] {
            let refused = asked(&keys, key).expect_err("no kitchen has a key");
            assert_eq!(refused.code, ErrorCode::Forbidden);
            assert!(refused.detail.contains("PIZZA_KITCHEN_KEYS"), "{refused:?}");
            assert!(refused.detail.contains("pizza kitchen-key"), "{refused:?}");
        }
        add(&mut keys, Role::Kitchen, "cook");
        let code = |key| asked(&keys, key).map_err(|problem| problem.code);
        assert_eq!(code(Some("cook")), Ok(Cook));
        assert_eq!(code(Some("ann")), Ok(Cook));
        assert_eq!(code(Some("ben")), Err(ErrorCode::Forbidden));
        assert_eq!(code(Some("dan")), Err(ErrorCode::Unauthenticated));
        assert_eq!(code(None), Err(ErrorCode::Unauthenticated));
    }
}
