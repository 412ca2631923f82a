//! `pizza scenarios`: one order for each scenario, each end compared with
//! what the specification says.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::future::try_join_all;
use pizza_client::Gateway;
use pizza_contract::{ErrorOnStep as Asked, PlaceOrder};
use pizza_domain::{ErrorOnStep, OrderId};
use pizza_workflows::names::workflow_type;
use pizza_workflows::steps::ExpectedEnd;
use serde::Serialize;
use serde_json::json;

use super::customer_key::CustomerArgs;
use super::output::{self, Live};
use crate::numbers::{LONGEST_WAIT, decimal, whole};

/// How often the orders are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Args, Debug)]
pub(crate) struct ScenariosArgs {
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = whole(0..=LONGEST_WAIT))]
    timeout_seconds: u64,
    /// Wait so many seconds after each status change
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = decimal(0.0..=3600.0))]
    per_step_delay_seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
}

/// How an order ended, or is to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct End {
    pub(crate) status: String,
    workflow: String,
    pub(crate) money: String,
    pub(crate) points: String,
    pub(crate) parked: Vec<String>,
}

impl End {
    fn new(status: &str, money: &str, points: &str, parked: Option<&str>) -> Self {
        let workflow = match status {
            "DeliveryConfirmed" => "Completed",
            _ => "Failed",
        };
        Self {
            status: status.to_owned(),
            workflow: workflow.to_owned(),
            money: money.to_owned(),
            points: points.to_owned(),
            parked: parked.map(str::to_owned).into_iter().collect(),
        }
    }

    fn cells(&self) -> [String; 5] {
        [
            self.status.clone(),
            self.workflow.clone(),
            self.money.clone(),
            self.points.clone(),
            self.parked.join(" "),
        ]
    }
}

/// The end that an order of a scenario comes to.
pub(crate) fn expected(scenario: ErrorOnStep) -> End {
    let end = ExpectedEnd::of(scenario);
    End::new(
        end.status.as_str(),
        end.money.as_str(),
        end.points.as_str(),
        end.parked.map(|parked| parked.message_type),
    )
}

/// One scenario's order.
struct Run {
    scenario: ErrorOnStep,
    id: OrderId,
    end: End,
    ended: bool,
}

impl Run {
    fn verdict(&self) -> &'static str {
        match (self.ended, self.end == expected(self.scenario)) {
            (false, _) => "running",
            (true, true) => "match",
            (true, false) => "DIFFERENT",
        }
    }
}

/// Runs the scenarios; exits non-zero unless each ends as expected.
pub(crate) async fn run(args: ScenariosArgs) -> anyhow::Result<ExitCode> {
    let gateway = args.gateway.connect()?;
    let order = PlaceOrder {
        error_on_step: Some(Asked::Number(ErrorOnStep::ALL_NUMBER.into())),
        per_step_delay_seconds: Some(args.per_step_delay_seconds),
        ..PlaceOrder::default()
    };
    let placed = gateway.place(&order, None).await?;
    let mut runs = placed
        .view
        .orders
        .iter()
        .map(|order| {
            Ok(Run {
                scenario: order.error_on_step.parse()?,
                id: order.order_id,
                end: End::default(),
                ended: false,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let limit = Duration::from_secs(args.timeout_seconds);
    let in_time = tokio::time::timeout(limit, follow(&gateway, &mut runs)).await;
    if let Ok(failed) = in_time {
        failed?;
    }
    print(&runs, args.json)?;
    let all_match = runs.iter().all(|run| run.verdict() == "match");
    Ok(if all_match && runs.len() == ErrorOnStep::SCENARIOS.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Looks at the orders until each has ended, drawing them as they go.
async fn follow(gateway: &Gateway, runs: &mut [Run]) -> anyhow::Result<()> {
    let mut live = Live::new();
    while !runs.iter().all(|run| run.ended) {
        try_join_all(runs.iter_mut().map(|run| look(gateway, run))).await?;
        live.draw(&table(runs));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn look(gateway: &Gateway, run: &mut Run) -> anyhow::Result<()> {
    if run.ended {
        return Ok(());
    }
    let order = gateway.order(run.id).await?.view;
    let ended = order.is_final();
    run.end = End {
        status: order.status.to_string(),
        money: order.money.to_string(),
        points: order.points.to_string(),
        ..End::default()
    };
    if !ended {
        return Ok(());
    }
    let workflows = gateway.workflows(run.id).await?.view.workflows;
    run.end.workflow = workflows
        .iter()
        .find(|workflow| workflow.r#type == workflow_type::ORDER)
        .map(|workflow| workflow.status.to_string())
        .unwrap_or_default();
    run.end.parked = workflows
        .iter()
        .filter_map(|workflow| workflow.message_type.clone())
        .collect();
    run.ended = !matches!(run.end.workflow.as_str(), "" | "Running" | "Paused");
    Ok(())
}

fn table(runs: &[Run]) -> String {
    let mut table = output::table(&[
        "", "fails", "status", "workflow", "money", "points", "parked", "verdict",
    ]);
    for (number, run) in runs.iter().enumerate() {
        let mut row = vec![number.to_string(), run.scenario.as_str().to_owned()];
        row.extend(run.end.cells());
        row.push(run.verdict().to_owned());
        table.add_row(row);
    }
    table.to_string()
}

fn print(runs: &[Run], as_json: bool) -> anyhow::Result<()> {
    if !as_json {
        output::lines(&table(runs));
        return Ok(());
    }
    for run in runs {
        let line = json!({
            "errorOnStep": run.scenario.as_str(),
            "orderId": run.id,
            "end": run.end,
            "expected": expected(run.scenario),
            "verdict": run.verdict(),
        });
        output::json(&line);
    }
    Ok(())
}
