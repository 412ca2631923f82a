//! All that the store knows of what happened to one order, for its timeline.

use pizza_domain::OrderId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{Store, StoreError};

/// The most rows of a kind that are told of one order; the first ones.
const MOST_ROWS: i64 = 1_000;

/// What happened to one order, as the store has it. States are the words that
/// the rows hold; times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessHistory {
    /// What an observer could have seen, by version.
    pub changes: Vec<ChangeEvent>,
    /// What the customer changed.
    pub amendments: Vec<AmendmentEvent>,
    /// The payment provider's entries.
    pub payments: Vec<LedgerEvent>,
    /// The loyalty programme's entries.
    pub points: Vec<LedgerEvent>,
    /// The kitchen's reports that were taken.
    pub reports: Vec<ReportEvent>,
    /// What the customer was told.
    pub notifications: Vec<NotificationEvent>,
    /// What was parked, and what became of it.
    pub tasks: Vec<ParkedTaskEvent>,
    /// Whether there is more of a kind than is told.
    pub truncated: bool,
}

/// How an order stood after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The change's number.
    pub version: i64,
    /// When.
    pub at_ms: i64,
    /// The status.
    pub status: String,
    /// What became of the money.
    pub money: String,
    /// What became of the points.
    pub points: String,
    /// The pizza then. Changes of before there were amendments have none.
    pub pizza: Option<PizzaThen>,
}

/// What an order was about at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PizzaThen {
    /// What is on it.
    pub flavour: String,
    /// How large.
    pub size: String,
    /// How many.
    pub quantity: i64,
    /// What is to be paid, in minor units.
    pub total: i64,
}

/// An amendment that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmendmentEvent {
    /// Its number, from 1.
    pub amendment: i64,
    /// When.
    pub at_ms: i64,
    /// The pizza from then on.
    pub pizza: PizzaThen,
}

/// An entry of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerEvent {
    /// What was booked: `charge`, `refund`, `void`, `award` and so on.
    pub entry: String,
    /// The amendment that it belongs to; none for the order itself.
    pub amendment: Option<i64>,
    /// Minor units of money, or points.
    pub amount: i64,
    /// When.
    pub at_ms: i64,
}

/// A kitchen report that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportEvent {
    /// What was reported.
    pub event: String,
    /// The report's own id, if it had one.
    pub report_id: Option<String>,
    /// Why, when it is a rejection.
    pub reason: Option<String>,
    /// When.
    pub at_ms: i64,
}

/// Something that the customer was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationEvent {
    /// What it was about.
    pub kind: String,
    /// The words.
    pub message: String,
    /// When.
    pub at_ms: i64,
}

/// A parked task, and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedTaskEvent {
    /// The id of its workflow.
    pub task_id: String,
    /// Its queue.
    pub queue: String,
    /// What it is about.
    pub message_type: String,
    /// Where it stands; see [`super::FailedTaskState`].
    pub state: String,
    /// When it was parked.
    pub parked_at_ms: i64,
    /// Since when it is over.
    pub resolved_at_ms: Option<i64>,
    /// Who ended it.
    pub resolved_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Store {
    /// What happened to an order, as the store was at one moment. Of an order
    /// that it does not know there is nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.business_history", level = "debug", skip_all)]
    pub async fn business_history(&self, order: OrderId) -> Result<BusinessHistory, StoreError> {
        self.within(async {
            let mut snapshot = self.snapshot().await?;
            let history = read(&mut snapshot, order).await?;
            snapshot.rollback().await?;
            Ok(history)
        })
        .await
    }
}

async fn read(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<BusinessHistory, StoreError> {
    let mut rows = Rows {
        connection,
        order: order.to_string(),
        truncated: false,
    };
    let mut payments = rows
        .of("payments", "booked_at_ms, kind", |row| {
            ledger(row, "amount", None)
        })
        .await?;
    payments.extend(
        rows.of(
            "payment_adjustments",
            "booked_at_ms, amendment, kind",
            |row| ledger(row, "amount", Some("amendment")),
        )
        .await?,
    );
    let mut points = rows
        .of("loyalty_points", "booked_at_ms, kind", |row| {
            ledger(row, "points", None)
        })
        .await?;
    points.extend(
        rows.of(
            "loyalty_adjustments",
            "booked_at_ms, amendment, kind",
            |row| ledger(row, "points", Some("amendment")),
        )
        .await?,
    );
    Ok(BusinessHistory {
        changes: rows.of("order_changes", "version", change).await?,
        amendments: rows.of("amendments", "amendment", amendment).await?,
        payments,
        points,
        reports: rows
            .of("kitchen_reports", "taken_at_ms, event", report)
            .await?,
        notifications: rows
            .of("notifications", "sent_at_ms, kind", notification)
            .await?,
        tasks: rows
            .of("failed_tasks", "parked_at_ms, task_id", task)
            .await?,
        truncated: rows.truncated,
    })
}

/// The rows of one order.
struct Rows<'a> {
    connection: &'a mut AnyConnection,
    order: String,
    /// Whether a table had more than are told.
    truncated: bool,
}

impl Rows<'_> {
    /// What a table says of the order, in the order of its columns `by`.
    async fn of<T>(
        &mut self,
        table: &str,
        by: &str,
        read: impl Fn(&AnyRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let query = format!("SELECT * FROM {table} WHERE order_id = $1 ORDER BY {by} LIMIT $2");
        // All columns, whichever there are: not to be prepared for later.
        let rows = sqlx::query(AssertSqlSafe(query))
            .persistent(false)
            .bind(self.order.clone())
            .bind(MOST_ROWS + 1)
            .fetch_all(&mut *self.connection)
            .await?;
        let most = usize::try_from(MOST_ROWS).unwrap_or(usize::MAX);
        self.truncated |= rows.len() > most;
        Ok(rows.iter().take(most).map(read).collect::<Result<_, _>>()?)
    }
}

fn change(row: &AnyRow) -> Result<ChangeEvent, sqlx::Error> {
    let is_known = row.try_get::<Option<String>, _>("flavour")?.is_some();
    Ok(ChangeEvent {
        version: row.try_get("version")?,
        at_ms: row.try_get("changed_at_ms")?,
        status: row.try_get("status")?,
        money: row.try_get("money")?,
        points: row.try_get("points")?,
        pizza: is_known.then(|| pizza(row)).transpose()?,
    })
}

fn pizza(row: &AnyRow) -> Result<PizzaThen, sqlx::Error> {
    Ok(PizzaThen {
        flavour: row.try_get("flavour")?,
        size: row.try_get("size")?,
        quantity: row.try_get("quantity")?,
        total: row.try_get("total")?,
    })
}

fn amendment(row: &AnyRow) -> Result<AmendmentEvent, sqlx::Error> {
    Ok(AmendmentEvent {
        amendment: row.try_get("amendment")?,
        at_ms: row.try_get("amended_at_ms")?,
        pizza: pizza(row)?,
    })
}

fn ledger(row: &AnyRow, amount: &str, amendment: Option<&str>) -> Result<LedgerEvent, sqlx::Error> {
    Ok(LedgerEvent {
        entry: row.try_get("kind")?,
        amendment: amendment.map(|column| row.try_get(column)).transpose()?,
        amount: row.try_get(amount)?,
        at_ms: row.try_get("booked_at_ms")?,
    })
}

fn report(row: &AnyRow) -> Result<ReportEvent, sqlx::Error> {
    Ok(ReportEvent {
        event: row.try_get("event")?,
        report_id: row.try_get("report_id")?,
        reason: row.try_get("reason")?,
        at_ms: row.try_get("taken_at_ms")?,
    })
}

fn notification(row: &AnyRow) -> Result<NotificationEvent, sqlx::Error> {
    Ok(NotificationEvent {
        kind: row.try_get("kind")?,
        message: row.try_get("message")?,
        at_ms: row.try_get("sent_at_ms")?,
    })
}

fn task(row: &AnyRow) -> Result<ParkedTaskEvent, sqlx::Error> {
    Ok(ParkedTaskEvent {
        task_id: row.try_get("task_id")?,
        queue: row.try_get("queue")?,
        message_type: row.try_get("message_type")?,
        state: row.try_get("state")?,
        parked_at_ms: row.try_get("parked_at_ms")?,
        resolved_at_ms: row.try_get("resolved_at_ms")?,
        resolved_by: row.try_get("resolved_by")?,
        reason: row.try_get("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pizza_domain::{Order, OrderRequest, OrderStatus, Prices, StageDeadlines};
    use uuid::Uuid;

    use super::super::test_databases::{TestEngine, database, on_each_engine};
    use super::*;

    const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    async fn write(store: &Store, statement: &'static str) {
        let query = sqlx::query(statement).bind(ID);
        query.execute(&store.pool).await.expect("written");
    }

    fn order(id: &str) -> Order {
        let stages = StageDeadlines::all(Duration::from_secs(10));
        let id = id.parse().expect("an id");
        Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, 7)
    }

    async fn everything_about_an_order_is_told_and_nothing_about_another(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let order = order(ID);
        let other = self::order(&Uuid::new_v4().to_string());
        for order in [&order, &other] {
            store.create_order(order).await.expect("written");
            let next = OrderStatus::PaymentProcessing;
            let changed = store.change_order(order.order_id, next).await;
            changed.expect("written");
        }
        for statement in [
            "INSERT INTO amendments VALUES ($1, 1, 'hawaiian', 'large', 2, 2400, 20)",
            "INSERT INTO payments VALUES ($1, 'charge', 'guest', 1200, 'key-1', 10)",
            "INSERT INTO payment_adjustments VALUES ($1, 1, 'charge', 'guest', 1200, 'key-2', 21)",
            "INSERT INTO loyalty_points VALUES ($1, 'award', 'guest', 12, 'key-3', 11)",
            "INSERT INTO loyalty_adjustments VALUES ($1, 1, 'adjust', 'guest', 12, 'key-4', 22)",
            "INSERT INTO kitchen_reports VALUES ($1, 'rejected', 'r-1', 'no oven', 30)",
            "INSERT INTO notifications VALUES ($1, 'orderFailed', 'guest', 'sorry', 'key-5', 40)",
            "INSERT INTO failed_tasks VALUES ('task', $1, 'guest', 'refund-payment', \
             'RefundPaymentFailed', 'discarded', 50, 60, 'ann', 'paid by hand')",
        ] {
            write(store, statement).await;
        }
        let told = store.business_history(order.order_id).await.expect("told");
        let changes: Vec<_> = told.changes.iter().map(|it| it.status.as_str()).collect();
        assert_eq!(changes, ["Pending", "PaymentProcessing"]);
        let first = told.changes[0].pizza.as_ref().expect("a pizza");
        assert_eq!((first.flavour.as_str(), first.total), ("plain", 1200));
        assert_eq!(told.amendments[0].pizza.flavour, "hawaiian");
        let entries = |list: &[LedgerEvent]| -> Vec<_> {
            list.iter()
                .map(|it| (it.entry.clone(), it.amount, it.amendment, it.at_ms))
                .collect()
        };
        let entry = |name: &str, amount, amendment, at| (name.to_owned(), amount, amendment, at);
        assert_eq!(
            entries(&told.payments),
            [
                entry("charge", 1200, None, 10),
                entry("charge", 1200, Some(1), 21)
            ]
        );
        assert_eq!(
            entries(&told.points),
            [
                entry("award", 12, None, 11),
                entry("adjust", 12, Some(1), 22)
            ]
        );
        assert_eq!(told.reports[0].reason.as_deref(), Some("no oven"));
        assert_eq!(told.notifications[0].message, "sorry");
        assert_eq!(told.tasks[0].resolved_by.as_deref(), Some("ann"));
        assert!(!told.truncated);

        let told = store.business_history(other.order_id).await.expect("told");
        assert_eq!(told.changes.len(), 2);
        let rest = (&told.amendments, &told.payments, &told.tasks, &told.reports);
        assert_eq!(rest, (&vec![], &vec![], &vec![], &vec![]));
    }

    async fn no_more_than_a_thousand_of_a_kind_are_told(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let id = ID.parse().expect("an id");
        let mut total = 0;
        for (number, truncated) in [(1_000, false), (1_001, true)] {
            while total < number {
                total += 1;
                let query = sqlx::query(
                    "INSERT INTO amendments VALUES ($1, $2, 'plain', 'small', 1, 900, 1)",
                );
                let query = query.bind(ID).bind(i64::from(total));
                query.execute(&store.pool).await.expect("written");
            }
            let told = store.business_history(id).await.expect("told");
            assert_eq!((told.amendments.len(), told.truncated), (1_000, truncated));
        }
    }

    on_each_engine!(
        everything_about_an_order_is_told_and_nothing_about_another,
        no_more_than_a_thousand_of_a_kind_are_told,
    );
}
