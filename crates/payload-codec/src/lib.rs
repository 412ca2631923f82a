//! Encryption of what Temporal keeps: payloads, and the texts of failures.
//!
//! A [`Cipher`] is a Temporal payload codec. What it writes is the whole
//! payload, metadata and all, under AES-256-GCM; outside it are the marks that
//! Temporal's own samples use: `encoding: binary/encrypted`, the cipher's name
//! and the id of the key. The first of its [`Keys`] writes, all of them read,
//! and what is not encrypted is read as it is, so that encryption can be
//! switched on, and keys changed, while workflows run.
//!
//! [`encrypting`] makes a client and its workers use it. Its failures
//! carry their messages and stack traces as payloads, so that these are
//! encrypted, too ([`failures`]).
//!
//! # How much one key may write
//!
//! Each payload has a random nonce of 96 bits. Two payloads under one key and
//! one nonce would give both away, so a key must not write more than 2^32
//! payloads: up to there, the chance that any two share a nonce is below
//! 2^-32 (NIST SP 800-38D, section 8.3). A key is changed long before that.

mod cipher;
mod descriptions;
pub mod failures;
mod keys;
mod reading;

use std::sync::Arc;

use temporalio_client::ClientOptions;
use temporalio_common::data_converters::{DataConverter, PayloadConverter};

pub use cipher::{CIPHER, Cipher, ENCRYPTED, OpenError, SealError};
pub use descriptions::{LOST_KEYS, OpenDescriptions};
pub use failures::EncodedFailures;
pub use keys::{InvalidKeyId, InvalidKeys, KeyFault, KeyId, Keys};
pub use reading::{key_ids, open_what_can_be_opened};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The options of a client that encrypts payloads and failures; a worker that
/// is made of it does so, too.
#[must_use]
pub fn encrypting(mut client: ClientOptions, cipher: &Cipher) -> ClientOptions {
    let converter = PayloadConverter::default();
    client.data_converter = DataConverter::new(converter, EncodedFailures, cipher.clone());
    // Next to the server: what is before it sees plain descriptions.
    let open = OpenDescriptions(cipher.clone());
    client.client_interceptors.push(Arc::new(open));
    client
}
