//! An order's record: its row, and the list of its changes.

use pizza_domain::{
    CancelReason, CustomerId, Discount, Flavour, MoneyState, Order, OrderId, OrderStatus,
    PointsState, Size,
};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::accounts::{CancelRow, cancel_row};
use super::{StoreError, flavours, now_ms};

/// The columns of an order, all by name: a statement that asks for whatever
/// there is fails once where a later version adds a column under it.
pub(super) const COLUMNS: &str = "order_id, customer_id, flavour, size, quantity, total, \
     discount_percent, status, money, points, cancel_step, cancel_code, cancel_message, \
     version, placed_at_ms, updated_at_ms";

/// An order as an observer sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRecord {
    /// The order's id.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: i64,
    /// What is to be paid, after the discount, in minor units.
    pub total: i64,
    /// The discount that was given.
    pub discount: Discount,
    /// Where it stands.
    pub status: OrderStatus,
    /// What became of the money.
    pub money: MoneyState,
    /// What became of the points.
    pub points: PointsState,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<CancelReason>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub placed_at_ms: i64,
    /// When it last changed, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

pub(super) async fn find(
    connection: &mut AnyConnection,
    id: OrderId,
) -> Result<Option<OrderRecord>, StoreError> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM orders WHERE order_id = $1"
    )))
    .bind(id.to_string())
    .fetch_optional(connection)
    .await?
    .map(|row| read(&row))
    .transpose()
}

pub(super) fn read(row: &AnyRow) -> Result<OrderRecord, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    Ok(OrderRecord {
        order_id: text("order_id")?.parse()?,
        customer_id: text("customer_id")?.parse()?,
        flavour: Flavour::kept(text("flavour")?)?,
        discount: Discount::of_percent(
            u8::try_from(number("discount_percent")?).unwrap_or_default(),
        ),
        size: text("size")?.parse()?,
        quantity: number("quantity")?,
        total: number("total")?,
        status: text("status")?.parse()?,
        money: text("money")?.parse()?,
        points: text("points")?.parse()?,
        cancelled: read_cancelled(row)?,
        version: number("version")?,
        placed_at_ms: number("placed_at_ms")?,
        updated_at_ms: number("updated_at_ms")?,
    })
}

pub(super) fn read_cancelled(row: &AnyRow) -> Result<Option<CancelReason>, StoreError> {
    let reason = cancel_row(row)?.as_ref().map(CancelRow::reason);
    Ok(reason.transpose()?)
}

/// Whether it was not there.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    order: &Order,
) -> Result<bool, StoreError> {
    let now = now_ms();
    let inserted = sqlx::query(
        "INSERT INTO orders (order_id, customer_id, flavour, size, quantity, total, \
         discount_percent, status, money, points, version, placed_at_ms, updated_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12) \
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order.order_id.to_string())
    .bind(order.customer_id.as_str().to_owned())
    .bind(order.flavour.as_str().to_owned())
    .bind(order.size.as_str())
    .bind(i64::from(order.quantity.get()))
    .bind(order.total.minor())
    .bind(i64::from(order.discount.percent()))
    .bind(OrderStatus::Pending.as_str())
    .bind(MoneyState::NotCharged.as_str())
    .bind(PointsState::None.as_str())
    .bind(order.placed_at_ms)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let is_new = inserted.rows_affected() == 1;
    if is_new {
        flavours::note(connection, &order.flavour).await?;
        log_change(connection, order.order_id).await?;
    }
    Ok(is_new)
}

/// Writes what an order is about now, inside the caller's transaction.
pub(super) async fn amend(connection: &mut AnyConnection, order: &Order) -> Result<(), StoreError> {
    let Some(record) = find(connection, order.order_id).await? else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE orders SET flavour = $1, size = $2, quantity = $3, total = $4, \
         discount_percent = $5, version = version + 1, updated_at_ms = $6 WHERE order_id = $7",
    )
    .bind(order.flavour.as_str().to_owned())
    .bind(order.size.as_str())
    .bind(i64::from(order.quantity.get()))
    .bind(order.total.minor())
    .bind(i64::from(order.discount.percent()))
    .bind(now_ms().max(record.updated_at_ms))
    .bind(order.order_id.to_string())
    .execute(&mut *connection)
    .await?;
    flavours::note(connection, &order.flavour).await?;
    log_change(connection, order.order_id).await
}

/// Copies the order as it now stands to its list of changes.
pub(super) async fn log_change(
    connection: &mut AnyConnection,
    id: OrderId,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO order_changes (order_id, version, status, money, points, changed_at_ms, \
         flavour, size, quantity, total, discount_percent) \
         SELECT order_id, version, status, money, points, updated_at_ms, \
         flavour, size, quantity, total, discount_percent FROM orders WHERE order_id = $1",
    )
    .bind(id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
