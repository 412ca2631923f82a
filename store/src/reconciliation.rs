//! What the reconciliation asks the store.

use pizza_domain::OrderId;
use pizza_workflows::steps::Place;
use sqlx::Row;

use super::{Store, StoreError};

/// The words are those of the index, which makes this a look at few orders.
const OPEN: &str = "SELECT updated_at_ms, order_id FROM orders \
     WHERE status NOT IN ('DeliveryConfirmed', 'Cancelled') \
     AND updated_at_ms <= $1 AND (updated_at_ms, order_id) > ($2, $3) \
     ORDER BY updated_at_ms, order_id LIMIT $4";

impl Store {
    /// The orders without an end that have not changed since, the longest
    /// unchanged first, after a place; no more than `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.open_orders", level = "debug", skip_all)]
    pub async fn open_orders(
        &self,
        unchanged_since_ms: i64,
        after: &Place,
        limit: u32,
    ) -> Result<Vec<Place>, StoreError> {
        self.within(async {
            let rows = sqlx::query(OPEN)
                .bind(unchanged_since_ms)
                .bind(after.updated_at_ms)
                .bind(after.order_id.clone())
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?;
            let place = |row: &sqlx::any::AnyRow| {
                Ok(Place {
                    updated_at_ms: row.try_get("updated_at_ms")?,
                    order_id: row.try_get("order_id")?,
                })
            };
            rows.iter().map(place).collect()
        })
        .await
    }

    /// Whether a customer was told of the end of an order.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.was_told", level = "debug", skip_all)]
    pub async fn was_told(&self, id: OrderId) -> Result<bool, StoreError> {
        self.within(async {
            let told = sqlx::query("SELECT 1 FROM notifications WHERE order_id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.pool)
                .await?;
            Ok(told.is_some())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pizza_domain::{Order, OrderRequest, OrderStatus, Prices, StageDeadlines};
    use uuid::Uuid;

    use super::super::test_databases::{TestEngine, database, on_each_engine};
    use super::*;

    /// An order that last changed at this time.
    async fn order_of(store: &Store, updated_at_ms: i64) -> OrderId {
        let id = OrderId::from_uuid(Uuid::new_v4());
        let stages = StageDeadlines::all(Duration::from_secs(10));
        let order = Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, 0);
        store.create_order(&order).await.expect("created");
        sqlx::query("UPDATE orders SET updated_at_ms = $1 WHERE order_id = $2")
            .bind(updated_at_ms)
            .bind(id.to_string())
            .execute(&store.pool)
            .await
            .expect("aged");
        id
    }

    async fn open_orders_come_page_by_page_the_longest_unchanged_first(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        // Two of the same time, which the place tells apart.
        let mut expected = Vec::new();
        for at_ms in [30, 10, 20, 20] {
            expected.push((at_ms, order_of(store, at_ms).await.to_string()));
        }
        expected.sort();
        order_of(store, 31).await;
        for end in [OrderStatus::DeliveryConfirmed, OrderStatus::Cancelled] {
            let ended = order_of(store, 5).await;
            store.change_order(ended, end).await.expect("changed");
            let aged = "UPDATE orders SET updated_at_ms = 5 WHERE order_id = $1";
            let aged = sqlx::query(aged).bind(ended.to_string());
            aged.execute(&store.pool).await.expect("aged");
        }
        let mut found = Vec::new();
        let mut place = Place::default();
        loop {
            let page = store.open_orders(30, &place, 1).await.expect("answered");
            let Some(last) = page.last() else { break };
            place = last.clone();
            found.push((place.updated_at_ms, place.order_id.clone()));
        }
        assert_eq!(found, expected);
    }

    async fn looking_for_open_orders_reads_no_others(engine: TestEngine) {
        let database = database(engine).await;
        let (explain, index) = match engine {
            TestEngine::Sqlite => (
                "EXPLAIN QUERY PLAN",
                "SEARCH orders USING INDEX orders_open",
            ),
            TestEngine::Postgres => ("EXPLAIN", "using orders_open"),
        };
        let mut connection = database.store.pool.acquire().await.expect("a connection");
        if engine == TestEngine::Postgres {
            // Of a table without rows it would read all.
            let choosy = sqlx::query("SET enable_seqscan = off");
            choosy.execute(&mut *connection).await.expect("set");
        }
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!("{explain} {OPEN}")))
            .bind(1_i64)
            .bind(1_i64)
            .bind("")
            .bind(1_i64)
            .fetch_all(&mut *connection)
            .await
            .expect("a plan");
        let steps = plan.iter().map(|row| row.get::<String, _>(row.len() - 1));
        let plan = steps.collect::<Vec<_>>().join("\n");
        let found = plan.to_lowercase().contains(&index.to_lowercase())
            || plan.contains("USING COVERING INDEX orders_open");
        assert!(found, "{plan}");
    }

    on_each_engine!(
        open_orders_come_page_by_page_the_longest_unchanged_first,
        looking_for_open_orders_reads_no_others,
    );
}
