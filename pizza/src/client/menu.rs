//! `pizza menu`.

use std::process::ExitCode;

use clap::Args;
use pizza_contract::{Menu, Prices};
use pizza_domain::Money;

use super::gateway_args::GatewayUrl;
use super::output;

#[derive(Args, Debug)]
pub(crate) struct MenuArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayUrl,
}

fn cells(prices: Prices) -> [String; 3] {
    [prices.small, prices.medium, prices.large].map(|minor| Money::from_minor(minor).to_string())
}

/// Shows the menu.
pub(crate) async fn run(args: MenuArgs) -> anyhow::Result<ExitCode> {
    let menu = args.gateway.connect()?.menu().await?;
    if args.json {
        output::json(&menu.json);
    } else {
        output::lines(&table(&menu.view));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(menu: &Menu) -> String {
    let mut table = output::table(&["flavour", "small", "medium", "large", "discount"]);
    for item in &menu.flavours {
        let discount = match &item.discount_reason {
            Some(reason) => format!("{}%: {}", item.discount_percent, reason),
            None => String::new(),
        };
        let mut row = vec![item.flavour.clone()];
        row.extend(cells(item.prices));
        row.push(discount);
        table.add_row(row);
    }
    let mut custom = vec!["any other".to_owned()];
    custom.extend(cells(menu.custom));
    custom.push(String::new());
    table.add_row(custom);
    table.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_menu_is_shown_in_units_of_currency() {
        let prices = json!({ "small": 905, "medium": 1200, "large": 1500 });
        let menu = serde_json::from_value(json!({
            "unit": "minor",
            "flavours": [{ "flavour": "hawaiian\u{1b}[31m", "prices": prices,
                           "discountPercent": 20, "discountReason": "one of us" }],
            "custom": { "small": 1000, "medium": 1300, "large": 1600 },
        }));
        let shown = table(&menu.expect("a menu"));
        for part in ["9.05", "12.00", "20%: one of us", "any other", "16.00"] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
