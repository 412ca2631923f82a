//! A payload that is kept inside another one.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// A Temporal payload as it is, byte by byte, in a form that JSON can carry:
/// base64, as in the JSON of Temporal's own tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPayload {
    /// How the data is encoded; `encoding` is the key that each has.
    #[serde(default)]
    pub metadata: BTreeMap<String, Bytes>,
    /// The data.
    #[serde(default)]
    pub data: Bytes,
}

/// Bytes, as base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        BASE64_STANDARD.encode(&self.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        BASE64_STANDARD
            .decode(text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl StoredPayload {
    /// A JSON text as a payload, as Temporal's converters write it.
    #[must_use]
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        let encoding = Bytes(b"json/plain".to_vec());
        Self {
            metadata: BTreeMap::from([("encoding".to_owned(), encoding)]),
            data: Bytes(text.into()),
        }
    }

    /// How the data is encoded: `json/plain`, `binary/encrypted` for example.
    #[must_use]
    pub fn encoding(&self) -> Option<&str> {
        let encoding = self.metadata.get("encoding")?;
        std::str::from_utf8(&encoding.0).ok()
    }

    /// Whether both say the same, if they are JSON whatever the order of their
    /// fields.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let value = |it: &Self| serde_json::from_str::<serde_json::Value>(it.as_json()?).ok();
        self == other || value(self).is_some_and(|own| value(other) == Some(own))
    }

    /// The data, if it is plain JSON.
    #[must_use]
    pub fn as_json(&self) -> Option<&str> {
        (self.encoding() == Some("json/plain")).then_some(())?;
        std::str::from_utf8(&self.data.0).ok()
    }
}

impl From<Payload> for StoredPayload {
    fn from(payload: Payload) -> Self {
        Self {
            metadata: payload
                .metadata
                .into_iter()
                .map(|(key, value)| (key, Bytes(value)))
                .collect(),
            data: Bytes(payload.data),
        }
    }
}

impl From<&RawValue> for StoredPayload {
    /// The first payload: an activity has one argument here.
    fn from(value: &RawValue) -> Self {
        value.payloads.first().cloned().unwrap_or_default().into()
    }
}

impl From<StoredPayload> for RawValue {
    fn from(stored: StoredPayload) -> Self {
        let payload = Payload {
            metadata: stored
                .metadata
                .into_iter()
                .map(|(key, value)| (key, value.0))
                .collect(),
            data: stored.data.0,
            ..Default::default()
        };
        Self::new(vec![payload])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_bytes_come_back_as_they_were() {
        let stored = StoredPayload {
            metadata: BTreeMap::from([(
                "encoding".to_owned(),
                Bytes(b"binary/encrypted".to_vec()),
            )]),
            data: Bytes(vec![0, 255, 128, 10]),
        };
        let raw = RawValue::from(stored.clone());
        assert_eq!(StoredPayload::from(&raw), stored);
        assert_eq!(stored.as_json(), None);
        assert_eq!(StoredPayload::json("{}").as_json(), Some("{}"));
    }
}
