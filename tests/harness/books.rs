//! The books of the outside parties and the record of orders, read as an
//! auditor would: straight from the tables.

use pizza_domain::OrderStatus;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

use super::{SOON, eventually};

/// An open database.
pub(crate) struct Books {
    connection: AnyConnection,
    is_sqlite: bool,
}

/// One row of a ledger: its kind, and the amount or the points.
pub(crate) type Entry = (String, i64);

/// Everything in the books about one order.
#[derive(Debug)]
pub(crate) struct Account {
    /// Of the payment provider, by kind.
    pub(crate) payments: Vec<Entry>,
    /// Of the loyalty programme, by kind.
    pub(crate) points: Vec<Entry>,
    /// What the customer was told.
    pub(crate) notifications: Vec<String>,
    /// Each change of the order, in its order.
    pub(crate) changes: Vec<Change>,
}

/// What an observer could have seen.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) version: i64,
    pub(crate) status: OrderStatus,
    pub(crate) changed_at_ms: i64,
}

impl Books {
    /// Opens the books at this URL, as soon as there are any.
    pub(crate) async fn open(url: &str) -> Self {
        install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let mode = if is_sqlite { "?mode=rw" } else { "" };
        let url = format!("{url}{mode}");
        let connection = eventually(SOON, "the books can be opened", async || {
            AnyConnection::connect(&url).await.ok()
        })
        .await;
        Self {
            connection,
            is_sqlite,
        }
    }

    /// The result of a query that gives one number.
    pub(crate) async fn number(&mut self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut self.connection)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// From now on the table takes no new row for which `condition` holds (an
    /// SQL expression on NEW; empty for any row).
    pub(crate) async fn refuse(&mut self, table: &str, condition: &str) {
        let when = if condition.is_empty() {
            "TRUE"
        } else {
            condition
        };
        let trigger = format!("CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table}");
        if self.is_sqlite {
            let raise = "BEGIN SELECT RAISE(ABORT, 'the books are closed'); END";
            self.execute(&format!("{trigger} WHEN {when} {raise}"))
                .await;
        } else {
            // An operator's intervention, as the other is.
            self.execute(&format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION 'the books are closed' USING ERRCODE = '57000'; END $$; \
                 {trigger} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()"
            ))
            .await;
        }
    }

    /// The table takes rows again.
    pub(crate) async fn accept(&mut self, table: &str) {
        let of = if self.is_sqlite {
            String::new()
        } else {
            format!(" ON {table}")
        };
        self.execute(&format!("DROP TRIGGER refuse_{table}{of}"))
            .await;
    }

    /// From now on nobody else can write.
    pub(crate) async fn lock(&mut self) {
        if self.is_sqlite {
            self.execute("BEGIN IMMEDIATE").await;
        } else {
            self.execute(
                "BEGIN; LOCK TABLE orders, order_changes, payments, loyalty_points, amendments, \
                 payment_adjustments, loyalty_adjustments, kitchen_tickets, kitchen_reports, \
                 notifications, failed_tasks, idempotency_keys IN EXCLUSIVE MODE",
            )
            .await;
        }
    }

    /// Others can write again.
    pub(crate) async fn unlock(&mut self) {
        self.execute("ROLLBACK").await;
    }

    /// Runs a statement, as soon as the others let it.
    pub(crate) async fn execute(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Changes the books behind everybody's back.
    pub(crate) async fn falsify(&mut self, statement: &str) {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert_ne!(done.rows_affected(), 0, "{statement}");
    }

    /// How many orders there are.
    pub(crate) async fn orders(&mut self) -> i64 {
        self.number("SELECT count(*) FROM orders").await
    }

    /// The orders that are kept under a customer's idempotency key.
    pub(crate) async fn ids_under(&mut self, customer: &str, key: &str) -> Vec<String> {
        let query = "SELECT order_ids FROM idempotency_keys \
                     WHERE customer_id = $1 AND idempotency_key = $2";
        let ids: Option<String> = sqlx::query_scalar(query)
            .bind(customer.to_owned())
            .bind(key.to_owned())
            .fetch_optional(&mut self.connection)
            .await
            .expect("the keys");
        let ids = ids.unwrap_or_default();
        ids.split_whitespace().map(str::to_owned).collect()
    }

    /// What the books say about an order.
    pub(crate) async fn account(&mut self, id: &str) -> Account {
        Account {
            payments: self.entries("payments", "amount", id).await,
            points: self.entries("loyalty_points", "points", id).await,
            notifications: self.notifications(id).await,
            changes: self.changes(id).await,
        }
    }

    /// What amendments moved in a ledger of adjustments: kinds and figures.
    pub(crate) async fn adjustments(&mut self, table: &str, column: &str, id: &str) -> Vec<Entry> {
        let query = format!(
            "SELECT kind, {column} FROM {table} WHERE order_id = $1 ORDER BY amendment, kind"
        );
        sqlx::query_as(AssertSqlSafe(query))
            .bind(id.to_owned())
            .fetch_all(&mut self.connection)
            .await
            .expect("the ledger")
    }

    /// The result of a query about one order that gives one text; none when
    /// there is no such row.
    pub(crate) async fn text(&mut self, query: &str, id: &str) -> Option<String> {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .bind(id.to_owned())
            .fetch_optional(&mut self.connection)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    async fn entries(&mut self, table: &str, column: &str, id: &str) -> Vec<Entry> {
        let query = format!("SELECT kind, {column} FROM {table} WHERE order_id = $1 ORDER BY kind");
        sqlx::query_as(AssertSqlSafe(query))
            .bind(id.to_owned())
            .fetch_all(&mut self.connection)
            .await
            .expect("the ledger")
    }

    async fn notifications(&mut self, id: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT message FROM notifications WHERE order_id = $1")
            .bind(id.to_owned())
            .fetch_all(&mut self.connection)
            .await
            .expect("the notifications")
    }

    async fn changes(&mut self, id: &str) -> Vec<Change> {
        let query = "SELECT version, status, changed_at_ms FROM order_changes \
                     WHERE order_id = $1 ORDER BY version";
        sqlx::query(query)
            .bind(id.to_owned())
            .fetch_all(&mut self.connection)
            .await
            .expect("the changes")
            .into_iter()
            .map(|row| Change {
                version: row.get("version"),
                status: row.get::<String, _>("status").parse().expect("a status"),
                changed_at_ms: row.get("changed_at_ms"),
            })
            .collect()
    }
}

impl Account {
    /// The statuses that the order went through, each once.
    pub(crate) fn way(&self) -> Vec<OrderStatus> {
        let mut way: Vec<_> = self.changes.iter().map(|change| change.status).collect();
        way.dedup();
        way
    }

    /// Checks what holds for every order: versions without gaps, statuses
    /// that only ever went forward, time that did not run backwards.
    pub(crate) fn assert_legal(&self) {
        for (change, version) in self.changes.iter().zip(1..) {
            assert_eq!(change.version, version, "{self:?}");
        }
        for pair in self.way().windows(2) {
            assert!(pair[0].may_become(pair[1]), "{pair:?} in {self:?}");
        }
        let in_time = |pair: &[Change]| pair[0].changed_at_ms <= pair[1].changed_at_ms;
        assert!(self.changes.windows(2).all(in_time), "{self:?}");
    }

    /// The kinds of the entries in the payment provider's ledger.
    pub(crate) fn payment_kinds(&self) -> Vec<&str> {
        kinds(&self.payments)
    }

    /// The kinds of the entries in the loyalty programme's ledger.
    pub(crate) fn points_kinds(&self) -> Vec<&str> {
        kinds(&self.points)
    }

    /// The points that the customer has from this order.
    pub(crate) fn points_left(&self) -> i64 {
        self.points.iter().map(|(_, points)| points).sum()
    }
}

fn kinds(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|(kind, _)| kind.as_str()).collect()
}
