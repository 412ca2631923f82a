//! What every request of the codec server needs.

use payload_codec::Cipher;
use pizza_api::{Exchanges, SessionCookie};
use pizza_app::keys::{Keyring, Principal, Role};
use pizza_store::{Store, StoreError};

use http::HeaderMap;

use super::origin::{Origin, is_https};

/// The keys, sessions and settings of a codec server.
pub(super) struct App {
    pub(super) cipher: Cipher,
    pub(super) operators: Keyring,
    pub(super) ui_origins: Vec<Origin>,
    pub(super) decode_only: bool,
    /// The gateway's store, which has the browsers' sessions; none where no
    /// page may ask.
    pub(super) sessions: Option<Store>,
    /// What requests take up.
    pub(super) exchanges: Exchanges,
}

impl App {
    /// The operator who holds this key; none for the key of another role.
    pub(super) fn operator(&self, key: &str) -> Option<&Principal> {
        self.operators.holder(key).filter(is_operator)
    }

    /// The operator whose session a request belongs to, going by its cookie
    /// alone: for counting, not for rights.
    pub(super) fn counted_as(&self, headers: &HeaderMap) -> Option<&Principal> {
        let cookie = self.cookie(headers)?;
        cookie.holder(&self.operators).filter(is_operator)
    }

    /// The operator whose session a request belongs to. The store is asked
    /// about cookies alone that a gateway made.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) async fn signed_in(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<&Principal>, StoreError> {
        let (Some(store), Some(cookie), Some(_)) = (
            &self.sessions,
            self.cookie(headers),
            self.counted_as(headers),
        ) else {
            return Ok(None);
        };
        let holder = cookie.signed_in(store, &self.operators).await?;
        Ok(holder.filter(is_operator))
    }

    /// The gateway's cookie, which it has under another name where browsers
    /// use TLS, as the pages of the UI do then.
    fn cookie(&self, headers: &HeaderMap) -> Option<SessionCookie> {
        SessionCookie::of(headers, is_https(&self.ui_origins))
    }
}

fn is_operator(holder: &&Principal) -> bool {
    holder.role == Role::Operator
}
