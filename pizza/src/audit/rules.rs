//! What must hold of every order, as functions of what was read about it.
//!
//! An order that is under way moves while it is looked at: a ledger is
//! written before the record, a task is started before it is booked. Of such
//! an order is asked only what holds at each moment; of one that has ended,
//! all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use pizza_domain::{
    CancelReason, InvalidField, KitchenReport, Money, MoneyState, OrderId, OrderStatus,
    PointsState, Step,
};
use pizza_store::{
    Account, AdjustmentRow, CancelRow, ContentRow, FailedTaskRow, FailedTaskState, LedgerRow,
    RecordRow, ReportRow, StandingRow,
};
use pizza_workflows::names::{CANCELLED_BY_CUSTOMER, cancel_code, failed_task_workflow_id};
use pizza_workflows::steps::{self, customers, loyalty, payments};
use pizza_workflows::{FAULT_CODES, FAULT_SENTENCE};
use serde::Serialize;

use super::invariant::Invariant;

/// How long what is nearly over may take. The customer is told after the
/// cancellation, the points of a delivered order may still be tried for, and
/// so may those that follow a refund which was redriven: the policies of all
/// of them end within four minutes.
const TIME_TO_FINISH: Duration = Duration::from_mins(5);

/// How long a new order may be without a record: its creation is tried four
/// times, within eight seconds when the store answers.
const TIME_TO_BEGIN: Duration = Duration::from_secs(30);

/// How long a report that was taken may still be on its way to the books when
/// its order ends: one attempt to write it.
const TIME_TO_WRITE: Duration = Duration::from_secs(10);

/// How far apart the clocks of two workers may be.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

/// The codes of orders that the kitchen's rejection, or its silence, has ended.
const KITCHEN_REJECTED: &str = "kitchen-rejected";
const KITCHEN_OVERDUE: &str = "kitchen-overdue";

/// The codes of orders that were ended from outside, where a report that was
/// taken may never have been written.
const FROM_OUTSIDE: [&str; 6] = [
    "fulfilment-ended",
    cancel_code::TERMINATED,
    cancel_code::TIMED_OUT,
    cancel_code::CANCELED,
    cancel_code::FAILED,
    cancel_code::LOST,
];

/// The code of orders that an operator cancelled. Earlier versions told the
/// customer what the operator wrote.
const CANCELLED_BY_OPERATOR: &str = "cancelled-by-operator";

/// What stands in the texts of engines, in lower case, and in no sentence of an
/// outside party.
const ENGINES_WORDS: [&str; 15] = [
    "error",
    "timeout",
    "workflow execution",
    "activity",
    "database",
    "panicked",
    "connection",
    "payload",
    "tmprl",
    "sqlite",
    "postgres",
    "grpc",
    "::",
    "_",
    "{",
];

/// The one kind of message that customers are sent.
const ORDER_FAILED: &str = "orderFailed";

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    /// The order; the workflow's id where nothing tells the order.
    pub(crate) order_id: String,
    /// One sentence.
    pub(crate) problem: String,
}

/// What Temporal has of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InTemporal {
    /// Its workflow, unless Temporal knows of none (any more).
    pub(crate) order: Option<OrderWorkflow>,
    /// The ids of its parked tasks that run.
    pub(crate) tasks: BTreeSet<String>,
    /// The ids of its branches that run.
    pub(crate) branches: BTreeSet<String>,
}

/// The workflow of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderWorkflow {
    pub(crate) running: bool,
    pub(crate) started_at_ms: i64,
}

impl InTemporal {
    fn runs(&self) -> bool {
        self.order.is_some_and(|order| order.running)
    }
}

/// Whether what the store says of an order can only be judged with what
/// Temporal says of it.
pub(crate) fn needs_temporal(account: &Account) -> bool {
    let is_final = account
        .record
        .as_ref()
        .is_none_or(|record| read(&record.standing).is_ok_and(|now| now.status.is_final()));
    let delivered = account
        .record
        .as_ref()
        .is_some_and(|record| record.standing.status == OrderStatus::DeliveryConfirmed.as_str());
    let awarded = account.points.iter().any(|entry| entry.kind == AWARD);
    let untold = !delivered && account.notified.is_empty();
    !is_final || untold || tasks(account).any(Task::is_parked) || (delivered && !awarded)
}

/// What is wrong with an order by the store, and by what Temporal should have
/// of it. Without Temporal, what needs it is left out.
pub(crate) fn violations_of(
    account: &Account,
    temporal: Option<&InTemporal>,
    now_ms: i64,
) -> Vec<Violation> {
    let mut findings = Findings::of(&account.order_id);
    let Some(record) = &account.record else {
        findings.books_without_a_record(account);
        return findings.0;
    };
    match Order::read(account, record, temporal, now_ms) {
        Ok(order) => {
            findings.charge(&order);
            findings.refund(&order);
            findings.points(&order);
            findings.parked(&order);
            findings.statuses(&order);
            findings.kitchen(&order);
            findings.amendments(&order);
            findings.notified(&order);
            if let Some(temporal) = temporal {
                findings.missing_in_temporal(&order, temporal);
            }
        }
        Err(error) => findings.say(
            Invariant::Statuses,
            format!("a state is unreadable: {error}"),
        ),
    }
    findings.0
}

/// What is wrong with what Temporal has of an order, by the store.
pub(crate) fn violations_in_temporal(
    account: &Account,
    temporal: &InTemporal,
    now_ms: i64,
) -> Vec<Violation> {
    let mut findings = Findings::of(&account.order_id);
    if let Some(workflow) = temporal.order {
        findings.workflow(account, workflow, now_ms);
    }
    if !temporal.runs() {
        findings.branches(account, &temporal.branches, now_ms);
    }
    for id in &temporal.tasks {
        match tasks(account).find(|task| task.row.task_id == *id) {
            Some(task) if task.is_parked() || task.was_resolved_lately(now_ms) => {}
            Some(_) => findings.say(
                Invariant::Parked,
                format!("{id} is closed in the books, and runs in Temporal"),
            ),
            // It is booked by the workflow that has just started it.
            None if temporal.runs() => {}
            None => findings.say(
                Invariant::Parked,
                format!("{id} runs in Temporal, and is not in the books"),
            ),
        }
    }
    findings.0
}

/// The violation of a parked task that nothing connects with an order.
pub(crate) fn stray_task(id: String) -> Violation {
    Violation {
        invariant: Invariant::Parked,
        problem: "a parked task runs in Temporal that names no order".to_owned(),
        order_id: id,
    }
}

const CHARGE: &str = "charge";
const REFUND: &str = "refund";
const AWARD: &str = "award";
const RECLAIM: &str = "reclaim";
const VOID: &str = "void";
const ADJUST: &str = "adjust";

/// How an order stands, or stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    status: OrderStatus,
    money: MoneyState,
    points: PointsState,
}

fn read(row: &StandingRow) -> Result<Standing, InvalidField> {
    Ok(Standing {
        status: row.status.parse()?,
        money: row.money.parse()?,
        points: row.points.parse()?,
    })
}

/// A row of a task, understood.
#[derive(Clone, Copy)]
struct Task<'a> {
    row: &'a FailedTaskRow,
    /// None for a word that nobody writes.
    state: Option<FailedTaskState>,
}

impl Task<'_> {
    fn is_parked(self) -> bool {
        self.state == Some(FailedTaskState::Parked)
    }

    /// Whether its workflow may still see to what follows its end.
    fn was_resolved_lately(self, now_ms: i64) -> bool {
        let resolved_at_ms = self.row.resolved_at_ms;
        resolved_at_ms.is_some_and(|at_ms| !is_past(at_ms, TIME_TO_FINISH, now_ms))
    }

    /// Whether it still owes what it was to do.
    fn owes(self, parked: &steps::Parked) -> bool {
        self.row.queue == parked.queue && self.state != Some(FailedTaskState::Done)
    }
}

fn tasks(account: &Account) -> impl Iterator<Item = Task<'_>> {
    account.tasks.iter().map(|row| Task {
        row,
        state: FailedTaskState::from_name(&row.state),
    })
}

/// An order, understood.
struct Order<'a> {
    account: &'a Account,
    version: i64,
    customer_id: &'a str,
    content: &'a ContentRow,
    total: i64,
    now: Standing,
    /// Why it was cancelled.
    cancelled: Option<CancelReason>,
    way: Vec<Standing>,
    /// Whether its workflow has ended, or has had the time to.
    finished: bool,
    /// Whether nothing writes its points any more but an operator.
    points_settled: bool,
    /// Whether a refund that was redriven is now followed by the reclaim.
    reclaim_follows: bool,
    now_ms: i64,
}

impl<'a> Order<'a> {
    fn read(
        account: &'a Account,
        record: &'a RecordRow,
        temporal: Option<&InTemporal>,
        now_ms: i64,
    ) -> Result<Self, InvalidField> {
        let now = read(&record.standing)?;
        let way = account.changes.iter().map(|change| read(&change.standing));
        let finished = match temporal {
            Some(temporal) => !temporal.runs(),
            None => is_past(record.updated_at_ms, TIME_TO_FINISH, now_ms),
        };
        Ok(Self {
            account,
            version: record.version,
            customer_id: &record.customer_id,
            content: &record.content,
            total: record.total,
            cancelled: record
                .cancelled
                .as_ref()
                .map(CancelRow::reason)
                .transpose()?,
            finished,
            way: way.collect::<Result<_, _>>()?,
            // A rollback begins when the points are settled, and a delivery
            // does not wait for them.
            points_settled: now.status == OrderStatus::Cancelled
                || (now.status == OrderStatus::DeliveryConfirmed && finished),
            reclaim_follows: tasks(account)
                .filter(|task| task.row.queue == payments::REFUND_PAYMENT_FAILED.queue)
                .filter(|task| task.was_resolved_lately(now_ms))
                .any(|task| temporal.is_none_or(|now| now.tasks.contains(&task.row.task_id))),
            now,
            now_ms,
        })
    }

    /// Whether an observer may have seen it charged.
    fn was_charged(&self) -> bool {
        let charged = [MoneyState::Charged, MoneyState::Refunded];
        self.way
            .iter()
            .chain([&self.now])
            .any(|standing| charged.contains(&standing.money))
    }

    fn was_awarded(&self) -> bool {
        let awarded = [PointsState::Awarded, PointsState::Reclaimed];
        self.way
            .iter()
            .chain([&self.now])
            .any(|standing| awarded.contains(&standing.points))
    }

    /// What was charged in all, before any refund of the whole; none without
    /// a charge.
    fn paid(&self) -> Option<i64> {
        let adjusted = standing(&self.account.payment_adjustments)
            .map(|entry| match entry.kind.as_str() {
                REFUND => -entry.amount,
                _ => entry.amount,
            })
            .sum::<i64>();
        Some(self.payment(CHARGE)? + adjusted)
    }

    /// The points that were awarded in all, before any reclaim; none without
    /// an award, with which its adjustments count.
    fn awarded(&self) -> Option<i64> {
        let adjusted = standing(&self.account.points_adjustments)
            .map(|entry| entry.amount)
            .sum::<i64>();
        Some(self.points(AWARD)? + adjusted)
    }

    /// Whether an amendment may be under way, which moves money and points
    /// before it is written.
    fn may_be_amended(&self) -> bool {
        let adjusted = !self.account.payment_adjustments.is_empty()
            || !self.account.points_adjustments.is_empty();
        adjusted && !self.now.status.is_final()
    }

    /// The code of why it was cancelled; empty where it was not.
    fn cancel_code(&self) -> &str {
        self.cancelled.as_ref().map_or("", |reason| &reason.code)
    }

    /// A report of the kitchen's, if it was taken.
    fn report(&self, report: KitchenReport) -> Option<&'a ReportRow> {
        let mut reports = self.account.reports.iter();
        reports.find(|row| row.event == report.as_str())
    }

    /// Whether the books tell of a report by the status that it brings about,
    /// which is written with it.
    fn shows(&self, report: KitchenReport) -> bool {
        let mut changes = self.way.iter().zip(&self.account.changes);
        let first = changes.find(|(then, _)| then.status == report.order_status());
        first.is_some_and(|(_, change)| change.has_content)
    }

    /// Whether all of it was written since there are reports in the books.
    fn has_reports(&self) -> bool {
        self.account.changes.iter().all(|change| change.has_content)
    }

    fn payment(&self, kind: &str) -> Option<i64> {
        amount(&self.account.payments, kind)
    }

    fn points(&self, kind: &str) -> Option<i64> {
        amount(&self.account.points, kind)
    }

    /// The tasks that owe what `parked` stands for.
    fn owing(&self, parked: &steps::Parked) -> Vec<&'a str> {
        tasks(self.account)
            .filter(|task| task.owes(parked))
            .map(|task| task.row.task_id.as_str())
            .collect()
    }

    fn owes(&self, parked: &steps::Parked) -> bool {
        !self.owing(parked).is_empty()
    }

    /// Whether a task that is parked has just had its effect, and is about to
    /// be closed: between the two its worker may be lost, and be replaced.
    fn was_just_redriven(&self, parked: &steps::Parked) -> bool {
        let (ledger, kind) = match parked.step {
            Step::RefundPayment => (&self.account.payments, REFUND),
            Step::AddLoyaltyPoints => (&self.account.points, AWARD),
            Step::ReclaimLoyaltyPoints => (&self.account.points, RECLAIM),
            _ => return false,
        };
        let parked = tasks(self.account)
            .filter(|task| task.row.queue == parked.queue)
            .any(Task::is_parked);
        parked
            && ledger
                .iter()
                .filter(|entry| entry.kind == kind || entry.kind == VOID)
                .any(|entry| !is_past(entry.booked_at_ms, TIME_TO_FINISH, self.now_ms))
    }
}

/// The entries that adjustments made and that were not taken back.
fn standing(adjustments: &[AdjustmentRow]) -> impl Iterator<Item = &LedgerRow> {
    not_void(adjustments).map(|row| &row.entry)
}

fn not_void(adjustments: &[AdjustmentRow]) -> impl Iterator<Item = &AdjustmentRow> {
    let is_void = |amendment: i64| {
        adjustments
            .iter()
            .any(|row| row.amendment == amendment && row.entry.kind == VOID)
    };
    adjustments
        .iter()
        .filter(move |row| !is_void(row.amendment))
}

fn amount(ledger: &[LedgerRow], kind: &str) -> Option<i64> {
    ledger
        .iter()
        .find(|entry| entry.kind == kind)
        .map(|entry| entry.amount)
}

fn is_past(since_ms: i64, limit: Duration, now_ms: i64) -> bool {
    let limit_ms = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    now_ms.saturating_sub(since_ms) > limit_ms
}

/// What is wrong with one order.
struct Findings(Vec<Violation>, String);

impl Findings {
    fn of(order_id: &str) -> Self {
        Self(Vec::new(), order_id.to_owned())
    }

    fn say(&mut self, invariant: Invariant, problem: impl Into<String>) {
        self.0.push(Violation {
            invariant,
            order_id: self.1.clone(),
            problem: problem.into(),
        });
    }

    fn say_if(&mut self, wrong: bool, invariant: Invariant, problem: impl Into<String>) {
        if wrong {
            self.say(invariant, problem);
        }
    }

    /// Nothing is booked of an order before its record is written.
    fn books_without_a_record(&mut self, account: &Account) {
        for (some, invariant, books) in [
            (!account.payments.is_empty(), Invariant::Charge, "payments"),
            (!account.points.is_empty(), Invariant::Points, "points"),
            (
                !account.payment_adjustments.is_empty(),
                Invariant::Charge,
                "payment adjustments",
            ),
            (
                !account.points_adjustments.is_empty(),
                Invariant::Points,
                "points adjustments",
            ),
            (!account.tasks.is_empty(), Invariant::Parked, "parked tasks"),
            (account.ticket.is_some(), Invariant::Kitchen, "a ticket"),
            (!account.reports.is_empty(), Invariant::Kitchen, "reports"),
            (
                !account.amendments.is_empty(),
                Invariant::Amendments,
                "amendments",
            ),
            (
                !account.notified.is_empty(),
                Invariant::Notified,
                "notifications",
            ),
            (!account.changes.is_empty(), Invariant::Statuses, "changes"),
        ] {
            self.say_if(
                some,
                invariant,
                format!("the store has {books} of an order that has no record"),
            );
        }
    }

    fn charge(&mut self, order: &Order<'_>) {
        use Invariant::Charge;
        self.kinds(Charge, &order.account.payments, &[CHARGE, REFUND, VOID]);
        self.owner(Charge, order, &order.account.payments, &[CHARGE]);
        let adjustments = entries_of(&order.account.payment_adjustments);
        self.kinds(Charge, &adjustments, &[CHARGE, REFUND, VOID]);
        self.owner(Charge, order, &adjustments, &[CHARGE, REFUND]);
        let money = order.now.money;
        match order.paid() {
            None => self.say_if(
                order.was_charged(),
                Charge,
                format!("its money is {money}, and there is no charge"),
            ),
            Some(amount) => {
                let (amount, total) = (Money::from_minor(amount), Money::from_minor(order.total));
                self.say_if(
                    amount != total && !order.may_be_amended(),
                    Charge,
                    format!("{amount} was charged for an order of {total}"),
                );
                self.say_if(
                    order.payment(VOID).is_some(),
                    Charge,
                    "it was charged although the charge was called off",
                );
                // While it is under way, the record may be a moment behind.
                self.say_if(
                    order.now.status.is_final() && money == MoneyState::NotCharged,
                    Charge,
                    format!("it ended as {money}, and there is a charge"),
                );
            }
        }
    }

    fn refund(&mut self, order: &Order<'_>) {
        use Invariant::Refund;
        self.owner(Refund, order, &order.account.payments, &[REFUND]);
        let (charge, refund) = (order.paid(), order.payment(REFUND));
        let delivered = order.now.status == OrderStatus::DeliveryConfirmed;
        let owing = order.owing(&payments::REFUND_PAYMENT_FAILED);
        if let Some(refund) = refund {
            self.say_if(
                charge.is_some_and(|charge| charge != refund),
                Refund,
                format!(
                    "{} was given back of a charge of {}",
                    Money::from_minor(refund),
                    Money::from_minor(charge.unwrap_or_default())
                ),
            );
            self.say_if(
                charge.is_none(),
                Refund,
                "it was refunded without having been charged",
            );
            self.say_if(delivered, Refund, "it was delivered and refunded");
        }
        self.say_if(
            refund.is_none() && order.now.money == MoneyState::Refunded,
            Refund,
            "its money is refunded, and there is no refund",
        );
        if let [task, ..] = owing[..] {
            self.say_if(
                delivered,
                Refund,
                format!("it was delivered, and {task} owes it a refund"),
            );
            let settled = refund.is_some() || order.payment(VOID).is_some();
            self.say_if(
                settled && !order.was_just_redriven(&payments::REFUND_PAYMENT_FAILED),
                Refund,
                format!("its money is settled, and {task} still owes it"),
            );
            self.say_if(
                owing.len() > 1,
                Refund,
                format!("{} tasks owe its refund: {}", owing.len(), owing.join(", ")),
            );
        }
        self.say_if(
            order.now.status == OrderStatus::Cancelled
                && charge.is_some()
                && refund.is_none()
                && owing.is_empty(),
            Refund,
            "it was charged and not delivered, and there is neither a refund nor a task that owes it",
        );
    }

    fn points(&mut self, order: &Order<'_>) {
        use Invariant::Points;
        self.kinds(Points, &order.account.points, &[AWARD, RECLAIM, VOID]);
        self.owner(Points, order, &order.account.points, &[AWARD, RECLAIM]);
        let adjustments = entries_of(&order.account.points_adjustments);
        self.kinds(Points, &adjustments, &[ADJUST, VOID]);
        self.owner(Points, order, &adjustments, &[ADJUST]);
        let (award, reclaim) = (order.awarded(), order.points(RECLAIM));
        let due = Money::from_minor(order.total).whole_units();
        let sum = award.unwrap_or_default() + reclaim.unwrap_or_default();
        let amended = order.may_be_amended();
        self.say_if(
            award.is_some_and(|award| award != due) && !amended,
            Points,
            format!(
                "{} points were awarded for an order that earns {due}",
                award.unwrap_or_default()
            ),
        );
        self.say_if(
            sum != 0 && sum != due && !amended,
            Points,
            format!("its points come to {sum}, which is neither 0 nor its award of {due}"),
        );
        self.say_if(
            reclaim.is_some() && award.is_none(),
            Points,
            "points were taken back that were not awarded",
        );
        self.say_if(
            award.is_some() && order.points(VOID).is_some(),
            Points,
            "points were awarded although the award was called off",
        );
        let state = order.now.points;
        if !agrees(order) {
            self.say(
                Points,
                format!(
                    "its points are {state}, and the ledger has {}",
                    entries(order)
                ),
            );
        }
        self.points_at_the_end(order, sum);
    }

    /// What a delivered order gave, and a cancelled one took back.
    fn points_at_the_end(&mut self, order: &Order<'_>, sum: i64) {
        if !order.points_settled {
            return;
        }
        if order.now.status == OrderStatus::DeliveryConfirmed {
            let given = order.points(AWARD).is_some() && order.points(RECLAIM).is_none();
            self.say_if(
                !given && !order.owes(&loyalty::ADD_LOYALTY_POINTS_FAILED),
                Invariant::Points,
                "it was delivered, and its points are neither given nor owed by a task",
            );
        } else {
            let owed = order.owes(&loyalty::REMOVE_LOYALTY_POINTS_FAILED)
                || order.owes(&payments::REFUND_PAYMENT_FAILED)
                || order.reclaim_follows;
            self.say_if(
                sum != 0 && !owed,
                Invariant::Points,
                format!("it was cancelled and keeps {sum} points that no task takes back"),
            );
        }
    }

    /// Nobody books anything else: a second charge would have another name.
    fn kinds(&mut self, invariant: Invariant, ledger: &[LedgerRow], known: &[&str]) {
        for entry in ledger {
            self.say_if(
                !known.contains(&entry.kind.as_str()),
                invariant,
                format!(
                    "the ledger has an entry of a kind that nobody books: {}",
                    entry.kind
                ),
            );
        }
    }

    /// What was booked was booked with the customer whose order it is.
    fn owner(
        &mut self,
        invariant: Invariant,
        order: &Order<'_>,
        ledger: &[LedgerRow],
        kinds: &[&str],
    ) {
        let of_kinds = |entry: &&LedgerRow| kinds.contains(&entry.kind.as_str());
        for entry in ledger.iter().filter(of_kinds) {
            self.say_if(
                entry.customer_id != order.customer_id,
                invariant,
                format!(
                    "the {} was booked with {}, and the order is of {}",
                    entry.kind, entry.customer_id, order.customer_id
                ),
            );
        }
    }

    fn parked(&mut self, order: &Order<'_>) {
        use Invariant::Parked;
        for task in tasks(order.account) {
            let row = task.row;
            self.say_if(
                task.state.is_none(),
                Parked,
                format!("{} is in no known state: {}", row.task_id, row.state),
            );
            let id = order.account.order_id.parse::<OrderId>();
            let named = id.map(|id| failed_task_workflow_id(&row.queue, id));
            self.say_if(
                named.as_ref() != Ok(&row.task_id),
                Parked,
                format!(
                    "{} is not the order's one task in {}",
                    row.task_id, row.queue
                ),
            );
        }
        for parked in steps::Parked::ALL {
            self.parked_as(order, parked);
        }
    }

    /// The record says that something waits exactly where a task does.
    fn parked_as(&mut self, order: &Order<'_>, parked: &steps::Parked) {
        let Standing { money, points, .. } = order.now;
        let (says_so, agrees, word) = match parked.step {
            Step::RefundPayment => (
                // The provider may have found that there was nothing to refund.
                money == MoneyState::RefundParked && order.payment(VOID).is_none(),
                money.rank() >= MoneyState::RefundParked.rank(),
                money.as_str(),
            ),
            Step::AddLoyaltyPoints => (
                points == PointsState::Parked,
                points.rank() >= PointsState::Parked.rank(),
                points.as_str(),
            ),
            Step::ReclaimLoyaltyPoints => (
                points == PointsState::ReclaimParked,
                points.rank() >= PointsState::ReclaimParked.rank(),
                points.as_str(),
            ),
            // Of others the record says nothing.
            _ => return,
        };
        let owing = order.owing(parked);
        let queue = parked.queue;
        self.say_if(
            says_so && owing.is_empty(),
            Invariant::Parked,
            format!("its record says {word}, and no task is parked in {queue}"),
        );
        if let [task, ..] = owing[..] {
            self.say_if(
                !agrees,
                Invariant::Parked,
                format!("{task} is owed, and its record says {word}"),
            );
        }
    }

    fn statuses(&mut self, order: &Order<'_>) {
        use Invariant::Statuses;
        let versions = order.account.changes.iter().map(|change| change.version);
        self.say_if(
            !versions.eq(1..=order.version),
            Statuses,
            format!("its changes are not those from 1 to {}", order.version),
        );
        let began = Standing {
            status: OrderStatus::Pending,
            money: MoneyState::NotCharged,
            points: PointsState::None,
        };
        self.say_if(
            order.way.first().is_some_and(|first| *first != began),
            Statuses,
            "it did not begin as Pending, not charged and without points",
        );
        for pair in order.way.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            self.say_if(
                from.status != to.status && !from.status.may_become(to.status),
                Statuses,
                format!("it went from {} to {}", from.status, to.status),
            );
            self.say_if(
                from.money.rank() > to.money.rank(),
                Statuses,
                format!("its money went from {} to {}", from.money, to.money),
            );
            self.say_if(
                from.points.rank() > to.points.rank(),
                Statuses,
                format!("its points went from {} to {}", from.points, to.points),
            );
        }
        self.say_if(
            order.way.last().is_some_and(|last| *last != order.now),
            Statuses,
            "its record is not what its last change made of it",
        );
    }

    /// What the kitchen was told and reported is whole, and of the order's end.
    fn kitchen(&mut self, order: &Order<'_>) {
        use Invariant::Kitchen;
        self.missing_reports(order);
        self.order_of_reports(order);
        let status = order.now.status;
        if !status.is_final() {
            return;
        }
        let contradicted = match status {
            OrderStatus::DeliveryConfirmed => KitchenReport::Rejected,
            _ => KitchenReport::Delivered,
        };
        self.say_if(
            order.report(contradicted).is_some(),
            Kitchen,
            format!("it is {status}, and the kitchen reported {contradicted}"),
        );
        self.ticket(order);
        self.rejection(order);
        self.reports_after_the_end(order);
    }

    /// No report comes without those before it, and no status without its report.
    fn missing_reports(&mut self, order: &Order<'_>) {
        let is_settled = order.now.status.is_final()
            && order.has_reports()
            && !FROM_OUTSIDE.contains(&order.cancel_code());
        for (place, report) in KitchenReport::WAY.into_iter().enumerate() {
            let may_be_missing = order.report(report).is_some()
                || (report == KitchenReport::Accepted && order.account.may_lack_acceptance);
            let mut later = KitchenReport::WAY[place + 1..].iter();
            let was_passed = is_settled && later.any(|later| order.report(*later).is_some());
            self.say_if(
                !may_be_missing && (was_passed || order.shows(report)),
                Invariant::Kitchen,
                format!("it got past the kitchen's report {report}, which is missing"),
            );
        }
    }

    /// A report that brought its status about was written before the next.
    fn order_of_reports(&mut self, order: &Order<'_>) {
        for pair in KitchenReport::WAY.windows(2) {
            let (Some(earlier), Some(later)) = (order.report(pair[0]), order.report(pair[1]))
            else {
                continue;
            };
            self.say_if(
                order.shows(pair[0])
                    && is_past(later.taken_at_ms, CLOCKS_DIFFER, earlier.taken_at_ms),
                Invariant::Kitchen,
                format!(
                    "the report {} was taken before {}",
                    later.event, earlier.event
                ),
            );
        }
    }

    /// The ticket of an order that is over.
    fn ticket(&mut self, order: &Order<'_>) {
        use Invariant::Kitchen;
        let status = order.now.status;
        let is_delivered = status == OrderStatus::DeliveryConfirmed;
        let Some(ticket) = &order.account.ticket else {
            let was_handed_over = is_delivered
                || !order.account.reports.is_empty()
                || [KITCHEN_REJECTED, KITCHEN_OVERDUE].contains(&order.cancel_code());
            self.say_if(
                was_handed_over,
                Kitchen,
                format!("it is {status}, and the kitchen has no ticket of it"),
            );
            return;
        };
        let expected = if is_delivered {
            "delivered"
        } else {
            "withdrawn"
        };
        self.say_if(
            ticket.stage != expected,
            Kitchen,
            format!("it is {status}, and its ticket is {}", ticket.stage),
        );
        self.say_if(
            is_delivered && ticket.content != *order.content,
            Kitchen,
            "the kitchen's ticket was about something else than the order",
        );
    }

    /// An order that the kitchen rejected was not cancelled by its customer: the
    /// first word ends it. And its reason is the kitchen's.
    fn rejection(&mut self, order: &Order<'_>) {
        use Invariant::Kitchen;
        let rejection = order.report(KitchenReport::Rejected);
        self.say_if(
            rejection.is_some() && order.cancel_code() == CANCELLED_BY_CUSTOMER,
            Kitchen,
            "its customer cancelled it, and the kitchen rejected it",
        );
        let Some(reason) = order.cancelled.as_ref() else {
            return;
        };
        if reason.code == KITCHEN_REJECTED {
            let is_the_kitchens = rejection.is_some_and(|report| {
                let given = report.reason.as_ref();
                given.is_none_or(|given| *given == reason.message)
            });
            self.say_if(
                !is_the_kitchens,
                Kitchen,
                "it was cancelled as rejected, and no report of the kitchen says so",
            );
        }
    }

    fn reports_after_the_end(&mut self, order: &Order<'_>) {
        let ended = order.way.iter().position(|then| then.status.is_final());
        let Some(ended) = ended.and_then(|place| order.account.changes.get(place)) else {
            return;
        };
        for report in &order.account.reports {
            self.say_if(
                is_past(ended.changed_at_ms, TIME_TO_WRITE, report.taken_at_ms),
                Invariant::Kitchen,
                format!("the report {} was taken after its end", report.event),
            );
        }
    }

    /// What was paid for and is cooked is what the customer amended last.
    fn amendments(&mut self, order: &Order<'_>) {
        let account = order.account;
        if let Some(last) = account.amendments.last() {
            self.say_if(
                last.content != *order.content || last.total != order.total,
                Invariant::Amendments,
                format!(
                    "its record is not what amendment {} made it",
                    last.amendment
                ),
            );
        }
        if !order.now.status.is_final() {
            return;
        }
        let numbers: BTreeSet<i64> = not_void(&account.payment_adjustments)
            .chain(not_void(&account.points_adjustments))
            .map(|row| row.amendment)
            .collect();
        for number in numbers {
            let was_made = account.amendments.iter().any(|it| it.amendment == number);
            self.say_if(
                !was_made,
                Invariant::Amendments,
                format!("amendment {number} moved money or points, and was not made"),
            );
        }
    }

    fn notified(&mut self, order: &Order<'_>) {
        use Invariant::Notified;
        let status = order.now.status;
        let notified = &order.account.notified;
        self.say_if(
            status != OrderStatus::Cancelled && !notified.is_empty(),
            Notified,
            format!("it is {status}, and its customer was told that it is cancelled"),
        );
        let task = &customers::NOTIFY_CUSTOMER_FAILED;
        let has_task = tasks(order.account).any(|it| it.row.queue == task.queue);
        self.say_if(
            status == OrderStatus::Cancelled && order.finished && notified.is_empty() && !has_task,
            Notified,
            "it was cancelled, its customer was not told, and no task is to tell them",
        );
        for told in notified {
            self.say_if(
                told.customer_id != order.customer_id,
                Notified,
                format!(
                    "{} was told of an order of {}",
                    told.customer_id, order.customer_id
                ),
            );
            self.say_if(
                told.kind != ORDER_FAILED,
                Notified,
                format!(
                    "its customer was sent a message of a kind that nobody sends: {}",
                    told.kind
                ),
            );
            let reason = order.cancelled.as_ref().map(ToString::to_string);
            self.say_if(
                reason.is_some_and(|reason| reason != told.message),
                Notified,
                "its customer was told another reason than its record has",
            );
        }
        self.say_if(
            order.cancelled.as_ref().is_some_and(is_of_an_engine),
            Notified,
            "the reason that its customer reads is the text of an engine",
        );
    }

    /// A branch that outlived its order could still have an effect.
    fn branches(&mut self, account: &Account, branches: &BTreeSet<String>, now_ms: i64) {
        let Some(record) = &account.record else {
            return;
        };
        let is_final = read(&record.standing).is_ok_and(|now| now.status.is_final());
        for id in branches {
            self.say_if(
                is_final && is_past(record.updated_at_ms, TIME_TO_FINISH, now_ms),
                Invariant::Ended,
                format!(
                    "it is {} for long, and {id} still runs",
                    record.standing.status
                ),
            );
        }
    }

    fn missing_in_temporal(&mut self, order: &Order<'_>, temporal: &InTemporal) {
        let status = order.now.status;
        self.say_if(
            !status.is_final() && !temporal.runs(),
            Invariant::Ended,
            format!("it is {status}, and its workflow does not run any more"),
        );
        for task in tasks(order.account).filter(|task| task.is_parked()) {
            let id = &task.row.task_id;
            self.say_if(
                !temporal.tasks.contains(id),
                Invariant::Parked,
                format!("{id} is parked in the books, and does not run in Temporal"),
            );
        }
    }

    fn workflow(&mut self, account: &Account, workflow: OrderWorkflow, now_ms: i64) {
        use Invariant::Ended;
        let Some(record) = &account.record else {
            let begins =
                workflow.running && !is_past(workflow.started_at_ms, TIME_TO_BEGIN, now_ms);
            self.say_if(
                !begins,
                Ended,
                "Temporal has its workflow, and the store has no record of it",
            );
            return;
        };
        let is_final = read(&record.standing).is_ok_and(|now| now.status.is_final());
        self.say_if(
            is_final && workflow.running && is_past(record.updated_at_ms, TIME_TO_FINISH, now_ms),
            Ended,
            format!(
                "it is {} for long, and its workflow still runs",
                record.standing.status
            ),
        );
    }
}

/// Whether a reason is worded as engines word their faults, which is for operators
/// alone.
fn is_of_an_engine(reason: &CancelReason) -> bool {
    let (code, sentence) = (reason.code.as_str(), reason.message.as_str());
    if FAULT_CODES.contains(&code) {
        return sentence != FAULT_SENTENCE;
    }
    // A person's words.
    if [KITCHEN_REJECTED, CANCELLED_BY_OPERATOR].contains(&code) {
        return false;
    }
    // `StartToClose`, for example.
    let is_type = |word: &str| {
        let inner = word.trim_start_matches(|c: char| !c.is_lowercase());
        word.starts_with(char::is_uppercase) && inner.contains(char::is_uppercase)
    };
    let lower = sentence.to_lowercase();
    ENGINES_WORDS.iter().any(|word| lower.contains(word))
        || sentence.split(|c: char| !c.is_alphanumeric()).any(is_type)
}

/// Whether the points that the record tells of are those of the ledger. While
/// the order is under way the ledger may be a moment ahead, never behind.
fn agrees(order: &Order<'_>) -> bool {
    let award = order.points(AWARD).is_some();
    let reclaim = order.points(RECLAIM).is_some();
    let void = order.points(VOID).is_some();
    let settled = order.points_settled;
    let awarding = !settled || order.was_just_redriven(&loyalty::ADD_LOYALTY_POINTS_FAILED);
    let reclaiming = !settled
        || order.reclaim_follows
        || order.was_just_redriven(&loyalty::REMOVE_LOYALTY_POINTS_FAILED);
    match order.now.points {
        PointsState::None | PointsState::Parked => awarding || !award,
        PointsState::Awarded => award && (reclaiming || !reclaim),
        PointsState::Reclaimed => reclaim || void,
        // The award may itself wait in a queue, before its reclaim does.
        PointsState::ReclaimParked => (award || !order.was_awarded()) && (reclaiming || !reclaim),
    }
}

fn entries_of(adjustments: &[AdjustmentRow]) -> Vec<LedgerRow> {
    adjustments.iter().map(|row| row.entry.clone()).collect()
}

/// The entries of the loyalty programme, for a sentence.
fn entries(order: &Order<'_>) -> String {
    let entries: Vec<String> = order
        .account
        .points
        .iter()
        .map(|entry| format!("{} {:+}", entry.kind, entry.amount))
        .collect();
    if entries.is_empty() {
        "none".to_owned()
    } else {
        entries.join(", ")
    }
}
