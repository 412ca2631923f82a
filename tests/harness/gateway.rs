//! A client of the gateway's HTTP side that looks at the wire.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder};
use serde_json::{Value, json};
use temporalio_common::telemetry::ensure_default_crypto_provider;
use uuid::Uuid;

use super::world::KITCHEN_KEY;
use super::{LATER, eventually};

/// Longer than the gateway may take for anything.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one gateway.
pub(crate) struct Gateway {
    base: String,
    pub(crate) client: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The code of a problem document, after looking at its form.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        for field in ["type", "title", "detail", "code"] {
            assert!(problem[field].is_string(), "{field}: {self:?}");
        }
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Gateway {
    /// A client of the gateway at `base`.
    pub(crate) fn new(base: &str) -> Self {
        Self::with_key(base, None)
    }

    /// A client of the gateway at `base`, whose certificate was issued by this
    /// authority.
    pub(crate) fn trusting(base: &str, authority: &str) -> Self {
        let authority = Certificate::from_pem(authority.as_bytes()).expect("a certificate");
        Self::of(base, Client::builder().tls_certs_only([authority]))
    }

    /// A client of the gateway at `base` that presents a key.
    pub(crate) fn with_key(base: &str, key: Option<&str>) -> Self {
        let bearer = key.map(|key| {
            let value = format!("Bearer {key}").parse().expect("a header value");
            (AUTHORIZATION, value)
        });
        let headers = bearer.into_iter().collect();
        Self::of(base, Client::builder().default_headers(headers))
    }

    fn of(base: &str, client: ClientBuilder) -> Self {
        // The SDK's features give the client TLS, and it wants a provider even
        // where there is nothing to encrypt.
        ensure_default_crypto_provider();
        Self {
            base: base.to_owned(),
            client: client.timeout(TIMEOUT).build().expect("a client"),
        }
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request; there has to be an answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    /// Sends a request that may be sent twice until Temporal answers it: on a
    /// busy machine the one server of all tests stops for seconds.
    pub(crate) async fn send_until_answered(&self, request: RequestBuilder) -> Answer {
        eventually(LATER, "Temporal answers", async || {
            let answer = self.send(request.try_clone().expect("a whole body")).await;
            let is_unavailable = answer.status == 503 && answer.problem() == "temporal-unavailable";
            (!is_unavailable).then_some(answer)
        })
        .await
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.at(path))).await
    }

    /// POST of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.post(self.at(path)).json(body)).await
    }

    /// Redrives a task, which has to succeed. An answer may come before the
    /// end: the same request, sent again, tells of it.
    pub(crate) async fn redrive(&self, task: &str) -> Value {
        let url = self.at(&format!("/failures/{task}/redrive"));
        let key = Uuid::new_v4().to_string();
        let answer = eventually(LATER, "the redrive comes to its end", async || {
            let request = self.client.post(&url).header("idempotency-key", &key);
            let answer = self.send_until_answered(request.json(&json!({}))).await;
            (answer.status != 202).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let redriven = answer.json();
        assert_eq!(redriven["outcome"], "done", "{redriven}");
        assert_eq!(redriven["state"], "done", "{redriven}");
        redriven
    }

    /// PUT of JSON.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.put(self.at(path)).json(body)).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.client.delete(self.at(path))).await
    }

    /// PATCH with JSON.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.patch(self.at(path)).json(body)).await
    }

    /// Cancels an order, if it can be.
    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        self.delete(&format!("/orders/{id}")).await
    }

    /// Amends an order, if it can be.
    pub(crate) async fn amend(&self, id: &str, wanted: &Value) -> Answer {
        self.patch(&format!("/orders/{id}"), wanted).await
    }

    /// Places an order, which has to be accepted, and gives the answer.
    pub(crate) async fn placed(&self, order: &Value) -> Value {
        let request = self.client.post(self.at("/orders")).json(order);
        let answer = self.send_until_answered(request).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let placed = answer.json();
        let location = format!("/orders/{}", id_of(&placed));
        assert_eq!(answer.header("location"), location, "{answer:?}");
        placed
    }

    /// Places an order, which has to be accepted, and gives its id.
    pub(crate) async fn place(&self, order: Value) -> String {
        id_of(&self.placed(&order).await)
    }

    /// Looks at an order, which has to be there. How old the answer is, is
    /// left out: it is another one with each look.
    pub(crate) async fn order(&self, id: &str) -> Value {
        let url = self.at(&format!("/orders/{id}"));
        let answer = self.send_until_answered(self.client.get(url)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut order = answer.json();
        let age = order
            .as_object_mut()
            .map(|order| order.remove("ageSeconds"));
        assert!(age.flatten().is_some(), "{answer:?}");
        order
    }

    /// Waits until an order has a status.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        let what = format!("order {id} is {status}");
        eventually(LATER, &what, async || {
            let order = self.order(id).await;
            (order["status"] == status).then_some(order)
        })
        .await
    }

    /// Waits for the end of an order, whichever.
    pub(crate) async fn until_ended(&self, id: &str) -> Value {
        let what = format!("order {id} ends");
        eventually(LATER, &what, async || {
            let order = self.order(id).await;
            is_final(&order).then_some(order)
        })
        .await
    }

    /// As [`Self::until_ended`], for many orders at once: it watches, and asks
    /// nothing meanwhile.
    pub(crate) async fn watched_to_its_end(&self, id: &str) -> Value {
        let events = self
            .client
            .get(self.at(&format!("/orders/{id}/events")))
            .timeout(LATER);
        let stream = self.send(events).await;
        assert!([200, 204].contains(&stream.status), "{stream:?}");
        let order = self.order(id).await;
        assert!(is_final(&order), "{order}");
        order
    }

    /// Reports at the kitchen's door, with a kitchen's key.
    pub(crate) async fn report(&self, ticket: &str, event: &str) -> Answer {
        self.report_all(ticket, &json!({ "event": event })).await
    }

    /// Makes a whole report at the kitchen's door, with a kitchen's key.
    pub(crate) async fn report_all(&self, ticket: &str, report: &Value) -> Answer {
        let url = self.at(&format!("/kitchen/tickets/{ticket}/events"));
        let request = self.client.post(url).bearer_auth(KITCHEN_KEY);
        self.send(request.json(report)).await
    }

    /// Places an order that waits so many seconds at each stage, and gives its
    /// id once it is at this one.
    pub(crate) async fn place_paced(&self, seconds: f64, stage: &str) -> String {
        let id = self.place(json!({ "perStepDelaySeconds": seconds })).await;
        self.until(&id, stage).await;
        id
    }

    /// Places an order that the kitchen accepts, and gives its id.
    pub(crate) async fn place_accepted(&self, order: Value) -> String {
        let id = self.place(order).await;
        let what = format!("the kitchen can accept {id}");
        let answer = eventually(LATER, &what, async || {
            let answer = self.report(&id, "accepted").await;
            (answer.status != 404).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        id
    }

    /// Reports, which has to be taken for the first time.
    pub(crate) async fn report_taken(&self, ticket: &str, event: &str) {
        let answer = self.report(ticket, event).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["outcome"], "taken", "{answer:?}");
    }
}

/// The id in the answer to an order.
pub(crate) fn id_of(placed: &Value) -> String {
    placed["orderId"].as_str().expect("an id").to_owned()
}

/// Whether no other status follows.
pub(crate) fn is_final(order: &Value) -> bool {
    order["status"] == "DeliveryConfirmed" || order["status"] == "Cancelled"
}
