//! A workflow's time, as a number.

use std::time::SystemTime;

use temporalio_workflow::WorkflowContext;

/// The workflow's time, in milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms<W>(ctx: &WorkflowContext<W>) -> i64 {
    to_ms(ctx.workflow_time())
}

/// A workflow's time, in milliseconds since the Unix epoch.
pub(crate) fn to_ms(time: Option<SystemTime>) -> i64 {
    time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
