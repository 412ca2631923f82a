//! `pizza orders`.

use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pizza_contract::{Integer, ListOrders, OrderSummary};
use pizza_domain::{CustomerId, Money, OrderStatus, Step};
use serde_json::Value;

use super::customer_key::CustomerArgs;
use super::output::{self, Table};
use super::status::with_code;
use crate::numbers::whole;

/// The most that the gateway gives on a page.
const PAGE: usize = 100;

#[derive(Args, Debug)]
pub(crate) struct OrdersArgs {
    /// Orders that stand there
    #[arg(long, value_parser = statuses())]
    status: Option<String>,
    /// Orders of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
    /// Orders of this flavour, all of it, however it is spelled
    #[arg(long)]
    flavour: Option<String>,
    /// Orders that were placed after this time, 2026-01-31T18:30:00Z for example
    #[arg(long, value_name = "TIME")]
    placed_after: Option<String>,
    /// Orders that were placed before this time
    #[arg(long, value_name = "TIME")]
    placed_before: Option<String>,
    /// Orders that were cancelled because this step failed for good, or that are still owed it
    #[arg(long, value_name = "STEP", value_parser = steps())]
    failed_step: Option<String>,
    /// So many orders at most
    #[arg(long, default_value_t = 50, value_parser = whole(1..=100_000_u32))]
    limit: u32,
    /// Go on where a list ended, with the same filters
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
}

fn statuses() -> PossibleValuesParser {
    let names = OrderStatus::ALL.iter().map(|status| status.as_str());
    PossibleValuesParser::new(names.collect::<Vec<_>>())
}

fn steps() -> PossibleValuesParser {
    Step::ALL.map(Step::as_str).into()
}

/// Lists orders, page by page, until there are enough.
pub(crate) async fn run(args: OrdersArgs) -> anyhow::Result<ExitCode> {
    let gateway = args.gateway.connect()?;
    let wanted = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut query = ListOrders {
        status: args.status,
        customer_id: args.customer.map(Into::into),
        flavour: args.flavour,
        placed_after: args.placed_after,
        placed_before: args.placed_before,
        failed_step: args.failed_step,
        limit: None,
        cursor: args.cursor,
    };
    let mut orders = Vec::new();
    let mut as_sent = Vec::new();
    let mut answer = loop {
        let left = wanted.saturating_sub(orders.len());
        query.limit = Integer::try_from(left.min(PAGE)).ok();
        let mut page = gateway.orders(&query).await?;
        orders.extend(page.view.orders);
        if let Value::Array(page) = page.json["orders"].take() {
            as_sent.extend(page);
        }
        query.cursor = page.view.next_cursor;
        if query.cursor.is_none() || orders.len() >= wanted {
            break page.json;
        }
    };
    if args.json {
        // The last page, with the orders of all of them.
        answer["orders"] = as_sent.into();
        output::json(&answer);
    } else {
        output::page(&table(orders), query.cursor);
    }
    Ok(ExitCode::SUCCESS)
}

/// Orders for a person.
fn table(orders: Vec<OrderSummary>) -> Table {
    let columns = ["order", "status", "pizza", "price", "customer", "placed at"];
    let mut table = output::table(&columns);
    for order in orders {
        let status = with_code(&order.status, order.cancelled.as_ref());
        let pizza = format!("{} x {}, {}", order.quantity, order.flavour, order.size);
        let price = Money::from_minor(order.total).to_string();
        table.add_row([
            order.order_id.to_string(),
            status,
            pizza,
            price,
            order.customer_id,
            order.placed_at,
        ]);
    }
    table.keep_whole(0);
    table
}
