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
    pub async fn business_history(&self, order: OrderId) -> Result<BusinessHistory, StoreError> {
        let mut snapshot = self.pool.begin().await?;
        let history = read(&mut snapshot, order).await?;
        snapshot.rollback().await?;
        Ok(history)
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
        let rows = sqlx::query(AssertSqlSafe(query))
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
