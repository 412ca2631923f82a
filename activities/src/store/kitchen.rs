//! The simulated kitchen's tickets.

use pizza_domain::{KitchenReport, OrderId};
use pizza_workflows::steps::Ticket;
use sqlx::Row;

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
             (order_id, flavour, size, quantity, stage, pace_ms, next_report_at_ms, received_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(ticket.order_id.to_string())
        .bind(ticket.flavour.as_str().to_owned())
        .bind(ticket.size.as_str())
        .bind(i64::from(ticket.quantity.get()))
        .bind(RECEIVED)
        .bind(pace_ms)
        .bind(answers.then_some(now + first_wait_ms(pace_ms)))
        .bind(now)
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

fn pace_ms(ticket: &Ticket) -> i64 {
    i64::try_from(ticket.simulation.pace.duration().as_millis()).unwrap_or(i64::MAX)
}

/// The wait before the first report. The pace is counted from the status
/// change, which the saga writes a moment after it hands over the ticket.
const fn first_wait_ms(pace_ms: i64) -> i64 {
    const HANDOVER_MS: i64 = 50;
    if pace_ms == 0 {
        0
    } else {
        pace_ms + HANDOVER_MS
    }
}

/// The report that follows a stage, if any does.
fn report_after(stage: &str) -> Result<Option<KitchenReport>, StoreError> {
    if stage == WITHDRAWN {
        return Ok(None);
    }
    if stage == RECEIVED {
        return Ok(Some(KitchenReport::Cooked));
    }
    let last: KitchenReport = stage.parse()?;
    Ok(KitchenReport::ALL.into_iter().find(|next| *next > last))
}
