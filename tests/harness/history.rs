//! Histories as `temporal workflow show -o json` prints them.

use serde_json::{Map, Value};

/// A history.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// As it was printed.
    pub(crate) printed: Value,
    /// With its payloads as the values that they stand for.
    pub(crate) decoded: Value,
}

impl History {
    /// Reads what was printed.
    pub(crate) fn of(printed: Value) -> Self {
        Self {
            decoded: decoded(&printed),
            printed,
        }
    }

    /// Its events.
    pub(crate) fn events(&self) -> &[Value] {
        self.decoded["events"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The types of its events, without their prefix.
    pub(crate) fn types(&self) -> Vec<&str> {
        self.events().iter().map(type_of).collect()
    }

    /// Whether the workflow has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let ends = ["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT"];
        self.types()
            .last()
            .and_then(|last| last.strip_prefix("WORKFLOW_EXECUTION_"))
            .is_some_and(|end| ends.contains(&end))
    }

    /// How the workflow ended: `COMPLETED`, `FAILED`.
    pub(crate) fn end(&self) -> &str {
        self.types()
            .last()
            .and_then(|last| last.strip_prefix("WORKFLOW_EXECUTION_"))
            .unwrap_or("RUNNING")
    }

    /// The failure that the workflow ended with.
    pub(crate) fn failure(&self) -> &Value {
        let last = self.events().last().expect("an event");
        &last["workflowExecutionFailedEventAttributes"]["failure"]
    }

    /// How many billable actions Temporal Cloud would count, by its
    /// documentation (<https://docs.temporal.io/cloud/actions>) read the
    /// strict way:
    ///
    /// - a workflow start, and for a child the command that starts it too;
    /// - a timer start; an implicit one is in the history like any other;
    /// - an activity start, and each retry;
    /// - all local activities of one workflow task together;
    /// - an update that was accepted; a refused one leaves no trace here;
    /// - a signal, a search attribute upsert.
    ///
    /// Queries leave no trace either; an order makes none.
    pub(crate) fn billable_actions(&self) -> usize {
        self.events().iter().map(actions_of).sum::<usize>() + self.local_activity_tasks()
    }

    /// The events of workflow tasks that no worker ended in time: what a busy
    /// machine costs, and not the plan.
    pub(crate) fn lost_task_events(&self) -> usize {
        self.events()
            .iter()
            .filter_map(|event| event.get("workflowTaskTimedOutEventAttributes"))
            .map(|lost| {
                // It was scheduled, and it timed out; it may not have started.
                let started = lost["startedEventId"].as_str().unwrap_or("0");
                2 + usize::from(started != "0")
            })
            .sum()
    }

    /// The workflow tasks in which local activities ran: their markers name
    /// the task that they were reported with.
    fn local_activity_tasks(&self) -> usize {
        let mut tasks: Vec<String> = self
            .events()
            .iter()
            .filter_map(|event| event.get("markerRecordedEventAttributes"))
            .filter(|marker| marker["markerName"] == "core_local_activity")
            .map(|marker| marker["workflowTaskCompletedEventId"].to_string())
            .collect();
        tasks.dedup();
        tasks.len()
    }

    /// One line for each event, with what it costs, for a person.
    pub(crate) fn annotated(&self) -> String {
        let line = |event: &Value| {
            let actions = match actions_of(event) {
                0 => String::new(),
                actions => format!("  [{actions}]"),
            };
            let id = event["eventId"].as_str().unwrap_or_default();
            format!("  {id:>3} {}{actions}\n", type_of(event))
        };
        let lines: String = self.events().iter().map(line).collect();
        let local = self.local_activity_tasks();
        format!("{lines}      workflow tasks with local activities: {local}\n")
    }
}

/// Replaces each payload by its value, and a list of them by their values.
fn decoded(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            payload(fields)
                .or_else(|| payloads(fields))
                .unwrap_or_else(|| {
                    let fields = fields
                        .iter()
                        .map(|(name, value)| (name.clone(), decoded(value)));
                    Value::Object(fields.collect())
                })
        }
        Value::Array(items) => items.iter().map(decoded).collect(),
        other => other.clone(),
    }
}

fn payload(fields: &Map<String, Value>) -> Option<Value> {
    fields.get("metadata")?.get("encoding")?;
    let bytes = from_base64(fields.get("data")?.as_str()?);
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
}

fn payloads(fields: &Map<String, Value>) -> Option<Value> {
    let list = fields.get("payloads").filter(|_| fields.len() == 1)?;
    Some(decoded(list))
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in text
        .bytes()
        .filter_map(|byte| ALPHABET.iter().position(|known| *known == byte))
    {
        buffer = (buffer << 6) | u32::try_from(digit).unwrap_or_default();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).unwrap_or_default());
        }
    }
    bytes
}

fn type_of(event: &Value) -> &str {
    let name = event["eventType"].as_str().unwrap_or_default();
    name.strip_prefix("EVENT_TYPE_").unwrap_or(name)
}

fn actions_of(event: &Value) -> usize {
    match type_of(event) {
        "WORKFLOW_EXECUTION_STARTED"
        | "START_CHILD_WORKFLOW_EXECUTION_INITIATED"
        | "TIMER_STARTED"
        | "WORKFLOW_EXECUTION_UPDATE_ACCEPTED"
        | "WORKFLOW_EXECUTION_SIGNALED"
        | "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
        | "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES" => 1,
        // The last attempt's number counts those before it.
        "ACTIVITY_TASK_STARTED" => event["activityTaskStartedEventAttributes"]["attempt"]
            .as_u64()
            .map_or(1, |attempts| usize::try_from(attempts).unwrap_or(1)),
        _ => 0,
    }
}

#[test]
fn payloads_are_read() {
    let printed = serde_json::json!({
        "input": { "payloads": [{ "data": "eyJhIjoxfQ==", "metadata": { "encoding": "anNvbi9wbGFpbg==" } }] },
        "memo": { "data": "aMOp", "metadata": { "encoding": "YQ==" } },
    });
    let expected = serde_json::json!({ "input": [{ "a": 1 }], "memo": "h\u{e9}" });
    assert_eq!(decoded(&printed), expected);
}
