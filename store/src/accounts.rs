//! The accounts of orders, as an auditor reads them: every row that bears an
//! order's id, just as it stands. Nothing is taken for granted, so states are
//! the words that the rows hold, and an order may have books without a record.

use std::collections::HashMap;

use pizza_domain::{CancelReason, InvalidField};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{Store, StoreError};

/// Everything that the store holds about one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The order's id.
    pub order_id: String,
    /// Its record, if there is one.
    pub record: Option<RecordRow>,
    /// What an observer could have seen, by version.
    pub changes: Vec<ChangeRow>,
    /// The payment provider's entries.
    pub payments: Vec<LedgerRow>,
    /// The loyalty programme's entries.
    pub points: Vec<LedgerRow>,
    /// What amendments had the payment provider move.
    pub payment_adjustments: Vec<AdjustmentRow>,
    /// What amendments had the loyalty programme move.
    pub points_adjustments: Vec<AdjustmentRow>,
    /// What was parked of it.
    pub tasks: Vec<FailedTaskRow>,
    /// The kitchen's ticket, if there is one.
    pub ticket: Option<TicketRow>,
    /// The kitchen's reports that were taken.
    pub reports: Vec<ReportRow>,
    /// What the customer amended.
    pub amendments: Vec<AmendmentRow>,
    /// What its customer was told.
    pub notified: Vec<NotificationRow>,
    /// Whether this shop is older than the kitchen's acceptance of tickets: an
    /// order from a gateway of that time never lists that report.
    pub may_lack_acceptance: bool,
}

/// What is cooked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentRow {
    /// What is on it.
    pub flavour: String,
    /// How large.
    pub size: String,
    /// How many.
    pub quantity: i64,
}

/// The kitchen's ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketRow {
    /// The last thing that happened to it.
    pub stage: String,
    /// What it is about.
    pub content: ContentRow,
}

/// One report of the kitchen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportRow {
    /// What happened.
    pub event: String,
    /// Why, if it is a rejection that said so.
    pub reason: Option<String>,
    /// When it was taken, in milliseconds since the Unix epoch.
    pub taken_at_ms: i64,
}

/// One message to a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationRow {
    /// What kind of message it was.
    pub kind: String,
    /// Who was told.
    pub customer_id: String,
    /// What.
    pub message: String,
}

/// Why an order was cancelled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelRow {
    /// The step that failed.
    pub step: String,
    /// A stable code for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl CancelRow {
    /// The reason, understood.
    ///
    /// # Errors
    /// When there is no such step.
    pub fn reason(&self) -> Result<CancelReason, InvalidField> {
        Ok(CancelReason {
            step: self.step.parse()?,
            code: self.code.clone(),
            message: self.message.clone(),
        })
    }
}

/// One amendment that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmendmentRow {
    /// Its number.
    pub amendment: i64,
    /// What the order was about after it.
    pub content: ContentRow,
    /// What was to be paid then, in minor units.
    pub total: i64,
}

/// One entry of a ledger that an amendment caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRow {
    /// The amendment's number.
    pub amendment: i64,
    /// What was booked.
    pub entry: LedgerRow,
}

/// The three things that an order says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandingRow {
    /// Its status.
    pub status: String,
    /// What became of the money.
    pub money: String,
    /// What became of the points.
    pub points: String,
}

/// An order's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordRow {
    /// How it stands.
    pub standing: StandingRow,
    /// Whose order it is.
    pub customer_id: String,
    /// What it is about.
    pub content: ContentRow,
    /// What is to be paid, in minor units.
    pub total: i64,
    /// Why it was cancelled, if it says so.
    pub cancelled: Option<CancelRow>,
    /// The number of its last change.
    pub version: i64,
    /// When it last changed, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

/// One change of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number.
    pub version: i64,
    /// How the order stood after it.
    pub standing: StandingRow,
    /// Whether it says what the order was. One that does not was written before
    /// there were reports in the books.
    pub has_content: bool,
    /// When, in milliseconds since the Unix epoch.
    pub changed_at_ms: i64,
}

/// One entry of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// What was booked: a charge, a refund, an award.
    pub kind: String,
    /// Whose money or points.
    pub customer_id: String,
    /// Minor units of money, or points.
    pub amount: i64,
    /// When, in milliseconds since the Unix epoch.
    pub booked_at_ms: i64,
}

/// A parked task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTaskRow {
    /// The id of its workflow.
    pub task_id: String,
    /// Its queue.
    pub queue: String,
    /// Where it stands; see [`super::FailedTaskState`].
    pub state: String,
    /// Since when it is over, in milliseconds since the Unix epoch.
    pub resolved_at_ms: Option<i64>,
}

/// The tables whose rows bear an order's id, the first column of an index in
/// each.
const TRACES: [&str; 11] = [
    "orders",
    "order_changes",
    "payments",
    "loyalty_points",
    "payment_adjustments",
    "loyalty_adjustments",
    "failed_tasks",
    "kitchen_tickets",
    "kitchen_reports",
    "amendments",
    "notifications",
];

/// Every order that anything in the store is about, each once. Of each table
/// no more is read than the page can hold.
fn traces() -> String {
    let each = TRACES.map(|table| {
        format!(
            "SELECT order_id FROM (SELECT DISTINCT order_id FROM {table} \
             WHERE order_id > $1 ORDER BY order_id LIMIT $2) AS {table}_ids"
        )
    });
    format!("{} ORDER BY order_id LIMIT $2", each.join(" UNION "))
}

impl Store {
    /// The accounts of the orders that come after `order_id`, in the order of
    /// their ids, no more than `limit`; with an empty id from the beginning.
    /// Each page is the store as it was at one moment.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.accounts_after", level = "debug", skip_all)]
    pub async fn accounts_after(
        &self,
        order_id: &str,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        self.within(async {
            let mut snapshot = self.snapshot().await?;
            let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(traces()))
                .bind(order_id.to_owned())
                .bind(i64::from(limit))
                .fetch_all(&mut *snapshot)
                .await?;
            let accounts = read(&mut snapshot, ids).await?;
            snapshot.rollback().await?;
            Ok(accounts)
        })
        .await
    }

    /// The accounts of these orders, in the order of `ids`. One that the
    /// store knows nothing of is empty.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.accounts", level = "debug", skip_all)]
    pub async fn accounts(&self, ids: Vec<String>) -> Result<Vec<Account>, StoreError> {
        self.within(async {
            let mut snapshot = self.snapshot().await?;
            let accounts = read(&mut snapshot, ids).await?;
            snapshot.rollback().await?;
            Ok(accounts)
        })
        .await
    }
}

async fn read(
    connection: &mut AnyConnection,
    ids: Vec<String>,
) -> Result<Vec<Account>, StoreError> {
    let mut accounts = Accounts::of(ids);
    for row in accounts.rows(connection, "orders", "order_id").await? {
        let record = RecordRow {
            standing: standing(&row)?,
            customer_id: row.try_get("customer_id")?,
            content: content(&row)?,
            total: row.try_get("total")?,
            cancelled: cancel_row(&row)?,
            version: row.try_get("version")?,
            updated_at_ms: row.try_get("updated_at_ms")?,
        };
        accounts.of_row(&row, |account| account.record = Some(record))?;
    }
    for row in accounts
        .rows(connection, "order_changes", "version")
        .await?
    {
        let change = ChangeRow {
            version: row.try_get("version")?,
            standing: standing(&row)?,
            has_content: row.try_get::<Option<String>, _>("flavour")?.is_some(),
            changed_at_ms: row.try_get("changed_at_ms")?,
        };
        accounts.of_row(&row, |account| account.changes.push(change))?;
    }
    for row in accounts.rows(connection, "payments", "kind").await? {
        let entry = ledger_row(&row, "amount")?;
        accounts.of_row(&row, |account| account.payments.push(entry))?;
    }
    for row in accounts.rows(connection, "loyalty_points", "kind").await? {
        let entry = ledger_row(&row, "points")?;
        accounts.of_row(&row, |account| account.points.push(entry))?;
    }
    for row in accounts
        .rows(connection, "payment_adjustments", "amendment, kind")
        .await?
    {
        let entry = adjustment_row(&row, "amount")?;
        accounts.of_row(&row, |account| account.payment_adjustments.push(entry))?;
    }
    for row in accounts
        .rows(connection, "loyalty_adjustments", "amendment, kind")
        .await?
    {
        let entry = adjustment_row(&row, "points")?;
        accounts.of_row(&row, |account| account.points_adjustments.push(entry))?;
    }
    for row in accounts.rows(connection, "failed_tasks", "task_id").await? {
        let task = FailedTaskRow {
            task_id: row.try_get("task_id")?,
            queue: row.try_get("queue")?,
            state: row.try_get("state")?,
            resolved_at_ms: row.try_get("resolved_at_ms")?,
        };
        accounts.of_row(&row, |account| account.tasks.push(task))?;
    }
    read_kitchen_and_customer(connection, &mut accounts).await?;
    if is_older_than_content(connection).await? {
        let all = accounts.accounts.iter_mut();
        all.for_each(|account| account.may_lack_acceptance = true);
    }
    Ok(accounts.accounts)
}

/// Whether the store's oldest change does not say what its order was: so were
/// changes written before the kitchen accepted tickets.
async fn is_older_than_content(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let oldest = "SELECT flavour FROM order_changes \
                  ORDER BY changed_at_ms, order_id, version LIMIT 1";
    let oldest: Option<Option<String>> = sqlx::query_scalar(oldest)
        .fetch_optional(connection)
        .await?;
    Ok(oldest.is_some_and(|flavour| flavour.is_none()))
}

/// What the kitchen and the customer were told, and what they said.
async fn read_kitchen_and_customer(
    connection: &mut AnyConnection,
    accounts: &mut Accounts,
) -> Result<(), StoreError> {
    let tickets = accounts.rows(connection, "kitchen_tickets", "order_id");
    for row in tickets.await? {
        let ticket = TicketRow {
            stage: row.try_get("stage")?,
            content: content(&row)?,
        };
        accounts.of_row(&row, |account| account.ticket = Some(ticket))?;
    }
    let reports = accounts.rows(connection, "kitchen_reports", "taken_at_ms");
    for row in reports.await? {
        let report = ReportRow {
            event: row.try_get("event")?,
            reason: row.try_get("reason")?,
            taken_at_ms: row.try_get("taken_at_ms")?,
        };
        accounts.of_row(&row, |account| account.reports.push(report))?;
    }
    for row in accounts.rows(connection, "amendments", "amendment").await? {
        let amendment = AmendmentRow {
            amendment: row.try_get("amendment")?,
            content: content(&row)?,
            total: row.try_get("total")?,
        };
        accounts.of_row(&row, |account| account.amendments.push(amendment))?;
    }
    for row in accounts.rows(connection, "notifications", "kind").await? {
        let notification = NotificationRow {
            kind: row.try_get("kind")?,
            customer_id: row.try_get("customer_id")?,
            message: row.try_get("message")?,
        };
        accounts.of_row(&row, |account| account.notified.push(notification))?;
    }
    Ok(())
}

/// Why the order of a row was cancelled, if it says so.
pub(super) fn cancel_row(row: &AnyRow) -> Result<Option<CancelRow>, StoreError> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let (Some(step), Some(code), Some(message)) = (
        text("cancel_step")?,
        text("cancel_code")?,
        text("cancel_message")?,
    ) else {
        return Ok(None);
    };
    Ok(Some(CancelRow {
        step,
        code,
        message,
    }))
}

fn content(row: &AnyRow) -> Result<ContentRow, StoreError> {
    Ok(ContentRow {
        flavour: row.try_get("flavour")?,
        size: row.try_get("size")?,
        quantity: row.try_get("quantity")?,
    })
}

fn ledger_row(row: &AnyRow, figure: &str) -> Result<LedgerRow, StoreError> {
    Ok(LedgerRow {
        kind: row.try_get("kind")?,
        customer_id: row.try_get("customer_id")?,
        amount: row.try_get(figure)?,
        booked_at_ms: row.try_get("booked_at_ms")?,
    })
}

fn adjustment_row(row: &AnyRow, figure: &str) -> Result<AdjustmentRow, StoreError> {
    Ok(AdjustmentRow {
        amendment: row.try_get("amendment")?,
        entry: ledger_row(row, figure)?,
    })
}

fn standing(row: &AnyRow) -> Result<StandingRow, StoreError> {
    Ok(StandingRow {
        status: row.try_get("status")?,
        money: row.try_get("money")?,
        points: row.try_get("points")?,
    })
}

/// Accounts that are being read.
struct Accounts {
    ids: Vec<String>,
    places: HashMap<String, usize>,
    accounts: Vec<Account>,
}

impl Accounts {
    fn of(ids: Vec<String>) -> Self {
        let empty = |id: &String| Account {
            order_id: id.clone(),
            ..Account::default()
        };
        Self {
            accounts: ids.iter().map(empty).collect(),
            places: ids.iter().cloned().zip(0..).collect(),
            ids,
        }
    }

    /// The rows of a table that are about these orders, in the order of a
    /// column.
    async fn rows(
        &self,
        connection: &mut AnyConnection,
        table: &str,
        column: &str,
    ) -> Result<Vec<AnyRow>, StoreError> {
        if self.ids.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=self.ids.len())
            .map(|place| format!("${place}"))
            .collect();
        let query = format!(
            "SELECT * FROM {table} WHERE order_id IN ({}) ORDER BY {column}",
            places.join(", ")
        );
        // All columns, whichever there are: not to be prepared for later.
        let mut query = sqlx::query(AssertSqlSafe(query)).persistent(false);
        for id in &self.ids {
            query = query.bind(id.clone());
        }
        Ok(query.fetch_all(connection).await?)
    }

    fn of_row(&mut self, row: &AnyRow, write: impl FnOnce(&mut Account)) -> Result<(), StoreError> {
        let id: String = row.try_get("order_id")?;
        if let Some(place) = self.places.get(&id) {
            write(&mut self.accounts[*place]);
        }
        Ok(())
    }
}
