//! `pizza status`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pizza_contract::{CancelReason, Order, Owed};
use pizza_domain::{Money, OrderId};

use super::customer_key::CustomerArgs;
use super::output::{self, plain};
use super::timeline;
use crate::codec_keys::CodecKeysArgs;

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The order's id
    #[arg(required_unless_present = "files")]
    id: Option<OrderId>,
    /// Tell what happened to it: statuses, steps, money, points, parked tasks
    #[arg(long, conflicts_with = "files")]
    timeline: bool,
    /// Draw the timeline of a workflow's history, as `temporal workflow show -o json` prints it;
    /// `-` is stdin (repeatable: the order, its branches, its parked tasks). Asks nobody
    #[arg(long = "file", value_name = "FILE", conflicts_with = "id")]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: CustomerArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Shows an order, or what happened to it.
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let Some(id) = args.id else {
        return timeline::of_files(args.files, args.json).await;
    };
    let gateway = args.gateway.connect()?;
    if args.timeline {
        return timeline::of_order(&gateway, id, args.json).await;
    }
    let order = gateway.order(id).await?;
    if args.json {
        output::json(&order.json);
    } else {
        output::lines(&describe(&order.view));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where an order stands, with the code of its cancellation if there is one.
pub(crate) fn with_code(status: &str, cancelled: Option<&CancelReason>) -> String {
    match cancelled {
        Some(reason) => format!("{status} ({})", reason.code),
        None => status.to_owned(),
    }
}

/// An order in lines for a person.
pub(crate) fn describe(order: &Order) -> String {
    let mut lines = vec![
        format!("order     {}", order.order_id),
        format!("status    {}", plain(&order.status)),
        format!(
            "pizza     {} x {}, {}",
            order.quantity,
            plain(&order.flavour),
            plain(&order.size)
        ),
        format!(
            "price     {} (discount {})",
            Money::from_minor(order.total),
            plain(&order.discount_applied)
        ),
        format!("money     {}", plain(&order.money)),
        format!("points    {}", plain(&order.points)),
    ];
    if let Some(reason) = &order.discount_reason {
        lines.push(format!("discount  {}", plain(reason)));
    }
    if let Some(cancelled) = &order.cancelled {
        let CancelReason {
            step,
            message,
            code,
        } = cancelled;
        lines.push(plain(&format!("cancelled {step}: {message} ({code})")));
    }
    for owed in &order.owed {
        let Owed {
            queue,
            state,
            task_id,
            ..
        } = owed;
        lines.push(plain(&format!("owed      {queue} ({state}): {task_id}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        status: StatusArgs,
    }

    #[test]
    fn either_an_order_is_asked_for_or_files_are_read() {
        let id = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let parse = |args: &[&str]| Cli::try_parse_from([&["status"], args].concat());
        for bad in [
            &[][..],
            &["--json"],
            &["--timeline"],
            &[id, "--file", "a.json"],
            &["--timeline", "--file", "a.json"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        for good in [&[id][..], &[id, "--timeline", "--json"]] {
            assert!(parse(good).is_ok(), "{good:?}");
        }
        let files = parse(&["--file", "a.json", "--file", "-", "--json"]);
        let files = files.unwrap_or_else(|error| panic!("{error}")).status.files;
        assert_eq!(files, [PathBuf::from("a.json"), PathBuf::from("-")]);
    }

    #[test]
    fn an_order_says_what_it_owes() {
        let mut order = json!({
            "orderId": "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11", "status": "Cancelled",
            "flavour": "plain", "size": "small", "quantity": 1, "total": 900,
            "discountApplied": "0%", "discountReason": null, "money": "refundParked",
            "points": "awarded", "cancelled": null, "version": 9,
            "owed": [{ "queue": "refund-payment", "messageType": "RefundPaymentFailed",
                       "taskId": "failed-refund-payment-6f1b", "state": "parked" }],
        });
        let read = |order: &serde_json::Value| -> Order {
            serde_json::from_value(order.clone()).expect("an order")
        };
        let described = describe(&read(&order));
        let line = "owed      refund-payment (parked): failed-refund-payment-6f1b";
        assert_eq!(described.lines().last(), Some(line));

        // As a gateway of before sends it.
        order.as_object_mut().expect("an object").remove("owed");
        assert!(!describe(&read(&order)).contains("owed"));
    }
}
