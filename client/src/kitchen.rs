//! The API for kitchens, from a kitchen's side.

use pizza_contract::{
    KitchenEventReported, KitchenSimulation, ListTickets, ReportKitchenEvent, SetKitchenSimulation,
    Tickets,
};
use pizza_domain::{KitchenReport, OrderId};
use reqwest::{Method, StatusCode};

use crate::error::CallError;
use crate::gateway::Gateway;
use crate::sent::Sent;

/// A client of the API for kitchens, by the right of its gateway's key. Its
/// calls fail with what went wrong on the way, or with the gateway's refusal.
#[derive(Clone, Debug)]
pub struct KitchenApi(Gateway);

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportAnswer {
    /// It was taken, now or before.
    Taken,
    /// Another one has to come first, the order is over or unknown, or the id
    /// is another report's: to send it again is pointless.
    Refused,
}

impl KitchenApi {
    /// A client of `gateway`'s API for kitchens.
    #[must_use]
    pub const fn new(gateway: Gateway) -> Self {
        Self(gateway)
    }

    /// A page of the open tickets.
    pub async fn tickets(&self, wanted: &ListTickets) -> Result<Sent<Tickets>, CallError> {
        let request = self.0.request(Method::GET, &["kitchen", "tickets"])?;
        self.0.ask(request.query(wanted)).await
    }

    /// Makes a report under an id of its own. A refusal that another try does
    /// not change is an answer.
    pub async fn report(
        &self,
        ticket: OrderId,
        report: KitchenReport,
        report_id: &str,
    ) -> Result<ReportAnswer, CallError> {
        let report = ReportKitchenEvent {
            event: report.as_str().into(),
            report_id: Some(report_id.to_owned()),
            reason: None,
        };
        match self.make(ticket, &report).await {
            Ok(_) => Ok(ReportAnswer::Taken),
            Err(error) if is_refusal(&error) => Ok(ReportAnswer::Refused),
            Err(error) => Err(error),
        }
    }

    /// Makes a report.
    pub async fn make(
        &self,
        ticket: OrderId,
        report: &ReportKitchenEvent,
    ) -> Result<Sent<KitchenEventReported>, CallError> {
        let path = ["kitchen", "tickets", &ticket.to_string(), "events"];
        let request = self.0.request(Method::POST, &path)?;
        self.0.ask(request.json(report)).await
    }

    /// How simulated kitchens are to behave.
    pub async fn simulation(&self) -> Result<Sent<KitchenSimulation>, CallError> {
        self.0.get(&["kitchen", "simulation"]).await
    }

    /// Changes how they are to behave, and gives how they are to now.
    pub async fn set_simulation(
        &self,
        simulation: &SetKitchenSimulation,
    ) -> Result<Sent<KitchenSimulation>, CallError> {
        let request = self.0.request(Method::PUT, &["kitchen", "simulation"])?;
        self.0.ask(request.json(simulation)).await
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
