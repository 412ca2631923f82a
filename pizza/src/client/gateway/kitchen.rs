//! The kitchen's door, from a kitchen's side.

use pizza_domain::{KitchenReport, OrderId};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CallError, Gateway, Sent, read};
use crate::client::shown_key::ShownKey;

/// A client of the kitchen's door.
#[derive(Clone, Debug)]
pub(crate) struct KitchenDoor {
    gateway: Gateway,
    key: ShownKey,
}

/// A page of open tickets, as the gateway shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketsView {
    pub(crate) tickets: Vec<TicketView>,
    pub(crate) next_cursor: Option<String>,
}

/// An open ticket, as the gateway shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketView {
    pub(crate) ticket_id: OrderId,
    pub(crate) flavour: String,
    pub(crate) size: String,
    pub(crate) quantity: u32,
    pub(crate) stage: String,
    pub(crate) next_reports: Vec<String>,
    pub(crate) seconds_at_stage: f64,
    pub(crate) seconds_left: Option<f64>,
    pub(crate) simulation: TicketSimulationView,
}

/// What a ticket asks of a simulated kitchen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketSimulationView {
    pub(crate) per_step_delay_seconds: f64,
    pub(crate) silent: bool,
}

/// How simulated kitchens are to behave, as the gateway shows it and takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulationView {
    pub(crate) paused: bool,
    pub(crate) delay_seconds: f64,
    pub(crate) lose_rate: f64,
    pub(crate) repeat_rate: f64,
    pub(crate) reorder_rate: f64,
    pub(crate) seed: u64,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportAnswer {
    /// It was taken, now or before.
    Taken,
    /// Another one has to come first, the order is over or unknown, or the id
    /// is another report's: to send it again is pointless.
    Refused,
}

impl KitchenDoor {
    /// A client of `gateway`'s kitchen door that shows `key`.
    pub(crate) const fn new(gateway: Gateway, key: ShownKey) -> Self {
        Self { gateway, key }
    }

    /// A page of the open tickets, in the form that is asked for.
    pub(crate) async fn tickets<T: DeserializeOwned>(
        &self,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<T, CallError> {
        let mut url = self.gateway.at(&["kitchen", "tickets"])?;
        let mut query = vec![("limit", limit.to_string())];
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        url.query_pairs_mut().extend_pairs(query);
        self.send(self.gateway.client.get(url)).await
    }

    /// Makes a report under an id of its own.
    pub(crate) async fn report(
        &self,
        ticket: OrderId,
        report: KitchenReport,
        report_id: &str,
    ) -> Result<ReportAnswer, CallError> {
        let report = json!({ "event": report.as_str(), "reportId": report_id });
        match self.make(ticket, &report).await {
            Ok(_) => Ok(ReportAnswer::Taken),
            Err(error) if is_refusal(&error) => Ok(ReportAnswer::Refused),
            Err(error) => Err(error),
        }
    }

    /// Makes a report, and gives the gateway's answer as it is.
    pub(crate) async fn make(&self, ticket: OrderId, report: &Value) -> Result<Value, CallError> {
        let path = ["kitchen", "tickets", &ticket.to_string(), "events"];
        let request = self.gateway.client.post(self.gateway.at(&path)?);
        self.send(request.json(report)).await
    }

    /// How simulated kitchens are to behave.
    pub(crate) async fn simulation(&self) -> Result<Sent<SimulationView>, CallError> {
        let url = self.gateway.at(&["kitchen", "simulation"])?;
        self.send(self.gateway.client.get(url)).await
    }

    /// Changes how they are to behave, and gives how they are to now.
    pub(crate) async fn set_simulation(
        &self,
        simulation: &SimulationView,
    ) -> Result<Sent<SimulationView>, CallError> {
        let url = self.gateway.at(&["kitchen", "simulation"])?;
        self.send(self.gateway.client.put(url).json(simulation))
            .await
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let request = match self.key.secret() {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let answer = read(self.gateway.send(request).await?).await;
        answer.map_err(|error| error.advised(&self.key))
    }
}

fn is_refusal(error: &CallError) -> bool {
    error.problem().is_some_and(|problem| {
        [
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY,
        ]
        .contains(&problem.status)
    })
}
