//! The read model of orders.

use pizza_domain::{
    CancelReason, CustomerId, Discount, Flavour, KitchenReport, MoneyState, Order, OrderId,
    OrderStatus, PointsState, Size,
};
use pizza_workflows::steps::{EarlierRun, StatusChange};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::accounts::{CancelRow, cancel_row};
use super::amendments::{amendments, call_off_amendment, void_unwritten};
use super::measures::Ended;
use super::{Store, StoreError, flavours, kitchen, now_ms};

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

/// What a step changes about an order. What is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it stands.
    pub status: Option<OrderStatus>,
    /// What became of the money.
    pub money: Option<MoneyState>,
    /// What became of the points.
    pub points: Option<PointsState>,
    /// Why it is cancelled.
    pub cancelled: Option<CancelReason>,
}

impl From<OrderStatus> for Change {
    fn from(status: OrderStatus) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }
}

impl From<PointsState> for Change {
    fn from(points: PointsState) -> Self {
        Self {
            points: Some(points),
            ..Self::default()
        }
    }
}

impl Store {
    /// The order with this id, if a worker has written it yet.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.order", level = "debug", skip_all)]
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderRecord>, StoreError> {
        self.within(async {
            let mut connection = self.pool.acquire().await?;
            find(&mut connection, id).await
        })
        .await
    }

    /// Writes an order as Pending. Writing it again changes nothing. Gives what
    /// was written before; none when nothing was.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.create_order", level = "debug", skip_all)]
    pub async fn create_order(&self, order: &Order) -> Result<Option<EarlierRun>, StoreError> {
        self.within(async {
            let mut transaction = self.begin(order.order_id).await?;
            let is_new = insert(&mut transaction, order).await?;
            let earlier = if is_new {
                None
            } else {
                earlier_run(&mut transaction, order.order_id).await?
            };
            transaction.commit().await?;
            Ok(earlier)
        })
        .await
    }

    /// What was written of an order by the runs of its workflow so far; none
    /// when nothing was.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.earlier_run", level = "debug", skip_all)]
    pub async fn earlier_run(&self, id: OrderId) -> Result<Option<EarlierRun>, StoreError> {
        self.within(async {
            let mut connection = self.pool.acquire().await?;
            earlier_run(&mut connection, id).await
        })
        .await
    }

    /// What was written of an order by earlier runs of its workflow, when this
    /// one takes over: from now on none of them amends it. One that is asked
    /// for twice by the same run uses up one number of an amendment.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.take_over", level = "debug", skip_all)]
    pub async fn take_over(
        &self,
        id: OrderId,
        run: &str,
    ) -> Result<Option<EarlierRun>, StoreError> {
        self.within(async {
            let mut transaction = self.begin(id).await?;
            let Some(record) = find(&mut transaction, id).await? else {
                return Ok(None);
            };
            // Where nothing was changed yet, it may be this run that asks again.
            let amendments = if record.version > 1 && !record.status.is_final() {
                Some(call_off_amendment(&mut transaction, &record, run).await?)
            } else {
                amendments(&mut transaction, &record).await?
            };
            transaction.commit().await?;
            Ok(Some(EarlierRun {
                amendments,
                cancelled: record.cancelled,
            }))
        })
        .await
    }

    /// Changes an order. A status that the order may not take any more is
    /// passed over, as are money and points that would go back, and a change
    /// that changes nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.change_order", level = "debug", skip_all)]
    pub async fn change_order(
        &self,
        id: OrderId,
        change: impl Into<Change>,
    ) -> Result<(), StoreError> {
        self.within(async {
            let mut transaction = self.begin(id).await?;
            let ended = apply(&mut transaction, id, change.into()).await?;
            transaction.commit().await?;
            self.measure(id, ended).await;
            Ok(())
        })
        .await
    }

    /// Writes a status, and the kitchen report that brought it about.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.set_order_status", level = "debug", skip_all)]
    pub async fn set_order_status(&self, change: &StatusChange) -> Result<(), StoreError> {
        self.within(async {
            let id = change.order_id;
            let mut transaction = self.begin(id).await?;
            let ended = apply(&mut transaction, id, change.status.into()).await?;
            if change.status == OrderStatus::DeliveryConfirmed {
                let report_id = change.report.as_ref().and_then(|it| it.report_id.as_ref());
                let event = KitchenReport::Delivered;
                kitchen::list_report(&mut transaction, id, event, report_id, None).await?;
                let now = find(&mut transaction, id).await?.map(|order| order.status);
                if now == Some(OrderStatus::DeliveryConfirmed) {
                    kitchen::deliver_ticket(&mut transaction, id).await?;
                }
            }
            transaction.commit().await?;
            self.measure(id, ended).await;
            Ok(())
        })
        .await
    }

    /// Ends an order as Cancelled; writes it first where its creation failed.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.cancel_order", level = "debug", skip_all)]
    pub async fn cancel_order(
        &self,
        order: &Order,
        reason: CancelReason,
    ) -> Result<(), StoreError> {
        self.within(async {
            let mut transaction = self.begin(order.order_id).await?;
            insert(&mut transaction, order).await?;
            let change = Change {
                cancelled: Some(reason),
                ..OrderStatus::Cancelled.into()
            };
            let ended = apply(&mut transaction, order.order_id, change).await?;
            transaction.commit().await?;
            self.measure(order.order_id, ended).await;
            Ok(())
        })
        .await
    }
}

async fn find(
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

async fn earlier_run(
    connection: &mut AnyConnection,
    id: OrderId,
) -> Result<Option<EarlierRun>, StoreError> {
    let Some(record) = find(connection, id).await? else {
        return Ok(None);
    };
    Ok(Some(EarlierRun {
        amendments: amendments(connection, &record).await?,
        cancelled: record.cancelled,
    }))
}

/// Whether it was not there.
async fn insert(connection: &mut AnyConnection, order: &Order) -> Result<bool, StoreError> {
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

/// Applies a change inside the caller's transaction. Whether that ended the
/// order is to be measured once it is committed.
pub(super) async fn apply(
    connection: &mut AnyConnection,
    id: OrderId,
    change: Change,
) -> Result<Ended, StoreError> {
    let Some(record) = find(connection, id).await? else {
        return Ok(Ended::default());
    };
    let status = change
        .status
        .filter(|next| record.status.may_become(*next))
        .unwrap_or(record.status);
    let money = change
        .money
        .filter(|next| next.rank() > record.money.rank())
        .unwrap_or(record.money);
    let points = change
        .points
        .filter(|next| next.rank() > record.points.rank())
        .unwrap_or(record.points);
    let cancelled = match status {
        OrderStatus::Cancelled => record.cancelled.clone().or(change.cancelled),
        _ => None,
    };
    if (status, money, points) == (record.status, record.money, record.points) {
        return Ok(Ended::default());
    }
    sqlx::query(
        "UPDATE orders SET status = $1, money = $2, points = $3, cancel_step = $4, \
         cancel_code = $5, cancel_message = $6, version = version + 1, updated_at_ms = $7 \
         WHERE order_id = $8",
    )
    .bind(status.as_str())
    .bind(money.as_str())
    .bind(points.as_str())
    .bind(cancelled.as_ref().map(|reason| reason.step.as_str()))
    .bind(cancelled.as_ref().map(|reason| reason.code.clone()))
    .bind(cancelled.as_ref().map(|reason| reason.message.clone()))
    .bind(now_ms().max(record.updated_at_ms))
    .bind(id.to_string())
    .execute(&mut *connection)
    .await?;
    log_change(connection, id).await?;
    if !status.is_final() || record.status.is_final() {
        return Ok(Ended::default());
    }
    // The refund of a cancelled order ends its adjustments.
    if status == OrderStatus::DeliveryConfirmed {
        void_unwritten(connection, &record).await?;
    }
    Ok(Ended::as_now(status, cancelled))
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
async fn log_change(connection: &mut AnyConnection, id: OrderId) -> Result<(), StoreError> {
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
