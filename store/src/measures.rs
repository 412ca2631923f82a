//! What the books tell about themselves, for the metrics.

use pizza_domain::{KitchenReport, OrderId, OrderStatus};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::ended::Ended;
use super::{Store, StoreError, kitchen};
use crate::meters;

/// The code of an order that was given up because the kitchen kept silent.
const OVERDUE: &str = "kitchen-overdue";

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
        self.waiting(
            "SELECT queue AS what, COUNT(*) AS count, MIN(parked_at_ms) AS since_ms \
             FROM failed_tasks WHERE state = 'parked' GROUP BY queue",
        )
        .await
    }

    /// The orders that have not ended, by their status. A status that none is
    /// in is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn waiting_orders(&self) -> Result<Vec<Waiting>, StoreError> {
        // The words are those of the index of open orders.
        self.waiting(
            "SELECT status AS what, COUNT(*) AS count, MIN(updated_at_ms) AS since_ms \
             FROM orders WHERE status NOT IN ('DeliveryConfirmed', 'Cancelled') GROUP BY status",
        )
        .await
    }

    async fn waiting(&self, query: &'static str) -> Result<Vec<Waiting>, StoreError> {
        self.within(async {
            let rows = sqlx::query(query).fetch_all(&self.pool).await?;
            rows.iter().map(waiting).collect()
        })
        .await
    }

    /// Measures an end that was committed. The store has it, whether or not
    /// this can still be read: what fails here is only left uncounted.
    pub(super) async fn measure(&self, id: OrderId, ended: Ended) {
        let Some((status, cancelled)) = ended.0.filter(|_| meters::are_exported()) else {
            return;
        };
        // Boxed: these reads are seldom, and would make every change larger.
        let is_overdue = cancelled.as_ref().is_some_and(|it| it.code == OVERDUE);
        let due = if is_overdue {
            Box::pin(self.due(id)).await.ok().flatten()
        } else {
            None
        };
        meters::order_ended(status, cancelled.as_ref(), due);
        let stays = Box::pin(self.stays(id)).await;
        for (status, milliseconds) in stays.unwrap_or_default() {
            meters::order_was_in(status, milliseconds);
        }
    }

    /// The report that the kitchen still owes on a ticket.
    async fn due(&self, id: OrderId) -> Result<Option<KitchenReport>, StoreError> {
        self.within(async {
            let mut connection = self.pool.acquire().await?;
            let made = kitchen::reports(&mut connection, id).await?;
            let is_missing = |due: &KitchenReport| made.iter().all(|report| report.report < *due);
            Ok(KitchenReport::WAY.into_iter().find(is_missing))
        })
        .await
    }

    /// How long an order that has ended was in each status.
    async fn stays(&self, id: OrderId) -> Result<Vec<(OrderStatus, i64)>, StoreError> {
        self.within(async {
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
        })
        .await
    }
}

fn waiting(row: &AnyRow) -> Result<Waiting, StoreError> {
    Ok(Waiting {
        what: row.try_get("what")?,
        count: row.try_get("count")?,
        since_ms: row.try_get("since_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pizza_domain::{CancelReason, Order, OrderRequest, Prices, StageDeadlines, Step};
    use pizza_workflows::steps::RecordedReport;
    use uuid::Uuid;

    use super::super::orders::{Change, apply};
    use super::super::test_databases::{TestEngine, database, on_each_engine};
    use super::*;

    async fn order_of(store: &Store) -> OrderId {
        let id = OrderId::from_uuid(Uuid::new_v4());
        let stages = StageDeadlines::all(Duration::from_secs(10));
        let order = Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, 0);
        store.create_order(&order).await.expect("created");
        id
    }

    async fn ends(store: &Store, id: OrderId, change: impl Into<Change>) -> bool {
        let mut transaction = store.begin(id).await.expect("begun");
        let ended = apply(&mut transaction, id, change.into()).await;
        transaction.commit().await.expect("committed");
        ended.expect("applied").0.is_some()
    }

    async fn an_order_ends_once_however_often_it_is_written(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let id = order_of(store).await;
        assert!(!ends(store, id, OrderStatus::PaymentComplete).await);
        assert!(ends(store, id, OrderStatus::Cancelled).await);
        // An activity that is tried again, and what is written after the end.
        assert!(!ends(store, id, OrderStatus::Cancelled).await);
        let late = pizza_domain::PointsState::Reclaimed;
        assert!(!ends(store, id, late).await);
        assert!(!ends(store, id, OrderStatus::DeliveryConfirmed).await);
    }

    async fn the_books_tell_what_the_kitchen_owes_and_how_long_each_status_was(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let id = order_of(store).await;
        assert_eq!(
            store.due(id).await.expect("read"),
            Some(KitchenReport::Accepted)
        );
        for status in [OrderStatus::PaymentProcessing, OrderStatus::PaymentComplete] {
            store.change_order(id, status).await.expect("changed");
        }
        let report = RecordedReport {
            order_id: id,
            report: KitchenReport::Accepted,
            report_id: None,
            reason: None,
            due_at_ms: None,
        };
        store.record_report(&report).await.expect("recorded");
        assert_eq!(
            store.due(id).await.expect("read"),
            Some(KitchenReport::Cooked)
        );
        let open = store.waiting_orders().await.expect("read");
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(
            (open[0].what.as_str(), open[0].count),
            ("CookingStarted", 1)
        );
        let change = Change {
            cancelled: Some(CancelReason {
                step: Step::ProcessOrder,
                code: OVERDUE.to_owned(),
                message: String::new(),
            }),
            ..OrderStatus::Cancelled.into()
        };
        store.change_order(id, change).await.expect("changed");
        let stays = store.stays(id).await.expect("read");
        let statuses: Vec<_> = stays.iter().map(|(status, _)| *status).collect();
        let expected = [
            OrderStatus::Pending,
            OrderStatus::PaymentProcessing,
            OrderStatus::PaymentComplete,
            OrderStatus::CookingStarted,
        ];
        assert_eq!(statuses, expected);
        assert!(stays.iter().all(|(_, milliseconds)| *milliseconds >= 0));
        assert!(store.waiting_orders().await.expect("read").is_empty());
        assert!(store.waiting_tasks().await.expect("read").is_empty());
        let connections = store.connections();
        assert!(connections.max >= 1 && connections.idle + connections.used >= 1);
    }

    on_each_engine!(
        an_order_ends_once_however_often_it_is_written,
        the_books_tell_what_the_kitchen_owes_and_how_long_each_status_was,
    );
}
