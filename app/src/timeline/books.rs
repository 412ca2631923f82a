//! What happened to an order, by the store.

use pizza_domain::{Money, MoneyState, PointsState};
use pizza_store::{
    AmendmentEvent, BusinessHistory, ChangeEvent, FailedTaskState, LedgerEvent, NotificationEvent,
    ParkedTaskEvent, PizzaThen, ReportEvent,
};

use super::{Detail, Entry, Kind, Outcome, of_store};

/// Everything that the store tells.
pub(super) fn entries(history: &BusinessHistory) -> Vec<Entry> {
    let mut entries = changes(&history.changes);
    entries.extend(history.amendments.iter().map(amendment));
    let payments = history.payments.iter();
    entries.extend(payments.map(|entry| ledger(Kind::Payment, entry)));
    let points = history.points.iter();
    entries.extend(points.map(|entry| ledger(Kind::Points, entry)));
    entries.extend(history.reports.iter().map(report));
    entries.extend(history.notifications.iter().map(notification));
    entries.extend(history.tasks.iter().flat_map(task));
    entries
}

/// What a parking is called.
pub(super) fn parked_in(queue: &str) -> String {
    format!("parked in {queue}")
}

/// A pizza in words.
pub(super) fn pizza(pizza: &PizzaThen) -> String {
    let total = Money::from_minor(pizza.total);
    format!(
        "{} x {}, {}: {total}",
        pizza.quantity, pizza.flavour, pizza.size
    )
}

/// What the order was about.
pub(super) fn of_pizza(pizza: &PizzaThen) -> Detail {
    Detail {
        flavour: Some(pizza.flavour.clone()),
        size: Some(pizza.size.clone()),
        quantity: Some(pizza.quantity),
        total: Some(pizza.total),
        ..Detail::default()
    }
}

/// Each change, with what it changed about the one before.
fn changes(changes: &[ChangeEvent]) -> Vec<Entry> {
    let nothing = ChangeEvent {
        money: MoneyState::default().to_string(),
        points: PointsState::default().to_string(),
        ..ChangeEvent::default()
    };
    let before = std::iter::once(&nothing).chain(changes);
    before
        .zip(changes)
        .map(|(before, after)| change(before, after))
        .collect()
}

fn change(before: &ChangeEvent, after: &ChangeEvent) -> Entry {
    let changed = |before: &str, after: &str| (before != after).then(|| after.to_owned());
    let status = changed(&before.status, &after.status);
    let money = changed(&before.money, &after.money);
    let points = changed(&before.points, &after.points);
    // The first says what was ordered, which everybody knows.
    let pizza = after
        .pizza
        .as_ref()
        .filter(|after| before.pizza.as_ref().is_some_and(|it| it != *after));
    let words = [
        status.clone(),
        money.as_ref().map(|money| format!("money {money}")),
        points.as_ref().map(|points| format!("points {points}")),
        pizza.map(self::pizza),
    ];
    let words: Vec<_> = words.into_iter().flatten().collect();
    let kind = match status {
        Some(_) => Kind::Status,
        None => Kind::Change,
    };
    let mut entry = of_store(kind, after.at_ms, words.join(", "));
    entry.detail = Detail {
        version: Some(after.version),
        status,
        money,
        points,
        ..pizza.map(of_pizza).unwrap_or_default()
    };
    entry
}

fn amendment(amendment: &AmendmentEvent) -> Entry {
    let what = self::pizza(&amendment.pizza);
    let mut entry = of_store(Kind::Amendment, amendment.at_ms, what);
    entry.detail = Detail {
        amendment: Some(amendment.amendment),
        ..of_pizza(&amendment.pizza)
    };
    entry
}

fn ledger(kind: Kind, booked: &LedgerEvent) -> Entry {
    let amount = match kind {
        Kind::Payment => Money::from_minor(booked.amount).to_string(),
        _ => booked.amount.to_string(),
    };
    let what = match booked.amendment {
        Some(amendment) => format!("{} {amount} (amendment {amendment})", booked.entry),
        None => format!("{} {amount}", booked.entry),
    };
    let mut entry = of_store(kind, booked.at_ms, what);
    entry.detail = Detail {
        entry: Some(booked.entry.clone()),
        amount: Some(booked.amount),
        amendment: booked.amendment,
        ..Detail::default()
    };
    entry
}

fn report(report: &ReportEvent) -> Entry {
    let what = match &report.reason {
        Some(reason) => format!("{}: {reason}", report.event),
        None => report.event.clone(),
    };
    let mut entry = of_store(Kind::Report, report.at_ms, what);
    entry.detail = Detail {
        event: Some(report.event.clone()),
        report_id: report.report_id.clone(),
        reason: report.reason.clone(),
        ..Detail::default()
    };
    entry
}

fn notification(told: &NotificationEvent) -> Entry {
    let mut entry = of_store(Kind::Notification, told.at_ms, told.message.clone());
    entry.detail.message = Some(told.message.clone());
    entry
}

/// A parking, and the end of it.
fn task(task: &ParkedTaskEvent) -> impl Iterator<Item = Entry> {
    let parked = task_entry(
        task,
        task.parked_at_ms,
        parked_in(&task.queue),
        FailedTaskState::Parked,
    );
    let end = task.resolved_at_ms.map(|at_ms| {
        let discarded = FailedTaskState::Discarded;
        let state = if task.state == discarded.as_str() {
            discarded
        } else {
            FailedTaskState::Done
        };
        let what = format!("{} {}", task.queue, state.as_str());
        let mut entry = task_entry(task, at_ms, what, state);
        entry.outcome = Some(match state {
            FailedTaskState::Discarded => Outcome::Cancelled,
            _ => Outcome::Ok,
        });
        entry.detail.principal.clone_from(&task.resolved_by);
        entry.detail.reason.clone_from(&task.reason);
        entry
    });
    std::iter::once(parked).chain(end)
}

fn task_entry(task: &ParkedTaskEvent, at_ms: i64, what: String, state: FailedTaskState) -> Entry {
    let mut entry = of_store(Kind::ParkedTask, at_ms, what);
    entry.detail = Detail {
        task_id: Some(task.task_id.clone()),
        queue: Some(task.queue.clone()),
        message_type: Some(task.message_type.clone()),
        state: Some(state.as_str().to_owned()),
        ..Detail::default()
    };
    entry
}
