//! Placing the same thing once, however often it is asked for.
//!
//! The ids of the orders are drawn and kept under the customer's key before
//! anything is started. Whoever comes again with the key, to this gateway or
//! to another one, finds the same ids, and starting an order twice starts it
//! once. So nothing has to be known of how far the first attempt came.

use futures::future::try_join_all;
use pizza_domain::{Amendment, CustomerId, ErrorOnStep, Flavour, OrderId, OrderRequest};
use pizza_store::KeptRequest;
use pizza_store::meters::Replay;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::UseCaseError;
use super::idempotency_key::IdempotencyKey;
use super::use_cases::UseCases;

/// An order that is to be there when the client is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its id.
    pub(super) order_id: OrderId,
    /// Whether it is there already.
    pub(super) is_placed: bool,
}

/// As many new orders.
pub(super) fn new_orders(count: usize) -> Vec<Wanted> {
    let new = || Wanted {
        order_id: OrderId::from_uuid(Uuid::new_v4()),
        is_placed: false,
    };
    std::iter::repeat_with(new).take(count).collect()
}

impl UseCases {
    /// The orders that answer this request, which came under a key: new ones,
    /// or those of the request that came first.
    ///
    /// # Errors
    /// When the key was used for another request, the store is away, or new
    /// orders are not allowed and there are none of before.
    pub(super) async fn orders_under(
        &self,
        key: &IdempotencyKey,
        request: &OrderRequest,
        scenarios: &[ErrorOnStep],
        allowed: Result<(), UseCaseError>,
    ) -> Result<Vec<Wanted>, UseCaseError> {
        let new = new_orders(scenarios.len());
        let asked = KeptRequest {
            fingerprint: fingerprint(request, &request.flavour.composed(), scenarios),
            order_ids: new.iter().map(|order| order.order_id).collect(),
        };
        let (store, customer) = (&self.store, &request.customer_id);
        let kept = match allowed {
            Ok(()) => store.keep_request(customer, key.as_str(), &asked).await?,
            Err(refusal) => {
                let kept = store.kept_request(customer, key.as_str()).await?;
                kept.ok_or(refusal)?
            }
        };
        if kept == asked {
            return Ok(new);
        }
        // Versions before kept a flavour as it was sent.
        let as_sent = || fingerprint(request, request.flavour.as_str(), scenarios);
        if kept.fingerprint != asked.fingerprint && kept.fingerprint != as_sent() {
            return Err(UseCaseError::IdempotencyKeyReused);
        }
        Replay::PlaceOrder.count();
        // Temporal forgets an order some time after its end, and would start
        // it anew. The record of it stays.
        let looked_up = kept.order_ids.into_iter().map(async |order_id| {
            let is_placed = self.store.order(order_id).await?.is_some();
            Ok(Wanted {
                order_id,
                is_placed,
            })
        });
        try_join_all(looked_up).await
    }
}

/// An amendment that came under a key. Temporal remembers under the key the
/// amendments that were made; of those that change nothing it has no trace, and
/// they are kept here, so that they change nothing when they are sent again.
/// Attempts that failed are kept here as well: Temporal would answer each with
/// its failure for ever, so the next one goes under another id.
pub(super) struct KeyedAmendment<'a> {
    pub(super) customer: &'a CustomerId,
    pub(super) order: OrderId,
    pub(super) key: &'a IdempotencyKey,
    pub(super) asked: &'a Amendment,
}

impl KeyedAmendment<'_> {
    /// Where it is kept: not where any order is, whose keys have no spaces.
    fn place(&self) -> String {
        format!("amend {} {}", self.order, self.key.as_str())
    }

    /// Where it is kept that an attempt at it failed.
    fn place_of_failure(&self, attempt: u32) -> String {
        format!(
            "amend-failed {} {} {attempt}",
            self.order,
            self.key.as_str()
        )
    }

    fn request(&self) -> KeptRequest {
        self.request_for(self.flavour().map(Flavour::composed).as_deref())
    }

    fn request_for(&self, flavour: Option<&str>) -> KeptRequest {
        let asked = self.asked;
        KeptRequest {
            fingerprint: digest(&json!([flavour, asked.size, asked.quantity])),
            order_ids: vec![self.order],
        }
    }

    fn flavour(&self) -> Option<&Flavour> {
        self.asked.flavour.as_ref().map(|priced| &priced.flavour)
    }

    fn is_same(&self, kept: &KeptRequest) -> Result<(), UseCaseError> {
        // Versions before kept a flavour as it was sent.
        let as_sent = || self.request_for(self.flavour().map(Flavour::as_str));
        if *kept == self.request() || *kept == as_sent() {
            Ok(())
        } else {
            Err(UseCaseError::IdempotencyKeyReused)
        }
    }
}

impl UseCases {
    /// Whether the amendment came before, and changed nothing.
    ///
    /// # Errors
    /// When the key was used for another one, or the store is away.
    pub(super) async fn changed_nothing(
        &self,
        amendment: &KeyedAmendment<'_>,
    ) -> Result<bool, UseCaseError> {
        self.is_kept_at(&amendment.place(), amendment).await
    }

    /// Keeps that the amendment changed nothing.
    ///
    /// # Errors
    /// When the key was used for another one, or the store is away.
    pub(super) async fn keep_that_nothing_changed(
        &self,
        amendment: &KeyedAmendment<'_>,
    ) -> Result<(), UseCaseError> {
        self.keep_at(&amendment.place(), amendment).await
    }

    /// How many attempts at the amendment failed, and a client was told so.
    ///
    /// # Errors
    /// When the key was used for another one, or the store is away.
    pub(super) async fn failed_attempts(
        &self,
        amendment: &KeyedAmendment<'_>,
    ) -> Result<u32, UseCaseError> {
        let mut failed = 0;
        // An order takes no more attempts than that.
        while failed < Amendment::MOST_OF_AN_ORDER {
            let place = amendment.place_of_failure(failed);
            if !self.is_kept_at(&place, amendment).await? {
                break;
            }
            failed += 1;
        }
        Ok(failed)
    }

    /// Keeps that this attempt at the amendment failed.
    ///
    /// # Errors
    /// When the key was used for another one, or the store is away.
    pub(super) async fn keep_that_it_failed(
        &self,
        amendment: &KeyedAmendment<'_>,
        attempt: u32,
    ) -> Result<(), UseCaseError> {
        let place = amendment.place_of_failure(attempt);
        self.keep_at(&place, amendment).await
    }

    async fn is_kept_at(
        &self,
        place: &str,
        amendment: &KeyedAmendment<'_>,
    ) -> Result<bool, UseCaseError> {
        let kept = self.store.kept_request(amendment.customer, place).await?;
        kept.as_ref()
            .map_or(Ok(false), |kept| amendment.is_same(kept).map(|()| true))
    }

    async fn keep_at(
        &self,
        place: &str,
        amendment: &KeyedAmendment<'_>,
    ) -> Result<(), UseCaseError> {
        let request = amendment.request();
        let store = &self.store;
        let kept = store
            .keep_request(amendment.customer, place, &request)
            .await?;
        amendment.is_same(&kept)
    }
}

/// A digest of what was asked for, with the flavour spelled so, the same
/// whichever door it came through and whether defaults were spelled out. It is
/// kept for as long as the order, so what is asked for one day on top may only
/// be appended, and only where it is not the default.
fn fingerprint(request: &OrderRequest, flavour: &str, scenarios: &[ErrorOnStep]) -> String {
    let scenarios: Vec<_> = scenarios.iter().map(|scenario| scenario.as_str()).collect();
    digest(&json!([
        flavour,
        request.size.as_str(),
        request.quantity.get(),
        request.simulation.pace,
        scenarios,
    ]))
}

pub(super) fn digest(canonical: &Value) -> String {
    Sha256::digest(canonical.to_string())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use pizza_domain::{Pace, Quantity, Simulation, Size};

    use super::*;

    fn fingerprint(request: &OrderRequest, scenarios: &[ErrorOnStep]) -> String {
        super::fingerprint(request, &request.flavour.composed(), scenarios)
    }

    fn of_flavour(flavour: &str) -> OrderRequest {
        OrderRequest {
            flavour: flavour.parse().expect("a flavour"),
            ..OrderRequest::default()
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_version() {
        let plain = fingerprint(&OrderRequest::default(), &[ErrorOnStep::None]);
        // Of ["plain","medium",1,0,["none"]].
        let known = "d389119d53e23666f96eda17e4f93e210005752ebdf74f2a55ed87d33598e4fe";
        assert_eq!(plain, known);
        // Of ["Ananás","medium",1,0,["none"]].
        let ananas = fingerprint(&of_flavour("Anan\u{E1}s"), &[ErrorOnStep::None]);
        let known = "6953b4bc4f6dec4eacb5132ac0e394ab93d4bbed1d33274f61854bfd57093e4d";
        assert_eq!(ananas, known);
    }

    #[test]
    fn however_a_flavours_letters_are_composed_it_counts_as_the_same() {
        let none = &ErrorOnStep::SCENARIOS[..1];
        let of = |flavour: &str| fingerprint(&of_flavour(flavour), none);
        assert_eq!(of("Anan\u{E1}s"), of("Anana\u{301}s"));
        for other in ["anan\u{E1}s", "Ananas", "Anan\u{E0}s"] {
            assert_ne!(of("Anan\u{E1}s"), of(other), "{other}");
        }
    }

    #[test]
    fn whatever_is_asked_for_counts() {
        let plain = OrderRequest::default();
        let flavour = of_flavour("Plain");
        let size = OrderRequest {
            size: Size::Large,
            ..plain.clone()
        };
        let quantity = OrderRequest {
            quantity: Quantity::try_from(2).expect("in range"),
            ..plain.clone()
        };
        let pace = OrderRequest {
            simulation: Simulation {
                pace: Pace::from_seconds(0.001).expect("in range"),
                ..Simulation::default()
            },
            ..plain.clone()
        };
        let none = &ErrorOnStep::SCENARIOS[..1];
        let mut all: Vec<_> = [&plain, &flavour, &size, &quantity, &pace]
            .map(|request| fingerprint(request, none))
            .to_vec();
        all.push(fingerprint(&plain, &ErrorOnStep::SCENARIOS[1..2]));
        all.push(fingerprint(&plain, &ErrorOnStep::SCENARIOS));
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 7, "{all:?}");
    }
}
