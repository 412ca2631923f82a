//! `pizza report`.

use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pizza_contract::ReportKitchenEvent;
use pizza_domain::{KitchenReport, OrderId};

use super::kitchen_key::KitchenApiArgs;
use super::output;

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The ticket's id, which is its order's
    ticket: OrderId,
    /// What happened
    #[arg(value_parser = events())]
    event: String,
    /// The report's own id: sent again under it, the report changes nothing
    #[arg(long, value_name = "ID")]
    report_id: Option<String>,
    /// Why, for the customer, when it is rejected
    #[arg(long)]
    reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kitchen: KitchenApiArgs,
}

fn events() -> PossibleValuesParser {
    KitchenReport::ALL.map(KitchenReport::as_str).into()
}

/// Reports on a ticket; fails, and says why, when the report is not taken.
pub(crate) async fn run(args: ReportArgs) -> anyhow::Result<ExitCode> {
    let report = ReportKitchenEvent {
        event: args.event.into(),
        report_id: args.report_id,
        reason: args.reason,
    };
    let answer = args.kitchen.connect()?.make(args.ticket, &report).await?;
    if args.json {
        output::json(&answer.json);
    } else {
        let told = answer.view;
        output::data(&format!("{} {}: {}", told.event, told.outcome, told.status));
    }
    Ok(ExitCode::SUCCESS)
}
