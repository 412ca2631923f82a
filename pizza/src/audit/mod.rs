//! `pizza audit`: proves for every order that its books are right, or says for
//! which they are not.
//!
//! It reads twice: the orders of the store, page by page, each with what
//! Temporal should have of it; then what Temporal has, page by page, each with
//! what the store knows of it. Nothing is kept but a page, and the orders that
//! look wrong. Those are looked at again before they are reported, since the
//! shop goes on meanwhile and Temporal's lists are a moment behind.

pub(crate) mod invariant;
pub(crate) mod periodic;
mod report;
mod rules;
mod temporal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use pizza_store::{Account, Store, now_ms};

use crate::client::output;
use crate::codec_keys::CodecKeysArgs;
use crate::store_args::StoreArgs;
use crate::temporal::connect;
pub(crate) use report::Verdict;
use report::{Listener, Report};
use rules::{InTemporal, Violation};
use temporal::{Kind, Listed, Temporal};

/// Orders on a page.
const PAGE: u32 = 500;

/// How many violations are kept to be looked at again at once.
const SUSPECTS: usize = 2000;

/// The waits before each further look at what seems wrong.
const LOOK_AGAIN: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(1500),
];

/// How much longer than a page the rest after it is, for an audit beside the
/// daily work: it takes a fourth of a connection, and no more.
const REST: u32 = 3;

/// The exit code of an audit that could not be made.
const NOT_AUDITED: u8 = 2;

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 when everything that was checked holds, 1 when something does not, \
2 when the audit could not be made or was not understood.

It looks at the store, which must be there, and at the Temporal server of TEMPORAL_ADDRESS and \
TEMPORAL_NAMESPACE, and changes nothing in either. It may run while the shop is open.")]
pub(crate) struct AuditArgs {
    /// Print one JSON object for each violation, then one with the summary
    #[arg(long)]
    json: bool,
    /// Leave Temporal out: `ended` is not checked, and `parked` by the store alone
    #[arg(long)]
    store_only: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Audits, and says by the exit code how it went.
pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    match audit(&args).await {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) => {
            output::error(&error.context("nothing is proven"));
            Ok(ExitCode::from(NOT_AUDITED))
        }
    }
}

/// The number of violations.
async fn audit(args: &AuditArgs) -> anyhow::Result<u64> {
    let listener = if args.json {
        Listener::Program
    } else {
        Listener::Person
    };
    let report = examine(&args.store, !args.store_only, listener).await?;
    report.finish();
    Ok(report.violations())
}

/// Audits store and Temporal without a word, for those who report of it in
/// their own way.
///
/// # Errors
/// When either is not there, or stops answering.
pub(crate) async fn verdict(store: &StoreArgs) -> anyhow::Result<Verdict> {
    Ok(examine(store, true, Listener::Nobody).await?.verdict())
}

async fn examine(
    store: &StoreArgs,
    with_temporal: bool,
    listener: Listener,
) -> anyhow::Result<Report> {
    let store = Store::open_existing_read_only(store.options()?).await?;
    let temporal = if with_temporal {
        Some(Temporal::new(connect().await?))
    } else {
        None
    };
    let mut audit = Audit {
        report: Report::new(listener, temporal.is_some()),
        books: Books { store, temporal },
        rest: 0,
    };
    audit.orders().await?;
    audit.workflows().await?;
    Ok(audit.report)
}

/// Audits the store alone beside its daily work: page by page, and with a rest
/// after each that is longer than the page took.
async fn of_store(store: Store) -> anyhow::Result<Report> {
    let mut audit = Audit {
        report: Report::new(Listener::Nobody, false),
        books: Books {
            store,
            temporal: None,
        },
        rest: REST,
    };
    audit.orders().await?;
    Ok(audit.report)
}

/// An audit under way.
struct Audit {
    books: Books,
    report: Report,
    /// How much longer than a page the rest after it is.
    rest: u32,
}

impl Audit {
    /// Judges every order of the store.
    async fn orders(&mut self) -> anyhow::Result<()> {
        let mut suspects = Vec::new();
        let mut after = String::new();
        loop {
            let began = Instant::now();
            let page = self.books.store.accounts_after(&after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.order_id);
            let asked = page
                .iter()
                .filter(|account| rules::needs_temporal(account))
                .map(|account| account.order_id.clone())
                .collect();
            let temporal = self.books.in_temporal(asked).await?;
            for account in &page {
                self.report.order(account.tasks.len());
                suspects.extend(by_the_store(account, temporal.as_ref()));
            }
            if suspects.len() >= SUSPECTS {
                self.confirm(&mut suspects, Side::Store).await?;
            }
            self.report.progress();
            tokio::time::sleep(began.elapsed() * self.rest).await;
        }
        self.confirm(&mut suspects, Side::Store).await
    }

    /// Judges every order, and every parked task, that Temporal has.
    async fn workflows(&mut self) -> anyhow::Result<()> {
        let mut suspects = Vec::new();
        let mut next = Vec::new();
        while let Some(temporal) = &self.books.temporal {
            let page = temporal.everything(next).await?;
            self.report.workflows(page.workflows.len());
            let is_stray = |it: &&Listed| it.order_id.is_none() && it.kind == Kind::Task;
            for task in page.workflows.iter().filter(is_stray) {
                self.report.violation(rules::stray_task(task.id.clone()));
            }
            let mut orders = HashMap::new();
            temporal::gather(page.workflows, &mut orders);
            let accounts = self
                .books
                .accounts(orders.keys().cloned().collect())
                .await?;
            for account in &accounts {
                suspects.extend(by_temporal(account, &orders));
            }
            if suspects.len() >= SUSPECTS {
                self.confirm(&mut suspects, Side::Temporal).await?;
            }
            self.report.progress();
            next = page.next;
            if next.is_empty() {
                break;
            }
        }
        self.confirm(&mut suspects, Side::Temporal).await
    }

    /// Reports the violations that are still there at each further look.
    async fn confirm(&mut self, suspects: &mut Vec<Violation>, side: Side) -> anyhow::Result<()> {
        let look = async |ids| self.books.look(ids, side).await;
        let violations = persisting(std::mem::take(suspects), &LOOK_AGAIN, look).await?;
        for violation in violations {
            self.report.violation(violation);
        }
        Ok(())
    }
}

/// Those of `suspects`, each once, that every further look at their orders
/// shows again. Before each look there is a wait.
async fn persisting(
    mut suspects: Vec<Violation>,
    waits: &[Duration],
    mut look: impl AsyncFnMut(Vec<String>) -> anyhow::Result<Vec<Violation>>,
) -> anyhow::Result<Vec<Violation>> {
    // An order with several runs may have stood on several pages.
    let mut known = HashSet::new();
    suspects.retain(|suspect| known.insert(suspect.clone()));
    for wait in waits {
        if suspects.is_empty() {
            break;
        }
        tokio::time::sleep(*wait).await;
        let ids: BTreeSet<_> = suspects.iter().map(|seen| seen.order_id.clone()).collect();
        let seen: HashSet<_> = look(ids.into_iter().collect()).await?.into_iter().collect();
        suspects.retain(|suspect| seen.contains(suspect));
    }
    Ok(suspects)
}

/// From which side an order is looked at. Each violation is seen from one.
#[derive(Clone, Copy)]
enum Side {
    Store,
    Temporal,
}

/// What is audited.
struct Books {
    store: Store,
    /// None when it is left out.
    temporal: Option<Temporal>,
}

impl Books {
    /// What is wrong with these orders now.
    async fn look(&self, ids: Vec<String>, side: Side) -> anyhow::Result<Vec<Violation>> {
        let mut seen = Vec::new();
        for ids in ids.chunks(PAGE as usize) {
            let temporal = self.in_temporal(ids.to_vec()).await?;
            for account in &self.store.accounts(ids.to_vec()).await? {
                seen.extend(match (side, &temporal) {
                    (Side::Store, temporal) => by_the_store(account, temporal.as_ref()),
                    (Side::Temporal, Some(temporal)) => by_temporal(account, temporal),
                    (Side::Temporal, None) => Vec::new(),
                });
            }
        }
        Ok(seen)
    }

    async fn accounts(&self, ids: Vec<String>) -> anyhow::Result<Vec<Account>> {
        Ok(self.store.accounts(ids).await?)
    }

    /// What Temporal has of these orders; none when it is left out.
    async fn in_temporal(
        &self,
        ids: Vec<String>,
    ) -> anyhow::Result<Option<HashMap<String, InTemporal>>> {
        match &self.temporal {
            Some(temporal) => Ok(Some(temporal.of_orders(&ids).await?)),
            None => Ok(None),
        }
    }
}

/// An order that Temporal was not asked about, or knows nothing of, has
/// nothing there that runs.
fn by_the_store(
    account: &Account,
    temporal: Option<&HashMap<String, InTemporal>>,
) -> Vec<Violation> {
    let nothing = InTemporal::default();
    let temporal = temporal.map(|orders| orders.get(&account.order_id).unwrap_or(&nothing));
    rules::violations_of(account, temporal, now_ms())
}

fn by_temporal(account: &Account, orders: &HashMap<String, InTemporal>) -> Vec<Violation> {
    orders
        .get(&account.order_id)
        .map(|temporal| rules::violations_in_temporal(account, temporal, now_ms()))
        .unwrap_or_default()
}
