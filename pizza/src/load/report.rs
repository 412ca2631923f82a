//! What was seen so far, and what a load came to. `docs/load.md` says what
//! each figure means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use pizza_domain::OrderId;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::plan::Scenario;
use super::processes::Watched;
use super::{Load, LoadArgs};
use crate::audit;
use crate::client::output;
use pizza_client::shown;

/// How many orders, or errors, of a kind are kept by name; all are counted.
pub(super) const KEPT: usize = 100;

/// The parts of an order's time.
const STAGES: [&str; 6] = [
    "accepted",
    "charged",
    "cooking",
    "delivered",
    "whole",
    "cancelled",
];

/// The longest time that is told from longer ones: a day, in microseconds.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;

/// What is noted of how late orders are sent.
pub(super) const LATE: &str = "late";

/// How late the generator may send an order, at the 99th percentile, before
/// it says that it did not keep up, in milliseconds.
const MOST_LATE_MS: f64 = 50.0;

/// Orders, by what became of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Orders {
    /// They were due.
    pub(super) offered: u64,
    /// They were not sent: as many as may be were under way.
    pub(super) over_cap: u64,
    pub(super) accepted: u64,
    /// They were turned away for now.
    pub(super) refused: u64,
    pub(super) ended: u64,
    /// Of these, otherwise than they should have.
    pub(super) wrong: u64,
    /// They were not placed, or could not be followed.
    pub(super) failed: u64,
    pub(super) unfinished: usize,
}

/// The orders of a scenario.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfScenario {
    pub(super) accepted: u64,
    pub(super) as_expected: u64,
    pub(super) otherwise: u64,
}

/// How often a change was taken, or came too late.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfChange {
    pub(super) taken: u64,
    pub(super) too_late: u64,
}

/// An order that ended otherwise than it should have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrongEnd {
    pub(super) order_id: OrderId,
    pub(super) scenario: &'static str,
    pub(super) expected: String,
    pub(super) seen: String,
    /// What differs besides may still be written.
    #[serde(skip)]
    pub(super) has_right_status: bool,
}

/// What was counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) orders: Orders,
    pub(super) retries: u64,
    pub(super) watches_cut: u64,
    pub(super) clocks_differ: u64,
    pub(super) refusals: BTreeMap<String, u64>,
    pub(super) ends: BTreeMap<String, u64>,
    pub(super) scenarios: BTreeMap<&'static str, OfScenario>,
    pub(super) changes: BTreeMap<&'static str, OfChange>,
    pub(super) wrong_ends: Vec<WrongEnd>,
    pub(super) errors: Vec<String>,
    /// Of each stage, and how late orders were sent, in microseconds.
    took: BTreeMap<&'static str, Histogram<u64>>,
    /// Orders under way, with their ids once they have them.
    pub(super) under_way: BTreeMap<u64, (Scenario, Option<OrderId>)>,
}

/// Of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Percentiles {
    count: u64,
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p99_9: f64,
    max: f64,
}

impl Counts {
    /// A stage of an order took so long; or it was sent so [`LATE`].
    pub(super) fn note(&mut self, stage: &'static str, took: Duration) {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_US, 3);
        let times = self.took.entry(stage);
        let times = times.or_insert_with(|| histogram().expect("three digits up to a day"));
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        times.saturating_record(us.clamp(1, LONGEST_US));
    }

    /// How far the load is.
    pub(super) fn progress(&self, since: Duration) -> String {
        let whole = self.took("whole");
        format!(
            "{:.0} s; {}, under way {}; whole p50 {:.0} ms, p99 {:.0} ms",
            since.as_secs_f64(),
            in_words(&json!(self.orders)),
            self.under_way.len(),
            whole.p50,
            whole.p99
        )
    }

    fn took(&self, stage: &str) -> Percentiles {
        let Some(times) = self.took.get(stage) else {
            return Percentiles::default();
        };
        let at = |share| times.value_at_quantile(share) as f64 / 1000.0;
        Percentiles {
            count: times.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: times.max() as f64 / 1000.0,
        }
    }
}

/// Counts that many orders change at once.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

impl Tally {
    /// What was counted so far. A panic cannot leave it half counted.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a load came to, where orders arrived for so long and all of it took so
/// long.
pub(super) fn report(
    args: &LoadArgs,
    load: &Load,
    [arriving, all]: [Duration; 2],
    is_interrupted: bool,
    processes: &[Watched],
    audit: Option<anyhow::Result<audit::Verdict>>,
) -> anyhow::Result<Value> {
    let counts = load.tally.counts();
    let orders = Orders {
        unfinished: counts.under_way.len(),
        ..counts.orders
    };
    let (audit, audit_problem) = audited(audit)?;
    let problems = problems(&orders, processes, audit_problem);
    let late = counts.took(LATE);
    let kept_up = late.p99 <= MOST_LATE_MS;
    let mut plan = match args.rate {
        Some(rate) => json!({
            "loop": "open",
            "rate": rate,
            "arrivals": args.arrivals,
            "maxInFlight": args.max_in_flight,
        }),
        None => json!({ "loop": "closed", "concurrency": args.concurrency }),
    };
    plan["seed"] = json!(args.seed);
    plan["mix"] = json!(load.plan.mix_in_words());
    plan["paceSeconds"] = json!(args.pace);
    plan["gateways"] = args.gateways.iter().map(shown).collect();
    let rate = |count: u64, time: Duration| rounded(count as f64 / time.as_secs_f64().max(0.001));
    let latency: BTreeMap<_, _> = STAGES.map(|stage| (stage, counts.took(stage))).into();
    let unfinished = counts.under_way.iter().map(|(number, (scenario, id))| {
        json!({
            // None where no gateway said that it was accepted.
            "orderId": id,
            "scenario": scenario.name(),
            "idempotencyKey": load.plan.order(*number).key,
        })
    });
    Ok(json!({
        "ok": problems.is_empty(),
        "problems": problems,
        "notes": notes(&counts, is_interrupted, kept_up),
        "startedAt": format!("{:.3}", load.started_at),
        "plan": plan,
        "seconds": {
            "arriving": rounded(arriving.as_secs_f64()),
            "all": rounded(all.as_secs_f64()),
        },
        "orders": orders,
        "perSecond": {
            "offered": rate(orders.offered, arriving),
            "accepted": rate(orders.accepted, arriving),
            "ended": rate(orders.ended, all),
        },
        "latencyMs": latency,
        "refusals": counts.refusals,
        "ends": counts.ends,
        "scenarios": counts.scenarios,
        "changes": counts.changes,
        "wrongEnds": counts.wrong_ends,
        "unfinished": unfinished.collect::<Vec<_>>(),
        "errors": counts.errors,
        "generator": {
            "lateMs": late,
            "keptUp": kept_up,
            "retries": counts.retries,
            "watchesCut": counts.watches_cut,
        },
        "processes": processes.iter().map(Watched::usage).collect::<Vec<_>>(),
        "audit": audit,
    }))
}

/// What the audit said, and what was wrong by it.
fn audited(
    audit: Option<anyhow::Result<audit::Verdict>>,
) -> anyhow::Result<(Value, Option<String>)> {
    let (verdict, mut audit, problem) = match audit {
        None => ("not audited", json!({}), None),
        Some(Err(error)) => {
            let error = format!("{error:#}");
            let problem = format!("the audit failed: {error}");
            ("failed", json!({ "error": error }), Some(problem))
        }
        Some(Ok(audit)) => match audit.violations() {
            0 => ("clean", serde_json::to_value(audit)?, None),
            count => {
                let problem = format!("the audit found {count} violations");
                ("violations", serde_json::to_value(audit)?, Some(problem))
            }
        },
    };
    audit["verdict"] = json!(verdict);
    Ok((audit, problem))
}

/// What was not as it should be, each in a sentence.
fn problems(orders: &Orders, processes: &[Watched], audit: Option<String>) -> Vec<String> {
    let counted = [
        (orders.wrong, "ended otherwise than they should have"),
        (orders.unfinished as u64, "did not end in time"),
        (orders.failed, "could not be placed or followed"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let ended = processes.iter().filter_map(Watched::ended);
    counted
        .map(|(count, what)| format!("{count} orders {what}"))
        .chain((orders.accepted == 0).then(|| "no order was accepted".to_owned()))
        .chain(audit)
        .chain(ended.map(|name| format!("{name} ended meanwhile")))
        .collect()
}

/// What is to be known about the figures, each in a sentence.
fn notes(counts: &Counts, is_interrupted: bool, kept_up: bool) -> Vec<String> {
    let (late, over_cap) = (counts.took(LATE), counts.orders.over_cap);
    let mut notes = Vec::new();
    if is_interrupted {
        notes.push("stopped before its time".to_owned());
    }
    if !kept_up {
        notes.push(format!(
            "the generator did not keep up: it sent orders up to {:.0} ms late (p99 {:.0} ms), \
             which their times include",
            late.max, late.p99
        ));
    }
    if over_cap > 0 {
        notes.push(format!(
            "{over_cap} orders were never sent: as many as --max-in-flight allows were under way"
        ));
    }
    if counts.clocks_differ > 0 {
        notes.push(format!(
            "the gateway's clock is not this machine's, as {} orders show: `whole` and `cancelled` \
             are wrong by the difference",
            counts.clocks_differ
        ));
    }
    notes
}

/// Prints a report for a person: a table for figures of the same kind, a line
/// for anything else, and what it comes to at the end.
pub(super) fn print(report: &Value) {
    let is_verdict = |name: &str| matches!(name, "ok" | "problems" | "notes");
    let mut fields: Vec<_> = report.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(name, _)| is_verdict(name));
    for (name, value) in fields {
        match value {
            Value::Object(rows) if rows.values().any(Value::is_object) && name != "generator" => {
                print_table(name, rows);
            }
            Value::Array(entries) => entries
                .iter()
                .for_each(|entry| output::data(&format!("{name}: {}", in_words(entry)))),
            value if value.as_object().is_some_and(Map::is_empty) => {}
            value => output::data(&format!("{name}: {}", in_words(value))),
        }
    }
}

fn print_table(name: &str, rows: &Map<String, Value>) {
    let columns = rows.values().filter_map(Value::as_object);
    let columns = columns.flat_map(Map::keys).map(String::as_str);
    let columns: BTreeSet<&str> = columns.collect();
    let header: Vec<&str> = std::iter::once(name)
        .chain(columns.iter().copied())
        .collect();
    let mut table = output::table(&header);
    for (row, cells) in rows {
        let cells = columns.iter().map(|column| in_words(&cells[*column]));
        table.add_row(std::iter::once(row.clone()).chain(cells));
    }
    output::lines(&table.to_string());
}

/// A value on a line. Lists within it are left to `--json`.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_array());
            let fields = fields.map(|(name, value)| format!("{name} {}", in_words(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut counts = Counts::default();
        for ms in 1..=1000 {
            counts.note("whole", Duration::from_millis(ms));
        }
        counts.note("whole", Duration::from_secs(100_000));
        let seen = counts.took("whole");
        assert_eq!((seen.count, counts.took("charged").count), (1001, 0));
        // Three digits: a thousandth of what is noted.
        for (seen, wanted) in [
            (seen.p50, 501.0),
            (seen.p90, 901.0),
            (seen.p99, 991.0),
            (seen.p99_9, 1000.0),
            (seen.max, 86_400_000.0),
        ] {
            assert!((seen - wanted).abs() <= wanted / 500.0, "{seen} {wanted}");
        }
    }
}
