//! What amendments change: the order's record, and both parties' books.

use pizza_domain::{Money, OrderId};
use pizza_workflows::steps::{Amendments, PaymentAdjustment, PointsAdjustment, RecordedAmendment};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row};

use super::order_record::{OrderRecord, amend};
use super::{Store, StoreError, now_ms};

/// A ledger of adjustments: its table, the column of its figures, and the
/// table of the entries that end every adjustment of an order.
#[derive(Debug)]
pub(super) struct Ledger {
    table: &'static str,
    figure: &'static str,
    ended_in: &'static str,
    ended_by: [&'static str; 2],
}

pub(super) const PAYMENTS: Ledger = Ledger {
    table: "payment_adjustments",
    figure: "amount",
    ended_in: "payments",
    ended_by: [VOID, "refund"],
};

pub(super) const POINTS: Ledger = Ledger {
    table: "loyalty_adjustments",
    figure: "points",
    ended_in: "loyalty_points",
    ended_by: [VOID, "reclaim"],
};

/// The entry that keeps an adjustment from counting, and in the ledger of what is
/// given, anything from being given after it.
pub(super) const VOID: &str = "void";

/// One entry of a ledger of adjustments.
struct Entry<'a> {
    order_id: OrderId,
    customer_id: &'a str,
    amendment: u32,
    kind: &'a str,
    figure: i64,
    /// What the order costs without it, if the caller says so.
    price_before: Option<i64>,
    idempotency_key: String,
}

impl Store {
    /// Writes what the customer amended, unless it was called off or the order
    /// is over. Writing it again changes nothing. Whether the record holds it,
    /// written now or before: a run of the order that was reset to a later task
    /// counts anew what the record has.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.record_amendment", level = "debug", skip_all)]
    pub async fn record_amendment(&self, recorded: &RecordedAmendment) -> Result<bool, StoreError> {
        self.within(async {
            let order = &recorded.order;
            let mut transaction = self.begin(order.order_id).await?;
            let insert = "INSERT INTO amendments \
             (order_id, amendment, flavour, size, quantity, total, amended_at_ms) \
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (\
             SELECT 1 FROM payment_adjustments \
             WHERE order_id = $1 AND amendment = $2 AND kind = $8 \
             UNION ALL SELECT 1 FROM orders WHERE order_id = $1 \
             AND (status IN ('DeliveryConfirmed', 'Cancelled') \
             OR (money <> 'notCharged' AND total <> $6 AND NOT EXISTS (\
             SELECT 1 FROM payment_adjustments \
             WHERE order_id = $1 AND amendment = $2)))) \
             ON CONFLICT DO NOTHING";
            let inserted = bound(insert, recorded)
                .bind(now_ms())
                .bind(VOID)
                .execute(&mut *transaction)
                .await?;
            let is_taken = if inserted.rows_affected() == 1 {
                amend(&mut transaction, order).await?;
                true
            } else {
                is_last_written(&mut transaction, recorded).await?
            };
            transaction.commit().await?;
            Ok(is_taken)
        })
        .await
    }

    /// Books the difference to an amended order's price, unless that, or the
    /// whole payment, was called off. Whether it stands, booked now or before.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_payment_adjustment", level = "debug", skip_all)]
    pub async fn book_payment_adjustment(
        &self,
        adjustment: &PaymentAdjustment,
    ) -> Result<bool, StoreError> {
        let difference = adjustment.difference.minor();
        let kind = if difference < 0 { "refund" } else { "charge" };
        self.adjust(&PAYMENTS, payment_entry(adjustment, kind))
            .await
    }

    /// Takes a difference back, and keeps it from being booked.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.void_payment_adjustment", level = "debug", skip_all)]
    pub async fn void_payment_adjustment(
        &self,
        adjustment: &PaymentAdjustment,
    ) -> Result<(), StoreError> {
        self.void(&PAYMENTS, payment_entry(adjustment, VOID)).await
    }

    /// Books the points that an amended order earns more or less, unless they
    /// were called off. Whether that stands, booked now or before.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_points_adjustment", level = "debug", skip_all)]
    pub async fn book_points_adjustment(
        &self,
        adjustment: &PointsAdjustment,
    ) -> Result<bool, StoreError> {
        self.adjust(&POINTS, points_entry(adjustment, "adjust"))
            .await
    }

    /// Takes an adjustment of points back, and keeps it from being booked.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.void_points_adjustment", level = "debug", skip_all)]
    pub async fn void_points_adjustment(
        &self,
        adjustment: &PointsAdjustment,
    ) -> Result<(), StoreError> {
        self.void(&POINTS, points_entry(adjustment, VOID)).await
    }

    /// The points that an order's award comes to, beside what written
    /// amendments moved by themselves; none when there is no such order. A run
    /// of the order that was reset to a later task may not know of all of them.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.points_to_award", level = "debug", skip_all)]
    pub async fn points_to_award(&self, order: OrderId) -> Result<Option<i64>, StoreError> {
        self.within(async {
            let row = sqlx::query(
                "SELECT total, CAST(COALESCE((SELECT SUM(entry.points) \
                 FROM loyalty_adjustments AS entry JOIN amendments AS written \
                 ON written.order_id = entry.order_id AND written.amendment = entry.amendment \
                 WHERE entry.order_id = orders.order_id AND entry.kind <> $2 AND NOT EXISTS (\
                 SELECT 1 FROM loyalty_adjustments AS void WHERE void.order_id = entry.order_id \
                 AND void.amendment = entry.amendment AND void.kind = $2)), 0) AS BIGINT) AS moved \
                 FROM orders WHERE order_id = $1",
            )
            .bind(order.to_string())
            .bind(VOID)
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else {
                return Ok(None);
            };
            let total = Money::from_minor(row.try_get("total")?);
            let moved: i64 = row.try_get("moved")?;
            Ok(Some(total.whole_units() - moved))
        })
        .await
    }

    async fn adjust(&self, ledger: &Ledger, entry: Entry<'_>) -> Result<bool, StoreError> {
        self.within(async {
            let mut transaction = self.begin(entry.order_id).await?;
            let stands = !is_ended(&mut transaction, ledger, &entry).await?;
            if stands {
                book(&mut transaction, ledger, &entry).await?;
            }
            transaction.commit().await?;
            Ok(stands)
        })
        .await
    }

    async fn void(&self, ledger: &Ledger, entry: Entry<'_>) -> Result<(), StoreError> {
        self.within(async {
            let mut transaction = self.begin(entry.order_id).await?;
            book(&mut transaction, ledger, &entry).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }
}

/// Whether this is the amendment that was written last.
async fn is_last_written(
    connection: &mut AnyConnection,
    recorded: &RecordedAmendment,
) -> Result<bool, StoreError> {
    let last = "SELECT 1 FROM amendments WHERE order_id = $1 AND amendment = $2 AND flavour = $3 \
         AND size = $4 AND quantity = $5 AND total = $6 AND NOT EXISTS (\
         SELECT 1 FROM amendments AS later WHERE later.order_id = $1 AND later.amendment > $2)";
    let found = bound(last, recorded).fetch_optional(connection).await?;
    Ok(found.is_some())
}

/// A statement whose first six parameters are the amendment.
fn bound(
    statement: &'static str,
    recorded: &RecordedAmendment,
) -> Query<'static, Any, AnyArguments> {
    let order = &recorded.order;
    sqlx::query(statement)
        .bind(order.order_id.to_string())
        .bind(i64::from(recorded.amendment))
        .bind(order.flavour.as_str().to_owned())
        .bind(order.size.as_str())
        .bind(i64::from(order.quantity.get()))
        .bind(order.total.minor())
}

fn payment_entry<'a>(adjustment: &'a PaymentAdjustment, kind: &'a str) -> Entry<'a> {
    Entry {
        order_id: adjustment.order_id,
        customer_id: adjustment.customer_id.as_str(),
        amendment: adjustment.amendment,
        kind,
        figure: adjustment.difference.minor().abs(),
        price_before: adjustment
            .total
            .map(|total| total.minus(adjustment.difference).minor()),
        idempotency_key: key_of(&adjustment.idempotency_key, kind),
    }
}

fn points_entry<'a>(adjustment: &'a PointsAdjustment, kind: &'a str) -> Entry<'a> {
    Entry {
        order_id: adjustment.order_id,
        customer_id: adjustment.customer_id.as_str(),
        amendment: adjustment.amendment,
        kind,
        figure: adjustment.points,
        price_before: None,
        idempotency_key: key_of(&adjustment.idempotency_key, kind),
    }
}

/// A void is an effect of its own.
fn key_of(key: &str, kind: &str) -> String {
    if kind == VOID {
        format!("{key}/{VOID}")
    } else {
        key.to_owned()
    }
}

/// Whether the adjustment can no longer be made: it was voided by itself or
/// with all of its order, the order is over, or a run of the order that knows
/// of more than this one used its number, or one behind it, or amended the
/// price that this one begins with.
async fn is_ended(
    connection: &mut AnyConnection,
    ledger: &Ledger,
    entry: &Entry<'_>,
) -> Result<bool, StoreError> {
    let query = format!(
        "SELECT 1 FROM {} WHERE order_id = $1 AND kind IN ($2, $3) \
         UNION ALL SELECT 1 FROM {table} WHERE order_id = $1 AND amendment = $4 \
         AND (kind = $2 OR kind <> $5 OR {figure} <> $6) \
         UNION ALL SELECT 1 FROM amendments WHERE order_id = $1 AND amendment >= $4 \
         UNION ALL SELECT 1 FROM orders WHERE order_id = $1 \
         AND (status IN ('DeliveryConfirmed', 'Cancelled') OR total <> $7)",
        ledger.ended_in,
        table = ledger.table,
        figure = ledger.figure,
    );
    let [void, taken_back] = ledger.ended_by;
    let found = sqlx::query(AssertSqlSafe(query))
        .bind(entry.order_id.to_string())
        .bind(void)
        .bind(taken_back)
        .bind(i64::from(entry.amendment))
        .bind(entry.kind.to_owned())
        .bind(entry.figure)
        .bind(entry.price_before)
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

async fn book(
    connection: &mut AnyConnection,
    ledger: &Ledger,
    entry: &Entry<'_>,
) -> Result<(), StoreError> {
    let statement = format!(
        "INSERT INTO {} \
         (order_id, amendment, kind, customer_id, {}, idempotency_key, booked_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        ledger.table, ledger.figure
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(entry.order_id.to_string())
        .bind(i64::from(entry.amendment))
        .bind(entry.kind.to_owned())
        .bind(entry.customer_id.to_owned())
        .bind(entry.figure)
        .bind(entry.idempotency_key.clone())
        .bind(now_ms())
        .execute(connection)
        .await?;
    Ok(())
}

/// Calls off the amendment that an earlier run of the order may be making right
/// now: its attempt may go on after the run has ended, and would move money for
/// an order that is not amended. Gives what was amended, with this number used.
pub(super) async fn call_off_amendment(
    connection: &mut AnyConnection,
    record: &OrderRecord,
    run: &str,
) -> Result<Amendments, StoreError> {
    let entries = entries(connection, record.order_id).await?;
    let mut amendments = amended(record, &entries)?;
    amendments.last = amendments.last.saturating_add(1);
    // Once for each run.
    let key = format!("{}/taken-over-by/{run}", record.order_id);
    void_in_both(connection, record, amendments.last, &key).await?;
    Ok(amendments)
}

/// Voids the amendments of an order that were never written, when the order is
/// delivered as it was: a run that was reset to a later task knows nothing of
/// the amendment that the run before it had begun.
pub(super) async fn void_unwritten(
    connection: &mut AnyConnection,
    record: &OrderRecord,
) -> Result<(), StoreError> {
    for (amendment, has_ended) in entries(connection, record.order_id).await? {
        if !has_ended {
            let key = format!("{}/amendment-{amendment}/unwritten", record.order_id);
            void_in_both(connection, record, amendment, &key).await?;
        }
    }
    Ok(())
}

async fn void_in_both(
    connection: &mut AnyConnection,
    record: &OrderRecord,
    amendment: u32,
    idempotency_key: &str,
) -> Result<(), StoreError> {
    for ledger in [&PAYMENTS, &POINTS] {
        let entry = Entry {
            order_id: record.order_id,
            customer_id: record.customer_id.as_str(),
            amendment,
            kind: VOID,
            figure: 0,
            price_before: None,
            idempotency_key: idempotency_key.to_owned(),
        };
        book(connection, ledger, &entry).await?;
    }
    Ok(())
}

/// What was amended about an order; none when nothing was, or was tried to be.
pub(super) async fn amendments(
    connection: &mut AnyConnection,
    record: &OrderRecord,
) -> Result<Option<Amendments>, StoreError> {
    let entries = entries(connection, record.order_id).await?;
    (!entries.is_empty())
        .then(|| amended(record, &entries))
        .transpose()
}

/// The numbers of an order's amendments, and whether each came to an end: it
/// was written, or is void in both ledgers. One that is void in one ledger may
/// still be booked in the other.
async fn entries(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<Vec<(u32, bool)>, StoreError> {
    let rows = sqlx::query(
        "SELECT amendment, CAST(MAX(ended) AS BIGINT) AS ended FROM (\
         SELECT amendment, 1 AS ended FROM amendments WHERE order_id = $1 \
         UNION ALL SELECT amendment, 0 FROM payment_adjustments WHERE order_id = $1 \
         UNION ALL SELECT amendment, 0 FROM loyalty_adjustments WHERE order_id = $1 \
         UNION ALL SELECT money.amendment, 1 FROM payment_adjustments AS money \
         JOIN loyalty_adjustments AS points ON points.order_id = money.order_id \
         AND points.amendment = money.amendment AND points.kind = money.kind \
         WHERE money.order_id = $1 AND money.kind = $2) AS entries \
         GROUP BY amendment ORDER BY amendment",
    )
    .bind(order.to_string())
    .bind(VOID)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let number: i64 = row.try_get("amendment")?;
            let ended: i64 = row.try_get("ended")?;
            Ok((u32::try_from(number).unwrap_or(u32::MAX), ended == 1))
        })
        .collect()
}

fn amended(record: &OrderRecord, entries: &[(u32, bool)]) -> Result<Amendments, StoreError> {
    let quantity = u64::try_from(record.quantity).unwrap_or_default();
    let unfinished = entries.iter().filter(|(_, has_ended)| !has_ended);
    Ok(Amendments {
        flavour: record.flavour.clone(),
        size: record.size,
        quantity: quantity.try_into()?,
        discount: record.discount,
        total: Money::from_minor(record.total),
        last: entries.last().map_or(0, |(number, _)| *number),
        unfinished: unfinished.map(|(number, _)| *number).collect(),
    })
}

/// What an order's adjustments come to: minor units of money, or points. A
/// refund of a part is written as a positive figure.
pub(super) async fn difference(
    connection: &mut AnyConnection,
    ledger: &Ledger,
    order: OrderId,
) -> Result<i64, StoreError> {
    let standing = standing(connection, ledger, order).await?;
    let signed = standing
        .into_iter()
        .map(|(kind, figure)| match kind.as_str() {
            "refund" => -figure,
            _ => figure,
        });
    Ok(signed.sum())
}

/// The adjustments of an order that count.
async fn standing(
    connection: &mut AnyConnection,
    ledger: &Ledger,
    order: OrderId,
) -> Result<Vec<(String, i64)>, StoreError> {
    let query = format!(
        "SELECT kind, {figure} FROM {table} AS entry WHERE order_id = $1 AND kind <> $2 \
         AND NOT EXISTS (SELECT 1 FROM {table} AS void WHERE void.order_id = entry.order_id \
         AND void.amendment = entry.amendment AND void.kind = $2)",
        figure = ledger.figure,
        table = ledger.table
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(order.to_string())
        .bind(VOID)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("kind")?, row.try_get(ledger.figure)?)))
        .collect()
}
