//! Who may do what: the keys that the gateway knows, by their hashes.
//!
//! The configuration holds no key, so whoever reads it cannot act with it.
//! A key has 256 random bits, which is why one round of SHA-256 is enough:
//! there is nothing to guess.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::access::AccessError;

/// The longest name of whoever holds a key, in characters.
const NAME_LENGTH: usize = 64;

/// What the holder of a key is to the gateway. What each may do is said once
/// for each door, where a role is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whoever looks after the failure queues; sees every order.
    Operator,
    /// Whoever orders. The name of the key is the customer's id.
    Customer,
    /// Whoever cooks and delivers.
    Kitchen,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Customer, Self::Kitchen];
}

/// The holder of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The name that the configuration gives them; audit trails carry it.
    pub name: String,
    /// What they are.
    pub role: Role,
}

/// The SHA-256 of a key. Neither `Debug` nor any error tells it.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key's text.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The entry for the configuration that lets `name` in with this key.
    #[must_use]
    pub fn entry(&self, name: &str) -> String {
        format!("{name}:{}", self.hex())
    }

    /// The hash as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash with these 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (position, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * position..2 * position + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// A tag on a text that only those can make who know this hash.
    pub fn tag(&self, text: &str) -> String {
        let tag = hmac::sign(&self.tag_key(), text.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    /// Whether this is the text's tag.
    pub fn has_tagged(&self, text: &str, tag: &str) -> bool {
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag);
        tag.is_ok_and(|tag| hmac::verify(&self.tag_key(), text.as_bytes(), &tag).is_ok())
    }

    fn tag_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }

    /// Takes the same time however much of two hashes agrees.
    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// Whether `name` can be the name of a key's holder: it goes into audit
/// trails and logs.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_LENGTH).contains(&name.len()) && name.bytes().all(allowed)
}

/// The keys that the gateway knows.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Vec<(KeyHash, Principal)>,
}

/// Why a list of keys was not taken. It names the entry by its position and
/// repeats nothing of it: people paste the key itself where its hash belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position} of the keys {fault}")]
pub struct InvalidKeys {
    /// The entry, the first being 1.
    pub position: usize,
    /// What is wrong with it.
    pub fault: KeyFault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It has no colon.
    #[error("must be a name and a hash with ':' between them")]
    Shape,
    /// The name is empty, too long, or has other characters.
    #[error("must have a name of 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")]
    Name,
    /// The hash is none.
    #[error("must have the SHA-256 of the key as 64 hexadecimal digits")]
    Hash,
    /// The name is another entry's.
    #[error("has the name of an entry before it")]
    RepeatedName,
    /// The key is another entry's, so that it would not say who holds it.
    #[error("has the key of an entry before it")]
    RepeatedKey,
}

impl Keyring {
    /// Adds the keys of a role: `name:sha256hex` entries with commas between
    /// them. A text without any entry adds none.
    ///
    /// # Errors
    /// When an entry is not one, or repeats a name or a key.
    pub fn add(&mut self, role: Role, entries: &str) -> Result<(), InvalidKeys> {
        if entries.trim().is_empty() {
            return Ok(());
        }
        for (position, entry) in (1..).zip(entries.split(',')) {
            self.add_entry(role, entry.trim())
                .map_err(|fault| InvalidKeys { position, fault })?;
        }
        Ok(())
    }

    /// Adds a key whose hash is known.
    ///
    /// # Errors
    /// When the name is none, or the name or the key is there already.
    pub fn add_hash(&mut self, role: Role, name: &str, hash: KeyHash) -> Result<(), KeyFault> {
        if !is_key_name(name) {
            return Err(KeyFault::Name);
        }
        let is_taken = |holder: &Principal| holder.role == role && holder.name == name;
        if self.keys.iter().any(|(_, holder)| is_taken(holder)) {
            return Err(KeyFault::RepeatedName);
        }
        if self.keys.iter().any(|(known, _)| known.is(&hash).into()) {
            return Err(KeyFault::RepeatedKey);
        }
        let name = name.to_owned();
        self.keys.push((hash, Principal { name, role }));
        Ok(())
    }

    fn add_entry(&mut self, role: Role, entry: &str) -> Result<(), KeyFault> {
        let (name, hash) = entry.split_once(':').ok_or(KeyFault::Shape)?;
        if !is_key_name(name) {
            return Err(KeyFault::Name);
        }
        let hash = KeyHash::from_hex(hash).ok_or(KeyFault::Hash)?;
        self.add_hash(role, name, hash)
    }

    /// Whether there is a key for this role at all.
    #[must_use]
    pub fn knows(&self, role: Role) -> bool {
        self.keys.iter().any(|(_, holder)| holder.role == role)
    }

    /// Who holds the key that a request shows; none when it shows none.
    ///
    /// # Errors
    /// When nobody does.
    pub fn shown(&self, key: Option<&str>) -> Result<Option<&Principal>, AccessError> {
        let unknown = AccessError::Unauthenticated("this key is not known here");
        key.map(|key| self.holder(key).ok_or(unknown)).transpose()
    }

    /// The one who holds the key with this hash.
    pub fn holder_by_hash(&self, hash: &KeyHash) -> Option<&Principal> {
        self.keys.iter().fold(None, |found, (known, holder)| {
            if known.is(hash).into() {
                Some(holder)
            } else {
                found
            }
        })
    }

    /// The first who was given a key for this role, with the key's hash.
    pub fn first(&self, role: Role) -> Option<(&KeyHash, &Principal)> {
        let mut keys = self.keys.iter().map(|(hash, holder)| (hash, holder));
        keys.find(|(_, holder)| holder.role == role)
    }

    /// The one with this name in this role, with the hash of their key.
    pub fn named(&self, role: Role, name: &str) -> Option<(&KeyHash, &Principal)> {
        let mut keys = self.keys.iter().map(|(hash, holder)| (hash, holder));
        keys.find(|(_, holder)| holder.role == role && holder.name == name)
    }

    /// Who holds this key. Every hash is compared, each in constant time, so
    /// that the time it takes tells nothing.
    #[must_use]
    pub fn holder(&self, key: &str) -> Option<&Principal> {
        self.holder_by_hash(&KeyHash::of(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pizza_op_an-example";

    fn keyring(entries: &str) -> Result<Keyring, InvalidKeys> {
        let mut keys = Keyring::default();
        keys.add(Role::Operator, entries).map(|()| keys)
    }

    fn entry(name: &str, key: &str) -> String {
        KeyHash::of(key).entry(name)
    }

    #[test]
    fn a_key_is_known_by_its_hash() {
        assert_eq!(
            entry("abc", "abc"),
            "abc:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let two = format!(" {} ,\n{}", entry("ann", KEY), entry("b.o_b-1", "another"));
        let keys = keyring(&two).expect("two keys");
        let name = |key| keys.holder(key).map(|holder| holder.name.as_str());
        assert_eq!(name(KEY), Some("ann"));
        assert_eq!(name("another"), Some("b.o_b-1"));
        for unknown in ["", "pizza_op_an-exampl", "pizza_op_an-example ", "ann"] {
            assert_eq!(name(unknown), None, "{unknown:?}");
        }
        let upper = entry("ann", KEY).to_uppercase();
        assert!(keyring(&upper).is_ok_and(|keys| keys.holder(KEY).is_some()));
    }

    #[test]
    fn no_entries_are_no_keys() {
        for none in ["", "  \n"] {
            let keys = keyring(none).expect("none");
            assert!(!keys.knows(Role::Operator));
            assert_eq!(keys.holder(KEY), None);
        }
        assert!(keyring(&entry("ann", KEY)).is_ok_and(|keys| keys.knows(Role::Operator)));
    }

    #[test]
    fn a_bad_entry_is_named_by_its_position_alone() {
        let good = entry("ann", KEY);
        let hash = good.trim_start_matches("ann:");
        let long_name = entry(&"a".repeat(65), "x");
        for (bad, fault) in [
            (String::new(), KeyFault::Shape),
            ("bob".to_owned(), KeyFault::Shape),
            (hash.to_owned(), KeyFault::Shape),
            (entry("", "x"), KeyFault::Name),
            (entry("b b", "x"), KeyFault::Name),
            (entry("bób", "x"), KeyFault::Name),
            (long_name, KeyFault::Name),
            (format!("bob:{KEY}"), KeyFault::Hash),
            (format!("bob:{}", &hash[1..]), KeyFault::Hash),
            (format!("bob: {}", &hash[1..]), KeyFault::Hash),
            (format!("bob:+{}", &hash[1..]), KeyFault::Hash),
            (format!("bob:{hash}:{hash}"), KeyFault::Hash),
            (entry("ann", "another"), KeyFault::RepeatedName),
            (entry("bob", KEY), KeyFault::RepeatedKey),
        ] {
            let refusal = keyring(&format!("{good},{bad}")).expect_err(&bad);
            assert_eq!(refusal, InvalidKeys { position: 2, fault }, "{bad:?}");
            let told = format!("{refusal} {refusal:?}");
            assert!(told.starts_with("entry 2 of the keys "), "{told}");
            assert!(!told.contains(&hash[1..]) && !told.contains(KEY), "{told}");
        }
    }

    #[test]
    fn no_hash_is_printed() {
        let keys = keyring(&entry("ann", KEY)).expect("a key");
        let printed = format!("{keys:?}");
        assert!(
            printed.contains("ann") && printed.contains("KeyHash(..)"),
            "{printed}"
        );
    }
}
