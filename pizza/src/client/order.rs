//! `pizza order`.

use std::process::ExitCode;

use clap::Args;
use pizza_app::IdempotencyKey;
use pizza_contract::{ErrorOnStep, PlaceOrder};

use super::customer_key::CustomerArgs;
use super::status::describe;
use super::{output, watch};
use crate::numbers::{decimal, whole};

#[derive(Args, Debug)]
pub(crate) struct OrderArgs {
    /// What is on it; any text
    #[arg(long)]
    flavour: Option<String>,
    /// small, medium or large
    #[arg(long)]
    size: Option<String>,
    /// How many, 1 to 20
    #[arg(long, value_parser = whole(0..=u64::MAX))]
    quantity: Option<u64>,
    /// Who orders
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Wait so many seconds after each status change
    #[arg(long, value_name = "SECONDS", value_parser = decimal(0.0..=f64::MAX))]
    per_step_delay_seconds: Option<f64>,
    /// Make this step fail: 0 to 7, or its name; 100 or ALL for one order of each
    #[arg(long, value_name = "STEP")]
    error_on_step: Option<String>,
    /// Place it once, however often it is asked for under this key of yours: 1
    /// to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    /// Follow the order to its end
    #[arg(long)]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
}

fn idempotency_key(text: &str) -> Result<String, String> {
    IdempotencyKey::parse(text)
        .map(String::from)
        .map_err(|refusal| refusal.to_string())
}

impl OrderArgs {
    fn order(&self) -> PlaceOrder {
        let error_on_step = self.error_on_step.as_ref().map(|step| {
            let number = step.parse::<u64>();
            number.map_or_else(
                |_| ErrorOnStep::Name(step.clone()),
                |number| ErrorOnStep::Number(number.into()),
            )
        });
        PlaceOrder {
            flavour: self.flavour.clone(),
            per_step_delay_seconds: self.per_step_delay_seconds,
            error_on_step,
            size: self.size.clone(),
            quantity: self.quantity.map(Into::into),
            customer_id: self.customer.clone(),
        }
    }
}

/// Places an order; with `--watch`, exits non-zero unless it was delivered.
pub(crate) async fn run(args: OrderArgs) -> anyhow::Result<ExitCode> {
    let gateway = args.gateway.connect()?;
    let key = args.idempotency_key.as_deref();
    let placed = gateway.place(&args.order(), key).await?;
    if args.json {
        output::json(&placed.json);
    }
    let placed = placed.view;
    if !args.json {
        output::note(&placed.message);
        if placed.orders.is_empty() {
            output::data(&placed.status_check);
        }
        for order in &placed.orders {
            output::data(&format!(
                "{:<22} {}",
                order.error_on_step, order.status_check
            ));
        }
    }
    if !args.watch {
        return Ok(ExitCode::SUCCESS);
    }
    let mut delivered = true;
    let ids = if placed.orders.is_empty() {
        vec![placed.order_id]
    } else {
        placed.orders.iter().map(|order| order.order_id).collect()
    };
    for end in watch::to_the_end(&gateway, &ids).await? {
        delivered &= end.view.status == "DeliveryConfirmed";
        if args.json {
            output::json(&end.json);
        } else {
            output::lines(&describe(&end.view));
        }
    }
    Ok(if delivered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
