//! The command line.

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use crate::{
    audit, client, codec_keys, codec_server, deploy, dev, gateway, keys, kitchen, load, migrate,
    reconciliation, replay, temporal_command, worker,
};

/// Pizza orders as durable sagas on Temporal.
///
/// Without a subcommand, `dev` runs: everything in one place.
#[derive(Debug, Parser)]
#[command(
    name = "pizza",
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    /// Print which build this is
    // Clap's own wants the text at each start, and it takes a moment to make.
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::DevArgs,
    #[command(flatten)]
    codec_keys: codec_keys::CodecKeysArgs,
}

impl Cli {
    /// Where the keys are that encrypt what Temporal keeps.
    pub(crate) fn codec_keys(&self) -> codec_keys::CodecKeysArgs {
        self.codec_keys.clone()
    }

    /// The role to take.
    pub(crate) fn role(self) -> Command {
        self.command.unwrap_or(Command::Dev(self.dev))
    }
}

/// What is wrong with the command line. Clap repeats the value that is wrong,
/// also one from a variable; one that may hold a password or a key is left
/// out.
pub(crate) fn without_secrets(mut error: clap::Error) -> clap::Error {
    hide_secrets(&mut error);
    error
}

fn hide_secrets(error: &mut clap::Error) {
    for kind in [
        ContextKind::InvalidValue,
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
    ] {
        let hides = |text: &str| text.contains(['@', '?', '#']) || text.contains("pizza_");
        let has_secret = match error.get(kind) {
            Some(ContextValue::String(text)) => hides(text),
            Some(ContextValue::Strings(texts)) => texts.iter().any(|text| hides(text)),
            _ => false,
        };
        if has_secret {
            let hidden = ContextValue::String("(not shown: it may hold a password)".to_owned());
            error.insert(kind, hidden);
        }
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
    /// Place many orders at gateways, and report how fast and how well they ended
    Load(load::LoadArgs),
    /// Make an operator's key: the key on stdout, its entry for the gateway's configuration on stderr
    OperatorKey(keys::NewKeyArgs),
    /// Make a customer's key: the key on stdout, its entry for the gateway's configuration on stderr
    CustomerKey(keys::NewKeyArgs),
    /// Make a kitchen's key: the key on stdout, its entry for the gateway's configuration on stderr
    KitchenKey(keys::NewKeyArgs),
    /// Bring the store's schema up to date, and end
    Migrate(migrate::MigrateArgs),
    /// Prove for every order that its books are right, or say for which they are not
    Audit(audit::AuditArgs),
    /// Bring the orders' records in line with Temporal now, and count what was mended
    Reconcile(reconciliation::ReconcileArgs),
    /// Deploy a build safely: check it, promote it
    Deploy(deploy::DeployArgs),
    /// Replay histories with this build's workflows
    Replay(replay::ReplayArgs),
    /// Decrypt what the Temporal UI and CLI show, for operators
    CodecServer(codec_server::CodecServerArgs),
    /// Make a key for `--codec-keys`: a line of the file, on stdout
    CodecKey(codec_keys::NewCodecKeyArgs),
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
    use std::ffi::OsStr;

    use clap::builder::{BoolishValueParser, TypedValueParser, ValueParser};
    use clap::{ArgAction, CommandFactory};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_password_in_a_value_that_cannot_be_read_is_not_repeated() {
        for arguments in [
            &["pizza", "menu", "--gateway", "http://u:secret@h:port/"][..],
            &["pizza", "gateway", "--public-url", "u:secret@h"],
            &["pizza", "gateway", "--temporal-ui", "u:secret@:/"],
            &["pizza", "gateway", "--listen", "u:secret@h:1"],
            &["pizza", "healthcheck", "http://u:secret@h:port/"],
            &["pizza", "healthcheck", "http://h:port/?key=secret"],
            &["pizza", "menu", "--gateway", "http://h:port/#secret"],
            &["pizza", "audit", "postgres://u:secret@h/d"],
            &["pizza", "pizza_op_secret"],
        ] {
            let mut error = Cli::try_parse_from(arguments).expect_err("refused");
            hide_secrets(&mut error);
            let told = error.to_string();
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn every_role_is_told_of_the_codec_keys_after_its_name() {
        for role in ["dev", "worker", "gateway", "audit", "codec-server"] {
            let cli = Cli::parse_from(["pizza", role, "--codec-keys", "a.keys"]);
            let told = format!("{:?}", cli.codec_keys());
            assert!(told.contains("a.keys"), "{role}: {told}");
        }
        let cli = Cli::parse_from(["pizza", "--codec-keys", "a.keys"]);
        assert!(format!("{:?}", cli.codec_keys()).contains("a.keys"));
    }

    /// The flags that a variable may set, with the role that has each.
    const SWITCHES: [(&str, &str); 3] = [
        ("gateway", "open"),
        ("gateway", "fault_injection"),
        ("codec-server", "decode_only"),
    ];

    #[test]
    fn a_switch_is_on_or_off_and_never_on_by_a_typo() {
        // An environment cannot be given to a parse, so its parser is asked:
        // the same that every such flag has.
        let command = Cli::command();
        let boolish = format!("{:?}", ValueParser::new(BoolishValueParser::new()));
        let mut found = 0;
        for role in command.get_subcommands() {
            for argument in role.get_arguments() {
                let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
                if is_flag && argument.get_env().is_some() {
                    let parser = format!("{:?}", argument.get_value_parser());
                    assert_eq!(parser, boolish, "{}", argument.get_id());
                    found += 1;
                }
            }
        }
        assert!(found >= SWITCHES.len(), "{found}");
        for typo in ["nope", "disabled", ""] {
            let read = BoolishValueParser::new().parse_ref(&command, None, OsStr::new(typo));
            assert!(read.is_err(), "{typo}");
        }
    }

    #[test]
    fn a_switch_needs_no_value_on_the_command_line() {
        for (role, id) in SWITCHES {
            let flag = format!("--{}", id.replace('_', "-"));
            let switched = Cli::parse_from(["pizza", role, &flag]).role();
            let told = format!("{switched:?}");
            assert!(told.contains(&format!("{id}: true")), "{told}");
        }
    }

    #[test]
    fn without_a_subcommand_dev_runs_with_its_defaults() {
        let bare = Cli::parse_from(["pizza", "--port", "0"]).role();
        let named = Cli::parse_from(["pizza", "dev", "--port", "0"]).role();
        assert_eq!(format!("{bare:?}"), format!("{named:?}"));
    }
}
