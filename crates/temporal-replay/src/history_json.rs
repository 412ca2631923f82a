//! Reads a workflow history from JSON, as the Temporal CLI and UI write it.
//!
//! `temporal workflow show -o json`, and the download in the Temporal UI, give proto-JSON: field
//! names in camelCase, enums by name, bytes in base64, times in RFC 3339. The SDK's types know
//! another JSON only, so the text goes a way round: the API's own descriptors turn it into protobuf
//! bytes, and the SDK's type is decoded from those. The SDK's own JSON is read as well.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::LazyLock,
};

use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::error::Category;
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{
        History, HistoryEvent, WorkflowExecutionStartedEventAttributes, history_event::Attributes,
    },
};

/// Largest JSON that is read, in bytes. The Temporal server ends a history at 50 MiB by default;
/// base64 and field names make less than five times that of it.
const MAX_JSON_BYTES: u64 = 256 * 1024 * 1024;

/// The full name of the message that a history is.
const HISTORY: &str = "temporal.api.history.v1.History";

/// Made by the build script: the API's file that defines [`HISTORY`], and its imports.
static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/history_descriptors.bin"));

/// Decoded once, when the first history is read.
static HISTORY_DESCRIPTOR: LazyLock<Option<MessageDescriptor>> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS)
        .ok()
        .and_then(|pool| pool.get_message_by_name(HISTORY))
});

/// Why a text is not a workflow history.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryJsonError {
    /// Nothing, or white space only.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_JSON_BYTES`].
    #[error("it is bigger than {} MiB", MAX_JSON_BYTES >> 20)]
    TooBig,
    /// Not JSON at all, or cut off.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not an object that has a list of objects `events`.
    #[error("it is JSON without a list of `events`, as `temporal workflow show -o json` prints it")]
    NoEventsField,
    /// `events` holds something that the Temporal API does not define.
    #[error("its events are not a workflow history: {0}")]
    NotAHistory(String),
    /// `events` is an empty list.
    #[error("its list of events is empty")]
    NoEvents,
    /// The history does not begin with the start of the workflow. Names the first event's type.
    #[error(
        "its first event is {0} in place of WorkflowExecutionStarted: the beginning is missing"
    )]
    FirstEventNotStarted(String),
}

/// Why a file holds no workflow history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryFileError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It holds something else.
    #[error(transparent)]
    NoHistory(#[from] HistoryJsonError),
}

/// Reads a history from a file, or from stdin for `-`. Waits for stdin as long as it is open.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read_history(path: &Path) -> Result<History, HistoryFileError> {
    let mut json = Vec::new();
    // One byte more than allowed, so that the parser sees that it is too much.
    let limit = MAX_JSON_BYTES + 1;
    if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut json)?;
    } else {
        File::open(path)?.take(limit).read_to_end(&mut json)?;
    }
    Ok(parse_history(&json)?)
}

/// Reads a history from the JSON of the Temporal CLI, the Temporal UI or the SDK.
///
/// Fields that this build's API does not know are passed over, so that histories of a newer server
/// can be read. Of the events only the first one and the types are checked.
///
/// # Errors
/// See [`HistoryJsonError`].
pub fn parse_history(json: &[u8]) -> Result<History, HistoryJsonError> {
    if json.len() as u64 > MAX_JSON_BYTES {
        return Err(HistoryJsonError::TooBig);
    }
    if json.trim_ascii().is_empty() {
        return Err(HistoryJsonError::Empty);
    }
    let history = match dialect(json)? {
        Dialect::ProtoJson => parse_proto_json(json)?,
        Dialect::Sdk => serde_json::from_slice(json).map_err(not_a_history)?,
    };
    start_of(&history.events)?;
    known_types(&history.events)?;
    Ok(history)
}

/// What the first event says about the workflow.
///
/// # Errors
/// [`HistoryJsonError::NoEvents`] and [`HistoryJsonError::FirstEventNotStarted`].
pub fn start_of(
    events: &[HistoryEvent],
) -> Result<&WorkflowExecutionStartedEventAttributes, HistoryJsonError> {
    let first = events.first().ok_or(HistoryJsonError::NoEvents)?;
    match &first.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Ok(started),
        _ => Err(HistoryJsonError::FirstEventNotStarted(format!(
            "{:?}",
            first.event_type()
        ))),
    }
}

/// An event type that is not known, or written in another way, was read as "unspecified". To replay
/// without such an event would blame the workflow for a fault of the file.
fn known_types(events: &[HistoryEvent]) -> Result<(), HistoryJsonError> {
    let unknown = |event: &&HistoryEvent| {
        event.event_type() == EventType::Unspecified && !event.worker_may_ignore
    };
    match events.iter().find(unknown) {
        Some(event) => Err(HistoryJsonError::NotAHistory(format!(
            "the type of event {} is not known",
            event.event_id
        ))),
        None => Ok(()),
    }
}

/// Goes through the descriptors: JSON, dynamic message, bytes, the SDK's type.
fn parse_proto_json(json: &[u8]) -> Result<History, HistoryJsonError> {
    let descriptor = HISTORY_DESCRIPTOR
        .clone()
        .ok_or_else(|| not_a_history("this build lacks the Temporal API's descriptors"))?;
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut json = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options)
        .map_err(not_a_history)?;
    History::decode(message.encode_to_vec().as_slice()).map_err(not_a_history)
}

/// A [`HistoryJsonError::NotAHistory`] that says why.
fn not_a_history(why: impl fmt::Display) -> HistoryJsonError {
    HistoryJsonError::NotAHistory(why.to_string())
}

/// The two ways in which a history is written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// An event has `eventId`: what the CLI and the UI write.
    ProtoJson,
    /// An event has `event_id`: what `WorkflowHistory::to_json` of the SDK writes.
    Sdk,
}

/// The shape of a history, without what is in it.
#[derive(Deserialize)]
struct Shape {
    events: Option<Vec<EventShape>>,
}

/// What tells the two ways of writing apart: the SDK's field is never left out.
#[derive(Deserialize)]
struct EventShape {
    event_id: Option<IgnoredAny>,
}

/// Reads the text once, keeps nothing of it, and says how it is written.
fn dialect(json: &[u8]) -> Result<Dialect, HistoryJsonError> {
    let shape: Shape = serde_json::from_slice(json).map_err(|error| match error.classify() {
        Category::Data => HistoryJsonError::NoEventsField,
        _ => HistoryJsonError::NotJson(error.to_string()),
    })?;
    let events = shape.events.ok_or(HistoryJsonError::NoEventsField)?;
    match events.first() {
        None => Err(HistoryJsonError::NoEvents),
        Some(first) if first.event_id.is_some() => Ok(Dialect::Sdk),
        Some(_) => Ok(Dialect::ProtoJson),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Printed by `temporal workflow show -o json` of the CLI 1.9.1.
    const RECORDED: &[u8] = include_bytes!("testdata/cli_history.json");

    fn started_only(extra: &str) -> String {
        format!(
            r#"{{"events":[{{"eventId":"1","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",{extra}
                "workflowExecutionStartedEventAttributes":{{"workflowType":{{"name":"T"}}}}}}]}}"#
        )
    }

    #[test]
    fn the_json_of_temporal_workflow_show_is_read() {
        let history = parse_history(RECORDED).unwrap();
        let started = start_of(&history.events).unwrap();
        assert_eq!(started.workflow_type.as_ref().unwrap().name, "Order");
        assert_eq!(started.workflow_id, "order-sample");
        let payload = &started.input.as_ref().unwrap().payloads[0];
        assert_eq!(payload.data, b"\"fail\"", "bytes are base64 in proto-JSON");
        let ids: Vec<i64> = history.events.iter().map(|event| event.event_id).collect();
        assert_eq!(ids, (1..=17).collect::<Vec<_>>());
        let first = history.events[0].event_time.as_ref().unwrap();
        assert!(first.seconds > 1_700_000_000 && first.nanos > 0);
        assert!(history.events.iter().all(|e| e.attributes.is_some()));
    }

    #[test]
    fn the_json_of_the_sdk_is_read() {
        let history = parse_history(RECORDED).unwrap();
        let json = serde_json::to_vec(&history).unwrap();
        assert_eq!(dialect(&json), Ok(Dialect::Sdk));
        assert_eq!(parse_history(&json).unwrap(), history);
    }

    #[test]
    fn fields_of_a_newer_server_are_passed_over() {
        let json = started_only(r#""notYetInvented":{"a":[1]},"#);
        assert_eq!(parse_history(json.as_bytes()).unwrap().events.len(), 1);
    }

    #[test]
    fn what_is_no_history_is_named() {
        use HistoryJsonError as E;
        let cases: &[(&str, E)] = &[
            ("", E::Empty),
            (" \n\t", E::Empty),
            ("{}", E::NoEventsField),
            ("[]", E::NoEventsField),
            ("7", E::NoEventsField),
            (r#"{"events":null}"#, E::NoEventsField),
            (r#"{"events":{"a":1}}"#, E::NoEventsField),
            (r#"{"events":[]}"#, E::NoEvents),
            (
                r#"{"events":[{"eventId":"1","eventType":"EVENT_TYPE_TIMER_STARTED"}]}"#,
                E::FirstEventNotStarted("TimerStarted".into()),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(
                &parse_history(json.as_bytes()).unwrap_err(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn text_that_is_not_json_or_cut_off_is_named() {
        let whole = started_only("");
        for json in ["hello", "{", "{} x", "\u{0}", &whole[..whole.len() / 2]] {
            let error = parse_history(json.as_bytes()).unwrap_err();
            assert!(
                matches!(error, HistoryJsonError::NotJson(_)),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn events_that_the_api_does_not_define_are_named() {
        let wrong_type = started_only("").replace(r#""1""#, r#"{"a":1}"#);
        let unknown_event = started_only("").replace(
            "]}",
            r#",{"eventId":"2","eventType":"EVENT_TYPE_NOT_YET_INVENTED"}]}"#,
        );
        for json in [wrong_type, unknown_event] {
            let error = parse_history(json.as_bytes()).unwrap_err();
            assert!(
                matches!(error, HistoryJsonError::NotAHistory(_)),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn too_much_text_is_refused() {
        let json = vec![0; MAX_JSON_BYTES as usize + 1];
        assert_eq!(parse_history(&json), Err(HistoryJsonError::TooBig));
    }
}
