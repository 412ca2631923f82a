//! Who may do what, as plain values: what each role may see and do is decided
//! here, once for HTTP, gRPC and pages.

use pizza_domain::CustomerId;

use crate::keys::{Keyring, Principal, Role};

/// Why a request may not do what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A key is needed, or this one is not known.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The key is known, but not for this.
    #[error("{0}")]
    Forbidden(&'static str),
}

/// Who asks for orders. An order that a viewer may not see does not exist for
/// them.
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

    /// What a request that shows this key may do, or one that shows none.
    ///
    /// # Errors
    /// When the key is not known, or is not for this.
    pub fn of_key(keys: &Keyring, key: Option<&str>) -> Result<Self, AccessError> {
        let holder = match keys.knows(Role::Customer) {
            true => keys.shown(key)?,
            // Nobody needs a key here, so that one that is not known does no harm.
            false => keys.shown(key).unwrap_or_default(),
        };
        Self::of(keys, holder)
    }

    /// What the holder of a known key may see; with none, what a public viewer may.
    ///
    /// # Errors
    /// When a key is needed, or this one is not for this.
    pub fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, AccessError> {
        if !keys.knows(Role::Customer) {
            let is_operator = holder.is_some_and(|holder| holder.role == Role::Operator);
            return Ok(match is_operator {
                true => Self::Operator,
                false => Self::Public,
            });
        }
        let holder = holder.ok_or_else(|| {
            let detail = "a customer's key is needed, as `Authorization: Bearer <key>`";
            AccessError::Unauthenticated(detail)
        })?;
        let forbidden = AccessError::Forbidden;
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

/// The holder of the key that a request shows, where only holders of a role's
/// keys may do something. A gateway without such keys says so to all requests,
/// so that there the key is not looked at.
fn shown_to_staff<'a>(
    keys: &'a Keyring,
    role: Role,
    key: Option<&str>,
) -> Result<Option<&'a Principal>, AccessError> {
    match keys.knows(role) {
        true => keys.shown(key),
        false => Ok(None),
    }
}

/// An operator, by name. A handler that takes one first is reached by
/// operators alone, and before anything else of the request is looked at: a
/// client without a key learns nothing about what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name of their key.
    pub name: String,
}

impl Operator {
    /// What a request that shows this key may do, or one that shows none.
    ///
    /// # Errors
    /// When the key is not known, or is not for this.
    pub fn of_key(keys: &Keyring, key: Option<&str>) -> Result<Self, AccessError> {
        Self::of(keys, shown_to_staff(keys, Role::Operator, key)?)
    }

    /// The holder of a known key, if that makes them an operator.
    ///
    /// # Errors
    /// When there is no such key, or it is not an operator's.
    pub fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, AccessError> {
        if !keys.knows(Role::Operator) {
            let detail = "this gateway has no operator keys, so nobody may do this; \
                          PIZZA_OPERATOR_KEYS sets them, `pizza operator-key` makes them";
            return Err(AccessError::Forbidden(detail));
        }
        let holder = holder.ok_or_else(|| {
            let detail = "an operator's key is needed, as `Authorization: Bearer <key>`";
            AccessError::Unauthenticated(detail)
        })?;
        if holder.role != Role::Operator {
            let detail = "this key is not an operator's";
            return Err(AccessError::Forbidden(detail));
        }
        Ok(Self {
            name: holder.name.clone(),
        })
    }
}

/// A kitchen, or an operator in its place. A handler that takes one first is
/// reached by them alone, and before anything else of the request is looked
/// at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KitchenAccess;

impl KitchenAccess {
    /// What a request that shows this key may do, or one that shows none.
    ///
    /// # Errors
    /// When the key is not known, or is not for this.
    pub fn of_key(keys: &Keyring, key: Option<&str>) -> Result<Self, AccessError> {
        Self::of(keys, shown_to_staff(keys, Role::Kitchen, key)?)
    }

    /// The holder of a known key, if that lets them cook.
    ///
    /// # Errors
    /// When there is no such key, or it is a customer's.
    pub fn of(keys: &Keyring, holder: Option<&Principal>) -> Result<Self, AccessError> {
        if !keys.knows(Role::Kitchen) {
            let detail = "this gateway has no kitchen keys, so nobody may do this; \
                          PIZZA_KITCHEN_KEYS sets them, `pizza kitchen-key` makes them";
            return Err(AccessError::Forbidden(detail));
        }
        let holder = holder.ok_or_else(|| {
            let detail = "a kitchen's key is needed, as `Authorization: Bearer <key>`";
            AccessError::Unauthenticated(detail)
        })?;
        match holder.role {
            Role::Kitchen | Role::Operator => Ok(Self),
            Role::Customer => {
                let detail = "this key is not a kitchen's";
                Err(AccessError::Forbidden(detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyHash;

    const UNAUTHENTICATED: &str = "unauthenticated";
    const FORBIDDEN: &str = "forbidden";

    fn refused(error: AccessError) -> &'static str {
        match error {
            AccessError::Unauthenticated(_) => UNAUTHENTICATED,
            AccessError::Forbidden(_) => FORBIDDEN,
        }
    }

    fn viewer(keys: &Keyring, key: Option<&str>) -> Result<Viewer, &'static str> {
        Viewer::of_key(keys, key).map_err(refused)
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
        assert_eq!(viewer(&keys, Some("ann")), Ok(Viewer::Operator));
        assert_eq!(
            viewer(&keys, Some("ben")),
            Ok(Viewer::Customer(ben.clone()))
        );
        assert_eq!(viewer(&keys, Some("cook")), Err(FORBIDDEN));
        assert_eq!(viewer(&keys, Some("dan")), Err(UNAUTHENTICATED));
        assert_eq!(viewer(&keys, None), Err(UNAUTHENTICATED));
        assert!(Viewer::Operator.may_see(&ben) && Viewer::Customer(ben.clone()).may_see(&ben));
        assert!(!Viewer::Customer(ben).may_see(&CustomerId::default()));
    }

    #[test]
    fn in_an_open_shop_operators_alone_see_what_operators_did() {
        let mut keys = Keyring::default();
        for key in [None, Some("ann")] {
            assert_eq!(viewer(&keys, key), Ok(Viewer::Public));
        }
        for (role, name) in [(Role::Operator, "ann"), (Role::Kitchen, "cook")] {
            keys.add(role, &KeyHash::of(name).entry(name))
                .expect("a key");
        }
        assert_eq!(viewer(&keys, Some("ann")), Ok(Viewer::Operator));
        for key in [None, Some("cook"), Some("dan")] {
            assert_eq!(viewer(&keys, key), Ok(Viewer::Public), "{key:?}");
        }
        let anybody = CustomerId::default();
        assert!(Viewer::Public.may_see(&anybody) && Viewer::Operator.may_see(&anybody));
        assert!(Viewer::Operator.sees_operations() && !Viewer::Public.sees_operations());
        assert!(!Viewer::Customer(anybody).sees_operations());
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
            let refused = KitchenAccess::of_key(&keys, key).expect_err("no kitchen has a key");
            let AccessError::Forbidden(detail) = refused else {
                panic!("{refused:?}");
            };
            assert!(detail.contains("PIZZA_KITCHEN_KEYS"), "{detail}");
            assert!(detail.contains("pizza kitchen-key"), "{detail}");
        }
        add(&mut keys, Role::Kitchen, "cook");
        let code = |key| KitchenAccess::of_key(&keys, key).map_err(refused);
        assert_eq!(code(Some("cook")), Ok(KitchenAccess));
        assert_eq!(code(Some("ann")), Ok(KitchenAccess));
        assert_eq!(code(Some("ben")), Err(FORBIDDEN));
        assert_eq!(code(Some("dan")), Err(UNAUTHENTICATED));
        assert_eq!(code(None), Err(UNAUTHENTICATED));
    }
}
