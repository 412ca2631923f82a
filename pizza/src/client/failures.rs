//! `pizza failures`.

use std::process::ExitCode;

use clap::Args;

use super::gateway::{FailuresView, GatewayUrl};
use super::output;

#[derive(Args, Debug)]
pub(crate) struct FailuresArgs {
    /// Only this queue: add-loyalty-points, refund-payment,
    /// remove-loyalty-points, notify-customer
    #[arg(long)]
    queue: Option<String>,
    /// Tasks on a page, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// The page after the one that ended with this cursor
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayUrl,
}

/// Lists the failure queues with their depths, and a page of parked tasks.
pub(crate) async fn run(args: FailuresArgs) -> anyhow::Result<ExitCode> {
    let page = args
        .gateway
        .connect()?
        .failures(args.queue.as_deref(), args.limit, args.cursor.as_deref())
        .await?;
    if args.json {
        output::data(&serde_json::to_string(&page)?);
    } else {
        print(&page);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(page: &FailuresView) {
    let mut queues = output::table(&["queue", "depth"]);
    for queue in &page.queues {
        queues.add_row([queue.queue.clone(), queue.depth.to_string()]);
    }
    output::data(&queues.to_string());
    if page.failures.is_empty() {
        return;
    }
    let mut tasks = output::table(&["task", "what", "order", "customer", "parked at"]);
    for task in &page.failures {
        tasks.add_row([
            &task.id,
            &task.message_type,
            &task.order_id,
            &task.customer_id,
            &task.parked_at,
        ]);
    }
    output::data(&tasks.to_string());
    if let Some(cursor) = &page.next_cursor {
        output::note(&format!("more: --cursor {cursor}"));
    }
}
