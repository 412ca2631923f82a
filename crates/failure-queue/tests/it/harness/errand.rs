//! A workflow with steps that may be parked.

use failure_queue::{ParkableStep, StepFailure, Steps, StoredPayload};
use serde::{Deserialize, Serialize};
use temporalio_common_full::UntypedActivity;
use temporalio_common_full::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflows::join_all;
use temporalio_sdk::{WorkflowContext, WorkflowResult};

use super::{LedgerActivities, Payment};

/// A step to be run, and what it is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    pub(crate) step: ParkableStep,
    pub(crate) payment: Payment,
    /// Given to the activity for opaque payloads in place of a payment.
    pub(crate) opaque: Option<StoredPayload>,
}

/// Runs its errands at once, and ends with them in the same breath.
#[workflow]
#[derive(Default)]
pub(crate) struct ErrandWorkflow;

#[workflow_methods]
impl ErrandWorkflow {
    #[run(name = "Errand")]
    pub(crate) async fn run(
        ctx: &mut WorkflowContext<Self>,
        errands: Vec<Errand>,
    ) -> WorkflowResult<Vec<Option<StepFailure>>> {
        let steps = Steps::new(ctx);
        let results = join_all(errands.into_iter().map(async |errand| {
            let Errand {
                step,
                payment,
                opaque,
            } = errand;
            let result = match opaque {
                None => {
                    steps
                        .run_or_park(LedgerActivities::pay, payment, step, "pay")
                        .await
                }
                Some(opaque) => {
                    let activity = UntypedActivity::new("takeOpaque");
                    let result =
                        steps.run_or_park(activity, RawValue::from(opaque), step, "opaque");
                    result.await.map(drop)
                }
            };
            result.err()
        }))
        .await;
        Ok(results)
    }
}
