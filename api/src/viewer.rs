//! Who may see which order, and how much of it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use pizza_domain::CustomerId;

use crate::gateway::App;
use crate::keys::{Keyring, Principal, Role};
use crate::problem::{ErrorCode, Problem};

/// Whoever asks for orders. An order that a viewer may not see does not exist
/// for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// An operator: sees every order, and what operators did about it.
    Operator,
    /// Somebody without an operator's key where customers have no keys: sees
    /// every order, as its customer does.
    Public,
    /// Sees their own orders.
    Customer(CustomerId),
}

impl Viewer {
    /// Whether an order of this customer may be seen.
    #[must_use]
    pub fn may_see(&self, customer: &CustomerId) -> bool {
        match self {
            Self::Operator | Self::Public => true,
            Self::Customer(own) => own == customer,
        }
    }

    /// Whether they may see what operators did, and why, and what the
    /// messages of faults say of the machinery.
    #[must_use]
    pub const fn sees_operations(&self) -> bool {
        matches!(self, Self::Operator)
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        viewer(&app.gateway.keys, &parts.headers)
    }
}

/// Tells what comes after who asks: for services that read a request's
/// message before they are asked.
pub(crate) async fn viewers_only(
    State(_): State<Arc<App>>,
    viewer: Viewer,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(viewer);
    next.run(request).await
}

fn viewer(keys: &Keyring, headers: &HeaderMap) -> Result<Viewer, Problem> {
    let holder = match keys.knows(Role::Customer) {
        true => keys.shown(headers)?,
        // Nobody needs a key here, so that one that is not known does no harm.
        false => keys.shown(headers).unwrap_or_default(),
    };
    Viewer::of(keys, holder)
}

impl Viewer {
    /// What whoever holds a known key may see.
    pub(crate) fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, Problem> {
        if !keys.knows(Role::Customer) {
            let is_operator = holder.is_some_and(|holder| holder.role == Role::Operator);
            return Ok(match is_operator {
                true => Self::Operator,
                false => Self::Public,
            });
        }
        let holder = holder.ok_or_else(|| {
            let detail = "a customer's key is needed, as `Authorization: Bearer <key>`";
            Problem::new(ErrorCode::Unauthenticated, detail)
        })?;
        let forbidden = |detail| Problem::new(ErrorCode::Forbidden, detail);
        match holder.role {
            Role::Operator => Ok(Self::Operator),
            // The names of keys and the ids of customers have the same alphabet.
            Role::Customer => holder
                .name
                .parse()
                .map(Self::Customer)
                .map_err(|_| forbidden("the name of this key is no customer's id")),
            Role::Kitchen => Err(forbidden("this key is the kitchen's")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;
    use crate::keys::KeyHash;

    fn asked(keys: &Keyring, key: Option<&str>) -> Result<Viewer, ErrorCode> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a value");
            headers.insert(header::AUTHORIZATION, value);
        }
        viewer(keys, &headers).map_err(|problem| problem.code)
    }

    #[test]
    fn where_customers_have_keys_each_sees_their_own() {
        let mut keys = Keyring::default();
        for (role, name) in [
            (Role::Operator, "ann"),
            (Role::Customer, "ben"),
            (Role::Kitchen, "cook"),
        ] {
            keys.add(role, &KeyHash::of(name).entry(name))
                .expect("a key");
        }
        let ben: CustomerId = "ben".parse().expect("an id");
        assert_eq!(asked(&keys, Some("ann")), Ok(Viewer::Operator));
        assert_eq!(asked(&keys, Some("ben")), Ok(Viewer::Customer(ben.clone())));
        assert_eq!(asked(&keys, Some("cook")), Err(ErrorCode::Forbidden));
        assert_eq!(asked(&keys, Some("dan")), Err(ErrorCode::Unauthenticated));
        assert_eq!(asked(&keys, None), Err(ErrorCode::Unauthenticated));
        assert!(Viewer::Operator.may_see(&ben) && Viewer::Customer(ben.clone()).may_see(&ben));
        assert!(!Viewer::Customer(ben).may_see(&CustomerId::default()));
    }

    #[test]
    fn in_an_open_shop_operators_alone_see_what_operators_did() {
        let mut keys = Keyring::default();
        for key in [None, Some("ann")] {
            assert_eq!(asked(&keys, key), Ok(Viewer::Public));
        }
        for (role, name) in [(Role::Operator, "ann"), (Role::Kitchen, "cook")] {
            keys.add(role, &KeyHash::of(name).entry(name))
                .expect("a key");
        }
        assert_eq!(asked(&keys, Some("ann")), Ok(Viewer::Operator));
        for key in [None, Some("cook"), Some("dan")] {
            assert_eq!(asked(&keys, key), Ok(Viewer::Public), "{key:?}");
        }
        let anybody = CustomerId::default();
        assert!(Viewer::Public.may_see(&anybody) && Viewer::Operator.may_see(&anybody));
        assert!(Viewer::Operator.sees_operations() && !Viewer::Public.sees_operations());
        assert!(!Viewer::Customer(anybody).sees_operations());
    }
}
