//! The fulfilment branch: the cooking and delivery of one order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::error::Error;
use std::time::Duration;

use failure_queue::{Message, StepPolicy, Steps, now_ms, refused};
use pizza_domain::{
    CancelReason, KitchenReport, Order, OrderStatus, Rejection, ReportRefusal, Step,
    TicketProgress, TicketReport,
};
use serde::{Deserialize, Serialize};
use temporalio_common::error::ApplicationFailure;
use temporalio_macros::workflow_methods;
use temporalio_workflow::{
    SyncWorkflowContext, TimerOptions, WorkflowContext, WorkflowContextView, WorkflowResult, select,
};

use crate::change::signals::{Change, ChangeAnswer, ChangeRequest, SettledChange, detached};
use crate::failure::{business_failure, cancelled, take};
use crate::fulfilment_state::{FulfilmentWorkflow, Hold};
use crate::names::{failure_type, message, order_workflow_id, patch, workflow_type};
use crate::order_state::OrderWorkflow;
use crate::steps::{DeliveryReport, KitchenSteps, RecordedReport, Ticket};

/// The answer to a report that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportReceipt {
    /// The order's status now.
    pub status: OrderStatus,
}

#[workflow_methods]
impl FulfilmentWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, order: Order) -> Self {
        let mut progress = TicketProgress::default();
        if order.stages.is_none() {
            // Its kitchen never says that it accepted.
            progress.resume_at(KitchenReport::Accepted);
        }
        Self {
            order,
            progress,
            heard_at_ms: 0,
            stopped: None,
            reports: 0,
            asked_after: None,
            hold: Hold::None,
            delivery: None,
        }
    }

    /// Hands the kitchen its ticket and waits until the food is delivered.
    /// Fails, with nothing left under way, when it is not.
    #[run(name = workflow_type::FULFILMENT)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Option<DeliveryReport>> {
        let fulfilled = match prepare(ctx).await {
            Ok(()) => deliver(ctx).await,
            Err(reason) => Err(reason),
        };
        if fulfilled.is_err() {
            // Also when it was never handed over, as far as is known here.
            withdraw(ctx).await;
        }
        Steps::new(ctx).handlers_finished().await;
        match fulfilled {
            Ok(()) => Ok(ctx.state(|state| state.delivery.clone())),
            Err(reason) => Err(business_failure(failure_type::FULFILMENT_FAILED, reason)),
        }
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
        report: TicketReport,
    ) -> Result<ReportReceipt, Box<dyn Error + Send + Sync>> {
        ctx.state_mut(|state| state.reports += 1);
        if report.report == KitchenReport::Accepted {
            // What the kitchen accepts has to be what the customer wants.
            Steps::new(ctx).until(|state: &Self| !state.is_held()).await;
        }
        if ctx.state(|state| state.may_lack_reports_before(&report)) {
            ask_for_lost_reports(ctx).await;
        }
        let heard_at_ms = now_ms(ctx);
        ctx.state_mut(|state| {
            state.progress.take(&report)?;
            state.heard_at_ms = heard_at_ms;
            match report.report {
                KitchenReport::Rejected => state.stopped = Some(rejected(&report)),
                KitchenReport::Delivered => {
                    state.delivery = report.report_id.clone().map(|id| DeliveryReport {
                        report_id: Some(id),
                    });
                }
                _ => {}
            }
            Ok(())
        })
        .map_err(refusal)?;
        let event = report.report;
        if event != KitchenReport::Delivered {
            record(ctx, report).await;
        }
        Ok(ReportReceipt {
            status: event.order_status(),
        })
    }

    /// A report that may not be taken is answered before it leaves a trace.
    /// Of several that arrive in one workflow task all are validated before
    /// the first is handled; then the handler refuses the others. A run that
    /// was reset looks into the reports that seem to come too early: those
    /// before may have been lost.
    #[update_validator(report)]
    fn validate_report(
        &self,
        ctx: &WorkflowContextView,
        report: &TicketReport,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let was_reset = ctx.run_id() != ctx.first_execution_run_id();
        if was_reset && self.may_lack_reports_before(report) {
            return Ok(());
        }
        self.check(report).map_err(refusal)
    }

    /// The order is to be changed. That it is cancelled is answered by the end
    /// of this workflow, everything else at once.
    #[signal(name = message::REQUEST_CHANGE)]
    pub async fn request_change(ctx: &mut WorkflowContext<Self>, request: Message<ChangeRequest>) {
        let Some(request) = request.read(ctx, message::REQUEST_CHANGE) else {
            return;
        };
        let ChangeRequest { number, change } = request;
        let is_cancellation = matches!(change, Change::Cancel(_));
        let refused = ctx.state_mut(|state| state.grant(change)).err();
        if is_cancellation && refused.is_none() {
            return;
        }
        let order = ctx.state(|state| order_workflow_id(state.order.order_id));
        let answer = ChangeAnswer { number, refused };
        // An order workflow that has ended does not ask any more.
        let _ = ctx
            .external_workflow(order, None)
            .signal(OrderWorkflow::answer_change, answer.into(), detached())
            .await;
    }

    /// The change was made, or given up.
    #[signal(name = message::SETTLE_CHANGE)]
    pub fn settle_change(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        settled: Message<SettledChange>,
    ) {
        let Some(settled) = settled.read(ctx, message::SETTLE_CHANGE) else {
            return;
        };
        match settled.order {
            // Also where nothing is held: the run of this workflow that was
            // asked to wait may have been an earlier one.
            Some(order) if self.hold == Hold::Held || self.lacks(&order) => {
                self.order = order;
                self.hold = Hold::Changed;
            }
            None if self.hold == Hold::Held => self.hold = Hold::None,
            _ => {}
        }
    }

    /// How far the ticket is.
    #[query(name = message::PROGRESS)]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> TicketProgress {
        self.progress.clone()
    }
}

type Context = WorkflowContext<FulfilmentWorkflow>;

async fn prepare(ctx: &Context) -> Result<(), CancelReason> {
    let step = Step::PrepareOrder;
    let stopped = ctx.state(|state| state.stopped.clone());
    if let Some(reason) = stopped.or_else(|| cancelled(ctx, step)) {
        return Err(reason);
    }
    let prepared = take(ctx, step, KitchenSteps::prepare_order, ticket(ctx)).await?;
    let now = now_ms(ctx);
    ctx.state_mut(|state| {
        state.heard_at_ms = state.heard_at_ms.max(now);
        if let Some(report) = prepared.reported {
            state.progress.resume_at(report);
        }
    });
    Ok(())
}

/// Waits for the kitchen's last report. Fails when a stage takes too long,
/// when the kitchen rejects, or the customer or an operator cancels.
async fn deliver(ctx: &Context) -> Result<(), CancelReason> {
    let reason = loop {
        if ctx.state(|state| state.progress.is_delivered()) {
            return Ok(());
        }
        if let Some(reason) = ctx.state(|state| state.stopped.clone()) {
            break reason;
        }
        if ctx.state(FulfilmentWorkflow::is_held) {
            pass_change_on(ctx).await;
            continue;
        }
        let due_at_ms = ctx.state(|state| state.due_at_ms()).unwrap_or_default();
        let left = Duration::from_millis(u64::try_from(due_at_ms - now_ms(ctx)).unwrap_or(0));
        if left.is_zero() {
            ask_for_lost_reports(ctx).await;
            let now = now_ms(ctx);
            if ctx.state(|state| state.is_overdue(now)) {
                break overdue(ctx);
            }
            continue;
        }
        if let Some(reason) = wait_for_kitchen(ctx, left, due_at_ms).await {
            break reason;
        }
    };
    // Closed in the same breath as the decision: what comes now is late.
    ctx.state_mut(|state| state.progress.close());
    Err(reason)
}

/// Goes on from the reports in the store. A run that was reset to a later task
/// may have lost some of them from its history.
async fn ask_for_lost_reports(ctx: &Context) {
    if !ctx.patched(patch::ASK_FOR_LOST_REPORTS) {
        return;
    }
    let order_id = ctx.state(|state| state.order.order_id);
    let found = Steps::new(ctx)
        .local_first(
            KitchenSteps::last_kitchen_report,
            order_id,
            &StepPolicy::bookkeeping(),
            "ask for lost reports",
        )
        .await;
    let now = now_ms(ctx);
    ctx.state_mut(|state| {
        let known = state.progress.last();
        // It can only be refused where its input cannot be read.
        let found = found.ok().and_then(|ticket| ticket.reported);
        if let Some(report) = found.filter(|report| Some(*report) > known)
            && !state.progress.is_closed()
        {
            state.progress.resume_at(report);
            state.heard_at_ms = now;
        }
        state.asked_after = Some(state.progress.last());
    });
}

/// Waits until there is something to look at, or the stage is overdue. Tells
/// when an operator cancels.
async fn wait_for_kitchen(ctx: &Context, left: Duration, until_ms: i64) -> Option<CancelReason> {
    // One timer serves several reports: it is looked at when it fires, and
    // set again for what is left.
    let token = ctx.cancellation_token().child_token();
    let deadline = TimerOptions::builder(left)
        .cancellation_token(token.clone())
        .summary("kitchen deadline".to_owned())
        .build();
    let disturbed = select! {
        disturbed = ctx.wait_condition(move |state| state.is_disturbed(until_ms)) => disturbed,
        _ = ctx.timer(deadline) => Ok(()),
    };
    if disturbed.is_err() {
        return cancelled(ctx, Step::ProcessOrder);
    }
    let goes_on = ctx.state(|state| !state.progress.is_delivered() && state.is_disturbed(until_ms));
    if goes_on {
        token.cancel();
    }
    None
}

/// Waits while the order is changed, and tells the kitchen what it is now.
async fn pass_change_on(ctx: &Context) {
    Steps::new(ctx)
        .until(|state: &FulfilmentWorkflow| state.hold != Hold::Held || state.stopped.is_some())
        .await;
    if ctx.state(|state| state.hold) == Hold::Changed {
        Steps::new(ctx)
            .bookkeeping(KitchenSteps::amend_ticket, ticket(ctx), "amend ticket")
            .await;
    }
    // The kitchen's time was not running meanwhile.
    let heard_at_ms = now_ms(ctx);
    ctx.state_mut(|state| {
        state.heard_at_ms = heard_at_ms;
        state.hold = Hold::None;
    });
}

/// Takes the ticket back.
async fn withdraw(ctx: &Context) {
    ctx.state_mut(|state| {
        state.progress.close();
        state.hold = Hold::None;
    });
    let order_id = ctx.state(|state| state.order.order_id);
    Steps::new(ctx)
        .bookkeeping(KitchenSteps::withdraw_ticket, order_id, "withdraw ticket")
        .await;
}

/// Writes a report that was taken.
async fn record(ctx: &Context, report: TicketReport) {
    let summary = report.report.as_str();
    let report = ctx.state(|state| RecordedReport {
        order_id: state.order.order_id,
        report: report.report,
        report_id: report.report_id,
        reason: report.reason,
        due_at_ms: state.due_at_ms(),
    });
    Steps::new(ctx)
        .bookkeeping(KitchenSteps::record_kitchen_report, report, summary)
        .await;
}

fn ticket(ctx: &Context) -> Ticket {
    ctx.state(|state| {
        let order = &state.order;
        Ticket {
            order_id: order.order_id,
            flavour: order.flavour.clone(),
            size: order.size,
            quantity: order.quantity,
            accept_within_ms: order.stages.map(|_| {
                let deadline = order.stage_deadline(KitchenReport::Accepted);
                u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)
            }),
            simulation: order.simulation,
        }
    })
}

fn overdue(ctx: &Context) -> CancelReason {
    ctx.state(|state| {
        let expected = state.progress.next().unwrap_or(KitchenReport::Delivered);
        CancelReason {
            step: Step::ProcessOrder,
            code: "kitchen-overdue".to_owned(),
            message: format!(
                "the kitchen did not report {expected} within {} s",
                state.order.stage_deadline(expected).as_secs_f64()
            ),
        }
    })
}

fn rejected(report: &TicketReport) -> CancelReason {
    let reason = report.reason.as_ref().map(Rejection::as_str);
    CancelReason {
        step: Step::ProcessOrder,
        code: "kitchen-rejected".to_owned(),
        message: reason.unwrap_or("the kitchen gave no reason").to_owned(),
    }
}

fn refusal(refusal: ReportRefusal) -> Box<dyn Error + Send + Sync> {
    let type_name = match refusal {
        ReportRefusal::Repeated => failure_type::REPORT_REPEATED,
        ReportRefusal::OutOfOrder => failure_type::REPORT_OUT_OF_ORDER,
        ReportRefusal::Late => failure_type::REPORT_LATE,
        ReportRefusal::IdReused => failure_type::REPORT_ID_REUSED,
        ReportRefusal::TooMany => failure_type::TOO_MANY_REPORTS,
    };
    let failure = ApplicationFailure::builder(refusal)
        .type_name(type_name.to_owned())
        .non_retryable(true)
        .build();
    refused("the kitchen's report was not taken", failure)
}
