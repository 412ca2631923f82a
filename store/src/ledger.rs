//! The ledgers of outside services: for each order what was given, what was
//! taken back, or that nothing may be given any more. An order has at most one
//! entry of a kind in each.

use pizza_domain::OrderId;
use pizza_workflows::steps::{Payment, Points};
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::amendments::{self, VOID, difference};
use super::{Store, StoreError, now_ms};

/// A ledger. Its table has the columns `order_id`, `kind`, `customer_id`, one
/// for the figure, `idempotency_key` (unique) and `booked_at_ms`, with the
/// primary key (`order_id`, `kind`).
#[derive(Debug)]
pub struct Ledger {
    table: &'static str,
    /// The column of the figure.
    figure: &'static str,
    /// The kind of entry that gives.
    given: &'static str,
    /// The kind of entry that takes back.
    taken_back: &'static str,
    /// Whether its figures add up to what is left: what is taken back is
    /// negative.
    is_signed: bool,
    /// Where amendments change what was given.
    adjustments: Option<&'static amendments::Ledger>,
}

impl Ledger {
    /// A ledger in a table of its own with a column `figure`: what is given
    /// counts, and what is taken back is negative.
    #[must_use]
    pub const fn counted(
        table: &'static str,
        given: &'static str,
        taken_back: &'static str,
    ) -> Self {
        Self {
            table,
            figure: "figure",
            given,
            taken_back,
            is_signed: true,
            adjustments: None,
        }
    }
}

/// The payment provider's, in minor units of money.
pub const PAYMENTS: Ledger = Ledger {
    table: "payments",
    figure: "amount",
    given: "charge",
    taken_back: "refund",
    is_signed: false,
    adjustments: Some(&amendments::PAYMENTS),
};

/// The loyalty programme's, in points.
pub const POINTS: Ledger = Ledger {
    table: "loyalty_points",
    figure: "points",
    given: "award",
    taken_back: "reclaim",
    is_signed: true,
    adjustments: Some(&amendments::POINTS),
};

/// What is to be written to a ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The order that it is for.
    pub order_id: OrderId,
    /// Whose money or points.
    pub customer_id: String,
    /// Minor units of money, or points.
    pub figure: i64,
    /// The service acts once for each key.
    pub idempotency_key: String,
}

impl From<&Payment> for Entry {
    fn from(payment: &Payment) -> Self {
        Self {
            order_id: payment.order_id,
            customer_id: payment.customer_id.to_string(),
            figure: payment.amount.minor(),
            idempotency_key: payment.idempotency_key.clone(),
        }
    }
}

impl From<&Points> for Entry {
    fn from(points: &Points) -> Self {
        Self {
            order_id: points.order_id,
            customer_id: points.customer_id.to_string(),
            figure: points.points,
            idempotency_key: points.idempotency_key.clone(),
        }
    }
}

/// What it came to that something was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It is given, now or before.
    Stands,
    /// It had been called off before: the order is rolled back.
    CalledOff,
}

/// What it came to that something was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// It is taken back, now or before.
    Taken,
    /// There was nothing, and now there cannot be anything.
    NothingGiven,
}

impl Store {
    /// Gives, unless it was called off. Giving it again changes nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.give", level = "debug", skip_all)]
    pub async fn give(
        &self,
        ledger: &Ledger,
        entry: impl Into<Entry>,
    ) -> Result<Given, StoreError> {
        let entry = entry.into();
        self.within(async {
            let mut transaction = self.begin(entry.order_id).await?;
            let void = ledger.figure(&mut transaction, entry.order_id, VOID);
            let given = match void.await? {
                Some(_) => Given::CalledOff,
                None => {
                    let kind = ledger.given;
                    ledger
                        .write(&mut transaction, &entry, kind, entry.figure)
                        .await?;
                    Given::Stands
                }
            };
            transaction.commit().await?;
            Ok(given)
        })
        .await
    }

    /// Takes back what was given and what amendments changed about it, whatever
    /// the caller believes that is. Where nothing was given, nothing is given
    /// any more: an attempt that is late comes to nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.take_back", level = "debug", skip_all)]
    pub async fn take_back(
        &self,
        ledger: &Ledger,
        entry: impl Into<Entry>,
    ) -> Result<TakenBack, StoreError> {
        let entry = entry.into();
        self.within(async {
            let id = entry.order_id;
            let mut transaction = self.begin(id).await?;
            let given = ledger.figure(&mut transaction, id, ledger.given).await?;
            let (kind, figure, taken) = match given {
                Some(given) => {
                    let mut left = given;
                    if let Some(adjustments) = ledger.adjustments {
                        left += difference(&mut transaction, adjustments, id).await?;
                    }
                    let figure = if ledger.is_signed { -left } else { left };
                    (ledger.taken_back, figure, TakenBack::Taken)
                }
                None => {
                    let figure = if ledger.is_signed { 0 } else { entry.figure };
                    (VOID, figure, TakenBack::NothingGiven)
                }
            };
            ledger.write(&mut transaction, &entry, kind, figure).await?;
            transaction.commit().await?;
            Ok(taken)
        })
        .await
    }
}

impl Ledger {
    /// The figure of an order's entry of this kind, if there is one.
    async fn figure(
        &self,
        connection: &mut AnyConnection,
        order: OrderId,
        kind: &'static str,
    ) -> Result<Option<i64>, StoreError> {
        let Self { table, figure, .. } = self;
        let query = format!("SELECT {figure} FROM {table} WHERE order_id = $1 AND kind = $2");
        let found = sqlx::query(AssertSqlSafe(query))
            .bind(order.to_string())
            .bind(kind)
            .fetch_optional(connection)
            .await?;
        Ok(found.map(|row| row.try_get(*figure)).transpose()?)
    }

    async fn write(
        &self,
        connection: &mut AnyConnection,
        entry: &Entry,
        kind: &'static str,
        value: i64,
    ) -> Result<(), StoreError> {
        let Self { table, figure, .. } = self;
        let query = format!(
            "INSERT INTO {table} \
             (order_id, kind, customer_id, {figure}, idempotency_key, booked_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
        );
        sqlx::query(AssertSqlSafe(query))
            .bind(entry.order_id.to_string())
            .bind(kind)
            .bind(entry.customer_id.clone())
            .bind(value)
            .bind(entry.idempotency_key.clone())
            .bind(now_ms())
            .execute(connection)
            .await?;
        Ok(())
    }
}
