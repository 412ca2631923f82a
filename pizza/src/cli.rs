//! The command line.

use clap::{Parser, Subcommand};

use crate::{
    audit, client, dev, gateway, keys, kitchen, reconciliation, replay, temporal_command, worker,
};

/// Pizza orders as durable sagas on Temporal.
///
/// Without a subcommand, `dev` runs: everything in one place.
#[derive(Debug, Parser)]
#[command(
    name = "pizza",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::DevArgs,
}

impl Cli {
    /// The role to take.
    pub(crate) fn role(self) -> Command {
        self.command.unwrap_or(Command::Dev(self.dev))
    }
}

/// The roles of the binary.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: Temporal, workers, gateway, kitchen
    Dev(dev::DevArgs),
    /// Run the workers of one task queue or of all
    Worker(worker::WorkerArgs),
    /// Run the gateway: HTTP and gRPC on one port
    Gateway(gateway::GatewayArgs),
    /// Run the simulated kitchen
    Kitchen(kitchen::KitchenArgs),
    /// List the tickets that the kitchen is to work on
    Tickets(client::tickets::TicketsArgs),
    /// Report on a ticket, as a kitchen or a courier
    Report(client::report::ReportArgs),
    /// Show or change how simulated kitchens are to behave
    KitchenSimulation(client::kitchen_simulation::KitchenSimulationArgs),
    /// Ask a process whether it is well, for the health check of a container
    Healthcheck(client::healthcheck::HealthcheckArgs),
    /// Show the menu of a gateway
    Menu(client::menu::MenuArgs),
    /// Place an order at a gateway
    Order(client::order::OrderArgs),
    /// Cancel an order that is not on its way
    Cancel(client::cancel::CancelArgs),
    /// Amend an order that the kitchen has not accepted
    Amend(client::amend::AmendArgs),
    /// Find orders, newest first
    Orders(client::orders::OrdersArgs),
    /// Show an order
    Status(client::status::StatusArgs),
    /// Look after the failure queues: see, redrive, discard, account
    Failures(client::failures::FailuresArgs),
    /// Place one order for each scenario and compare each end with what is expected
    Scenarios(client::scenarios::ScenariosArgs),
    /// Make an operator's key: the key on stdout, its entry for the gateway's configuration on stderr
    OperatorKey(keys::NewKeyArgs),
    /// Make a customer's key: the key on stdout, its entry for the gateway's configuration on stderr
    CustomerKey(keys::NewKeyArgs),
    /// Make a kitchen's key: the key on stdout, its entry for the gateway's configuration on stderr
    KitchenKey(keys::NewKeyArgs),
    /// Prove for every order that its books are right, or say for which they are not
    Audit(audit::AuditArgs),
    /// Bring the orders' records in line with Temporal now, and count what was mended
    Reconcile(reconciliation::ReconcileArgs),
    /// Replay histories with this build's workflows
    Replay(replay::ReplayArgs),
    /// Run the Temporal CLI that `dev` uses, with the arguments that follow
    Temporal(temporal_command::TemporalArgs),
}

impl Command {
    /// The name under which the role traces; none for one that does not.
    pub(crate) const fn service(&self) -> Option<&'static str> {
        match self {
            Self::Dev(_) => Some("pizza-dev"),
            Self::Worker(_) => Some("pizza-worker"),
            Self::Gateway(_) => Some("pizza-gateway"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_subcommand_dev_runs_with_its_defaults() {
        let bare = Cli::parse_from(["pizza", "--port", "0"]).role();
        let named = Cli::parse_from(["pizza", "dev", "--port", "0"]).role();
        assert_eq!(format!("{bare:?}"), format!("{named:?}"));
    }
}
