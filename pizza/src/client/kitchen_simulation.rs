//! `pizza kitchen-simulation`.

use std::process::ExitCode;

use clap::Args;

use pizza_contract::KitchenSimulation;

use super::kitchen_key::KitchenApiArgs;
use super::output;
use crate::numbers::{decimal, whole};

/// What is not named stays as it is.
#[derive(Args, Debug)]
pub(crate) struct KitchenSimulationArgs {
    /// Whether nothing is reported
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,
    /// The wait before each report, 0 to 3600
    #[arg(long, value_name = "SECONDS", value_parser = decimal(0.0..=f64::MAX))]
    delay_seconds: Option<f64>,
    /// How likely it is that a report is never made, 0 to 1
    #[arg(long, value_name = "RATE", value_parser = decimal(0.0..=f64::MAX))]
    lose: Option<f64>,
    /// How likely it is that a report is made twice, 0 to 1
    #[arg(long, value_name = "RATE", value_parser = decimal(0.0..=f64::MAX))]
    repeat: Option<f64>,
    /// How likely it is that the report after it is tried first, 0 to 1
    #[arg(long, value_name = "RATE", value_parser = decimal(0.0..=f64::MAX))]
    reorder: Option<f64>,
    /// What the choice of those reports follows from
    #[arg(long, value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kitchen: KitchenApiArgs,
}

impl KitchenSimulationArgs {
    /// What is wished for, from what is.
    fn change(&self, now: KitchenSimulation) -> KitchenSimulation {
        KitchenSimulation {
            paused: self.paused.unwrap_or(now.paused),
            delay_seconds: self.delay_seconds.unwrap_or(now.delay_seconds),
            lose_rate: self.lose.unwrap_or(now.lose_rate),
            repeat_rate: self.repeat.unwrap_or(now.repeat_rate),
            reorder_rate: self.reorder.unwrap_or(now.reorder_rate),
            seed: self.seed.unwrap_or(now.seed),
        }
    }
}

/// Shows how simulated kitchens are to behave, after changing it where a flag
/// says so.
pub(crate) async fn run(args: KitchenSimulationArgs) -> anyhow::Result<ExitCode> {
    let kitchen = args.kitchen.connect()?;
    let mut simulation = kitchen.simulation().await?;
    let wished = args.change(simulation.view);
    if wished != simulation.view {
        simulation = kitchen.set_simulation(&wished.into()).await?;
    }
    if args.json {
        output::json(&simulation.json);
    } else {
        output::lines(&describe(&simulation.view));
    }
    Ok(ExitCode::SUCCESS)
}

/// In lines for a person.
fn describe(simulation: &KitchenSimulation) -> String {
    [
        format!("paused    {}", if simulation.paused { "yes" } else { "no" }),
        format!(
            "delay     {} s before each report",
            simulation.delay_seconds
        ),
        format!("lose      {}", simulation.lose_rate),
        format!("repeat    {}", simulation.repeat_rate),
        format!("reorder   {}", simulation.reorder_rate),
        format!("seed      {}", simulation.seed),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: KitchenSimulationArgs,
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let now = KitchenSimulation {
            lose_rate: 0.5,
            seed: 7,
            ..KitchenSimulation::default()
        };
        let bare = Line::parse_from(["pizza"]).args.change(now);
        assert_eq!(bare, now);
        let flags = [
            "pizza",
            "--paused",
            "true",
            "--delay-seconds",
            "0.5",
            "--lose",
            "0",
        ];
        let changed = Line::parse_from(flags).args.change(now);
        let expected = KitchenSimulation {
            paused: true,
            delay_seconds: 0.5,
            lose_rate: 0.0,
            ..now
        };
        assert_eq!(changed, expected);
        assert!(describe(&changed).contains("paused    yes"));
    }
}
