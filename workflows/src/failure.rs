//! How the saga takes the failure of a step.

use failure_queue::{StepFailure, Steps};
use pizza_domain::{CancelReason, Step};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};
use temporalio_common::error::{ApplicationErrorCategory, ApplicationFailure};
use temporalio_workflow::{WorkflowContext, WorkflowTermination};

use crate::names::failure_type;
use crate::steps::StepSpec;

/// A step's failure as the reason to cancel an order.
pub(crate) fn cancels(failure: StepFailure, step: Step) -> CancelReason {
    CancelReason {
        step,
        message: sentence(&failure),
        code: failure.code,
    }
}

/// Takes a step whose failure cancels the order. Its first attempt is made
/// inside the workflow task.
///
/// # Errors
/// When it has failed for good.
pub(crate) async fn take<W, AD>(
    ctx: &WorkflowContext<W>,
    step: Step,
    activity: AD,
    input: AD::Input,
) -> Result<AD::Output, CancelReason>
where
    AD: ActivityDefinition + 'static,
    AD::Input: Clone + TemporalSerializable,
    AD::Output: TemporalDeserializable,
{
    let policy = StepSpec::of(step).policy();
    Steps::new(ctx)
        .local_first(activity, input, &policy, step.as_str())
        .await
        .map_err(|failure| cancels(failure, step))
}

/// The codes of failures that an engine has worded.
pub const FAULT_CODES: [&str; 4] = ["store-unavailable", "timeout", "unknown", "invalid-payload"];

/// What a customer is told of any of them.
pub const FAULT_SENTENCE: &str = "a service that the order needs did not answer";

/// What a customer is told of a step's failure. An outside party has a sentence
/// of its own; what an engine says of a fault is for operators, who read it in
/// the workflow's history.
pub(crate) fn sentence(failure: &StepFailure) -> String {
    if FAULT_CODES.contains(&failure.code.as_str()) {
        FAULT_SENTENCE.to_owned()
    } else {
        failure.message.clone()
    }
}

/// Why an operator's cancellation of the workflow keeps `step` from being
/// taken; none while nobody cancelled it. The customer reads it: the operator's
/// own words stay in the workflow's history.
pub(crate) fn cancelled<W>(ctx: &WorkflowContext<W>, step: Step) -> Option<CancelReason> {
    let is_cancelled = ctx.cancellation_token().is_cancelled();
    is_cancelled.then(|| CancelReason {
        step,
        code: "cancelled-by-operator".to_owned(),
        message: "the shop cancelled the order".to_owned(),
    })
}

/// Fails a workflow with a business failure: typed, final, with the reason
/// in its details, and marked benign so that it raises no alarm.
pub(crate) fn business_failure(type_name: &str, reason: CancelReason) -> WorkflowTermination {
    ApplicationFailure::builder(reason.to_string())
        .type_name(type_name.to_owned())
        .non_retryable(true)
        .category(ApplicationErrorCategory::Benign)
        .details(reason)
        .build()
        .into()
}

/// How a cancelled order's workflow ends.
pub(crate) fn order_cancelled(reason: CancelReason) -> WorkflowTermination {
    business_failure(failure_type::ORDER_CANCELLED, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str, message: &str) -> StepFailure {
        StepFailure {
            code: code.to_owned(),
            message: message.to_owned(),
            causes: Vec::new(),
            attempts: 1,
            refused: false,
        }
    }

    #[test]
    fn a_customer_is_told_what_a_party_says_and_nothing_that_an_engine_says() {
        let declined = failure("payment-declined", "the payment was declined");
        assert_eq!(sentence(&declined), "the payment was declined");
        for (code, message) in [
            ("store-unavailable", "the store failed: database is locked"),
            ("timeout", "activity StartToClose timeout"),
            ("unknown", "Workflow execution already started"),
            ("invalid-payload", "Payload conversion failed"),
        ] {
            let reason = cancels(failure(code, message), Step::ProcessPayment);
            assert_eq!(reason.code, code);
            assert_eq!(
                reason.message,
                "a service that the order needs did not answer"
            );
        }
    }
}
