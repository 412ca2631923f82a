//! `pizza load`: many orders at gateways, as their customers would place them,
//! and what came of it.
//!
//! It is a client of the gateways' API and knows no more than their clients
//! do, but for `--audit` and `--watch-pid`, which look at the store, at
//! Temporal and at processes, where those are at hand.

mod course;
mod customer;
mod ends;
mod mix;
mod plan;
mod processes;
mod progress;
mod report;
mod shop;
mod tally;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use pizza_client::{Gateway, Secret, shown};
use pizza_contract::ErrorCode;
use pizza_domain::Pace;
use tokio::time::{Instant, MissedTickBehavior, interval};
use url::Url;
use uuid::Uuid;

use crate::client::gateway_args::TrustArgs;
use crate::client::output;
use crate::numbers::number;
use crate::store_args::StoreArgs;
use crate::{audit, open_files, shutdown};
use course::{Course, Load, Until};
use mix::Mix;
use plan::{Arrivals, Plan};
use processes::{Watched, WatchedPid};
use report::{Report, Run};
use shop::Shop;
use tally::Tally;

/// How often watched processes are looked at.
const LOOK_AT_PROCESSES: Duration = Duration::from_secs(1);

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
          required_unless_present = "concurrency", conflicts_with = "concurrency")]
    rate: Option<f64>,
    /// How the orders of an open loop are spread
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson, conflicts_with = "concurrency")]
    arrivals: Arrivals,
    /// Orders of an open loop under way at most; further ones are not sent, and counted
    #[arg(long, value_name = "ORDERS", default_value_t = 2000, conflicts_with = "concurrency",
          value_parser = clap::value_parser!(u32).range(1..=20_000))]
    max_in_flight: u32,
    /// Closed loop: so many orders under way, each followed by another
    #[arg(long, value_name = "ORDERS", value_parser = clap::value_parser!(u32).range(1..=4000))]
    concurrency: Option<u32>,
    /// For how long orders arrive: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration, required_unless_present = "orders")]
    duration: Option<Duration>,
    /// How many orders arrive
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    orders: Option<u64>,
    /// What the orders are to go through, each with a weight: none, a step that fails (its name or
    /// 1 to 7), cancel, amend; none=90,2=3,6=1,cancel=2 for example
    #[arg(long, value_name = "SCENARIO=WEIGHT,…", default_value = "none=1")]
    mix: Mix,
    /// Wait so many seconds after each status change of an order
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = pace)]
    pace: f64,
    /// What the orders, and when they arrive, follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// By how many customers they are placed; 0 leaves it to the gateway, as where it knows
    /// customers by their keys [default: 100, or 0 with --key]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    customers: Option<u32>,
    /// How long the orders under way may take to end after the last arrival
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
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
}

/// Reads a rate.
fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.01..=10_000.0, "number of orders a second")
}

/// Reads how long orders arrive.
fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .filter(|span| (1..=7 * 86_400).contains(&span.as_secs()))
        .ok_or_else(|| "must be a length of time from 1s to 168h, like 90s, 10m or 1h".to_owned())
}

/// Reads a pace, in seconds.
fn pace(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    Pace::from_seconds(seconds).map_err(|refusal| refusal.expected)?;
    Ok(seconds)
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
        output::data(&serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(if report.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn load(args: &LoadArgs) -> anyhow::Result<Report> {
    let stopped = shutdown::on_signal();
    let shop = Shop::new(args.connect()?);
    let plan = args.plan();
    let mut watched = args
        .watch_pids
        .iter()
        .map(Watched::begin)
        .collect::<anyhow::Result<Vec<_>>>()?;
    shop.check().await?;
    let ahead = ask_for_errors(&shop, &plan, args.orders).await?;
    // A connection for the watch over each order, and one to ask on.
    open_files::connections(args.most_under_way() * 2);
    let load = Load {
        shop: Arc::new(shop),
        plan: Arc::new(plan.clone()),
        tally: Arc::new(Tally::new()),
        ahead,
        start: Instant::now(),
        started_at: Timestamp::now(),
    };
    let until = Until {
        duration: args.duration,
        orders: args.orders,
        stopped: stopped.clone(),
        settle: Duration::from_secs(args.settle_seconds),
    };
    let arriving = tokio::select! {
        arriving = load.run(args.course(), &until) => arriving?,
        never = progress::tell(&load.tally, load.start) => match never {},
        never = look_at(&mut watched, load.start) => match never {},
    };
    let all = load.start.elapsed();
    watched.iter_mut().for_each(|process| process.look(all));
    let audit = if args.audit {
        Some(audit::verdict(&args.store).await)
    } else {
        None
    };
    let run = Run {
        plan,
        course: args.course(),
        gateways: args.gateways.iter().map(shown).collect(),
        started_at: load.started_at,
        arriving,
        all,
        interrupted: stopped.is_cancelled(),
        processes: watched.iter().map(Watched::usage).collect(),
        audit,
    };
    Ok(Report::new(run, &load.tally.counts()))
}

/// Whether the gateways simulate errors, where the plan needs that. Only an
/// order tells: the first of the plan that fails on purpose is placed now, and
/// found placed, under its key, when it is due. Gives its number.
async fn ask_for_errors(
    shop: &Shop,
    plan: &Plan,
    orders: Option<u64>,
) -> anyhow::Result<Option<u64>> {
    let first = plan.first_simulated();
    let Some(first) = first.filter(|it| orders.is_none_or(|orders| it.number < orders)) else {
        return Ok(None);
    };
    for gateway in shop.gateways() {
        let Err(error) = gateway.place(&first.body, Some(&first.key)).await else {
            continue;
        };
        let problem = error.problem();
        if problem.is_some_and(|problem| problem.is(ErrorCode::FaultInjectionDisabled)) {
            bail!(
                "--mix: {} needs a gateway that simulates errors, which {} does not: start it with \
                 --fault-injection (PIZZA_FAULT_INJECTION=true), or leave that out",
                first.scenario.name(),
                shown(gateway.url())
            );
        }
        return Err(error.into());
    }
    Ok(Some(first.number))
}

/// Looks at the processes until it is dropped.
async fn look_at(watched: &mut [Watched], start: Instant) -> Infallible {
    let mut tick = interval(LOOK_AT_PROCESSES);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for process in &mut *watched {
            process.look(start.elapsed());
        }
    }
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
            customers: self
                .customers
                .unwrap_or(if self.key.is_some() { 0 } else { 100 }),
            run: Uuid::new_v4(),
        }
    }

    fn most_under_way(&self) -> usize {
        self.concurrency.unwrap_or(self.max_in_flight) as usize
    }

    fn course(&self) -> Course {
        match (self.concurrency, self.rate) {
            (None, Some(rate)) => Course::Open {
                rate,
                arrivals: self.arrivals,
                max_in_flight: self.max_in_flight as usize,
            },
            _ => Course::Closed {
                concurrency: self.most_under_way(),
            },
        }
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
    fn a_load_is_open_or_closed_and_has_an_end() {
        let open = read("--rate 2.5 --duration 10m").expect("an open loop");
        assert!(matches!(open.course(), Course::Open { rate, .. } if rate == 2.5));
        assert_eq!(open.duration, Some(Duration::from_secs(600)));
        let closed = read("--concurrency 8 --orders 100 --key k").expect("a closed loop");
        assert!(matches!(closed.course(), Course::Closed { concurrency: 8 }));
        assert_eq!((closed.plan().customers, open.plan().customers), (0, 100));
    }

    #[test]
    fn a_bad_flag_is_named_with_its_limit() {
        for (arguments, part) in [
            ("--orders 1", "--rate"),
            ("--rate 1", "--duration"),
            ("--rate 1 --concurrency 1 --orders 1", "--concurrency"),
            ("--rate 0 --orders 1", "from 0.01 to 10000"),
            ("--rate NaN --orders 1", "from 0.01 to 10000"),
            ("--rate inf --orders 1", "from 0.01 to 10000"),
            ("--rate 1 --duration 0s", "from 1s to 168h"),
            ("--rate 1 --duration 8000h", "from 1s to 168h"),
            ("--rate 1 --duration 10", "from 1s to 168h"),
            ("--rate 1 --duration=-10s", "from 1s to 168h"),
            ("--concurrency 0 --orders 1", "--concurrency"),
            ("--concurrency 4001 --orders 1", "4000"),
            ("--concurrency 1 --orders 0", "--orders"),
            ("--concurrency 1 --orders 1 --mix 9=1", "--mix"),
            ("--concurrency 1 --orders 1 --pace 3601", "from 0 to 3600"),
            ("--concurrency 1 --orders 1 --pace NaN", "from 0 to 3600"),
            ("--concurrency 1 --orders 1 --watch-pid x", "--watch-pid"),
            (
                "--concurrency 1 --orders 1 --settle-seconds 0",
                "--settle-seconds",
            ),
            (
                "--concurrency 1 --orders 1 --max-in-flight 1",
                "--max-in-flight",
            ),
        ] {
            let error = read(arguments).err().unwrap_or_default();
            assert!(error.contains(part), "{arguments}: {error}");
        }
    }

    #[tokio::test]
    async fn a_gateway_that_simulates_no_errors_is_told_before_the_start() {
        let refusal = json!({ "code": "fault-injection-disabled", "detail": "no" });
        let stub = Stub::start([(403, Vec::new(), refusal)]).await;
        let shop = Shop::new(vec![
            Gateway::new(stub.url.clone(), None).expect("a gateway"),
        ]);
        let plan = |mix: &str| Plan {
            mix: mix.parse().expect("a mix"),
            ..read("--rate 1 --orders 1").expect("flags").plan()
        };
        let error = ask_for_errors(&shop, &plan("none=3,6=1"), None).await;
        let error = error.expect_err("it cannot be").to_string();
        assert!(
            error.contains("refundPayment needs a gateway that simulates"),
            "{error}"
        );
        assert_eq!(stub.asked().len(), 1);
        let asked = ask_for_errors(&shop, &plan("none=3,cancel=1"), None).await;
        assert_eq!(asked.expect("nothing to ask"), None);
        assert_eq!(stub.asked().len(), 1);
    }
}
