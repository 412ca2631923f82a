//! The list of orders, newest first.

use pizza_domain::{CustomerId, Flavour, OrderId, OrderStatus, Step};
use pizza_workflows::steps::StepSpec;
use sqlx::AssertSqlSafe;

use super::order_record::{COLUMNS, OrderRecord, read};
use super::{Store, StoreError, flavours};

/// Which orders are meant. What is none does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Where they stand.
    pub status: Option<OrderStatus>,
    /// Whose they are.
    pub customer_id: Option<CustomerId>,
    /// What is on them, however it is spelled ([`Flavour::folded`]).
    pub flavour: Option<Flavour>,
    /// They were accepted after this, in milliseconds since the Unix epoch.
    pub placed_after_ms: Option<i64>,
    /// They were accepted before this, in milliseconds since the Unix epoch.
    pub placed_before_ms: Option<i64>,
    /// They were cancelled because this step failed for good, or it is still
    /// owed.
    pub failed_step: Option<Step>,
}

/// Where an order stands in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPosition {
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub placed_at_ms: i64,
    /// Its id, which orders those that were accepted at the same time.
    pub order_id: OrderId,
}

impl From<&OrderRecord> for OrderPosition {
    fn from(order: &OrderRecord) -> Self {
        Self {
            placed_at_ms: order.placed_at_ms,
            order_id: order.order_id,
        }
    }
}

/// A value to put in a statement.
enum Value {
    Text(String),
    Number(i64),
}

/// Conditions, all of which hold, and their values.
#[derive(Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a value and gives its place.
    fn place(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn text(&mut self, value: impl Into<String>) -> String {
        self.place(Value::Text(value.into()))
    }

    fn of(filter: &OrderFilter, after: Option<OrderPosition>) -> Self {
        let mut all = Self::default();
        if let Some(status) = filter.status {
            let status = all.text(status.as_str());
            all.sql.push(format!("status = {status}"));
        }
        if let Some(customer) = &filter.customer_id {
            let customer = all.text(customer.as_str());
            all.sql.push(format!("customer_id = {customer}"));
        }
        if let Some(flavour) = &filter.flavour {
            all.of_flavour(flavour);
        }
        if let Some(at) = filter.placed_after_ms {
            let at = all.place(Value::Number(at));
            all.sql.push(format!("placed_at_ms > {at}"));
        }
        if let Some(at) = filter.placed_before_ms {
            let at = all.place(Value::Number(at));
            all.sql.push(format!("placed_at_ms < {at}"));
        }
        if let Some(step) = filter.failed_step {
            all.failed(step);
        }
        if let Some(after) = after {
            let at = all.place(Value::Number(after.placed_at_ms));
            let id = all.text(after.order_id.to_string());
            all.sql
                .push(format!("(placed_at_ms, order_id) < ({at}, {id})"));
        }
        all
    }

    fn of_flavour(&mut self, flavour: &Flavour) {
        let folded = self.text(flavour.folded());
        // As processes of a version before wrote it, which listed no spelling.
        let spelled_so = self.text(flavours::lower_case(flavour));
        self.sql.push(format!(
            "LOWER(flavour) IN (SELECT LOWER(flavour) FROM flavours WHERE folded = {folded} \
             UNION ALL SELECT {folded} UNION ALL SELECT {spelled_so})"
        ));
    }

    fn failed(&mut self, step: Step) {
        let name = self.text(step.as_str());
        let cancelled = format!("SELECT order_id FROM orders WHERE cancel_step = {name}");
        let orders = match StepSpec::of(step).parked {
            None => cancelled,
            Some(parked) => {
                let queue = self.text(parked.queue);
                format!(
                    "{cancelled} UNION SELECT order_id FROM failed_tasks \
                     WHERE state IN ('parked', 'discarded') AND queue = {queue}"
                )
            }
        };
        self.sql.push(format!("order_id IN ({orders})"));
    }
}

impl Store {
    /// The first `most` of the orders that pass the filter, newest first,
    /// behind a position. Orders that come in later stand before it, so that
    /// none shifts what follows it.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.list_orders", level = "debug", skip_all)]
    pub async fn list_orders(
        &self,
        filter: &OrderFilter,
        after: Option<OrderPosition>,
        most: u32,
    ) -> Result<Vec<OrderRecord>, StoreError> {
        self.within(async {
            let mut all = Conditions::of(filter, after);
            let most = all.place(Value::Number(most.into()));
            let mut statement = format!("SELECT {COLUMNS} FROM orders");
            if !all.sql.is_empty() {
                statement.push_str(" WHERE ");
                statement.push_str(&all.sql.join(" AND "));
            }
            statement.push_str(" ORDER BY placed_at_ms DESC, order_id DESC LIMIT ");
            statement.push_str(&most);
            // Made of the texts above; what comes from outside is bound.
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for value in all.values {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Number(number) => query.bind(number),
                };
            }
            let rows = query.fetch_all(&self.pool).await?;
            rows.iter().map(read).collect()
        })
        .await
    }
}
