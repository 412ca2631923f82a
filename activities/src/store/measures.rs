//! What the books tell about themselves, for the metrics.

use pizza_domain::{CancelReason, KitchenReport, OrderId, OrderStatus};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, StoreError, kitchen};
use crate::meters;

/// The code of an order that was given up because the kitchen kept silent.
const OVERDUE: &str = "kitchen-overdue";

/// The end that a change brought an order to, if it did.
#[derive(Debug, Default)]
#[must_use = "it is measured once the change is committed"]
pub(super) struct Ended(Option<(OrderStatus, Option<CancelReason>)>);

impl Ended {
    /// The order ended as this.
    pub(super) const fn as_now(status: OrderStatus, cancelled: Option<CancelReason>) -> Self {
        Self(Some((status, cancelled)))
    }
}

/// How many wait for something, and since when the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What for: a failure queue, or an order's status.
    pub what: String,
    /// How many.
    pub count: i64,
    /// Since when the first of them, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// The connections of this process to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open, and free.
    pub idle: u32,
    /// Open, and in use.
    pub used: u32,
    /// How many may be open.
    pub max: u32,
}

impl Store {
    /// The connections as they are.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        Connections {
            idle,
            // The two are not read in one breath.
            used: self.pool.size().saturating_sub(idle),
            max: self.pool.options().get_max_connections(),
        }
    }

    /// The tasks that wait in each failure queue. A queue where none waits is
    /// left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn waiting_tasks(&self) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query(
            "SELECT queue AS what, COUNT(*) AS count, MIN(parked_at_ms) AS since_ms \
             FROM failed_tasks WHERE state = 'parked' GROUP BY queue",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(waiting).collect()
    }

    /// The orders that have not ended, by their status. A status that none is
    /// in is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn waiting_orders(&self) -> Result<Vec<Waiting>, StoreError> {
        // The words are those of the index of open orders.
        let rows = sqlx::query(
            "SELECT status AS what, COUNT(*) AS count, MIN(updated_at_ms) AS since_ms \
             FROM orders WHERE status NOT IN ('DeliveryConfirmed', 'Cancelled') GROUP BY status",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(waiting).collect()
    }

    /// Measures an end that was committed. The store has it, whether or not
    /// this can still be read: what fails here is only left uncounted.
    pub(super) async fn measure(&self, id: OrderId, ended: Ended) {
        let Some((status, cancelled)) = ended.0.filter(|_| meters::are_exported()) else {
            return;
        };
        let is_overdue = cancelled.as_ref().is_some_and(|it| it.code == OVERDUE);
        let due = if is_overdue {
            self.due(id).await.ok().flatten()
        } else {
            None
        };
        meters::order_ended(status, cancelled.as_ref(), due);
        for (status, milliseconds) in self.stays(id).await.unwrap_or_default() {
            meters::order_was_in(status, milliseconds);
        }
    }

    /// The report that the kitchen still owes on a ticket.
    async fn due(&self, id: OrderId) -> Result<Option<KitchenReport>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let made = kitchen::reports(&mut connection, id).await?;
        let is_missing = |due: &KitchenReport| made.iter().all(|report| report.report < *due);
        Ok(KitchenReport::WAY.into_iter().find(is_missing))
    }

    /// How long an order that has ended was in each status.
    async fn stays(&self, id: OrderId) -> Result<Vec<(OrderStatus, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT status, MIN(changed_at_ms) AS since_ms FROM order_changes \
             WHERE order_id = $1 GROUP BY status ORDER BY MIN(version)",
        )
        .bind(id.to_string())
        .fetch_all(&self.pool)
        .await?;
        let since: Vec<(OrderStatus, i64)> = rows
            .iter()
            .map(|row| {
                let status: String = row.try_get("status")?;
                Ok::<_, StoreError>((status.parse()?, row.try_get("since_ms")?))
            })
            .collect::<Result<_, _>>()?;
        Ok(since
            .windows(2)
            .map(|pair| (pair[0].0, pair[1].1 - pair[0].1))
            .collect())
    }
}

fn waiting(row: &AnyRow) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        what: row.try_get("what")?,
        count: row.try_get("count")?,
        since_ms: row.try_get("since_ms")?,
    })
}
