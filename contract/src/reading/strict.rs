//! Requests, read strictly from JSON and from query strings: each field has its
//! own type, and what is wrong names its field. `null` is no value of any type,
//! since a client that wants the default leaves the field out; an integer is
//! known by its value.

use std::fmt::{self, Display};

use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::numbers::{integer, integer_in};
use crate::ErrorCode;

/// The type of fields that may be `null`, as the contract calls it.
const NULLABLE: &str = "Nullable";

/// Reads a request from the fields of an object.
///
/// # Errors
/// When a field is unknown, is missing, or has another type.
pub fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Fault> {
    T::deserialize(Strict::from(Value::Object(object)))
}

/// Reads a request from the fields of a query string.
///
/// # Errors
/// When a field is unknown, is missing, is given twice, or has another type.
pub fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Fault> {
    let mut fields = Map::new();
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        if fields
            .insert(name.to_string(), Value::from(&*text))
            .is_some()
        {
            return Err(Fault::duplicate(&name));
        }
    }
    T::deserialize(Strict {
        value: Value::Object(fields),
        form: Form::Text,
    })
}

/// What is wrong with a field.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error code of the answer.
    pub code: ErrorCode,
    /// The field, with those around it: `autoRedrive.backoff` for example.
    pub field: String,
    /// What holds for it, as the rest of a sentence.
    pub rule: String,
}

impl Fault {
    fn new(code: ErrorCode, field: &str, rule: impl Into<String>) -> Self {
        Self {
            code,
            field: field.to_owned(),
            rule: rule.into(),
        }
    }

    /// A field that is given twice.
    #[must_use]
    pub fn duplicate(field: &str) -> Self {
        Self::new(ErrorCode::DuplicateField, field, "is given twice")
    }

    fn of_type(expected: impl Display) -> Self {
        Self::new(ErrorCode::InvalidType, "", format!("must be {expected}"))
    }

    /// The same, of a field in this one.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        if !self.field.is_empty() {
            self.field = format!("{outer}.{}", self.field);
            return self;
        }
        // A type that refuses a value may name the field itself.
        let named = self.rule.strip_prefix(outer);
        if let Some(rule) = named.and_then(|rule| rule.strip_prefix(' ')) {
            self.rule = rule.to_owned();
        }
        self.field = outer.to_owned();
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(rule: T) -> Self {
        Self::new(ErrorCode::InvalidValue, "", rule.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::of_type(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let rule = format!("must be {}", expected.join(" or "));
        Self::new(ErrorCode::InvalidValue, "", rule)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(ErrorCode::MissingField, field, "is missing")
    }
}

/// A value that is read.
struct Strict {
    value: Value,
    form: Form,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As JSON.
    Json,
    /// As JSON, and it may be `null`.
    Nullable,
    /// As a query has it: numbers are texts, too.
    Text,
}

impl From<Value> for Strict {
    fn from(value: Value) -> Self {
        Self {
            value,
            form: Form::Json,
        }
    }
}

impl Strict {
    /// An integer of the range of a type.
    fn fitting<T: TryFrom<i128>>(self) -> Option<T> {
        self.integer().and_then(|number| T::try_from(number).ok())
    }

    fn integer(self) -> Option<i128> {
        match (self.form, &self.value) {
            (Form::Text, Value::String(text)) => integer_in(text),
            _ => integer(&self.value),
        }
    }
}

impl IntoDeserializer<'_, Fault> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads what is of one type, or says which it has to be.
macro_rules! read_as {
    ($($method:ident($value:ident) $expected:literal $read:expr => $visit:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let $value = self;
            match $read {
                Some(value) => visitor.$visit(value),
                None => Err(Fault::of_type($expected)),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Fault;

    read_as! {
        deserialize_i64(value) "an integer" value.fitting() => visit_i64;
        deserialize_u32(value) "an integer that is not negative" value.fitting() => visit_u32;
        deserialize_bool(value) "true or false" value.value.as_bool() => visit_bool;
        deserialize_f64(value) "a number" value.value.as_f64() => visit_f64;
        deserialize_i128(value) "an integer" value.integer() => visit_i128;
        deserialize_string(value) "a string" text(value.value) => visit_string;
        deserialize_map(value) "an object" object(value.value) => visit_map;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(list) => {
                let list = list.into_iter().map(Self::from);
                visitor.visit_seq(SeqDeserializer::new(list))
            }
            Value::Object(object) => visitor.visit_map(Fields::of(object)),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => visitor.visit_i64(number),
                (None, Some(number)) => visitor.visit_u64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null if self.form == Form::Nullable => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let form = match self.form {
            Form::Text => Form::Text,
            _ if name == NULLABLE => Form::Nullable,
            _ => Form::Json,
        };
        visitor.visit_newtype_struct(Self { form, ..self })
    }

    /// No other fields than its own are an object's, and they are read in
    /// their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::Object(mut object) = self.value else {
            return Err(Fault::of_type(match self.form {
                Form::Nullable => "an object or null",
                Form::Json | Form::Text => "an object",
            }));
        };
        if let Some(unknown) = object.keys().find(|name| !names.contains(&name.as_str())) {
            let rule = format!("is not a field; there are {}", names.join(", "));
            return Err(Fault::new(ErrorCode::UnknownField, unknown, rule));
        }
        let fields = names.iter().filter_map(|name| object.remove_entry(*name));
        visitor.visit_map(Fields {
            left: fields.collect::<Vec<_>>().into_iter(),
            next: None,
            form: self.form,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match text(self.value) {
            Some(name) => visitor.visit_enum(name.into_deserializer()),
            None => Err(Fault::of_type("a string")),
        }
    }

    // Neither the contract's requests nor the steps' inputs have others.
    serde::forward_to_deserialize_any! {
        i8 i16 i32 u8 u16 u64 u128 f32 char str bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn object(value: Value) -> Option<Fields> {
    match value {
        Value::Object(object) => Some(Fields::of(object)),
        _ => None,
    }
}

/// The fields of an object.
struct Fields {
    left: std::vec::IntoIter<(String, Value)>,
    /// The one whose name was read.
    next: Option<(String, Value)>,
    /// How the object is written.
    form: Form,
}

impl Fields {
    fn of(object: Map<String, Value>) -> Self {
        Self {
            left: object.into_iter().collect::<Vec<_>>().into_iter(),
            next: None,
            form: Form::Json,
        }
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next = self.left.next();
        let name = self.next.as_ref().map(|(name, _)| name.clone());
        name.map(|name| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.next.take().unwrap_or_default();
        let form = match self.form {
            Form::Text => Form::Text,
            Form::Json | Form::Nullable => Form::Json,
        };
        seed.deserialize(Strict { value, form })
            .map_err(|fault| fault.within(&name))
    }
}

#[cfg(test)]
mod tests {
    use crate::{ListTickets, PlaceOrder, RedriveFailure, SetQueuePolicy, StartBulk};
    use serde_json::json;

    use super::*;

    fn read<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
        super::read(value.as_object().expect("an object").clone())
    }

    /// The code and the field of what is wrong with a request.
    fn fault<T: DeserializeOwned>(value: Value) -> (ErrorCode, String) {
        let read = read::<T>(value.clone());
        let fault = read.err().unwrap_or_else(|| panic!("{value} is read"));
        (fault.code, fault.field)
    }

    #[test]
    fn what_is_wrong_names_its_field_and_the_fields_around_it() {
        use ErrorCode::{InvalidType, InvalidValue, MissingField, UnknownField};
        let policy = |name: &str, value: Value| {
            let mut policy = json!({
                "firstWaitSeconds": 1, "backoff": 2, "longestWaitSeconds": 60,
                "maxAttempts": 20, "maxAgeSeconds": 3600,
            });
            policy[name] = value;
            json!({ "autoRedrive": policy })
        };
        for (value, code, field) in [
            (json!({}), MissingField, "autoRedrive"),
            (json!({ "autoRedrive": 1 }), InvalidType, "autoRedrive"),
            (
                json!({ "autoRedrive": {} }),
                MissingField,
                "autoRedrive.firstWaitSeconds",
            ),
            (
                policy("backoff", json!("2")),
                InvalidType,
                "autoRedrive.backoff",
            ),
            (
                policy("maxAttempts", json!(1.5)),
                InvalidType,
                "autoRedrive.maxAttempts",
            ),
            (
                policy("maxAttempts", Value::Null),
                InvalidType,
                "autoRedrive.maxAttempts",
            ),
            (policy("wait", json!(1)), UnknownField, "autoRedrive.wait"),
            (
                json!({ "autoRedrive": null, "reason": null }),
                InvalidType,
                "reason",
            ),
        ] {
            let wrong = fault::<SetQueuePolicy>(value.clone());
            assert_eq!(wrong, (code, field.to_owned()), "{value}");
        }
        for (value, code, field) in [
            (json!({ "action": "stop" }), InvalidValue, "action"),
            (json!({ "action": 1 }), InvalidType, "action"),
            (json!({ "all": true }), MissingField, "action"),
            (json!({ "action": 1, "what": 1 }), UnknownField, "what"),
        ] {
            let wrong = fault::<StartBulk>(value.clone());
            assert_eq!(wrong, (code, field.to_owned()), "{value}");
        }
        let off = read::<SetQueuePolicy>(json!({ "autoRedrive": null })).expect("a policy");
        assert_eq!(off.auto_redrive, None);
    }

    #[test]
    fn a_type_is_named_as_people_know_it() {
        for (value, rule) in [
            (json!({ "flavour": null }), "flavour must be a string"),
            (
                json!({ "perStepDelaySeconds": "1" }),
                "perStepDelaySeconds must be a number",
            ),
            (json!({ "quantity": "1" }), "quantity must be an integer"),
            (
                json!({ "errorOnStep": [] }),
                "errorOnStep must be an integer or a string",
            ),
            (
                json!({ "price": 1 }),
                "price is not a field; there are flavour, perStepDelaySeconds, errorOnStep, size, \
                 quantity, customerId",
            ),
        ] {
            let fault = read::<PlaceOrder>(value).expect_err(rule);
            assert_eq!(fault.to_string(), rule);
        }
    }

    #[test]
    fn a_query_is_refused_in_the_words_of_a_body() {
        for (query, code, field, rule) in [
            (
                "limit=ten",
                ErrorCode::InvalidType,
                "limit",
                "must be an integer",
            ),
            (
                "limit=1.5",
                ErrorCode::InvalidType,
                "limit",
                "must be an integer",
            ),
            (
                "limit",
                ErrorCode::InvalidType,
                "limit",
                "must be an integer",
            ),
            (
                "limit=1&cursor=a&limit=2",
                ErrorCode::DuplicateField,
                "limit",
                "is given twice",
            ),
            (
                "colour=red",
                ErrorCode::UnknownField,
                "colour",
                "is not a field; there are limit, cursor",
            ),
        ] {
            let fault = super::read_query::<ListTickets>(query).expect_err(query);
            assert_eq!(fault.code, code, "{query}");
            assert_eq!(fault.field, field, "{query}");
            assert_eq!(fault.rule, rule, "{query}");
        }
    }

    #[test]
    fn an_integer_of_a_query_is_known_by_its_value() {
        for text in ["2", "2.0", "20e-1"] {
            let read = super::read_query::<ListTickets>(&format!("limit={text}"));
            assert_eq!(read.map(|it| it.limit), Ok(Some(2)), "{text}");
        }
    }

    #[test]
    fn an_object_that_is_passed_on_stays_as_it_is() {
        let input = json!({ "a": [null, 1, -1, 0.5, 1e300, u64::MAX, { "b": "c" }], "d": true });
        let read = read::<RedriveFailure>(json!({ "input": input })).expect("a request");
        assert_eq!(read.input.map(Value::Object), Some(input));
    }
}
