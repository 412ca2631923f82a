//! `pizza migrate`: the store's schema, brought up to date before anything
//! else starts.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use pizza_store::{Migrated, Store, StoreOptions};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::output;
use crate::numbers::whole;
use crate::shutdown;
use crate::store_args::StoreArgs;

/// How long a database that does not answer yet is left alone.
const STEP: Duration = Duration::from_millis(500);

/// The longest wait that can be asked for, in seconds.
const LONGEST_WAIT: u64 = 3600;

#[derive(Args, Debug)]
#[command(after_help = "\
Workers and gateways do the same when they start; this is for a deployment that wants it done once, \
before, and perhaps by a user who may change the schema where theirs may not. It may run while the \
shop is open, and several at once: one does it, the others find it done. It waits for a database that \
does not answer yet, and not for one that refuses.")]
pub(crate) struct MigrateArgs {
    /// How long to wait for the database, in seconds, 0 to 3600
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = whole(0..=LONGEST_WAIT)
    )]
    wait_seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Brings the schema up to date, and says what that came to.
pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let options = args.store.options()?;
    let patience = Duration::from_secs(args.wait_seconds);
    let Some(migrated) = shutdown
        .run_until_cancelled(migrate(&options, patience))
        .await
    else {
        anyhow::bail!("stopped before the store answered");
    };
    let Migrated { version, made } = migrated?;
    if args.json {
        let outcome = json!({ "store": options.shown_url(), "version": version, "made": made });
        output::data(&outcome.to_string());
    } else if made == 0 {
        output::data(&format!("the store is up to date (version {version})"));
    } else {
        output::data(&format!(
            "the store was brought up to date (version {version}, {made} made)"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(options: &StoreOptions, patience: Duration) -> anyhow::Result<Migrated> {
    let until = Instant::now() + patience;
    let mut has_told = false;
    loop {
        match Store::migrate_only(options.clone()).await {
            Ok(migrated) => return Ok(migrated),
            Err(error) if error.may_pass() && Instant::now() < until => {
                if !has_told {
                    tracing::info!(store = options.shown_url(), %error, "waiting for the store");
                }
                has_told = true;
                sleep(STEP).await;
            }
            Err(error) => {
                let waited = format!("after {} s of waiting", patience.as_secs());
                let error = anyhow::Error::from(error);
                return if has_told {
                    Err(error).context(waited)
                } else {
                    Err(error)
                };
            }
        }
    }
}
