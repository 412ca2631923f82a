//! What a history says of itself.

use temporalio_common::protos::temporal::api::history::v1::{History, history_event::Attributes};

use crate::history_json::start_of;

/// What a history is of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The workflow's id.
    pub workflow_id: Option<String>,
    /// The run's id.
    pub run_id: Option<String>,
    /// The workflow's type.
    pub workflow_type: Option<String>,
    /// How many events the history has.
    pub events: Option<usize>,
}

impl Identity {
    /// Takes over what the first event says, and gives it the workflow's id where only the caller
    /// knows it: old servers leave it out, and ids of children are made of it.
    pub fn complete(&mut self, history: &mut History) {
        self.events = Some(history.events.len());
        if let Ok(started) = start_of(&history.events) {
            let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let workflow_type = started.workflow_type.as_ref();
            self.workflow_type = workflow_type.and_then(|t| known(&t.name));
            self.run_id = self
                .run_id
                .take()
                .or_else(|| known(&started.original_execution_run_id));
            self.workflow_id = self
                .workflow_id
                .take()
                .or_else(|| known(&started.workflow_id));
        }
        let first = history.events.first_mut();
        if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
            first.and_then(|event| event.attributes.as_mut())
            && let (true, Some(id)) = (started.workflow_id.is_empty(), &self.workflow_id)
        {
            started.workflow_id = id.clone();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::history_json::parse_history;

    const RECORDED: &str = include_str!("testdata/cli_history.json");

    #[test]
    fn the_first_event_says_what_is_replayed() {
        let mut history = parse_history(RECORDED.as_bytes()).unwrap();
        let mut identity = Identity::default();
        identity.complete(&mut history);
        assert_eq!(identity.workflow_id.as_deref(), Some("order-sample"));
        assert_eq!(identity.workflow_type.as_deref(), Some("Order"));
        assert_eq!(identity.events, Some(17));
    }

    #[test]
    fn a_workflow_id_that_the_history_lacks_is_filled_in() {
        let old_server = RECORDED.replace("\"workflowId\"", "\"notYetInvented\"");
        let mut history = parse_history(old_server.as_bytes()).unwrap();
        assert_eq!(start_of(&history.events).unwrap().workflow_id, "");
        let mut identity = Identity {
            workflow_id: Some("order-7".into()),
            ..Identity::default()
        };
        identity.complete(&mut history);
        assert_eq!(start_of(&history.events).unwrap().workflow_id, "order-7");
    }
}
