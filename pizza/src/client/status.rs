//! `pizza status`.

use std::process::ExitCode;

use clap::Args;
use pizza_domain::{Money, OrderId};

use super::gateway::{GatewayUrl, OrderView};
use super::output;

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The order's id
    id: OrderId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayUrl,
}

/// Shows an order.
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let order = args.gateway.connect()?.order(args.id).await?;
    output::data(&if args.json {
        serde_json::to_string(&order)?
    } else {
        describe(&order)
    });
    Ok(ExitCode::SUCCESS)
}

/// An order in lines for a person.
pub(crate) fn describe(order: &OrderView) -> String {
    let mut lines = vec![
        format!("order     {}", order.order_id),
        format!("status    {}", order.status),
        format!(
            "pizza     {} x {}, {}",
            order.quantity, order.flavour, order.size
        ),
        format!(
            "price     {} (discount {})",
            Money::from_minor(order.total),
            order.discount_applied
        ),
        format!("money     {}", order.money),
        format!("points    {}", order.points),
    ];
    if let Some(reason) = &order.discount_reason {
        lines.push(format!("discount  {reason}"));
    }
    if let Some(cancelled) = &order.cancelled {
        lines.push(format!(
            "cancelled {}: {} ({})",
            cancelled.step, cancelled.message, cancelled.code
        ));
    }
    lines.join("\n")
}
