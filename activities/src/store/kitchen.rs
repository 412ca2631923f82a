//! The simulated kitchen's tickets.

use pizza_domain::{KitchenReport, OrderId, Rejection, ReportId};
use pizza_workflows::steps::{RecordedReport, Ticket};
use sqlx::{AnyConnection, Row};

use super::{Store, StoreError, now_ms};
use crate::simulated_kitchen::DueReport;

/// The stage of a ticket that nothing was reported on.
const RECEIVED: &str = "received";
/// The stage of a ticket that is not worked on any more.
const WITHDRAWN: &str = "withdrawn";

impl Store {
    /// Books a ticket; one that the kitchen does not answer never gets due.
    pub(crate) async fn book_ticket(
        &self,
        ticket: &Ticket,
        answers: bool,
    ) -> Result<(), StoreError> {
        let now = now_ms();
        let pace_ms = pace_ms(ticket);
        sqlx::query(
            "INSERT INTO kitchen_tickets \
             (order_id, flavour, size, quantity, stage, pace_ms, next_report_at_ms, \
             received_at_ms, due_at_ms, silent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        )
        .bind(ticket.order_id.to_string())
        .bind(ticket.flavour.as_str().to_owned())
        .bind(ticket.size.as_str())
        .bind(i64::from(ticket.quantity.get()))
        .bind(RECEIVED)
        .bind(pace_ms)
        .bind(answers.then_some(now))
        .bind(now)
        .bind(due_at_ms(ticket, now))
        .bind(i64::from(!answers))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes a kitchen report that was taken: to the list of reports, to the
    /// order's record, to the ticket.
    pub(crate) async fn record_report(&self, report: &RecordedReport) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        list_report(
            &mut transaction,
            report.order_id,
            report.report,
            report.report_id.as_ref(),
            report.reason.as_ref(),
        )
        .await?;
        if report.report != KitchenReport::Rejected {
            let status = report.report.order_status();
            super::orders::apply(&mut transaction, report.order_id, status.into()).await?;
        }
        move_ticket(
            &mut transaction,
            report.order_id,
            report.report,
            report.due_at_ms,
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Changes what a ticket is about that the kitchen has not accepted.
    pub(crate) async fn amend_ticket(&self, ticket: &Ticket) -> Result<(), StoreError> {
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
    }

    /// Brings a ticket to the stage of a report that was taken.
    pub(crate) async fn advance_ticket(
        &self,
        order: OrderId,
        report: KitchenReport,
    ) -> Result<(), StoreError> {
        let is_last = report == KitchenReport::Delivered;
        // After the last report nothing is due: empty plus the pace is empty.
        // Nor does a ticket get due that the kitchen does not answer.
        sqlx::query(
            "UPDATE kitchen_tickets SET stage = $1, next_report_at_ms = \
             CASE WHEN next_report_at_ms IS NULL THEN NULL ELSE $2 + pace_ms END \
             WHERE order_id = $3 AND stage <> 'withdrawn' AND stage <> 'delivered'",
        )
        .bind(report.as_str())
        .bind((!is_last).then(now_ms))
        .bind(order.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends the work on a ticket, unless it is done.
    pub(crate) async fn withdraw_ticket(&self, order: OrderId) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE kitchen_tickets SET stage = $1, next_report_at_ms = NULL \
             WHERE order_id = $2 AND stage <> 'delivered'",
        )
        .bind(WITHDRAWN)
        .bind(order.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes due reports for a while: see `SimulatedKitchen::take_due`.
    pub(crate) async fn take_due_reports(
        &self,
        limit: i64,
        lease_ms: i64,
    ) -> Result<Vec<DueReport>, StoreError> {
        let now = now_ms();
        // Looking comes first, and needs no lock: mostly nothing is due.
        let due = sqlx::query(
            "SELECT order_id, stage, next_report_at_ms FROM kitchen_tickets \
             WHERE next_report_at_ms <= $1 ORDER BY next_report_at_ms LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut taken = Vec::with_capacity(due.len());
        for row in due {
            let order: String = row.try_get("order_id")?;
            let stage: String = row.try_get("stage")?;
            let due_at: i64 = row.try_get("next_report_at_ms")?;
            let Some(report) = report_after(&stage)? else {
                continue;
            };
            let lease = sqlx::query(
                "UPDATE kitchen_tickets SET next_report_at_ms = $1 \
                 WHERE order_id = $2 AND stage = $3 AND next_report_at_ms = $4",
            )
            .bind(now + lease_ms)
            .bind(order.clone())
            .bind(stage)
            .bind(due_at)
            .execute(&self.pool)
            .await?;
            // Another kitchen may have been quicker.
            if lease.rows_affected() == 1 {
                taken.push(DueReport {
                    order_id: order.parse()?,
                    report,
                });
            }
        }
        Ok(taken)
    }
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

/// Brings a ticket to the stage of a report, unless its work has ended.
pub(super) async fn move_ticket(
    connection: &mut AnyConnection,
    order: OrderId,
    report: KitchenReport,
    due_at_ms: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE kitchen_tickets SET stage = $1, due_at_ms = $2 \
         WHERE order_id = $3 AND stage <> 'withdrawn' AND stage <> 'delivered'",
    )
    .bind(report.as_str())
    .bind(due_at_ms)
    .bind(order.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

fn pace_ms(ticket: &Ticket) -> i64 {
    i64::try_from(ticket.simulation.pace.duration().as_millis()).unwrap_or(i64::MAX)
}

/// The report that follows a stage, if any does.
fn report_after(stage: &str) -> Result<Option<KitchenReport>, StoreError> {
    if stage == WITHDRAWN {
        return Ok(None);
    }
    if stage == RECEIVED {
        return Ok(Some(KitchenReport::Accepted));
    }
    let last: KitchenReport = stage.parse()?;
    Ok(KitchenReport::WAY.into_iter().find(|next| *next > last))
}
