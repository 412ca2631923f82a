//! The kitchen's tickets, and the reports that were taken on them.
//!
//! The table of tickets is the shop's list for the kitchen. The saga's steps
//! alone write it; the kitchen reads it at the gateway's door.

use std::time::Duration;

use pizza_domain::{Flavour, KitchenReport, OrderId, Rejection, ReportId, Size, TicketReport};
use pizza_workflows::steps::{RecordedReport, Ticket};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::ended::Ended;
use super::orders::apply;
use super::{Store, StoreError, now_ms};

/// The stage of a ticket that nothing was reported on.
const RECEIVED: &str = "received";

/// The stage of a ticket that is not to be worked on any more.
const WITHDRAWN: &str = "withdrawn";

/// A ticket that the kitchen is to work on.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenTicket {
    /// The order, and the ticket.
    pub order_id: OrderId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: i64,
    /// The last report that was taken; none when it was only handed over.
    pub last: Option<KitchenReport>,
    /// When it was handed over, in milliseconds since the Unix epoch.
    pub received_at_ms: i64,
    /// Since when it is at its stage.
    pub stage_since_ms: i64,
    /// Until when the next report has to come. None for an order of before
    /// there were stages, until the first report on it.
    pub due_at_ms: Option<i64>,
    /// Where it stands in the list.
    pub place: TicketPlace,
    /// For a simulated kitchen: its wait before each report but the first.
    pub pace: Duration,
    /// For a simulated kitchen: it never reports on this one.
    pub silent: bool,
}

/// A place in the list of open tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketPlace {
    /// Until when the ticket's stage has to end; 0 when nobody knows.
    pub due_at_ms: i64,
    /// The ticket.
    pub order_id: OrderId,
}

impl Store {
    /// Books a ticket. Booking it again changes nothing. Whether it is to be
    /// worked on: one that was withdrawn or rejected, also before it came,
    /// stays so.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_ticket", level = "debug", skip_all)]
    pub async fn book_ticket(&self, ticket: &Ticket, silent: bool) -> Result<bool, StoreError> {
        self.within(async {
        let now = now_ms();
        let mut transaction = self.begin(ticket.order_id).await?;
        // Mostly there is none: whoever reports has the ticket. But who knows
        // the order may report on it before it is on the list.
        let reports = reports(&mut transaction, ticket.order_id).await?;
        let known = reports.into_iter().map(|report| report.report).max();
        let stage = match (known, ticket.accept_within_ms) {
            (Some(report), _) => report.as_str(),
            (None, Some(_)) => RECEIVED,
            // The kitchen of an order of before never says that it accepted.
            (None, None) => KitchenReport::Accepted.as_str(),
        };
        sqlx::query(
            "INSERT INTO kitchen_tickets \
             (order_id, flavour, size, quantity, stage, pace_ms, received_at_ms, due_at_ms, silent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(ticket.order_id.to_string())
        .bind(ticket.flavour.as_str().to_owned())
        .bind(ticket.size.as_str())
        .bind(i64::from(ticket.quantity.get()))
        .bind(stage)
        .bind(pace_ms(ticket))
        .bind(now)
        .bind(due_at_ms(ticket, now))
        .bind(i64::from(silent))
        .execute(&mut *transaction)
        .await?;
        let stage = stage_of(&mut transaction, ticket.order_id).await?;
        let given_up = [WITHDRAWN, KitchenReport::Rejected.as_str()];
        let is_open = !stage.is_some_and(|stage| given_up.contains(&stage.as_str()));
        transaction.commit().await?;
        Ok(is_open)
        }).await
    }

    /// The open tickets, the most urgent first, from behind a place on; at
    /// most `limit`.
    ///
    /// # Errors
    /// When the store does not answer, or holds what this version never
    /// writes.
    #[tracing::instrument(name = "store.open_tickets", level = "debug", skip_all)]
    pub async fn open_tickets(
        &self,
        after: Option<TicketPlace>,
        limit: u32,
    ) -> Result<Vec<OpenTicket>, StoreError> {
        self.within(async {
            let (due_at_ms, order) = match after {
                Some(place) => (place.due_at_ms, place.order_id.to_string()),
                None => (i64::MIN, String::new()),
            };
            let rows = sqlx::query(
            "SELECT order_id, flavour, size, quantity, stage, pace_ms, received_at_ms, due_at_ms, \
             silent, COALESCE(due_at_ms, 0) AS due, \
             COALESCE((SELECT MAX(taken_at_ms) FROM kitchen_reports \
             WHERE kitchen_reports.order_id = kitchen_tickets.order_id), received_at_ms) AS since \
             FROM kitchen_tickets \
             WHERE stage IN ('received', 'accepted', 'cooked', 'pickedUp') \
             AND (COALESCE(due_at_ms, 0) > $1 OR (COALESCE(due_at_ms, 0) = $1 AND order_id > $2)) \
             ORDER BY due, order_id LIMIT $3",
        )
        .bind(due_at_ms)
        .bind(order)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
            rows.iter().map(open_ticket).collect()
        })
        .await
    }

    /// Whether the kitchen was ever handed this ticket.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.has_ticket", level = "debug", skip_all)]
    pub async fn has_ticket(&self, order: OrderId) -> Result<bool, StoreError> {
        self.within(async {
            let found: Option<i64> = sqlx::query_scalar(
                "SELECT received_at_ms FROM kitchen_tickets WHERE order_id = $1",
            )
            .bind(order.to_string())
            .fetch_optional(&self.pool)
            .await?;
            Ok(found.is_some())
        })
        .await
    }

    /// The reports that were taken on a ticket.
    ///
    /// # Errors
    /// When the store does not answer, or holds what this version never
    /// writes.
    #[tracing::instrument(name = "store.kitchen_reports", level = "debug", skip_all)]
    pub async fn kitchen_reports(&self, order: OrderId) -> Result<Vec<TicketReport>, StoreError> {
        self.within(async {
            let mut connection = self.pool.acquire().await?;
            reports(&mut connection, order).await
        })
        .await
    }

    /// Until when the kitchen has to report on a ticket, in milliseconds since
    /// the Unix epoch; none when there is no ticket, or nothing is known.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.report_due", level = "debug", skip_all)]
    pub async fn report_due_at_ms(&self, order: OrderId) -> Result<Option<i64>, StoreError> {
        self.within(async {
            let due: Option<Option<i64>> =
                sqlx::query_scalar("SELECT due_at_ms FROM kitchen_tickets WHERE order_id = $1")
                    .bind(order.to_string())
                    .fetch_optional(&self.pool)
                    .await?;
            Ok(due.flatten())
        })
        .await
    }

    /// Writes a kitchen report that was taken: to the list of reports, to the
    /// order's record, to the ticket.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.record_report", level = "debug", skip_all)]
    pub async fn record_report(&self, report: &RecordedReport) -> Result<(), StoreError> {
        self.within(async {
            let mut transaction = self.begin(report.order_id).await?;
            list_report(
                &mut transaction,
                report.order_id,
                report.report,
                report.report_id.as_ref(),
                report.reason.as_ref(),
            )
            .await?;
            let mut ended = Ended::default();
            if report.report != KitchenReport::Rejected {
                let status = report.report.order_status();
                ended = apply(&mut transaction, report.order_id, status.into()).await?;
            }
            move_ticket(
                &mut transaction,
                report.order_id,
                report.report,
                report.due_at_ms,
            )
            .await?;
            transaction.commit().await?;
            self.measure(report.order_id, ended).await;
            Ok(())
        })
        .await
    }

    /// Changes what a ticket is about that the kitchen has not accepted.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.amend_ticket", level = "debug", skip_all)]
    pub async fn amend_ticket(&self, ticket: &Ticket) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query(
                "UPDATE kitchen_tickets SET flavour = $1, size = $2, quantity = $3, due_at_ms = $4 \
             WHERE order_id = $5 AND stage = 'received'",
            )
            .bind(ticket.flavour.as_str().to_owned())
            .bind(ticket.size.as_str())
            .bind(i64::from(ticket.quantity.get()))
            .bind(due_at_ms(ticket, now_ms()))
            .bind(ticket.order_id.to_string())
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// Ends the work on a ticket, unless it is done. One that is still on its
    /// way to the kitchen is not worked on when it arrives.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.withdraw_ticket", level = "debug", skip_all)]
    pub async fn withdraw_ticket(&self, order: OrderId) -> Result<(), StoreError> {
        self.within(async {
            let mut transaction = self.begin(order).await?;
            sqlx::query(
                "INSERT INTO kitchen_tickets \
                 (order_id, flavour, size, quantity, stage, pace_ms, received_at_ms) \
                 SELECT order_id, flavour, size, quantity, CAST($2 AS TEXT), 0, \
                 CAST($3 AS BIGINT) FROM orders \
                 WHERE order_id = $1 ON CONFLICT DO NOTHING",
            )
            .bind(order.to_string())
            .bind(WITHDRAWN)
            .bind(now_ms())
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "UPDATE kitchen_tickets SET stage = $2, next_report_at_ms = NULL \
                 WHERE order_id = $1 AND stage <> 'delivered'",
            )
            .bind(order.to_string())
            .bind(WITHDRAWN)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}

async fn stage_of(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<Option<String>, StoreError> {
    let stage = sqlx::query_scalar("SELECT stage FROM kitchen_tickets WHERE order_id = $1")
        .bind(order.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(stage)
}

/// Marks the ticket of a delivered order, whatever stands on it: a branch that
/// was reset after the delivery may have withdrawn it.
pub(super) async fn deliver_ticket(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kitchen_tickets SET stage = $2, due_at_ms = NULL, next_report_at_ms = NULL \
         WHERE order_id = $1 AND stage <> $2",
    )
    .bind(order.to_string())
    .bind(KitchenReport::Delivered.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Until when the kitchen has to accept a ticket.
fn due_at_ms(ticket: &Ticket, now_ms: i64) -> Option<i64> {
    let within_ms = i64::try_from(ticket.accept_within_ms?).unwrap_or(i64::MAX);
    Some(now_ms.saturating_add(within_ms))
}

/// Books a report in the list of those that were taken. Booking it again
/// changes nothing.
pub(super) async fn list_report(
    connection: &mut AnyConnection,
    order: OrderId,
    report: KitchenReport,
    report_id: Option<&ReportId>,
    reason: Option<&Rejection>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO kitchen_reports (order_id, event, report_id, reason, taken_at_ms) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(order.to_string())
    .bind(report.as_str())
    .bind(report_id.map(|id| id.as_str().to_owned()))
    .bind(reason.map(|reason| reason.as_str().to_owned()))
    .bind(now_ms())
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings a ticket to the stage of a report, unless its work has ended or it
/// is there already, or further: reports may be written out of their order.
async fn move_ticket(
    connection: &mut AnyConnection,
    order: OrderId,
    report: KitchenReport,
    due_at_ms: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kitchen_tickets SET stage = $1, due_at_ms = $2, next_report_at_ms = NULL \
         WHERE order_id = $3 AND (stage = 'received' \
         OR (stage = 'accepted' AND $1 <> 'accepted') \
         OR (stage = 'cooked' AND $1 <> 'accepted' AND $1 <> 'cooked') \
         OR (stage = 'pickedUp' AND ($1 = 'delivered' OR $1 = 'rejected')))",
    )
    .bind(report.as_str())
    .bind(due_at_ms)
    .bind(order.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn reports(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<Vec<TicketReport>, StoreError> {
    let rows =
        sqlx::query("SELECT event, report_id, reason FROM kitchen_reports WHERE order_id = $1")
            .bind(order.to_string())
            .fetch_all(connection)
            .await?;
    rows.iter().map(report).collect()
}

fn report(row: &AnyRow) -> Result<TicketReport, StoreError> {
    let event: String = row.try_get("event")?;
    let report_id: Option<String> = row.try_get("report_id")?;
    let reason: Option<String> = row.try_get("reason")?;
    Ok(TicketReport {
        report: event.parse()?,
        report_id: report_id.map(ReportId::try_from).transpose()?,
        reason: reason.as_deref().map(Rejection::kept).transpose()?,
    })
}

fn open_ticket(row: &AnyRow) -> Result<OpenTicket, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let order_id = text("order_id")?.parse()?;
    let stage = text("stage")?;
    Ok(OpenTicket {
        order_id,
        flavour: Flavour::kept(text("flavour")?)?,
        size: text("size")?.parse()?,
        quantity: number("quantity")?,
        last: match stage.as_str() {
            RECEIVED => None,
            reported => Some(reported.parse()?),
        },
        received_at_ms: number("received_at_ms")?,
        stage_since_ms: number("since")?,
        due_at_ms: row.try_get("due_at_ms")?,
        place: TicketPlace {
            due_at_ms: number("due")?,
            order_id,
        },
        pace: Duration::from_millis(u64::try_from(number("pace_ms")?).unwrap_or_default()),
        silent: number("silent")? != 0,
    })
}

fn pace_ms(ticket: &Ticket) -> i64 {
    i64::try_from(ticket.simulation.pace.duration().as_millis()).unwrap_or(i64::MAX)
}
