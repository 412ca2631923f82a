//! The fulfilment branch: the cooking and delivery of one order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::error::Error;
use std::time::Duration;

use failure_queue::{Steps, now_ms, refused};
use pizza_domain::{
    CancelReason, KitchenReport, Order, OrderStatus, ReportRefusal, Step, TicketProgress,
};
use serde::{Deserialize, Serialize};
use temporalio_common::error::ApplicationFailure;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    TimerOptions, WorkflowContext, WorkflowContextView, WorkflowResult, select,
};

use crate::failure::{business_failure, cancelled, cancels};
use crate::names::{failure_type, message, workflow_type};
use crate::policy::policy_of;
use crate::steps::{KitchenSteps, RecordedReport, Ticket};

/// The answer to a report that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportReceipt {
    /// The order's status now.
    pub status: OrderStatus,
}

/// The fulfilment branch of one order.
///
/// A report may overtake the answer to the step that brought the kitchen its
/// ticket; it is taken all the same, since whoever reports has the ticket.
#[workflow]
pub struct FulfilmentWorkflow {
    order: Order,
    progress: TicketProgress,
    /// When the kitchen was last heard of, by the workflow's clock.
    heard_at_ms: i64,
}

#[workflow_methods]
impl FulfilmentWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, order: Order) -> Self {
        Self {
            order,
            progress: TicketProgress::default(),
            heard_at_ms: 0,
        }
    }

    /// Hands the kitchen its ticket and waits until the food is delivered.
    /// Fails, with nothing left under way, when it is not.
    #[run(name = workflow_type::FULFILMENT)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let order = ctx.state(|state| state.order.clone());
        let fulfilled = match prepare(ctx, &order).await {
            Ok(()) => deliver(ctx, &order).await,
            Err(reason) => Err(reason),
        };
        if fulfilled.is_err() {
            // Also when it was never handed over, as far as is known here.
            withdraw(ctx, &order).await;
        }
        Steps::new(ctx).handlers_finished().await;
        fulfilled.map_err(|reason| business_failure(failure_type::FULFILMENT_FAILED, reason))
    }

    /// The kitchen reports progress.
    ///
    /// What is on the way is written at once. That the food was *delivered* is
    /// not: as long as this workflow task is not complete it may be undone,
    /// by the deadline that fires meanwhile for one, and an order that was
    /// seen delivered could not be rolled back any more. The order workflow
    /// writes it, once this one has ended.
    #[update(name = message::REPORT_KITCHEN_EVENT)]
    pub async fn report(
        ctx: &mut WorkflowContext<Self>,
        report: KitchenReport,
    ) -> Result<ReportReceipt, Box<dyn Error + Send + Sync>> {
        let heard_at_ms = now_ms(ctx);
        ctx.state_mut(|state| {
            state.progress.take(report)?;
            state.heard_at_ms = heard_at_ms;
            Ok(())
        })
        .map_err(refusal)?;
        if report != KitchenReport::Delivered {
            let order_id = ctx.state(|state| state.order.order_id);
            Steps::new(ctx)
                .bookkeeping(
                    KitchenSteps::record_kitchen_report,
                    RecordedReport { order_id, report },
                    report.as_str(),
                )
                .await;
        }
        Ok(ReportReceipt {
            status: report.order_status(),
        })
    }

    /// A report that may not be taken is answered before it leaves a trace.
    /// Of several that arrive in one workflow task all are validated before
    /// the first is handled; then the handler refuses the others.
    #[update_validator(report)]
    fn validate_report(
        &self,
        _ctx: &WorkflowContextView,
        report: &KitchenReport,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.progress.check(*report).map_err(refusal)
    }

    /// How far the ticket is.
    #[query(name = message::PROGRESS)]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> TicketProgress {
        self.progress
    }
}

async fn prepare(
    ctx: &WorkflowContext<FulfilmentWorkflow>,
    order: &Order,
) -> Result<(), CancelReason> {
    let step = Step::PrepareOrder;
    if let Some(reason) = cancelled(ctx, step) {
        return Err(reason);
    }
    let ticket = Ticket {
        order_id: order.order_id,
        flavour: order.flavour.clone(),
        size: order.size,
        quantity: order.quantity,
        simulation: order.simulation,
    };
    let prepared = Steps::new(ctx)
        .local_first(
            KitchenSteps::prepare_order,
            ticket,
            &policy_of(step),
            step.as_str(),
        )
        .await
        .map_err(|failure| cancels(failure, step))?;
    let now = now_ms(ctx);
    ctx.state_mut(|state| {
        state.heard_at_ms = now;
        if let Some(report) = prepared.reported {
            state.progress.resume_at(report);
        }
    });
    Ok(())
}

/// Waits for the kitchen's last report. Fails when the kitchen keeps silent
/// for too long, or an operator cancels.
async fn deliver(
    ctx: &WorkflowContext<FulfilmentWorkflow>,
    order: &Order,
) -> Result<(), CancelReason> {
    let reason = loop {
        let silence_left = silence_left(ctx, order);
        if ctx.state(|state| state.progress.is_delivered()) {
            return Ok(());
        }
        if silence_left.is_zero() {
            break overdue(ctx, order);
        }
        // One timer serves several reports: it is looked at when it fires,
        // and set again for what is left.
        let token = ctx.cancellation_token().child_token();
        let deadline = TimerOptions::builder(silence_left)
            .cancellation_token(token)
            .summary("kitchen deadline".to_owned())
            .build();
        let delivered = select! {
            delivered = ctx.wait_condition(|state| state.progress.is_delivered()) => delivered,
            _ = ctx.timer(deadline) => Ok(()),
        };
        if delivered.is_err()
            && let Some(reason) = cancelled(ctx, Step::ProcessOrder)
        {
            break reason;
        }
    };
    // Closed in the same breath as the decision: what comes now is late.
    ctx.state_mut(|state| state.progress.close());
    Err(reason)
}

/// Takes the ticket back.
async fn withdraw(ctx: &WorkflowContext<FulfilmentWorkflow>, order: &Order) {
    ctx.state_mut(|state| state.progress.close());
    Steps::new(ctx)
        .bookkeeping(
            KitchenSteps::withdraw_ticket,
            order.order_id,
            "withdraw ticket",
        )
        .await;
}

/// How much longer the kitchen may keep silent.
fn silence_left(ctx: &WorkflowContext<FulfilmentWorkflow>, order: &Order) -> Duration {
    let silent_ms = now_ms(ctx) - ctx.state(|state| state.heard_at_ms);
    order
        .kitchen_deadline()
        .saturating_sub(Duration::from_millis(
            u64::try_from(silent_ms).unwrap_or_default(),
        ))
}

fn overdue(ctx: &WorkflowContext<FulfilmentWorkflow>, order: &Order) -> CancelReason {
    let expected = ctx.state(|state| state.progress.next());
    CancelReason {
        step: Step::ProcessOrder,
        code: "kitchen-overdue".to_owned(),
        message: format!(
            "the kitchen did not report {} within {} s",
            expected.map_or("anything", KitchenReport::as_str),
            order.kitchen_deadline().as_secs_f64()
        ),
    }
}

fn refusal(refusal: ReportRefusal) -> Box<dyn Error + Send + Sync> {
    let type_name = match refusal {
        ReportRefusal::Repeated => failure_type::REPORT_REPEATED,
        ReportRefusal::OutOfOrder => failure_type::REPORT_OUT_OF_ORDER,
        ReportRefusal::Late => failure_type::REPORT_LATE,
    };
    let failure = ApplicationFailure::builder(refusal)
        .type_name(type_name.to_owned())
        .non_retryable(true)
        .build();
    refused("the kitchen's report was not taken", failure)
}
