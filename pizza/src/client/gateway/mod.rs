//! The gateway's HTTP interface, from a client's side.

mod error;
mod events;
mod failures;

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use pizza_domain::{KitchenReport, OrderId};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use error::{CallError, Problem};
pub(crate) use events::ChangeView;
pub(crate) use failures::FailureQueues;

/// How long the gateway may take to answer. Longer than the gateway's own
/// limit, so that its answer is heard.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Which gateway to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayUrl {
    /// The gateway's URL
    #[arg(
        long,
        value_name = "URL",
        env = "PIZZA_GATEWAY",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) gateway: Url,
}

impl GatewayUrl {
    /// A client of this gateway. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Gateway> {
        Gateway::new(self.gateway.clone())
    }
}

/// A client of a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    url: Url,
    client: Client,
}

/// What became of a kitchen's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportAnswer {
    /// It was taken, now or before.
    Taken,
    /// The order is over, or unknown.
    Late,
}

/// An order as the gateway shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderView {
    pub(crate) order_id: OrderId,
    pub(crate) status: String,
    pub(crate) flavour: String,
    pub(crate) size: String,
    pub(crate) quantity: u32,
    pub(crate) total: i64,
    pub(crate) discount_applied: String,
    pub(crate) discount_reason: Option<String>,
    pub(crate) money: String,
    pub(crate) points: String,
    pub(crate) cancelled: Option<CancelView>,
    /// What waits in a failure queue, or was let go. A gateway of before
    /// there was such a list sends none.
    #[serde(default)]
    pub(crate) owed: Vec<OwedView>,
    pub(crate) version: i64,
}

impl OrderView {
    /// Whether no other status follows.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "DeliveryConfirmed" | "Cancelled")
    }
}

/// Why an order was cancelled, as the gateway shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CancelView {
    pub(crate) step: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What an order owes, as the gateway shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwedView {
    pub(crate) queue: String,
    pub(crate) message_type: String,
    pub(crate) task_id: String,
    /// `parked` or `discarded`.
    pub(crate) state: String,
}

/// The answer to an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Placed {
    pub(crate) message: String,
    pub(crate) order_id: OrderId,
    pub(crate) status_check: String,
    /// Each order of `ALL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) orders: Vec<PlacedScenario>,
}

/// One order of `ALL`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlacedScenario {
    pub(crate) error_on_step: String,
    pub(crate) order_id: OrderId,
    pub(crate) status_check: String,
}

/// One of an order's workflows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowView {
    pub(crate) workflow_id: String,
    #[serde(rename = "type")]
    pub(crate) workflow_type: String,
    pub(crate) status: String,
    pub(crate) message_type: Option<String>,
}

/// The workflows of one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WorkflowsView {
    pub(crate) workflows: Vec<WorkflowView>,
}

impl Gateway {
    /// A client of the gateway at `url`. Nothing is sent yet.
    pub(crate) fn new(url: Url) -> anyhow::Result<Self> {
        // The message leaves the URL out: it may hold a password.
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "a gateway's URL holds no user and no password; an operator's key is given with \
             PIZZA_OPERATOR_KEY or --operator-key"
        );
        let mut client = Client::builder()
            .timeout(TIMEOUT)
            // What is sent to the gateway, keys included, is for the gateway.
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // A proxy would read along.
            client = client.no_proxy();
        }
        let client = client.build().context("no HTTP client can be made")?;
        Ok(Self { url, client })
    }

    /// Places an order.
    pub(crate) async fn place(&self, order: &serde_json::Value) -> anyhow::Result<Placed> {
        let request = self.client.post(self.at(&["orders"])?).json(order);
        Ok(read(self.send(request).await?).await?)
    }

    /// An order.
    pub(crate) async fn order(&self, id: OrderId) -> anyhow::Result<OrderView> {
        Ok(self.get(&["orders", &id.to_string()]).await?)
    }

    /// A page of orders, as the gateway's JSON.
    pub(crate) async fn orders(
        &self,
        query: &[(&'static str, String)],
    ) -> anyhow::Result<serde_json::Value> {
        let request = self.client.get(self.at(&["orders"])?).query(query);
        Ok(read(self.send(request).await?).await?)
    }

    /// The workflows of an order, its parked tasks among them.
    pub(crate) async fn workflows(&self, id: OrderId) -> anyhow::Result<WorkflowsView> {
        let path = ["orders", &id.to_string(), "workflows"];
        Ok(self.get(&path).await?)
    }

    /// Reports on a ticket.
    pub(crate) async fn report(
        &self,
        ticket: OrderId,
        report: KitchenReport,
    ) -> anyhow::Result<ReportAnswer> {
        let url = self.at(&["kitchen", "tickets", &ticket.to_string(), "events"])?;
        let body = serde_json::json!({ "event": report.as_str() });
        let response = self.send(self.client.post(url).json(&body)).await?;
        match read::<serde_json::Value>(response).await {
            Ok(_) => Ok(ReportAnswer::Taken),
            Err(error) if is_late(&error) => Ok(ReportAnswer::Late),
            Err(error) => Err(error.into()),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        read(self.send(self.client.get(self.at(path)?)).await?).await
    }

    fn at(&self, path: &[&str]) -> Result<Url, CallError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| CallError::NoBase(self.url.clone()))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, CallError> {
        request
            .send()
            .await
            .map_err(|source| CallError::Unreachable {
                url: self.url.clone(),
                source,
            })
    }
}

/// Whether a report is refused because the order is over, or unknown.
fn is_late(error: &CallError) -> bool {
    error.problem().is_some_and(|problem| {
        problem.status == StatusCode::NOT_FOUND || problem.code == "kitchen-report-late"
    })
}

/// Reads a good answer, or fails with what the problem document says.
async fn read<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    if response.status().is_success() {
        return response.json().await.map_err(CallError::Unreadable);
    }
    Err(CallError::Refused(Problem::of(response).await))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_password_is_refused_without_being_repeated() {
        for url in [
            "http://alice:hunter2@localhost",
            "http://:hunter2@localhost",
        ] {
            let error = Gateway::new(url.parse().expect("a URL")).expect_err(url);
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }

    #[test]
    fn what_is_named_in_a_path_stays_one_segment() {
        temporalio_common::telemetry::ensure_default_crypto_provider();
        let url = "http://localhost:8080/shop/".parse().expect("a URL");
        let gateway = Gateway::new(url).expect("a gateway");
        let path = gateway.at(&["failures", "a/../b?c#d"]).expect("a URL");
        assert_eq!(
            path.as_str(),
            "http://localhost:8080/shop/failures/a%2F..%2Fb%3Fc%23d"
        );
    }
}
