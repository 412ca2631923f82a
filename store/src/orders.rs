//! The read model of orders: what the steps write of an order, and read.

use pizza_domain::{CancelReason, MoneyState, Order, OrderId, OrderStatus, PointsState};
use pizza_workflows::steps::EarlierRun;
use sqlx::AnyConnection;

use super::amendments::{amendments, call_off_amendment, void_unwritten};
use super::ended::Ended;
use super::order_record::{OrderRecord, find, insert, log_change};
use super::{Store, StoreError, now_ms};

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
