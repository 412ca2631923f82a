//! Query strings, read as strictly as JSON bodies.

use axum::extract::FromRequestParts;
use http::request::Parts;
use pizza_contract::reading::read_query;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The query of a request: a request of the contract.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(read_query(query)?))
    }
}

#[cfg(test)]
mod tests {
    use pizza_contract::{ListFailures, ListOrders, ListTickets};
    use serde::Serialize;

    use super::*;

    /// What the gateway reads of a query as the client writes it.
    fn sent<T: Serialize + DeserializeOwned>(asked: &T) -> T {
        // Whichever test comes first chooses; the client leaves it to the process.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().get("http://localhost").query(asked);
        let request = request.build().expect("a request");
        read_query(request.url().query().unwrap_or_default()).expect("a query")
    }

    #[test]
    fn what_a_client_writes_into_a_query_the_gateway_reads() {
        let tickets = ListTickets {
            limit: Some(-1),
            cursor: Some("a b&c=é+%".to_owned()),
        };
        assert_eq!(sent(&tickets), tickets);
        let orders = ListOrders {
            placed_after: Some("2026-01-31T18:30:00+01:00".to_owned()),
            ..ListOrders::default()
        };
        assert_eq!(sent(&orders), orders);
        let failures = ListFailures {
            older_than_seconds: Some(i128::MAX),
            ..ListFailures::default()
        };
        assert_eq!(sent(&failures), failures);
        assert_eq!(sent(&ListFailures::default()), ListFailures::default());
    }
}
