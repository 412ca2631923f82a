//! JSON objects whose fields are each given once. Of two, most readers take
//! the last and some the first, so nobody could say what was meant. Numbers are
//! read by their value.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};

use super::numbers::by_value;

/// A JSON object, with the first field that it, or an object in it, has
/// twice.
#[derive(Debug)]
pub struct UniqueFields {
    /// The fields; of those that are given twice the last.
    pub fields: BTreeMap<String, Value>,
    /// The field, with those around it: `input.amount` for example.
    pub repeated: Option<String>,
}

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = UniqueFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UniqueFields, A::Error> {
                fields(map)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

fn fields<'de, A: MapAccess<'de>>(mut map: A) -> Result<UniqueFields, A::Error> {
    let mut fields = BTreeMap::new();
    let mut repeated = None;
    while let Some((name, inner)) = map.next_entry::<String, Unique>()? {
        if let Some(path) = inner.repeated {
            repeated.get_or_insert(format!("{name}.{path}"));
        }
        if fields.insert(name.clone(), inner.value).is_some() {
            repeated.get_or_insert(name);
        }
    }
    Ok(UniqueFields { fields, repeated })
}

/// Any value, with the first field that an object in it has twice.
struct Unique {
    value: Value,
    repeated: Option<String>,
}

impl From<Value> for Unique {
    fn from(value: Value) -> Self {
        Self {
            value,
            repeated: None,
        }
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Unique, E> {
                Ok(Value::Null.into())
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Unique, E> {
                Ok(Value::from(value).into())
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Unique, E> {
                Ok(Value::from(value).into())
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Unique, E> {
                Ok(Value::from(value).into())
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Unique, E> {
                Ok(by_value(value).into())
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Unique, E> {
                Ok(Value::from(value).into())
            }

            fn visit_string<E: de::Error>(self, value: String) -> Result<Unique, E> {
                Ok(Value::from(value).into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
                let mut values = Vec::new();
                let mut repeated = None;
                while let Some(inner) = list.next_element::<Unique>()? {
                    repeated = repeated.or(inner.repeated);
                    values.push(inner.value);
                }
                let value = Value::Array(values);
                Ok(Unique { value, repeated })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unique, A::Error> {
                let UniqueFields { fields, repeated } = fields(map)?;
                let value = Value::Object(Map::from_iter(fields));
                Ok(Unique { value, repeated })
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repeated(text: &str) -> Option<String> {
        let object: UniqueFields = serde_json::from_str(text).expect("an object");
        object.repeated
    }

    #[test]
    fn values_are_read_as_they_are() {
        let all = json!({
            "a": null, "b": [true, -1, 18_446_744_073_709_551_615_u64, 0.5, "x", []],
            "c": { "d": { "e": "é" } },
        });
        let read: UniqueFields = serde_json::from_str(&all.to_string()).expect("an object");
        assert_eq!(Value::from_iter(read.fields), all);
        assert_eq!(read.repeated, None);
    }

    #[test]
    fn a_number_is_its_value_however_it_is_written_and_wherever_it_stands() {
        let text = r#"{"a":1200.0,"b":[1e1,-0.0],"c":{"d":0.50}}"#;
        let read: UniqueFields = serde_json::from_str(text).expect("an object");
        let value = json!({ "a": 1200, "b": [10, 0], "c": { "d": 0.5 } });
        assert_eq!(Value::from_iter(read.fields), value);
    }

    #[test]
    fn a_field_that_is_given_twice_is_named_wherever_it_stands() {
        for (text, name) in [
            (r#"{"a":1,"a":1}"#, Some("a")),
            (r#"{"a":{"b":1,"b":2},"c":1,"c":1}"#, Some("a.b")),
            (r#"{"a":[{"b":1},{"b":1,"b":1}]}"#, Some("a.b")),
            (r#"{"a":{"b":{"c":1,"c":1}}}"#, Some("a.b.c")),
            (r#"{"a":{"b":1},"b":1}"#, None),
        ] {
            assert_eq!(repeated(text).as_deref(), name, "{text}");
        }
    }
}
