//! A JSON answer of the gateway, with all its fields and as a type.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An answer as the gateway sent it, for programs, and as this version reads
/// it. A later gateway sends more than this version knows of.
#[derive(Clone, Debug)]
pub(crate) struct Sent<T> {
    pub(crate) json: Value,
    pub(crate) view: T,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(from)?;
        let view = T::deserialize(&json).map_err(D::Error::custom)?;
        Ok(Self { json, view })
    }
}
