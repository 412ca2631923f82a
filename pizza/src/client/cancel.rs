//! `pizza cancel`.

use std::process::ExitCode;

use clap::Args;
use pizza_contract::CancellationOutcome;
use pizza_domain::OrderId;

use super::customer_key::CustomerArgs;
use super::output;

#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    /// The order's id
    id: OrderId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
}

/// Cancels an order; fails, and says why, when it cannot be cancelled.
pub(crate) async fn run(args: CancelArgs) -> anyhow::Result<ExitCode> {
    let cancelled = args.gateway.connect()?.cancel(args.id).await?;
    if args.json {
        output::json(&cancelled.json);
    } else {
        let is_done = cancelled.view.outcome == CancellationOutcome::Cancelled.as_str();
        let how = if is_done {
            "is cancelled"
        } else {
            "is being cancelled"
        };
        output::data(&format!("order {} {how}", args.id));
    }
    Ok(ExitCode::SUCCESS)
}
