//! What a load came to. `docs/load.md` says what each figure means.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::course::Course;
use super::plan::Plan;
use super::processes::Usage;
use super::tally::{Counts, OfChange, OfScenario, Percentiles, Stage, Unfinished, WrongEnd};
use crate::audit;
use crate::client::output::{self, plain};

/// How late the generator may send an order, at the 99th percentile, before
/// it says that it did not keep up.
const LATE: Duration = Duration::from_millis(50);

/// All of it, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Whether there is nothing in `problems`.
    ok: bool,
    /// What was not as it should be, each in a sentence.
    problems: Vec<String>,
    /// What is to be known about the figures, each in a sentence.
    notes: Vec<String>,
    started_at: String,
    plan: PlanOf,
    seconds: Seconds,
    orders: Orders,
    per_second: Rates,
    latency_ms: BTreeMap<&'static str, Percentiles>,
    refusals: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    scenarios: BTreeMap<&'static str, OfScenario>,
    changes: BTreeMap<&'static str, OfChange>,
    wrong_ends: Vec<WrongEnd>,
    unfinished: Vec<Unfinished>,
    errors: Vec<String>,
    generator: Generator,
    processes: Vec<Usage>,
    audit: Audited,
}

/// What was planned.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanOf {
    seed: u64,
    mix: String,
    #[serde(flatten)]
    course: Course,
    pace_seconds: f64,
    customers: u32,
    gateways: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seconds {
    /// From the first arrival to the last.
    arriving: f64,
    /// From the first arrival until nothing was waited for any more.
    all: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Orders {
    offered: u64,
    over_cap: u64,
    accepted: u64,
    refused: u64,
    ended: u64,
    wrong: u64,
    unfinished: usize,
    failed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    offered: f64,
    accepted: f64,
    ended: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generator {
    /// How much later than due requests were sent.
    late_ms: Percentiles,
    kept_up: bool,
    retries: u64,
    watches_cut: u64,
}

/// What the audit said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Audited {
    /// `clean`, `violations`, `not audited` or `failed`.
    verdict: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    summary: Option<audit::Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How a load went, besides what was counted.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) course: Course,
    pub(super) gateways: Vec<String>,
    pub(super) started_at: Timestamp,
    pub(super) arriving: Duration,
    pub(super) all: Duration,
    pub(super) interrupted: bool,
    pub(super) processes: Vec<Usage>,
    /// None when none was asked for.
    pub(super) audit: Option<anyhow::Result<audit::Verdict>>,
}

impl Report {
    pub(super) fn new(run: Run, counts: &Counts) -> Self {
        let unfinished = unfinished(&run.plan, counts);
        let rate =
            |count: u64, time: Duration| rounded(count as f64 / time.as_secs_f64().max(0.001));
        let late = counts.late.percentiles();
        let mut report = Self {
            ok: false,
            problems: Vec::new(),
            notes: Vec::new(),
            started_at: format!("{:.3}", run.started_at),
            seconds: Seconds {
                arriving: rounded(run.arriving.as_secs_f64()),
                all: rounded(run.all.as_secs_f64()),
            },
            orders: Orders {
                offered: counts.offered,
                over_cap: counts.over_cap,
                accepted: counts.accepted,
                refused: counts.refused,
                ended: counts.ended,
                wrong: counts.wrong,
                unfinished: unfinished.len(),
                failed: counts.failed,
            },
            per_second: Rates {
                offered: rate(counts.offered, run.arriving),
                accepted: rate(counts.accepted, run.arriving),
                ended: rate(counts.ended, run.all),
            },
            latency_ms: Stage::ALL
                .map(|stage| (stage.name(), counts.took[&stage].percentiles()))
                .into(),
            refusals: counts.refusals.clone(),
            ends: counts.ends.clone(),
            scenarios: counts.scenarios.clone(),
            changes: counts.changes.clone(),
            wrong_ends: counts.wrong_ends.clone(),
            unfinished,
            errors: counts.failures.clone(),
            generator: Generator {
                late_ms: late,
                kept_up: late.p99 <= LATE.as_secs_f64() * 1000.0,
                retries: counts.retries,
                watches_cut: counts.cut,
            },
            processes: run.processes,
            audit: Audited::of(run.audit),
            plan: PlanOf {
                seed: run.plan.seed,
                mix: run.plan.mix.to_string(),
                course: run.course,
                pace_seconds: run.plan.pace_seconds,
                customers: run.plan.customers,
                gateways: run.gateways,
            },
        };
        report.judge();
        report.take_note(counts, run.interrupted);
        report
    }

    /// Whether all went as it should.
    pub(super) const fn is_ok(&self) -> bool {
        self.ok
    }

    fn judge(&mut self) {
        let orders = &self.orders;
        let audit = &self.audit;
        let violations = audit.summary.as_ref().map_or(0, audit::Verdict::violations);
        let ended = self.processes.iter().filter(|process| process.has_ended);
        let counted = [
            (orders.wrong, "ended otherwise than they should have"),
            (orders.unfinished as u64, "did not end in time"),
            (orders.failed, "could not be placed or followed"),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        self.problems = counted
            .map(|(count, what)| format!("{count} orders {what}"))
            .chain((orders.accepted == 0).then(|| "no order was accepted".to_owned()))
            .chain((violations > 0).then(|| format!("the audit found {violations} violations")))
            .chain(
                audit
                    .error
                    .iter()
                    .map(|error| format!("the audit failed: {error}")),
            )
            .chain(ended.map(|process| format!("{} ended meanwhile", process.name)))
            .collect();
        self.ok = self.problems.is_empty();
    }

    fn take_note(&mut self, counts: &Counts, interrupted: bool) {
        let generator = &self.generator;
        let late = (!generator.kept_up).then(|| {
            format!(
                "the generator did not keep up: it sent orders up to {:.0} ms late (p99 {:.0} ms), \
                 which their times include",
                generator.late_ms.max, generator.late_ms.p99
            )
        });
        let cap = (counts.over_cap > 0).then(|| {
            format!(
                "{} orders were never sent: as many as --max-in-flight allows were under way",
                counts.over_cap
            )
        });
        let clocks = (counts.clocks_differ > 0).then(|| {
            format!(
                "the gateway's clock is not this machine's, as {} orders show: `whole` and \
                 `cancelled` are wrong by the difference",
                counts.clocks_differ
            )
        });
        let cut = interrupted.then(|| "stopped before its time".to_owned());
        self.notes = [cut, late, cap, clocks].into_iter().flatten().collect();
    }

    /// Prints it for a person.
    pub(super) fn print(&self) {
        self.print_latencies();
        self.print_scenarios();
        self.print_processes();
        let orders = &self.orders;
        let rates = &self.per_second;
        output::data(&format!(
            "{} orders offered in {:.0} s ({:.1}/s), {} accepted ({:.1}/s), {} ended ({:.1}/s)",
            orders.offered,
            self.seconds.arriving,
            rates.offered,
            orders.accepted,
            rates.accepted,
            orders.ended,
            rates.ended
        ));
        print_counts("ended", &self.ends);
        print_counts("turned away", &self.refusals);
        for (name, changes) in &self.changes {
            let OfChange { taken, too_late } = changes;
            output::data(&format!("{name}: {taken} taken, {too_late} too late"));
        }
        for wrong in &self.wrong_ends {
            output::data(&format!(
                "wrong end: order {} ({}) is {}, expected {}",
                wrong.order_id,
                wrong.scenario,
                plain(&wrong.seen),
                wrong.expected
            ));
        }
        for order in &self.unfinished {
            let id = order.order_id.map(|id| id.to_string());
            let key = || format!("never accepted, key {}", order.idempotency_key);
            output::data(&format!(
                "unfinished: {} ({})",
                id.unwrap_or_else(key),
                order.scenario
            ));
        }
        for error in &self.errors {
            output::data(&format!("error: {}", plain(error)));
        }
        for note in &self.notes {
            output::data(&format!("note: {note}"));
        }
        output::data(&format!("audit: {}", self.audit.verdict));
        for problem in &self.problems {
            output::data(&format!("FAILED: {}", plain(problem)));
        }
        if self.ok {
            output::data("ok");
        }
    }

    fn print_latencies(&self) {
        let mut table = output::table(&["ms", "orders", "p50", "p90", "p99", "p99.9", "max"]);
        for stage in Stage::ALL {
            let times = &self.latency_ms[stage.name()];
            if times.count == 0 {
                continue;
            }
            let figures = [times.p50, times.p90, times.p99, times.p99_9, times.max];
            let figures = figures.map(|ms| format!("{ms:.1}"));
            let names = [stage.name().to_owned(), times.count.to_string()];
            table.add_row(names.into_iter().chain(figures));
        }
        output::lines(&table.to_string());
    }

    fn print_scenarios(&self) {
        let mut table = output::table(&["scenario", "accepted", "as expected", "otherwise"]);
        for (name, of) in &self.scenarios {
            let counts = [of.accepted, of.as_expected, of.otherwise];
            let counts = counts.map(|count| count.to_string());
            table.add_row(std::iter::once((*name).to_owned()).chain(counts));
        }
        output::lines(&table.to_string());
    }

    fn print_processes(&self) {
        if self.processes.is_empty() {
            return;
        }
        let columns = [
            "process",
            "start",
            "end",
            "most",
            "growth",
            "CPU",
            "of a core",
        ];
        let mut table = output::table(&columns);
        for process in &self.processes {
            let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
            table.add_row([
                process.name.clone(),
                mib(process.start_kib),
                mib(process.end_kib),
                mib(process.max_kib),
                format!("{:+.1} %", process.growth_percent),
                format!("{:.1} s", process.cpu_seconds),
                format!("{:.1} %", process.cpu_percent),
            ]);
        }
        output::lines(&table.to_string());
    }
}

impl Audited {
    fn of(audit: Option<anyhow::Result<audit::Verdict>>) -> Self {
        let (verdict, summary, error) = match audit {
            None => ("not audited", None, None),
            Some(Err(error)) => ("failed", None, Some(format!("{error:#}"))),
            Some(Ok(summary)) if summary.violations() == 0 => ("clean", Some(summary), None),
            Some(Ok(summary)) => ("violations", Some(summary), None),
        };
        Self {
            verdict,
            summary,
            error,
        }
    }
}

fn unfinished(plan: &Plan, counts: &Counts) -> Vec<Unfinished> {
    let mut orders: Vec<_> = counts.under_way.iter().collect();
    orders.sort_by_key(|(number, _)| **number);
    orders
        .into_iter()
        .map(|(number, (scenario, order_id))| Unfinished {
            order_id: *order_id,
            scenario: scenario.name(),
            idempotency_key: plan.order(*number).key,
        })
        .collect()
}

fn print_counts(what: &str, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        output::data(&format!("{what}: {count} {}", plain(name)));
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
