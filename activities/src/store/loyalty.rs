//! The loyalty programme's books. Each entry is one transaction, and there is
//! at most one of a kind for each order.

use pizza_workflows::steps::Points;

use super::{Store, StoreError, now_ms};

/// What a reclaim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    /// The points were taken back, now or before.
    Taken,
    /// There were none to take.
    NothingAwarded,
}

impl Store {
    /// Books an award. Booking it again changes nothing.
    pub(crate) async fn book_award(&self, points: &Points) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO loyalty_points \
             (order_id, kind, customer_id, points, idempotency_key, booked_at_ms) \
             VALUES ($1, 'award', $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(points.order_id.to_string())
        .bind(points.customer_id.to_string())
        .bind(points.points)
        .bind(points.idempotency_key.clone())
        .bind(now_ms())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Books the reclaim of an award, if there is one. Takes back what was
    /// awarded, whatever the caller believes.
    pub(crate) async fn book_reclaim(&self, points: &Points) -> Result<Reclaim, StoreError> {
        let order = points.order_id.to_string();
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO loyalty_points \
             (order_id, kind, customer_id, points, idempotency_key, booked_at_ms) \
             SELECT order_id, 'reclaim', customer_id, -points, $1, $2 FROM loyalty_points \
             WHERE order_id = $3 AND kind = 'award' ON CONFLICT DO NOTHING",
        )
        .bind(points.idempotency_key.clone())
        .bind(now_ms())
        .bind(order.clone())
        .execute(&mut *transaction)
        .await?;
        let taken =
            sqlx::query("SELECT 1 FROM loyalty_points WHERE order_id = $1 AND kind = 'reclaim'")
                .bind(order)
                .fetch_optional(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(match taken {
            Some(_) => Reclaim::Taken,
            None => Reclaim::NothingAwarded,
        })
    }
}
