//! `pizza load`: many orders at gateways, as their customers would place them,
//! and what came of it.
//!
//! It is a client of the gateways' API and knows no more than its clients do,
//! but for `--audit` and `--watch-pid`, which look at the store, at Temporal
//! and at processes, where those are at hand.

mod customer;
mod ends;
mod plan;
mod processes;
mod report;
mod shop;

use std::convert::Infallible;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use jiff::Timestamp;
use pizza_client::{Gateway, Secret};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::client::failures::span;
use crate::client::gateway_args::TrustArgs;
use crate::client::output::{self, Live};
use crate::codec_keys::CodecKeysArgs;
use crate::numbers::{number, whole};
use crate::store_args::StoreArgs;
use crate::{audit, open_files, shutdown};
use plan::{Arrivals, Plan, Scenario, schedule, share};
use processes::{Watched, WatchedPid};
use report::Tally;
use shop::Shop;

/// How often watched processes are looked at, and the progress is shown on a
/// terminal, where each line takes the place of the one before.
const LOOK: Duration = Duration::from_secs(1);

/// Of how many lines of progress one is written elsewhere.
const WRITTEN: usize = 5;

/// How long a customer of a closed loop who was not served stays away.
const NOT_SERVED: Duration = Duration::from_secs(1);

/// What is wrong where the task that follows an order panicked.
const BROKEN: &str = "an order's customer broke down";

/// The exit code of a load that could not be made.
const NOT_MADE: u8 = 2;

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 when every accepted order ended as it should, in time, and nothing else went wrong, \
1 when not, 2 when the load could not be made or was not understood. Orders that a gateway turns \
away for now (429, 503) are counted, and no error.

Ctrl-C stops the arrivals, waits for the orders under way, and reports; a second one ends at once.")]
pub(crate) struct LoadArgs {
    /// Open loop: so many orders a second, on schedule, whatever becomes of those before
    #[arg(long, value_name = "ORDERS_PER_SECOND", value_parser = rate,
          conflicts_with = "concurrency")]
    rate: Option<f64>,
    /// How the orders of an open loop are spread
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson, conflicts_with = "concurrency")]
    arrivals: Arrivals,
    /// Orders of an open loop under way at most; further ones are not sent, and counted
    #[arg(long, value_name = "ORDERS", default_value_t = 2000, conflicts_with = "concurrency",
          value_parser = whole(1..=20_000_u32))]
    max_in_flight: u32,
    /// Closed loop: so many orders under way, each followed by another
    #[arg(long, value_name = "ORDERS", value_parser = whole(1..=4000_u32))]
    concurrency: Option<u32>,
    /// For how long orders arrive: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = span::age)]
    duration: Option<Duration>,
    /// How many orders arrive
    #[arg(long, value_parser = whole(1..=100_000_000_u64))]
    orders: Option<u64>,
    /// What the orders are to go through, each with a weight: none, a step that fails (its name or
    /// 1 to 7), cancel, amend; none=90,2=3,6=1,cancel=2 for example
    #[arg(long, value_name = "SCENARIO=WEIGHT,…", default_value = "none=1",
          value_delimiter = ',', value_parser = share)]
    mix: Vec<(Scenario, u32)>,
    /// Wait so many seconds after each status change of an order
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = pace)]
    pace: f64,
    /// What the orders, and when they arrive, follow from
    #[arg(long, default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    seed: u64,
    /// How long the orders under way may take to end after the last arrival
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = whole(1..=86_400_u64))]
    settle_seconds: u64,
    /// A gateway; of several, each in its turn
    #[arg(
        long = "gateway",
        value_name = "URL",
        env = "PIZZA_GATEWAY",
        default_value = "http://127.0.0.1:8080"
    )]
    gateways: Vec<Url>,
    #[command(flatten)]
    trust: TrustArgs,
    /// The customer's key, where the gateway wants one; better given in the variable
    ///
    /// Arguments are seen by everybody on the machine.
    #[arg(long, value_name = "KEY", env = "PIZZA_KEY", hide_env_values = true)]
    key: Option<Secret>,
    /// Sample memory and processor time of this process of this machine; may be repeated
    #[arg(long = "watch-pid", value_name = "[NAME=]PID")]
    watch_pids: Vec<WatchedPid>,
    /// Audit the store and Temporal afterwards, as `pizza audit` does
    #[arg(long)]
    audit: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Reads a rate.
fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.01..=10_000.0, "number of orders a second")
}

/// Reads a pace, in seconds.
fn pace(text: &str) -> Result<f64, String> {
    number(text, 0.0..=3600.0, "number of seconds")
}

/// Loads, and says by the exit code how it went.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let report = match Box::pin(load(&args)).await {
        Ok(report) => report,
        Err(error) => {
            output::error(&error);
            return Ok(ExitCode::from(NOT_MADE));
        }
    };
    if args.json {
        output::json(&report);
    } else {
        report::print(&report);
    }
    Ok(match report["ok"] == true {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A load under way.
struct Load {
    shop: Shop,
    plan: Plan,
    tally: Tally,
    /// The order that was placed before the start.
    ahead: Option<u64>,
    start: Instant,
    started_at: Timestamp,
}

impl LoadArgs {
    /// Whether it is said how orders arrive, and until when.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.rate.is_some() || self.concurrency.is_some(),
            "say how orders arrive: --rate for so many a second, or --concurrency for so many \
             under way; for example `pizza load --orders 10 --rate 2`"
        );
        ensure!(
            self.duration.is_some() || self.orders.is_some(),
            "say when orders stop arriving: --orders for so many, or --duration; for example \
             `pizza load --rate 2 --duration 1m`"
        );
        Ok(())
    }
}

async fn load(args: &LoadArgs) -> anyhow::Result<Value> {
    args.check()?;
    let stopped = shutdown::on_signal();
    let shop = Shop::new(args.connect()?);
    let plan = args.plan();
    let watched = args.watch_pids.iter().map(Watched::begin);
    let mut watched = watched.collect::<anyhow::Result<Vec<_>>>()?;
    shop.check().await?;
    let ahead = ask_for_errors(&shop, &plan, args.orders).await?;
    // A connection for the watch over each order, and one to ask on.
    open_files::connections(args.most_under_way() * 2);
    let load = Arc::new(Load {
        shop,
        plan,
        tally: Tally::default(),
        ahead,
        start: Instant::now(),
        started_at: Timestamp::now(),
    });
    let arriving = tokio::select! {
        arriving = load.run(args, &stopped) => arriving?,
        never = load.look(&mut watched) => match never {},
    };
    let all = load.start.elapsed();
    watched.iter_mut().for_each(|process| process.look(all));
    let audit = match args.audit {
        true => Some(audit::verdict(&args.store).await),
        false => None,
    };
    let interrupted = stopped.is_cancelled();
    report::report(args, &load, [arriving, all], interrupted, &watched, audit)
}

impl Load {
    /// Lets orders arrive, and returns for how long once all have ended or have
    /// had their time to.
    ///
    /// # Errors
    /// When the generator itself is broken.
    async fn run(
        self: &Arc<Self>,
        args: &LoadArgs,
        stopped: &CancellationToken,
    ) -> anyhow::Result<Duration> {
        // Dropped, it ends what is still under way.
        let mut customers = JoinSet::new();
        let mut over = pin!(async {
            match args.duration {
                Some(duration) => sleep_until(self.start + duration).await,
                None => std::future::pending().await,
            }
        });
        tokio::select! {
            biased;
            () = &mut over => {}
            () = stopped.cancelled() => {}
            arrived = self.arrive(args, stopped, &mut customers) => arrived?,
        }
        let arriving = self.start.elapsed();
        let ending = async {
            while let Some(ended) = customers.join_next().await {
                ended.context(BROKEN)?;
            }
            anyhow::Ok(())
        };
        // What has not ended by then is in the report.
        let settle = Duration::from_secs(args.settle_seconds);
        timeout(settle, ending).await.unwrap_or(Ok(()))?;
        Ok(arriving)
    }

    /// Looks at processes and shows the progress, until it is dropped.
    async fn look(&self, watched: &mut [Watched]) -> Infallible {
        let mut live = Live::new();
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first is at once, when there is nothing to show.
        tick.tick().await;
        let mut lines = (0..WRITTEN).cycle();
        loop {
            tick.tick().await;
            let since = self.start.elapsed();
            watched.iter_mut().for_each(|process| process.look(since));
            let line = self.tally.counts().progress(since);
            live.draw(&line);
            if lines.next() == Some(WRITTEN - 1) && !live.is_shown() {
                output::note(&line);
            }
        }
    }

    /// Lets orders arrive until there were as many as are wanted: in an open
    /// loop when they are due, whatever becomes of those before, in a closed
    /// one each after the end of another.
    async fn arrive(
        self: &Arc<Self>,
        args: &LoadArgs,
        stopped: &CancellationToken,
        customers: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        let orders = args.orders.unwrap_or(u64::MAX);
        let room = Arc::new(Semaphore::new(args.most_under_way()));
        let schedule = |rate| schedule(self.plan.seed, args.arrivals, rate);
        let mut times = args.rate.map(schedule);
        for number in 0..orders {
            let (at, place) = match times.as_mut().and_then(Iterator::next) {
                Some(at) => {
                    sleep_until(self.start + at).await;
                    (at, Arc::clone(&room).try_acquire_owned().ok())
                }
                None => {
                    let place = Arc::clone(&room).acquire_owned().await.ok();
                    (self.start.elapsed(), place)
                }
            };
            self.tally.counts().orders.offered += 1;
            if let Some(place) = place {
                let scenario = self.plan.order(number).scenario;
                let under_way = &mut self.tally.counts().under_way;
                under_way.insert(number, (scenario, None));
                let (load, stopped) = (Arc::clone(self), stopped.clone());
                let is_closed = times.is_none();
                customers.spawn(async move {
                    let is_served = load.order(number, at).await;
                    if is_closed && !is_served {
                        stopped.run_until_cancelled(sleep(NOT_SERVED)).await;
                    }
                    drop(place);
                });
            } else {
                self.tally.counts().orders.over_cap += 1;
            }
            while let Some(ended) = customers.try_join_next() {
                ended.context(BROKEN)?;
            }
        }
        if times.is_none() {
            // A closed loop is over when a customer has nothing more to order.
            drop(room.acquire().await);
        }
        Ok(())
    }
}

/// Whether the gateways simulate errors, where the plan needs that. Only an
/// order tells: the first of the plan that fails on purpose is placed now, and
/// found placed, under its key, when it is due. Returns its number.
async fn ask_for_errors(
    shop: &Shop,
    plan: &Plan,
    orders: Option<u64>,
) -> anyhow::Result<Option<u64>> {
    let first = plan.first_simulated();
    let Some(first) = first.filter(|it| orders.is_none_or(|orders| it.number < orders)) else {
        return Ok(None);
    };
    for gateway in &shop.gateways {
        let placed = gateway.place(&first.body, Some(&first.key)).await;
        placed.with_context(|| {
            format!(
                "--mix: {} needs gateways with --fault-injection (PIZZA_FAULT_INJECTION=true), \
                 and an order of it could not be placed",
                first.scenario.name()
            )
        })?;
    }
    Ok(Some(first.number))
}

impl LoadArgs {
    fn connect(&self) -> anyhow::Result<Vec<Gateway>> {
        let connect = |url| self.trust.connect(url, self.key.as_ref());
        let gateways = self.gateways.iter().map(connect);
        gateways.map(|it| Ok(it?.impatient())).collect()
    }

    fn plan(&self) -> Plan {
        Plan {
            seed: self.seed,
            mix: self.mix.clone(),
            pace_seconds: self.pace,
            names_customers: self.key.is_none(),
            run: Uuid::new_v4(),
        }
    }

    fn most_under_way(&self) -> usize {
        self.concurrency.unwrap_or(self.max_in_flight) as usize
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::client::stub::Stub;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn read(arguments: &str) -> Result<LoadArgs, String> {
        let words = std::iter::once("load").chain(arguments.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(line.load)
    }

    #[test]
    fn a_bad_flag_is_named_with_its_limit() {
        assert!(read("--rate 2.5 --duration 10m").is_ok());
        let closed = read("--concurrency 8 --orders 100 --key k").expect("a closed loop");
        assert!(!closed.plan().names_customers);
        for (arguments, part) in [
            ("--orders 1", "`pizza load --orders 10 --rate 2`"),
            ("--rate 1", "`pizza load --rate 2 --duration 1m`"),
            ("--rate 1 --concurrency 1 --orders 1", "--concurrency"),
            ("--rate NaN --orders 1", "from 0.01 to 10000"),
            ("--rate 1 --duration 10", "--duration"),
            ("--concurrency 4001 --orders 1", "4000"),
            ("--concurrency 1 --orders 1 --mix none=1,99=1", "--mix"),
            ("--concurrency 1 --orders 1 --pace 3601", "from 0 to 3600"),
            (
                "--concurrency 1 --orders 1 --max-in-flight 1",
                "--max-in-flight",
            ),
        ] {
            let checked =
                read(arguments).and_then(|load| load.check().map_err(|error| error.to_string()));
            let error = checked.expect_err(arguments);
            assert!(error.contains(part), "{arguments}: {error}");
        }
    }

    #[tokio::test]
    async fn a_gateway_that_simulates_no_errors_is_found_before_the_start() {
        let refusal = json!({ "code": "fault-injection-disabled", "detail": "no" });
        let stub = Stub::start([(403, Vec::new(), refusal)]).await;
        let shop = Shop::new(vec![
            Gateway::new(stub.url.clone(), None).expect("a gateway"),
        ]);
        for (mix, asked) in [("none=3,cancel=1", 0), ("none=3,6=1", 1)] {
            let plan = read(&format!("--rate 1 --orders 1 --mix {mix}"));
            let plan = plan.expect("flags").plan();
            let found = ask_for_errors(&shop, &plan, None).await;
            assert_eq!(found.is_err(), asked == 1, "{found:?}");
            assert_eq!(stub.asked().len(), asked);
        }
    }
}
