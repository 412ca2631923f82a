//! `pizza amend`.

use std::process::ExitCode;

use clap::Args;
use pizza_contract::AmendOrder;
use pizza_domain::{Money, OrderId};

use super::customer_key::CustomerArgs;
use super::output;
use super::status::describe;
use crate::numbers::whole;

#[derive(Args, Debug)]
pub(crate) struct AmendArgs {
    /// The order's id
    id: OrderId,
    #[command(flatten)]
    wanted: Wanted,
    /// Sent again with the same key, the request acts once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
}

/// What is to be changed.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Wanted {
    /// What is to be on it instead; any text
    #[arg(long)]
    flavour: Option<String>,
    /// small, medium or large
    #[arg(long)]
    size: Option<String>,
    /// How many, 1 to 20
    #[arg(long, value_parser = whole(0..=u64::MAX))]
    quantity: Option<u64>,
}

impl From<Wanted> for AmendOrder {
    fn from(wanted: Wanted) -> Self {
        Self {
            flavour: wanted.flavour,
            size: wanted.size,
            quantity: wanted.quantity.map(Into::into),
        }
    }
}

/// Amends an order; fails, and says why, when it cannot be amended.
pub(crate) async fn run(args: AmendArgs) -> anyhow::Result<ExitCode> {
    let gateway = args.gateway.connect()?;
    let key = args.idempotency_key.as_deref();
    let amended = gateway.amend(args.id, &args.wanted.into(), key).await?;
    if args.json {
        output::json(&amended.json);
        return Ok(ExitCode::SUCCESS);
    }
    output::lines(&describe(&amended.view.order));
    let difference = Money::from_minor(amended.view.difference);
    output::note(&match amended.view.difference {
        0 => "the price is settled as it was".to_owned(),
        1.. => format!("{difference} was charged on top"),
        _ => format!("{} was given back", Money::default().minus(difference)),
    });
    Ok(ExitCode::SUCCESS)
}
