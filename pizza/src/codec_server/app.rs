//! What every request of the codec server needs.

use payload_codec::Cipher;
use pizza_api::Exchanges;
use pizza_app::keys::{Keyring, Role};

use super::origin::Origin;
use super::sessions::Sessions;

/// The keys, sessions and settings of a codec server.
pub(super) struct App {
    pub(super) cipher: Cipher,
    pub(super) operators: Keyring,
    pub(super) ui_origins: Vec<Origin>,
    pub(super) decode_only: bool,
    pub(super) sessions: Sessions,
    /// What requests take up.
    pub(super) exchanges: Exchanges,
}

impl App {
    /// The name of the operator who holds this key; none for the key of
    /// another role.
    pub(super) fn operator(&self, key: &str) -> Option<String> {
        let holder = self.operators.holder(key)?;
        (holder.role == Role::Operator).then(|| holder.name.clone())
    }
}
