//! Orders as a worker would write them, whose functions for that are its own.

use pizza_store::now_ms;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};

use crate::support::TestGateway;

/// The store, behind the gateway's back.
pub(crate) struct Shop {
    connection: AnyConnection,
}

/// An order to write; each has the same pizza but for the flavour.
pub(crate) struct Written<'a> {
    pub(crate) id: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) flavour: &'a str,
    pub(crate) status: &'a str,
    /// The step that cancelled it; empty for none.
    pub(crate) cancel_step: &'a str,
    pub(crate) placed_at_ms: i64,
}

impl Default for Written<'_> {
    fn default() -> Self {
        Self {
            id: "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11",
            customer: "guest",
            flavour: "plain",
            status: "Pending",
            cancel_step: "",
            placed_at_ms: now_ms(),
        }
    }
}

/// The id of the order with this number.
pub(crate) fn id(number: u32) -> String {
    format!("6f1b6c1e-3a0a-4c55-8a55-{number:012x}")
}

impl Shop {
    pub(crate) async fn of(gateway: &TestGateway) -> Self {
        install_default_drivers();
        let connection = AnyConnection::connect(&gateway.store_url);
        Self {
            connection: connection.await.expect("the store"),
        }
    }

    pub(crate) async fn execute(&mut self, statement: &str) {
        self.connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Writes an order at version 1, and its first change.
    pub(crate) async fn order(&mut self, order: Written<'_>) {
        let Written {
            id,
            customer,
            flavour,
            status,
            cancel_step,
            placed_at_ms,
        } = order;
        let cancelled = match cancel_step {
            "" => "NULL, NULL, NULL".to_owned(),
            step => format!("'{step}', 'no-luck', 'it did not work'"),
        };
        self.execute(&format!(
            "INSERT INTO orders (order_id, customer_id, flavour, size, quantity, total, \
             discount_percent, status, money, points, cancel_step, cancel_code, cancel_message, \
             version, placed_at_ms, updated_at_ms) VALUES ('{id}', '{customer}', '{flavour}', \
             'large', 2, 3000, 0, '{status}', 'notCharged', 'none', {cancelled}, 1, \
             {placed_at_ms}, {placed_at_ms})"
        ))
        .await;
        self.log(id, now_ms()).await;
    }

    /// Writes the next change of an order.
    pub(crate) async fn change(&mut self, id: &str, status: &str) {
        self.change_at(id, status, now_ms()).await;
    }

    /// The same, by a clock that shows this.
    pub(crate) async fn change_at(&mut self, id: &str, status: &str, at_ms: i64) {
        self.execute("BEGIN").await;
        self.execute(&format!(
            "UPDATE orders SET status = '{status}', version = version + 1, \
             updated_at_ms = {at_ms} WHERE order_id = '{id}'"
        ))
        .await;
        self.log(id, at_ms).await;
        self.execute("COMMIT").await;
    }

    async fn log(&mut self, id: &str, at_ms: i64) {
        self.execute(&format!(
            "INSERT INTO order_changes (order_id, version, status, money, points, changed_at_ms, \
             flavour, size, quantity, total, discount_percent) \
             SELECT order_id, version, status, money, points, {at_ms}, \
             flavour, size, quantity, total, discount_percent FROM orders WHERE order_id = '{id}'"
        ))
        .await;
    }
}
