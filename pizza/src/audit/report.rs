//! What the audit says.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::invariant::Invariant;
use super::rules::Violation;
use crate::client::output;

/// How many violations of an invariant a person is shown; `--json` has all.
const SHOWN: usize = 20;

/// How often a long audit says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// To whom the audit speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Tables for a person.
    Person,
    /// Lines of JSON for a program.
    Program,
    /// Nobody: who asked for it looks at the verdict.
    Nobody,
}

/// What an audit came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    clean: bool,
    orders: u64,
    tasks: u64,
    workflows: u64,
    violations: u64,
    invariants: Vec<Checked>,
    /// The first violations of each invariant, where nobody was told of them
    /// before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<Violation>,
}

impl Verdict {
    /// How often something did not hold.
    pub(crate) const fn violations(&self) -> u64 {
        self.violations
    }
}

/// How an invariant fared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    invariant: Invariant,
    checked: u64,
    violations: u64,
    left_out: Option<&'static str>,
}

/// What was found so far. It keeps no more than is shown at the end.
pub(crate) struct Report {
    listener: Listener,
    with_temporal: bool,
    orders: u64,
    tasks: u64,
    workflows: u64,
    found: [Found; Invariant::ALL.len()],
    said_at: Instant,
}

#[derive(Default)]
struct Found {
    count: u64,
    shown: Vec<Violation>,
}

impl Report {
    pub(crate) fn new(listener: Listener, with_temporal: bool) -> Self {
        Self {
            listener,
            with_temporal,
            orders: 0,
            tasks: 0,
            workflows: 0,
            found: Default::default(),
            said_at: Instant::now(),
        }
    }

    /// How often a promise was not kept.
    pub(crate) fn violations_of(&self, invariant: Invariant) -> u64 {
        self.found[invariant as usize].count
    }

    /// The violations that a person would be shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Violation> {
        self.found.iter().flat_map(|found| &found.shown)
    }

    /// How many orders were judged.
    pub(crate) const fn orders(&self) -> u64 {
        self.orders
    }

    /// Counts an order that was judged, with its tasks.
    pub(crate) fn order(&mut self, tasks: usize) {
        self.orders += 1;
        self.tasks += tasks as u64;
    }

    /// Counts workflows that were judged.
    pub(crate) fn workflows(&mut self, count: usize) {
        self.workflows += count as u64;
    }

    pub(crate) fn violation(&mut self, violation: Violation) {
        if self.listener == Listener::Program {
            output::data(&json!(violation).to_string());
        }
        let found = &mut self.found[violation.invariant as usize];
        found.count += 1;
        if self.listener != Listener::Program && found.shown.len() < SHOWN {
            found.shown.push(violation);
        }
    }

    /// Says how far the audit is, now and then.
    pub(crate) fn progress(&mut self) {
        if self.listener == Listener::Nobody || self.said_at.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.said_at = Instant::now();
        output::note(&format!(
            "{} orders and {} workflows so far, {} violations",
            self.orders,
            self.workflows,
            self.violations()
        ));
    }

    pub(crate) fn violations(&self) -> u64 {
        self.found.iter().map(|found| found.count).sum()
    }

    /// Prints the summary.
    pub(crate) fn finish(&self) {
        match self.listener {
            Listener::Person => self.print(),
            Listener::Program => output::data(&json!(self.verdict()).to_string()),
            Listener::Nobody => {}
        }
    }

    /// What the audit came to.
    pub(crate) fn verdict(&self) -> Verdict {
        let found = self.found.iter();
        let invariants = Invariant::ALL.into_iter().map(|invariant| {
            let (checked, left_out) = self.checked(invariant);
            Checked {
                invariant,
                checked,
                violations: self.found[invariant as usize].count,
                left_out,
            }
        });
        Verdict {
            clean: self.violations() == 0,
            orders: self.orders,
            tasks: self.tasks,
            workflows: self.workflows,
            violations: self.violations(),
            invariants: invariants.collect(),
            found: found.flat_map(|found| found.shown.clone()).collect(),
        }
    }

    /// How much of an invariant was looked at, and what was not.
    fn checked(&self, invariant: Invariant) -> (u64, Option<&'static str>) {
        match (invariant, self.with_temporal) {
            (Invariant::Ended, true) => (self.orders + self.workflows, None),
            (Invariant::Ended, false) => (0, Some("not checked: Temporal was left out")),
            (Invariant::Parked, true) => (self.orders, None),
            (Invariant::Parked, false) => {
                (self.orders, Some("the store alone: Temporal was left out"))
            }
            _ => (self.orders, None),
        }
    }

    fn print(&self) {
        let mut table = output::table(&["invariant", "checked", "violations", "what must hold"]);
        for invariant in Invariant::ALL {
            let (checked, left_out) = self.checked(invariant);
            let meaning = left_out.map_or_else(
                || invariant.meaning().to_owned(),
                |left_out| format!("{} ({left_out})", invariant.meaning()),
            );
            table.add_row([
                invariant.name().to_owned(),
                checked.to_string(),
                self.found[invariant as usize].count.to_string(),
                meaning,
            ]);
        }
        output::lines(&table.to_string());
        for invariant in Invariant::ALL {
            self.print_violations(invariant);
        }
        let verdict = match self.violations() {
            0 => "clean".to_owned(),
            1 => "1 violation".to_owned(),
            count => format!("{count} violations"),
        };
        output::data(&format!(
            "{} orders, {} parked tasks in the books, {} workflows in Temporal: {verdict}",
            self.orders, self.tasks, self.workflows
        ));
    }

    fn print_violations(&self, invariant: Invariant) {
        let found = &self.found[invariant as usize];
        if found.shown.is_empty() {
            return;
        }
        let mut table = output::table(&["broken", "order", "how"]);
        for violation in &found.shown {
            table.add_row([invariant.name(), &violation.order_id, &violation.problem]);
        }
        output::lines(&table.to_string());
        let more = found.count - found.shown.len() as u64;
        if more > 0 {
            output::data(&format!("and {more} more of {invariant}: --json has all"));
        }
    }
}
