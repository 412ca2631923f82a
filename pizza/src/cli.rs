//! The command line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::codec_keys::CodecKeysArgs;
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
}

impl Cli {
    /// Reads the command line. A negative number behind an option is the
    /// option's value, which it refuses with its limits.
    ///
    /// # Errors
    /// What is wrong with it, or the help that was asked for.
    pub(crate) fn read<T>(line: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let mut command = with_negative_numbers(Self::command());
        let mut matches = command.try_get_matches_from_mut(line)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }

    /// The role to take.
    pub(crate) fn role(self) -> Command {
        self.command.unwrap_or(Command::Dev(self.dev))
    }
}

fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| match argument.get_action().takes_values() {
        true => argument.allow_negative_numbers(true),
        false => argument,
    });
    command.mut_subcommands(with_negative_numbers)
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
    /// Where the keys are that encrypt what Temporal keeps, for the roles that
    /// read or write it.
    pub(crate) fn codec_keys(&self) -> CodecKeysArgs {
        match self {
            Self::Dev(args) => args.codec_keys.clone(),
            Self::Worker(args) => args.codec_keys.clone(),
            Self::Gateway(args) => args.codec_keys.clone(),
            Self::Status(args) => args.codec_keys.clone(),
            Self::Load(args) => args.codec_keys.clone(),
            Self::Audit(args) => args.codec_keys.clone(),
            Self::Reconcile(args) => args.codec_keys.clone(),
            Self::Deploy(args) => args.codec_keys(),
            Self::Replay(args) => args.codec_keys.clone(),
            Self::CodecServer(args) => args.codec_keys.clone(),
            _ => CodecKeysArgs::default(),
        }
    }

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
    use std::any::TypeId;
    use std::ffi::OsStr;
    use std::num::NonZeroU32;

    use clap::ArgAction;
    use clap::builder::{BoolishValueParser, TypedValueParser, ValueParser};

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

    /// The roles that read or write what Temporal keeps.
    const ROLES_WITH_CODEC_KEYS: [&[&str]; 11] = [
        &["dev"],
        &["worker"],
        &["gateway"],
        &["status", "--file", "a.json"],
        &["load"],
        &["audit"],
        &["reconcile"],
        &["deploy", "check"],
        &["deploy", "promote"],
        &["replay", "a.json"],
        &["codec-server"],
    ];

    #[test]
    fn the_codec_keys_are_an_option_of_the_roles_that_use_them() {
        let keys = ["--codec-keys", "a.keys"];
        let bare: &[&str] = &[];
        for role in ROLES_WITH_CODEC_KEYS.into_iter().chain([bare]) {
            let line = [&["pizza"], role, &keys].concat();
            let command = Cli::read(line).expect("a command line").role();
            let told = format!("{:?}", command.codec_keys());
            assert!(told.contains("a.keys"), "{role:?}: {told}");
        }
        for role in Cli::command().get_subcommands() {
            let has_them = |role: &clap::Command| {
                let mut arguments = role.get_arguments();
                arguments.any(|argument| argument.get_id() == "codec_keys")
            };
            let has_them = has_them(role) || role.get_subcommands().any(has_them);
            let mut with_keys = ROLES_WITH_CODEC_KEYS.iter();
            let uses_them = with_keys.any(|uses| uses[0] == role.get_name());
            assert_eq!(has_them, uses_them, "{}", role.get_name());
        }
    }

    /// Each numeric option of a command and its subcommands, with the words
    /// that lead to it.
    fn numeric_options(command: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
        let is_numeric = |argument: &&clap::Arg| {
            let of = argument.get_value_parser().type_id();
            [
                TypeId::of::<u16>(),
                TypeId::of::<u32>(),
                TypeId::of::<u64>(),
                TypeId::of::<usize>(),
                TypeId::of::<f64>(),
                TypeId::of::<NonZeroU32>(),
            ]
            .iter()
            .any(|number| of == *number)
        };
        let own = command.get_arguments().filter(is_numeric);
        let mut options: Vec<_> = own
            .filter_map(|argument| {
                let option = format!("--{}", argument.get_long()?);
                Some([words, &[option]].concat())
            })
            .collect();
        for inner in command.get_subcommands() {
            let words = [words, &[inner.get_name().to_owned()]].concat();
            options.extend(numeric_options(inner, &words));
        }
        options
    }

    #[test]
    fn a_negative_number_is_refused_with_the_options_name_and_limits() {
        let options = numeric_options(&Cli::command(), &["pizza".to_owned()]);
        assert!(options.len() > 30, "{options:?}");
        for mut line in options {
            let option = line.last().cloned().unwrap_or_default();
            line.push("-1".to_owned());
            let refused = Cli::read(&line).expect_err(&option).to_string();
            let names_it = refused.contains(&format!("'-1' for '{option} "));
            assert!(
                names_it && refused.contains(" from "),
                "{line:?}: {refused}"
            );
        }
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
