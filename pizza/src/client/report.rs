//! `pizza report`.

use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pizza_domain::{KitchenReport, OrderId};
use serde_json::json;

use super::kitchen_key::KitchenDoorArgs;
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
    door: KitchenDoorArgs,
}

fn events() -> PossibleValuesParser {
    KitchenReport::ALL.map(KitchenReport::as_str).into()
}

/// Reports on a ticket; fails, and says why, when the report is not taken.
pub(crate) async fn run(args: ReportArgs) -> anyhow::Result<ExitCode> {
    let mut report = json!({ "event": args.event });
    for (field, value) in [("reportId", &args.report_id), ("reason", &args.reason)] {
        if let Some(value) = value {
            report[field] = json!(value);
        }
    }
    let answer = args.door.connect()?.make(args.ticket, &report).await?;
    output::data(&if args.json {
        answer.to_string()
    } else {
        let text = |field: &str| answer[field].as_str().unwrap_or_default();
        format!("{} {}: {}", text("event"), text("outcome"), text("status"))
    });
    Ok(ExitCode::SUCCESS)
}
