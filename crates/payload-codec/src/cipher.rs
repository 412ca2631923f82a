//! The codec: one payload in, one payload out.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use prost::Message;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};
use temporalio_common::data_converters::{
    PayloadCodec, PayloadConversionError, SerializationContextData,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::keys::Keys;

/// The encoding of an encrypted payload.
pub const ENCRYPTED: &str = "binary/encrypted";

/// The name of the cipher, as it stands in the metadata.
pub const CIPHER: &str = "AES-256-GCM";

const ENCODING: &str = "encoding";
const METADATA_CIPHER: &str = "encryption-cipher";
const METADATA_KEY_ID: &str = "encryption-key-id";

/// The longest id of a key that an error repeats, in bytes: it comes from
/// outside.
const LONGEST_TOLD_ID: usize = 64;

/// Encrypts payloads with the first of its keys, and decrypts with all of
/// them. Clones are cheap.
///
/// An encrypted payload's data is the nonce (12 bytes), then the ciphertext of
/// the whole payload as protobuf, then the tag (16 bytes). The encoding, the
/// cipher's name and the key's id are authenticated with it: none can be
/// exchanged unnoticed.
#[derive(Clone, Debug)]
pub struct Cipher {
    keys: Arc<Keys>,
}

/// Why a payload could not be decrypted. It tells nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// None of the keys has this id.
    #[error("no key has the id {0:?} that this payload was encrypted with")]
    UnknownKey(String),
    /// Another codec wrote it.
    #[error("this payload was encrypted by another codec than {CIPHER}")]
    UnknownCipher,
    /// It is shorter than a nonce and a tag.
    #[error("this encrypted payload is cut off")]
    Truncated,
    /// It, or what stands beside it, is not what was written; or another key
    /// had this id.
    #[error("the key {0:?} does not open this payload: it was altered, or another key had this id")]
    Altered(String),
    /// What was encrypted is no payload.
    #[error("what was encrypted is no payload")]
    NoPayload,
}

/// Why a payload could not be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A nonce could not be drawn.
    #[error("the system has no random numbers")]
    Random,
    /// It has more than 64 GiB.
    #[error("the payload is too long to be encrypted")]
    TooLong,
}

impl Cipher {
    /// A codec with these keys.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self {
            keys: Arc::new(keys),
        }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Encrypts a payload.
    ///
    /// # Errors
    /// When the system has no random numbers, or the payload is longer than
    /// 64 GiB.
    pub fn seal(&self, payload: &Payload) -> Result<Payload, SealError> {
        let mut nonce = [0; NONCE_LEN];
        if SystemRandom::new().fill(&mut nonce).is_err() {
            return Err(SealError::Random);
        }
        self.seal_with(nonce, payload)
    }

    fn seal_with(&self, nonce: [u8; NONCE_LEN], payload: &Payload) -> Result<Payload, SealError> {
        let key = &self.keys.writing;
        let id = key.id.as_str().as_bytes();
        let mut sealed = payload.encode_to_vec();
        let tag = key
            .sealing
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(id)),
                &mut sealed,
            )
            .map_err(|_| SealError::TooLong)?;
        let metadata = [
            (ENCODING, ENCRYPTED.as_bytes()),
            (METADATA_CIPHER, CIPHER.as_bytes()),
            (METADATA_KEY_ID, id),
        ];
        Ok(Payload {
            metadata: metadata
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .into(),
            data: [&nonce, sealed.as_slice(), tag.as_ref()].concat(),
            ..Payload::default()
        })
    }

    /// Decrypts a payload. One that is not encrypted comes back as it is.
    ///
    /// # Errors
    /// When none of the keys opens it.
    pub fn open(&self, payload: Payload) -> Result<Payload, OpenError> {
        if !is_encrypted(&payload) {
            return Ok(payload);
        }
        let marks = &payload.metadata;
        if mark(marks, METADATA_CIPHER) != CIPHER.as_bytes() {
            return Err(OpenError::UnknownCipher);
        }
        let id = mark(marks, METADATA_KEY_ID);
        let key = self
            .keys
            .find(id)
            .ok_or_else(|| OpenError::UnknownKey(told(id)))?;
        let (nonce, sealed) = payload
            .data
            .split_first_chunk::<NONCE_LEN>()
            .filter(|(_, sealed)| sealed.len() >= key.sealing.algorithm().tag_len())
            .ok_or(OpenError::Truncated)?;
        let mut opened = sealed.to_vec();
        let opened = key
            .sealing
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated_data(id)),
                &mut opened,
            )
            .map_err(|_| OpenError::Altered(told(id)))?;
        Payload::decode(&*opened).map_err(|_| OpenError::NoPayload)
    }
}

impl PayloadCodec for Cipher {
    fn encode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        let sealed = payloads.iter().map(|payload| self.seal(payload));
        let sealed: Result<_, _> = sealed.collect();
        ready(sealed.map_err(|error| PayloadConversionError::EncodingError(Box::new(error))))
            .boxed()
    }

    fn decode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        let opened = payloads.into_iter().map(|payload| self.open(payload));
        let opened: Result<_, _> = opened.collect();
        ready(opened.map_err(|error| PayloadConversionError::EncodingError(Box::new(error))))
            .boxed()
    }
}

/// Whether a payload is marked as an encrypted one.
pub(crate) fn is_encrypted(payload: &Payload) -> bool {
    mark(&payload.metadata, ENCODING) == ENCRYPTED.as_bytes()
}

/// The id of the key that a payload is encrypted with, if it is.
pub(crate) fn key_id_of(payload: &Payload) -> Option<String> {
    is_encrypted(payload).then(|| told(mark(&payload.metadata, METADATA_KEY_ID)))
}

fn mark<'a>(metadata: &'a HashMap<String, Vec<u8>>, name: &str) -> &'a [u8] {
    metadata.get(name).map_or(&[], Vec::as_slice)
}

/// What is authenticated beside the ciphertext. No part can hold the byte that
/// ends it.
fn associated_data(id: &[u8]) -> Vec<u8> {
    [ENCRYPTED.as_bytes(), CIPHER.as_bytes(), id].join(&0)
}

/// An id that stands in a payload from outside.
fn told(id: &[u8]) -> String {
    String::from_utf8_lossy(&id[..id.len().min(LONGEST_TOLD_ID)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "new:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

    fn cipher(lines: &[&str]) -> Cipher {
        Cipher::new(Keys::parse(&lines.join("\n")).expect("keys"))
    }

    fn payload(encoding: &str, data: &[u8]) -> Payload {
        Payload {
            metadata: HashMap::from([(ENCODING.to_owned(), encoding.as_bytes().to_vec())]),
            data: data.to_vec(),
            ..Payload::default()
        }
    }

    fn sealed(cipher: &Cipher, payload: &Payload) -> Payload {
        cipher.seal(payload).expect("sealed")
    }

    fn any_payload() -> impl Strategy<Value = Payload> {
        let metadata = prop::collection::hash_map(".{0,12}", any::<Vec<u8>>(), 0..4);
        let data = prop::collection::vec(any::<u8>(), 0..300);
        (metadata, data).prop_map(|(metadata, data)| Payload {
            metadata,
            data,
            ..Payload::default()
        })
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_is_opened_as_it_was(payload in any_payload()) {
            let cipher = cipher(&[NEW, OLD]);
            let sealed = sealed(&cipher, &payload);
            prop_assert!(is_encrypted(&sealed));
            prop_assert_eq!(cipher.open(sealed), Ok(payload));
        }

        #[test]
        fn no_bit_can_be_altered_unnoticed(
            payload in any_payload(),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let cipher = cipher(&[NEW]);
            let mut altered = sealed(&cipher, &payload);
            let at = at.index(altered.data.len());
            altered.data[at] ^= 1 << bit;
            prop_assert_eq!(cipher.open(altered), Err(OpenError::Altered("new".to_owned())));
        }

        #[test]
        fn whatever_comes_from_outside_is_answered(payload in any_payload(), claim in any::<bool>()) {
            let mut payload = payload;
            if claim {
                for (name, value) in [(ENCODING, ENCRYPTED), (METADATA_CIPHER, CIPHER), (METADATA_KEY_ID, "new")] {
                    payload.metadata.insert(name.to_owned(), value.into());
                }
            }
            prop_assert_eq!(cipher(&[NEW]).open(payload).is_ok(), !claim);
        }
    }

    /// Made with another implementation (see `docs/encryption.md`): a change
    /// here is a change to what running clusters hold.
    #[test]
    fn the_form_is_the_one_that_was_written_down() {
        let payload = payload("json/plain", br#""hawaiian""#);
        let sealed = cipher(&[OLD])
            .seal_with(*b"twelve bytes", &payload)
            .expect("sealed");
        let hex: String = sealed
            .data
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, KNOWN_ANSWER);
        let marks = |name| String::from_utf8_lossy(mark(&sealed.metadata, name)).into_owned();
        assert_eq!(
            [ENCODING, METADATA_CIPHER, METADATA_KEY_ID].map(marks),
            ["binary/encrypted", "AES-256-GCM", "old"]
        );
    }

    const KNOWN_ANSWER: &str = "7477656c7665206279746573a093e9f60134d9c47bdd1d35c5e5916299b33e48c3\
        ecd2e1791693e2f235b221e941e59a8aee3bf83479a30082ad9f8dac64a0c4";

    #[test]
    fn the_same_payload_never_looks_the_same() {
        let cipher = cipher(&[NEW]);
        let payload = payload("json/plain", b"1");
        assert_ne!(sealed(&cipher, &payload), sealed(&cipher, &payload));
    }

    #[test]
    fn all_keys_read_and_the_first_one_writes() {
        let payload = payload("json/plain", b"1");
        let before = sealed(&cipher(&[OLD]), &payload);
        let rotated = cipher(&[NEW, OLD]);
        assert_eq!(rotated.open(before.clone()), Ok(payload.clone()));
        let after = sealed(&rotated, &payload);
        assert_eq!(mark(&after.metadata, METADATA_KEY_ID), b"new");
        let refused = Err(OpenError::UnknownKey("new".to_owned()));
        assert_eq!(cipher(&[OLD]).open(after), refused);
        let refused = Err(OpenError::UnknownKey("old".to_owned()));
        assert_eq!(cipher(&[NEW]).open(before), refused);
    }

    #[test]
    fn what_is_not_encrypted_is_read_as_it_is() {
        let cipher = cipher(&[NEW]);
        for plain in [
            Payload::default(),
            payload("json/plain", b"1"),
            payload("", b""),
        ] {
            assert_eq!(cipher.open(plain.clone()), Ok(plain));
        }
    }

    #[test]
    fn what_is_wrong_with_a_payload_is_told_without_its_contents() {
        let cipher = cipher(&[NEW, OLD]);
        let good = sealed(&cipher, &payload("json/plain", b"a telltale"));
        let with = |name: &str, value: &[u8]| {
            let mut altered = good.clone();
            altered.metadata.insert(name.to_owned(), value.to_vec());
            altered
        };
        let cut = |length: usize| Payload {
            data: good.data[..length].to_vec(),
            ..good.clone()
        };
        let id = |id: &str| id.to_owned();
        for (bad, error) in [
            (
                with(METADATA_KEY_ID, b"none"),
                OpenError::UnknownKey(id("none")),
            ),
            (
                with(METADATA_KEY_ID, &[b'k'; 900]),
                OpenError::UnknownKey("k".repeat(64)),
            ),
            (with(METADATA_KEY_ID, b""), OpenError::UnknownKey(id(""))),
            (with(METADATA_KEY_ID, b"old"), OpenError::Altered(id("old"))),
            (
                with(METADATA_CIPHER, b"AES/GCM/NoPadding"),
                OpenError::UnknownCipher,
            ),
            (cut(0), OpenError::Truncated),
            (cut(27), OpenError::Truncated),
            (cut(28), OpenError::Altered(id("new"))),
            (cut(good.data.len() - 1), OpenError::Altered(id("new"))),
        ] {
            assert_eq!(cipher.open(bad), Err(error.clone()), "{error}");
            assert!(!error.to_string().contains("telltale"), "{error}");
        }
    }

    /// Another key with an id that is known opens nothing.
    #[test]
    fn a_key_that_was_exchanged_is_noticed() {
        let sealed = sealed(&cipher(&[OLD]), &payload("json/plain", b"1"));
        let other = format!("old:{}", NEW.trim_start_matches("new:"));
        let refused = Err(OpenError::Altered("old".to_owned()));
        assert_eq!(cipher(&[&other]).open(sealed), refused);
    }
}
