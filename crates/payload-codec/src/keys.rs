//! Keys: which there are, and how a file names them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The length of a key, in bytes.
const KEY_BYTES: usize = 32;

/// The longest id of a key, in characters.
const ID_LENGTH: usize = 64;

/// What aliases are made with, which must not be the key that encrypts.
const ALIAS_PURPOSE: &[u8] = b"crates/payload-codec/alias/1";

/// The name of a key. It stands beside everything that the key encrypted, so
/// it is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(String);

/// Why a text is not a [`KeyId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")]
pub struct InvalidKeyId;

impl KeyId {
    /// The id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=ID_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKeyId)
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key, ready to be used. `Debug` tells its id alone.
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) sealing: LessSafeKey,
    aliasing: hmac::Key,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id.0).finish()
    }
}

impl Key {
    fn new(id: KeyId, bytes: &[u8]) -> Option<Self> {
        let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        // A key of its own for each purpose, derived from the one that is kept.
        let whole = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derived = hmac::sign(&whole, ALIAS_PURPOSE);
        Some(Self {
            id,
            sealing,
            aliasing: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        })
    }

    /// 128 bits that stand for a text, in hexadecimal.
    fn alias(&self, text: &str) -> String {
        let tag = hmac::sign(&self.aliasing, text.as_bytes());
        tag.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The keys of a process: the first one writes, all of them read.
#[derive(Debug)]
pub struct Keys {
    pub(crate) writing: Key,
    reading: Vec<Key>,
}

/// Why a list of keys was not taken. It names the line and repeats nothing of
/// it: what stands there may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// No line holds a key.
    #[error("it holds no key; a key is a line `ID:BASE64`, as `codec-key` makes it")]
    Empty,
    /// A line is not one.
    #[error("line {line} {fault}")]
    Line {
        /// The line, the first being 1.
        line: usize,
        /// What is wrong with it.
        fault: KeyFault,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It has no colon.
    #[error("must be an id and a key in base64 with ':' between them")]
    Shape,
    /// The id is empty, too long, or has other characters.
    #[error("must have an id of 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")]
    Id,
    /// What follows the id is not base64 of 32 bytes.
    #[error("must have 32 bytes in base64 after the ':'")]
    Key,
    /// The id is another line's.
    #[error("has the id of a line before it")]
    RepeatedId,
    /// The key is another line's, under another id.
    #[error("has the key of a line before it")]
    RepeatedKey,
}

impl Keys {
    /// Reads keys, one `ID:BASE64` on a line. Empty lines and those that begin
    /// with `#` are passed over.
    ///
    /// # Errors
    /// When a line is not one, or repeats an id or a key, or there is none.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let mut keys: Vec<Key> = Vec::new();
        let mut seen: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for (line, entry) in (1..).zip(text.lines()) {
            let entry = entry.trim();
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            let fault = |fault| InvalidKeys::Line { line, fault };
            let (id, bytes) = read_entry(entry).map_err(fault)?;
            if keys.iter().any(|key| key.id == id) {
                return Err(fault(KeyFault::RepeatedId));
            }
            if seen.contains(&bytes) {
                return Err(fault(KeyFault::RepeatedKey));
            }
            keys.push(Key::new(id, &bytes).ok_or_else(|| fault(KeyFault::Key))?);
            seen.push(bytes);
        }
        if keys.is_empty() {
            return Err(InvalidKeys::Empty);
        }
        let reading = keys.split_off(1);
        let writing = keys.pop().ok_or(InvalidKeys::Empty)?;
        Ok(Self { writing, reading })
    }

    /// A new key under `id`, as a line for a file of keys; none where the
    /// system has no random numbers.
    #[must_use]
    pub fn generate(id: &KeyId) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(bytes.as_mut()).ok()?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(bytes.as_ref()));
        Some(Zeroizing::new(format!("{id}:{}", *encoded)))
    }

    /// The ids of the keys; that of the one that writes comes first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.all().map(|key| &key.id)
    }

    /// What stands for `text` where nothing can be encrypted because it has to
    /// be found again: in search attributes. It is made with the key that
    /// writes; whoever has no key cannot tell what it stands for, only that two
    /// are the same.
    #[must_use]
    pub fn alias(&self, text: &str) -> String {
        self.writing.alias(text)
    }

    /// What stands for `text` under each of the keys.
    pub fn aliases(&self, text: &str) -> impl Iterator<Item = String> {
        self.all().map(move |key| key.alias(text))
    }

    pub(crate) fn find(&self, id: &[u8]) -> Option<&Key> {
        self.all().find(|key| key.id.0.as_bytes() == id)
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.writing).chain(&self.reading)
    }
}

fn read_entry(entry: &str) -> Result<(KeyId, Zeroizing<Vec<u8>>), KeyFault> {
    let (id, key) = entry.split_once(':').ok_or(KeyFault::Shape)?;
    let id = id.parse().map_err(|InvalidKeyId| KeyFault::Id)?;
    let bytes = BASE64_STANDARD.decode(key).map_err(|_| KeyFault::Key)?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() == KEY_BYTES {
        Ok((id, bytes))
    } else {
        Err(KeyFault::Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";
    const B: &str = "b-2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI=";

    fn ids(keys: &Keys) -> Vec<&str> {
        keys.ids().map(KeyId::as_str).collect()
    }

    #[test]
    fn the_first_key_writes_and_comments_are_passed_over() {
        let keys = Keys::parse(&format!("# new\n\n  {B} \r\n# old\n{A}\n")).expect("two keys");
        assert_eq!(ids(&keys), ["b-2", "a"]);
        assert_eq!(keys.writing.id.as_str(), "b-2");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_alone() {
        let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (bad, fault) in [
            (secret.to_owned(), KeyFault::Shape),
            (format!(":{secret}I="), KeyFault::Id),
            (format!("b b:{secret}I="), KeyFault::Id),
            (format!("{}:{secret}I=", "b".repeat(65)), KeyFault::Id),
            (format!("b:{secret}"), KeyFault::Key),
            (format!("b:{secret}I"), KeyFault::Key),
            (format!("b: {secret}I="), KeyFault::Key),
            (format!("b:{secret}!="), KeyFault::Key),
            (format!("b:{secret}AAAAA="), KeyFault::Key),
            ("b:".to_owned(), KeyFault::Key),
            (format!("a:{secret}I="), KeyFault::RepeatedId),
            (format!("b:{secret}E="), KeyFault::RepeatedKey),
        ] {
            let error = Keys::parse(&format!("{A}\n\n{bad}")).expect_err(&bad);
            assert_eq!(error, InvalidKeys::Line { line: 3, fault }, "{bad}");
            let told = format!("{error} {error:?}");
            assert!(!told.contains("AAAA") && !told.contains("b:"), "{told}");
        }
        for none in ["", "\n# a:b\n"] {
            assert_eq!(Keys::parse(none).expect_err("none"), InvalidKeys::Empty);
        }
    }

    #[test]
    fn a_new_key_is_a_line_and_never_the_same() {
        let id: KeyId = "2026-11".parse().expect("an id");
        let line = Keys::generate(&id).expect("a key");
        assert_eq!(ids(&Keys::parse(&line).expect("a line")), ["2026-11"]);
        assert_ne!(line, Keys::generate(&id).expect("another"));
    }

    #[test]
    fn no_key_is_printed() {
        let keys = Keys::parse(&format!("{A}\n{B}")).expect("two keys");
        assert_eq!(
            format!("{keys:?}"),
            r#"Keys { writing: Key("a"), reading: [Key("b-2")] }"#
        );
    }

    #[test]
    fn an_alias_is_the_same_for_who_has_the_key_and_tells_nothing_else() {
        let keys = Keys::parse(&format!("{A}\n{B}")).expect("two keys");
        let alias = keys.alias("ann");
        assert_eq!(alias.len(), 32);
        assert_eq!(alias, keys.alias("ann"));
        assert_ne!(alias, keys.alias("ben"));
        let rotated = Keys::parse(&format!("{B}\n{A}")).expect("two keys");
        assert_ne!(alias, rotated.alias("ann"));
        assert!(rotated.aliases("ann").any(|one| one == alias));
    }
}
