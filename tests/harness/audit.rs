//! What `pizza audit` says.

use serde_json::Value;

use super::cli::Output;
use super::world::World;

/// The summary of an audit that found nothing.
pub(crate) fn clean_summary(output: &Output) -> Value {
    assert_eq!(output.code, Some(0), "{output:?}");
    let lines = output.json_lines();
    let [summary] = &lines[..] else {
        panic!("only a summary: {output:?}");
    };
    assert_eq!(summary["clean"], true, "{summary}");
    assert_eq!(summary["violations"], 0, "{summary}");
    summary.clone()
}

impl World {
    /// Everything in this world is as it should be.
    pub(crate) async fn assert_audit_clean(&self) -> Value {
        clean_summary(&self.cli().pizza(&["audit", "--json"]).await)
    }
}
