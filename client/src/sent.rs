//! A JSON answer of the gateway, with all its fields and as a type.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer as the gateway sent it, for programs, and as this version reads
/// it. A later gateway sends more than this version knows of.
#[derive(Clone, Debug)]
pub struct Sent<T> {
    /// All of it.
    pub json: Value,
    /// What this version knows.
    pub view: T,
}

impl<T: DeserializeOwned> Sent<T> {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is not one of this type.
    pub(crate) fn read(json: Value) -> serde_json::Result<Self> {
        let view = T::deserialize(&json)?;
        Ok(Self { json, view })
    }
}
