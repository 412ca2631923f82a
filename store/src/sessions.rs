//! Browsers that are signed in.

use sqlx::Row;

use super::{Store, StoreError, now_ms};

/// The most browsers that are signed in with one key: a person has a few, and
/// a kitchen a screen at each oven. Whoever signs in with one more signs the
/// oldest out.
const SESSIONS_OF_A_KEY: i64 = 32;

/// A browser that signed in with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The SHA-256 of the key, in hexadecimal digits.
    pub key_hash: String,
    /// When it ends by itself, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

impl Store {
    /// Keeps a session under its id, and forgets those that are over. Of its
    /// key's sessions only the latest [`SESSIONS_OF_A_KEY`] stay.
    ///
    /// # Errors
    /// When the store does not answer, or has a session under this id.
    #[tracing::instrument(name = "store.open_session", level = "debug", skip_all)]
    pub async fn open_session(&self, id: &str, session: &Session) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query("DELETE FROM sessions WHERE expires_at_ms <= $1")
                .bind(now_ms())
                .execute(&self.pool)
                .await?;
            sqlx::query("INSERT INTO sessions (id, key_hash, expires_at_ms) VALUES ($1, $2, $3)")
                .bind(id.to_owned())
                .bind(session.key_hash.clone())
                .bind(session.expires_at_ms)
                .execute(&self.pool)
                .await?;
            // All last equally long, so the one that ends first is the oldest.
            sqlx::query(
                "DELETE FROM sessions WHERE key_hash = $1 AND id <> $2 AND id NOT IN \
                 (SELECT id FROM sessions WHERE key_hash = $1 AND id <> $2 \
                 ORDER BY expires_at_ms DESC LIMIT $3)",
            )
            .bind(session.key_hash.clone())
            .bind(id.to_owned())
            .bind(SESSIONS_OF_A_KEY - 1)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// The session with this id, unless it is over.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.session", level = "debug", skip_all)]
    pub async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.within(async {
            let row = sqlx::query(
                "SELECT key_hash, expires_at_ms FROM sessions \
                 WHERE id = $1 AND expires_at_ms > $2",
            )
            .bind(id.to_owned())
            .bind(now_ms())
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some(Session {
                key_hash: row.try_get("key_hash")?,
                expires_at_ms: row.try_get("expires_at_ms")?,
            }))
        })
        .await
    }

    /// Ends a session. Ending it again changes nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.close_session", level = "debug", skip_all)]
    pub async fn close_session(&self, id: &str) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query("DELETE FROM sessions WHERE id = $1")
                .bind(id.to_owned())
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_databases::{TestEngine, database, on_each_engine};
    use super::*;

    fn until(expires_at_ms: i64) -> Session {
        Session {
            key_hash: "ab".repeat(32),
            expires_at_ms,
        }
    }

    async fn a_session_is_there_until_it_is_closed_or_over(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let (open, over) = (until(now_ms() + 60_000), until(now_ms() - 1));
        store.open_session("over", &over).await.expect("kept");
        store.open_session("open", &open).await.expect("kept");
        let other = database.second_process().await;
        let found = async |id| other.session(id).await.expect("read");
        assert_eq!(found("open").await, Some(open.clone()));
        assert_eq!(found("over").await, None);
        assert_eq!(found("").await, None);
        store.open_session("open", &open).await.expect_err("taken");
        for _ in 0..2 {
            store.close_session("open").await.expect("closed");
            assert_eq!(found("open").await, None);
        }
    }

    async fn one_more_session_of_a_key_ends_its_oldest(engine: TestEngine) {
        let database = database(engine).await;
        let store = &database.store;
        let start = now_ms() + 60_000;
        let of_another = Session {
            key_hash: "cd".repeat(32),
            expires_at_ms: start - 1,
        };
        store
            .open_session("other", &of_another)
            .await
            .expect("kept");
        for number in 0..SESSIONS_OF_A_KEY + 2 {
            let (id, session) = (number.to_string(), until(start + number));
            store.open_session(&id, &session).await.expect("kept");
        }
        let is_open = async |id: &str| store.session(id).await.expect("read").is_some();
        for (id, open) in [("0", false), ("1", false), ("2", true), ("33", true)] {
            assert_eq!(is_open(id).await, open, "{id}");
        }
        assert!(is_open("other").await, "another key's session stays");
        // One that was opened by a clock that is behind is open all the same.
        store
            .open_session("late", &until(start - 1))
            .await
            .expect("kept");
        assert!(is_open("late").await && !is_open("2").await);
    }

    on_each_engine!(
        a_session_is_there_until_it_is_closed_or_over,
        one_more_session_of_a_key_ends_its_oldest,
    );
}
