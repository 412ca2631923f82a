//! The gateway's HTTP interface, from a client's side.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use pizza_domain::{KitchenReport, OrderId};
use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

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

/// A failure queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct QueueView {
    pub(crate) queue: String,
    pub(crate) depth: i64,
}

/// A parked task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureView {
    pub(crate) id: String,
    pub(crate) queue: String,
    pub(crate) message_type: String,
    pub(crate) order_id: String,
    pub(crate) customer_id: String,
    pub(crate) parked_at: String,
}

/// A page of parked tasks, and the depth of each queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailuresView {
    pub(crate) queues: Vec<QueueView>,
    pub(crate) failures: Vec<FailureView>,
    pub(crate) next_cursor: Option<String>,
}

/// The part of a problem document that a person reads.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Gateway {
    /// A client of the gateway at `url`. Nothing is sent yet.
    pub(crate) fn new(url: Url) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .build()
            .context("no HTTP client can be made")?;
        Ok(Self { url, client })
    }

    /// Places an order.
    pub(crate) async fn place(&self, order: &serde_json::Value) -> anyhow::Result<Placed> {
        let request = self.client.post(self.at(&["orders"])?).json(order);
        read(self.send(request).await?).await
    }

    /// An order.
    pub(crate) async fn order(&self, id: OrderId) -> anyhow::Result<OrderView> {
        self.get(&["orders", &id.to_string()], &[]).await
    }

    /// The workflows of an order, its parked tasks among them.
    pub(crate) async fn workflows(&self, id: OrderId) -> anyhow::Result<WorkflowsView> {
        self.get(&["orders", &id.to_string(), "workflows"], &[])
            .await
    }

    /// A page of parked tasks.
    pub(crate) async fn failures(
        &self,
        queue: Option<&str>,
        limit: u32,
        cursor: Option<&str>,
    ) -> anyhow::Result<FailuresView> {
        let limit = limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(queue.map(|queue| ("queue", queue)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.get(&["failures"], &query).await
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
        if matches!(response.status(), StatusCode::NOT_FOUND) {
            return Ok(ReportAnswer::Late);
        }
        if response.status() == StatusCode::CONFLICT {
            let problem: Problem = response.json().await?;
            if problem.code == "kitchen-report-late" {
                return Ok(ReportAnswer::Late);
            }
            bail!("{}: {}", problem.code, problem.detail);
        }
        let _: serde_json::Value = read(response).await?;
        Ok(ReportAnswer::Taken)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let mut url = self.at(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        read(self.send(self.client.get(url)).await?).await
    }

    fn at(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{} cannot be a gateway's URL", self.url))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.with_context(|| {
            format!(
                "the gateway at {} does not answer; is it running (`pizza dev`), \
                 and is --gateway or PIZZA_GATEWAY right?",
                self.url
            )
        })
    }
}

/// Reads a good answer, or fails with what the problem document says.
async fn read<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let status = response.status();
    if status.is_success() {
        return response
            .json()
            .await
            .context("the gateway's answer cannot be read");
    }
    match response.json::<Problem>().await {
        Ok(problem) => bail!("{} ({status}): {}", problem.code, problem.detail),
        Err(_) => bail!("the gateway answered {status}"),
    }
}
