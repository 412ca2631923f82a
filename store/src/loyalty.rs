//! The loyalty programme's books. Each entry is one transaction, and there is
//! at most one of a kind for each order.

use pizza_domain::OrderId;
use pizza_workflows::steps::Points;
use sqlx::{AnyConnection, Row};

use super::amendments::points_difference;
use super::{Store, StoreError, now_ms};

/// What an award came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Award {
    /// The points were given, now or before.
    Given,
    /// They had been called off: the order was rolled back before.
    CalledOff,
}

/// What a reclaim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    /// The points were taken back, now or before.
    Taken,
    /// There were none to take, and now there cannot be any.
    NothingAwarded,
}

impl Store {
    /// Books an award, unless the order's award was called off. Booking it
    /// again changes nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_award", level = "debug", skip_all)]
    pub async fn book_award(&self, points: &Points) -> Result<Award, StoreError> {
        self.within(async {
            let mut transaction = self.begin(points.order_id).await?;
            let award = match booked(&mut transaction, points.order_id, "void").await? {
                Some(_) => Award::CalledOff,
                None => {
                    book(&mut transaction, points, "award", points.points).await?;
                    Award::Given
                }
            };
            transaction.commit().await?;
            Ok(award)
        })
        .await
    }

    /// Books the reclaim of an award, or calls off the award that is not
    /// there: one that waits in a failure queue must not be given after its
    /// order was rolled back. Takes back what was awarded, whatever the
    /// caller believes.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_reclaim", level = "debug", skip_all)]
    pub async fn book_reclaim(&self, points: &Points) -> Result<Reclaim, StoreError> {
        self.within(async {
            let mut transaction = self.begin(points.order_id).await?;
            let reclaim = match booked(&mut transaction, points.order_id, "award").await? {
                Some(awarded) => {
                    let left =
                        awarded + points_difference(&mut transaction, points.order_id).await?;
                    book(&mut transaction, points, "reclaim", -left).await?;
                    Reclaim::Taken
                }
                None => {
                    book(&mut transaction, points, "void", 0).await?;
                    Reclaim::NothingAwarded
                }
            };
            transaction.commit().await?;
            Ok(reclaim)
        })
        .await
    }
}

/// The points of an order's entry of this kind, if there is one.
async fn booked(
    connection: &mut AnyConnection,
    order: OrderId,
    kind: &str,
) -> Result<Option<i64>, StoreError> {
    let found = sqlx::query("SELECT points FROM loyalty_points WHERE order_id = $1 AND kind = $2")
        .bind(order.to_string())
        .bind(kind.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(|row| row.try_get("points")).transpose()?)
}

async fn book(
    connection: &mut AnyConnection,
    points: &Points,
    kind: &str,
    count: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO loyalty_points \
         (order_id, kind, customer_id, points, idempotency_key, booked_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(points.order_id.to_string())
    .bind(kind.to_owned())
    .bind(points.customer_id.to_string())
    .bind(count)
    .bind(points.idempotency_key.clone())
    .bind(now_ms())
    .execute(connection)
    .await?;
    Ok(())
}
