//! The changes of orders, for those who watch.

use pizza_domain::{
    CancelReason, Discount, Flavour, MoneyState, OrderId, OrderStatus, PointsState, Size,
};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::order_record::read_cancelled;
use super::{Store, StoreError};

/// The most orders that one statement asks for: SQLite takes 32,766 values,
/// PostgreSQL 65,535, and neither gets faster by more.
const ORDERS_AT_ONCE: usize = 500;

/// An order as it was at one of its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderChange {
    /// The order's id.
    pub order_id: OrderId,
    /// Grows by one with each change.
    pub version: i64,
    /// Where it stood.
    pub status: OrderStatus,
    /// What had become of the money.
    pub money: MoneyState,
    /// What had become of the points.
    pub points: PointsState,
    /// What was on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: i64,
    /// What was to be paid, after the discount, in minor units.
    pub total: i64,
    /// The discount that was given.
    pub discount: Discount,
    /// Why it was cancelled, if it was by then.
    pub cancelled: Option<CancelReason>,
    /// When it changed, in milliseconds since the Unix epoch.
    pub changed_at_ms: i64,
}

/// That an order has come to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestChange {
    /// Which order.
    pub order_id: OrderId,
    /// The version.
    pub version: i64,
    /// When, in milliseconds since the Unix epoch.
    pub changed_at_ms: i64,
}

impl Store {
    /// The changes of an order from a version on, in their order. A change of
    /// before orders could be amended kept less: the rest comes from the
    /// order, which is still the same.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.changes_from", level = "debug", skip_all)]
    pub async fn changes_from(
        &self,
        id: OrderId,
        version: i64,
    ) -> Result<Vec<OrderChange>, StoreError> {
        self.within(async {
            let rows = sqlx::query(
                "SELECT c.version, c.status, c.money, c.points, c.changed_at_ms, \
             COALESCE(c.flavour, o.flavour) AS flavour, COALESCE(c.size, o.size) AS size, \
             COALESCE(c.quantity, o.quantity) AS quantity, COALESCE(c.total, o.total) AS total, \
             COALESCE(c.discount_percent, o.discount_percent) AS discount_percent, \
             o.cancel_step, o.cancel_code, o.cancel_message \
             FROM order_changes c JOIN orders o ON o.order_id = c.order_id \
             WHERE c.order_id = $1 AND c.version >= $2 ORDER BY c.version",
            )
            .bind(id.to_string())
            .bind(version)
            .fetch_all(&self.pool)
            .await?;
            rows.iter().map(|row| read(id, row)).collect()
        })
        .await
    }

    /// What was changed after a time, by the clocks of those who changed it,
    /// which an index finds. An order that changed more than once is there
    /// more than once.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.changed_after", level = "debug", skip_all)]
    pub async fn changed_after(&self, at_ms: i64) -> Result<Vec<LatestChange>, StoreError> {
        self.within(async {
            let rows = sqlx::query(
                "SELECT order_id, version, changed_at_ms FROM order_changes \
             WHERE changed_at_ms > $1",
            )
            .bind(at_ms)
            .fetch_all(&self.pool)
            .await?;
            rows.iter().map(read_latest).collect()
        })
        .await
    }

    /// When an order last changed, in milliseconds since the Unix epoch; none
    /// when no order ever did.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.last_changed_at_ms", level = "debug", skip_all)]
    pub async fn last_changed_at_ms(&self) -> Result<Option<i64>, StoreError> {
        self.within(async {
            let row = sqlx::query("SELECT MAX(changed_at_ms) AS at FROM order_changes")
                .fetch_one(&self.pool)
                .await?;
            Ok(row.try_get("at")?)
        })
        .await
    }

    /// Where these orders stand now. One that no worker has written yet is
    /// left out.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.latest_changes", level = "debug", skip_all)]
    pub async fn latest_changes(&self, ids: &[OrderId]) -> Result<Vec<LatestChange>, StoreError> {
        self.within(async {
            let mut latest = Vec::with_capacity(ids.len());
            for ids in ids.chunks(ORDERS_AT_ONCE) {
                let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
                let statement = format!(
                    "SELECT order_id, version, updated_at_ms AS changed_at_ms FROM orders \
                 WHERE order_id IN ({})",
                    places.join(", ")
                );
                let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
                for id in ids {
                    query = query.bind(id.to_string());
                }
                for row in query.fetch_all(&self.pool).await? {
                    latest.push(read_latest(&row)?);
                }
            }
            Ok(latest)
        })
        .await
    }
}

fn read(order_id: OrderId, row: &AnyRow) -> Result<OrderChange, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let status: OrderStatus = text("status")?.parse()?;
    let is_cancelled = status == OrderStatus::Cancelled;
    Ok(OrderChange {
        order_id,
        version: number("version")?,
        status,
        money: text("money")?.parse()?,
        points: text("points")?.parse()?,
        flavour: Flavour::kept(text("flavour")?)?,
        size: text("size")?.parse()?,
        quantity: number("quantity")?,
        total: number("total")?,
        discount: Discount::of_percent(
            u8::try_from(number("discount_percent")?).unwrap_or_default(),
        ),
        cancelled: read_cancelled(row)?.filter(|_| is_cancelled),
        changed_at_ms: number("changed_at_ms")?,
    })
}

fn read_latest(row: &AnyRow) -> Result<LatestChange, StoreError> {
    Ok(LatestChange {
        order_id: row.try_get::<String, _>("order_id")?.parse()?,
        version: row.try_get("version")?,
        changed_at_ms: row.try_get("changed_at_ms")?,
    })
}
