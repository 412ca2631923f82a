//! A gateway, and what customers ask of it.

use std::time::{Duration, Instant};

use pizza_contract::timeline::Timeline;
use pizza_contract::{
    AmendOrder, ErrorCode, IDEMPOTENCY_KEY, ListOrders, Menu, Order, OrderAmended, OrderCancelled,
    OrderPlaced, OrderWorkflows, Orders, PlaceOrder,
};
use pizza_domain::OrderId;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{self, CallError, ConnectError, Problem};
use crate::secret::Secret;
use crate::sent::Sent;
use crate::shown_url::{is_bare, shown};

/// How long the gateway may take to answer. Longer than the gateway's own
/// limit, so that its answer is heard.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client that is asked to come again later waits for that, all
/// waits together. A gateway that asks for more has its reasons; a person
/// should see them.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of a gateway. Its calls fail with what went wrong on the way, or
/// with the gateway's refusal.
#[derive(Clone, Debug)]
pub struct Gateway {
    url: Url,
    client: Client,
    key: Key,
    /// How long it waits, all waits together, where it asks too often.
    patience: Duration,
    /// Is called before each such wait.
    on_wait: fn(Duration),
}

/// By what right a client asks.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// The key that its calls show.
    pub secret: Option<Secret>,
    /// What to do where the gateway does not know the key, or wants one.
    pub if_unknown: Option<String>,
    /// What to do where the gateway knows it and says no.
    pub if_forbidden: Option<String>,
}

impl Gateway {
    /// A client of the gateway at `url`, whose certificate is to be issued by
    /// one of `authorities`; none for those that this machine trusts. Nothing
    /// is sent yet.
    ///
    /// # Errors
    /// When the URL is not one of a gateway, or holds more than where it is.
    pub fn new(url: Url, authorities: Option<Vec<Certificate>>) -> Result<Self, ConnectError> {
        if !is_bare(&url) || !matches!(url.scheme(), "http" | "https") {
            return Err(ConnectError::Url);
        }
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            // What is sent to the gateway, keys included, is for the gateway.
            .redirect(redirect::Policy::none());
        if let Some(authorities) = authorities {
            client = client.tls_certs_only(authorities);
        }
        if url.scheme() == "http" {
            // A proxy would read along.
            client = client.no_proxy();
        }
        let client = client.build().map_err(ConnectError::Client)?;
        Ok(Self {
            url,
            client,
            key: Key::default(),
            patience: PATIENCE,
            on_wait: |_| {},
        })
    }

    /// The same, by the right of a key.
    #[must_use]
    pub fn with_key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// The same, but it learns at once that it asks too often.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self {
            patience: Duration::ZERO,
            ..self
        }
    }

    /// The same, which calls `on_wait` before it waits since it asks too often.
    #[must_use]
    pub fn on_wait(self, on_wait: fn(Duration)) -> Self {
        Self { on_wait, ..self }
    }

    /// Where it is.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The menu.
    pub async fn menu(&self) -> Result<Sent<Menu>, CallError> {
        self.get(&["menu"]).await
    }

    /// Places an order; under a key, once, however often that is asked for.
    pub async fn place(
        &self,
        order: &PlaceOrder,
        idempotency_key: Option<&str>,
    ) -> Result<Sent<OrderPlaced>, CallError> {
        let request = self.request(Method::POST, &["orders"])?.json(order);
        self.ask(under_key(request, idempotency_key)).await
    }

    /// An order.
    pub async fn order(&self, id: OrderId) -> Result<Sent<Order>, CallError> {
        self.get(&["orders", &id.to_string()]).await
    }

    /// Cancels an order. To cancel again is safe.
    pub async fn cancel(&self, id: OrderId) -> Result<Sent<OrderCancelled>, CallError> {
        let path = ["orders", &id.to_string()];
        self.ask(self.request(Method::DELETE, &path)?).await
    }

    /// Amends an order; under a key, once, however often that is asked for.
    pub async fn amend(
        &self,
        id: OrderId,
        wanted: &AmendOrder,
        idempotency_key: Option<&str>,
    ) -> Result<Sent<OrderAmended>, CallError> {
        let path = ["orders", &id.to_string()];
        let request = self.request(Method::PATCH, &path)?.json(wanted);
        self.ask(under_key(request, idempotency_key)).await
    }

    /// What happened to an order.
    pub async fn timeline(&self, id: OrderId) -> Result<Sent<Timeline>, CallError> {
        self.get(&["orders", &id.to_string(), "timeline"]).await
    }

    /// A page of orders.
    pub async fn orders(&self, wanted: &ListOrders) -> Result<Sent<Orders>, CallError> {
        let request = self.request(Method::GET, &["orders"])?.query(wanted);
        self.ask(request).await
    }

    /// The workflows of an order, its parked tasks among them.
    pub async fn workflows(&self, id: OrderId) -> Result<Sent<OrderWorkflows>, CallError> {
        self.get(&["orders", &id.to_string(), "workflows"]).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
    ) -> Result<Sent<T>, CallError> {
        self.ask(self.request(Method::GET, path)?).await
    }

    /// A request by the right of the key.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &[&str],
    ) -> Result<RequestBuilder, CallError> {
        let request = self.client.request(method, self.at(path)?);
        Ok(match &self.key.secret {
            Some(secret) => request.bearer_auth(secret.text()),
            None => request,
        })
    }

    /// Reads a good answer, or fails with what the problem document says.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Sent<T>, CallError> {
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(Problem::of(response).await));
        }
        let answer = response.json().await.map_err(reqwest::Error::without_url);
        Ok(Sent::read(answer.map_err(CallError::Unreadable)?)?)
    }

    /// A refusal, with what to do where the key is the trouble.
    pub(crate) fn refusal(&self, problem: Problem) -> CallError {
        let advice = if problem.status == StatusCode::UNAUTHORIZED {
            self.key.if_unknown.clone()
        } else {
            let advice = self.key.if_forbidden.clone();
            advice.filter(|_| problem.is(ErrorCode::Forbidden))
        };
        let problem = Box::new(problem);
        match advice {
            Some(advice) => CallError::NotAllowed { problem, advice },
            None => CallError::Refused(problem),
        }
    }

    fn at(&self, path: &[&str]) -> Result<Url, CallError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| CallError::NoBase)?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    /// Sends a request, and once more after a while where the gateway says
    /// that this client asks too often: nothing came of it then.
    pub(crate) async fn send(&self, mut request: RequestBuilder) -> Result<Response, CallError> {
        let given_up = Instant::now() + self.patience;
        loop {
            let again = request.try_clone();
            let response = self.send_once(request).await?;
            let wait = asked_to_wait(&response).filter(|wait| Instant::now() + *wait <= given_up);
            let (Some(wait), Some(again)) = (wait, again) else {
                return Ok(response);
            };
            (self.on_wait)(wait);
            tokio::time::sleep(wait).await;
            request = again;
        }
    }

    async fn send_once(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let url = || shown(&self.url);
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        answer.map_err(|source| match error::tls_fault(&source) {
            Some(fault) => CallError::Untrusted { url: url(), fault },
            None => CallError::Unreachable { url: url(), source },
        })
    }
}

/// How long this client is to wait since it asks too often.
fn asked_to_wait(response: &Response) -> Option<Duration> {
    (response.status() == StatusCode::TOO_MANY_REQUESTS)
        .then(|| error::retry_after(response))
        .flatten()
}

pub(crate) fn under_key(request: RequestBuilder, key: Option<&str>) -> RequestBuilder {
    match key {
        Some(key) => request.header(IDEMPOTENCY_KEY, key),
        None => request,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use serde_json::json;

    use super::*;
    use crate::stub::{Answer, Stub};

    #[test]
    fn a_url_with_a_password_is_refused_without_being_repeated() {
        for url in [
            "http://alice:hunter2@localhost",
            "http://:hunter2@localhost",
            "http://localhost/?key=hunter2",
            "http://localhost/#hunter2",
            "hunter2:x",
            "ftp://localhost/hunter2",
        ] {
            let error = Gateway::new(url.parse().expect("a URL"), None).expect_err(url);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    fn too_often(wait: &str) -> Answer {
        let headers = vec![("retry-after", wait.to_owned())];
        (
            429,
            headers,
            json!({ "code": "rate-limited", "detail": "later" }),
        )
    }

    #[tokio::test]
    async fn a_client_that_asks_too_often_comes_again_when_told_to() {
        static WAITED: AtomicU64 = AtomicU64::new(0);
        let placed = json!({
            "message": "", "orderId": OrderId::from_uuid(uuid::Uuid::new_v4()), "statusCheck": "http://a",
        });
        let stub = Stub::start([too_often("1"), (201, Vec::new(), placed)]).await;
        let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
        let gateway = gateway.on_wait(|wait| WAITED.store(wait.as_secs(), Ordering::Relaxed));
        let order = PlaceOrder {
            quantity: Some(3),
            ..PlaceOrder::default()
        };
        gateway
            .place(&order, Some("lunch"))
            .await
            .expect("an order");
        assert_eq!(WAITED.load(Ordering::Relaxed), 1);
        let asked = stub.asked();
        assert_eq!(asked.len(), 2);
        for asked in asked {
            assert_eq!(
                (asked.json(), asked.header("idempotency-key")),
                (json!({ "quantity": 3 }), "lunch")
            );
        }
    }

    #[tokio::test]
    async fn a_client_that_is_to_wait_too_long_learns_of_it_at_once() {
        for wait in ["60", "soon"] {
            let stub = Stub::start([too_often(wait)]).await;
            let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
            let error = gateway.menu().await.expect_err("refused");
            assert!(
                error.to_string().starts_with("rate-limited (429"),
                "{error}"
            );
            assert!(error.may_pass());
            assert_eq!(stub.asked().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_refusal_says_what_to_do_about_the_key() {
        let key = Key {
            if_unknown: Some("ask for one".to_owned()),
            ..Key::default()
        };
        for (status, code, advised) in [
            (401, "unauthenticated", true),
            (403, "forbidden", false),
            (409, "order-delivered", false),
        ] {
            let refusal = json!({ "code": code, "detail": "no\u{1b}[31m" });
            let stub = Stub::start([(status, Vec::new(), refusal)]).await;
            let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
            let error = gateway.with_key(key.clone()).menu().await;
            let told = error.expect_err("refused").to_string();
            assert!(told.contains("no\\u001b[31m"), "{told}");
            assert_eq!(stub.asked()[0].line, "GET /menu");
            assert_eq!(told.ends_with("; ask for one"), advised, "{told}");
        }
    }

    #[test]
    fn what_is_named_in_a_path_stays_one_segment() {
        crate::stub::choose_cryptography();
        let url = "http://localhost:8080/shop/".parse().expect("a URL");
        let gateway = Gateway::new(url, None).expect("a gateway");
        let path = gateway.at(&["failures", "a/../b?c#d"]).expect("a URL");
        assert_eq!(
            path.as_str(),
            "http://localhost:8080/shop/failures/a%2F..%2Fb%3Fc%23d"
        );
    }
}
