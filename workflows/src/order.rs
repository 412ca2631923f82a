//! The saga of one order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use failure_queue::Steps;
use pizza_domain::{CancelReason, MoneyState, Order, OrderStatus, PointsState, Recovery, Step};
use serde::{Deserialize, Serialize};
use temporalio_common::error::IncomingError;
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ChildWorkflowExecutionError, ChildWorkflowOptions, ChildWorkflowStartError,
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, join,
};

use crate::change::ChangeAnswer;
use crate::failure::{cancelled, cancels, order_cancelled};
use crate::fulfilment::FulfilmentWorkflow;
use crate::loyalty::{LoyaltyOutcome, LoyaltyWorkflow};
use crate::names::{
    failure_type, fulfilment_workflow_id, idempotency_key, loyalty_workflow_id, message,
    search_attribute, task_queue, workflow_type,
};
use crate::pace::{pace, pace_detached};
use crate::policy::policy_of;
use crate::rollback::roll_back;
use crate::steps::{DeliveryReport, KitchenSteps, OrderSteps, Payment, PaymentSteps, StatusChange};

/// How an order stands, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderOutcome {
    /// The last status that the order workflow itself brought about. The
    /// kitchen's own stages are the fulfilment workflow's to tell.
    pub status: OrderStatus,
    /// What became of the money.
    pub money: MoneyState,
    /// What became of the points.
    pub points: PointsState,
}

/// The saga of one order.
#[workflow]
pub struct OrderWorkflow {
    order: Order,
    pub(crate) outcome: OrderOutcome,
    /// Whether there may be a charge to take back. Not the same as a charge
    /// that is known: the provider may have been cut off in the middle.
    pub(crate) may_be_charged: bool,
    /// The fulfilment branch's last word on a change.
    answer: Option<ChangeAnswer>,
}

#[workflow_methods]
impl OrderWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, order: Order) -> Self {
        Self {
            order,
            outcome: OrderOutcome {
                status: OrderStatus::Pending,
                money: MoneyState::NotCharged,
                points: PointsState::None,
            },
            may_be_charged: false,
            answer: None,
        }
    }

    /// Takes the order to the door, or takes everything back. An order whose
    /// earlier run was ended from outside is only brought to its end.
    #[run(name = workflow_type::ORDER)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderOutcome> {
        let order = ctx.state(|state| state.order.clone());
        let ended = match &order.recovery {
            None => deliver(ctx, &order).await,
            Some(recovery) => take_up(ctx, &order, recovery).await,
        };
        match ended {
            Ok(()) => Ok(ctx.state(|state| state.outcome)),
            Err(reason) => {
                roll_back(ctx, &order, &reason).await;
                Err(order_cancelled(reason))
            }
        }
    }

    /// The fulfilment branch's word on a change that it was asked for.
    #[signal(name = message::ANSWER_CHANGE)]
    pub fn answer_change(&mut self, _ctx: &mut SyncWorkflowContext<Self>, answer: ChangeAnswer) {
        self.answer = Some(answer);
    }

    /// How the order stands.
    #[query(name = message::PROGRESS)]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> OrderOutcome {
        self.outcome
    }
}

type Context = WorkflowContext<OrderWorkflow>;

/// Takes an order up again whose earlier run was ended from outside. What that
/// run had done is not known here: a delivered order is given its points once
/// more, and of any other everything is looked for that may have to be taken
/// back. The ledgers know what there is.
async fn take_up(ctx: &Context, order: &Order, recovery: &Recovery) -> Result<(), CancelReason> {
    match recovery {
        Recovery::Delivered => {
            ctx.state_mut(|state| state.outcome.money = MoneyState::Charged);
            confirm_delivery(ctx, order, None).await;
            let points = award_points(ctx, order).await;
            ctx.state_mut(|state| state.outcome.points = points);
            Ok(())
        }
        Recovery::RollBack(reason) => {
            Steps::new(ctx)
                .bookkeeping(
                    KitchenSteps::withdraw_ticket,
                    order.order_id,
                    "withdraw ticket",
                )
                .await;
            ctx.state_mut(|state| {
                state.may_be_charged = true;
                state.outcome.points = PointsState::Awarded;
            });
            Err(reason.clone())
        }
    }
}

async fn deliver(ctx: &Context, order: &Order) -> Result<(), CancelReason> {
    create(ctx, order).await?;
    charge(ctx, order).await?;
    not_cancelled(ctx, Step::PrepareOrder)?;
    // The order is delivered when the fulfilment branch is: the loyalty branch
    // may still be trying then.
    let fulfilled = async {
        let report = fulfil(ctx, order).await?;
        confirm_delivery(ctx, order, report).await;
        Ok(())
    };
    let (loyalty, fulfilment) = join!(award_points(ctx, order), fulfilled);
    ctx.state_mut(|state| state.outcome.points = loyalty);
    fulfilment
}

/// Writes that the order was delivered: the one status that nothing may undo,
/// so it waits until the branch that saw it has ended.
async fn confirm_delivery(ctx: &Context, order: &Order, report: Option<DeliveryReport>) {
    let change = StatusChange {
        order_id: order.order_id,
        status: OrderStatus::DeliveryConfirmed,
        report,
    };
    Steps::new(ctx)
        .bookkeeping(OrderSteps::set_order_status, change, "confirm delivery")
        .await;
    ctx.state_mut(|state| state.outcome.status = OrderStatus::DeliveryConfirmed);
}

async fn create(ctx: &Context, order: &Order) -> Result<(), CancelReason> {
    let step = Step::CreateOrder;
    not_cancelled(ctx, step)?;
    Steps::new(ctx)
        .local_first(
            OrderSteps::create_order,
            order.clone(),
            &policy_of(step),
            step.as_str(),
        )
        .await
        .map_err(|failure| cancels(failure, step))?;
    pace_after(ctx, order, OrderStatus::Pending).await;
    Ok(())
}

async fn charge(ctx: &Context, order: &Order) -> Result<(), CancelReason> {
    let step = Step::ProcessPayment;
    not_cancelled(ctx, step)?;
    show_if_paced(ctx, order, OrderStatus::PaymentProcessing).await;
    not_cancelled(ctx, step)?;
    let charged = Steps::new(ctx)
        .regular(
            PaymentSteps::process_payment,
            payment_of(order, step),
            &policy_of(step),
            step.as_str(),
        )
        .await;
    match &charged {
        Ok(()) => {
            ctx.state_mut(|state| {
                state.outcome.money = MoneyState::Charged;
                state.may_be_charged = true;
            });
            pace_after(ctx, order, OrderStatus::PaymentComplete).await;
        }
        Err(failure) if failure.refused => {
            pace_after(ctx, order, OrderStatus::PaymentFailed).await;
        }
        // The provider may have charged and not been heard.
        Err(_) => ctx.state_mut(|state| state.may_be_charged = true),
    }
    charged.map_err(|failure| cancels(failure, step))
}

/// Waits the pace of the order after a step that brought about `status`.
async fn pace_after(ctx: &Context, order: &Order, status: OrderStatus) {
    ctx.state_mut(|state| state.outcome.status = status);
    pace(ctx, order.simulation.pace, status).await;
}

/// Runs the loyalty branch. Its failure never fails the order. Should the
/// branch itself be ended from outside, whether points were awarded is not
/// known here; then they count as awarded, and a rollback, which takes back
/// no more than there is, looks for them.
async fn award_points(ctx: &Context, order: &Order) -> PointsState {
    let options = child(
        order,
        loyalty_workflow_id(order.order_id),
        task_queue::LOYALTY,
        "points",
    );
    let branch = match ctx
        .start_child_workflow(LoyaltyWorkflow::run, order.clone(), options)
        .await
    {
        Ok(branch) => branch,
        Err(ChildWorkflowStartError::Cancelled(_)) => return PointsState::None,
        Err(_) => return PointsState::Awarded,
    };
    match branch.result().await {
        Ok(LoyaltyOutcome::Parked) => PointsState::Parked,
        Ok(LoyaltyOutcome::Awarded) | Err(_) => PointsState::Awarded,
    }
}

async fn fulfil(ctx: &Context, order: &Order) -> Result<Option<DeliveryReport>, CancelReason> {
    let options = child(
        order,
        fulfilment_workflow_id(order.order_id),
        task_queue::FULFILMENT,
        "cooking and delivery",
    );
    let branch = ctx
        .start_child_workflow(FulfilmentWorkflow::run, order.clone(), options)
        .await
        .map_err(|error| CancelReason {
            step: Step::PrepareOrder,
            code: "fulfilment-not-started".to_owned(),
            message: error.to_string(),
        })?;
    branch.result().await.map_err(|error| cancel_reason(&error))
}

/// Why the fulfilment branch failed: its own word, or that it was ended from
/// outside.
fn cancel_reason(error: &ChildWorkflowExecutionError) -> CancelReason {
    let own_word = match error.reason() {
        Some(IncomingError::Application(failure))
            if failure.type_name() == Some(failure_type::FULFILMENT_FAILED) =>
        {
            failure.details().ok().flatten()
        }
        _ => None,
    };
    own_word.unwrap_or_else(|| CancelReason {
        step: Step::ProcessOrder,
        code: "fulfilment-ended".to_owned(),
        message: error
            .reason()
            .map_or_else(|| error.to_string(), ToString::to_string),
    })
}

fn child(order: &Order, id: String, task_queue: &str, summary: &str) -> ChildWorkflowOptions {
    ChildWorkflowOptions::builder()
        .workflow_id(id)
        .task_queue(task_queue.to_owned())
        .search_attributes(search_attributes(order))
        .static_summary(summary.to_owned())
        .build()
}

/// The search attributes of an order's workflows.
#[must_use]
pub fn search_attributes(order: &Order) -> SearchAttributes {
    SearchAttributes::new([
        search_attribute::ORDER_ID.value_set(order.order_id.to_string()),
        search_attribute::CUSTOMER_ID.value_set(order.customer_id.to_string()),
    ])
}

/// The money of an order, for one of the two steps that move it.
pub(crate) fn payment_of(order: &Order, step: Step) -> Payment {
    Payment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amount: order.total,
        idempotency_key: idempotency_key(order.order_id, step),
        simulation: order.simulation,
    }
}

/// Shows a status for its pace. Without a pace nobody could see it, and the
/// step that follows writes it on its way.
pub(crate) async fn show_if_paced(ctx: &Context, order: &Order, status: OrderStatus) {
    ctx.state_mut(|state| state.outcome.status = status);
    if order.simulation.pace.is_zero() {
        return;
    }
    let change = StatusChange {
        order_id: order.order_id,
        status,
        report: None,
    };
    Steps::new(ctx)
        .bookkeeping(OrderSteps::set_order_status, change, status.as_str())
        .await;
    if status == OrderStatus::Refunding {
        pace_detached(ctx, order.simulation.pace, status).await;
    } else {
        pace(ctx, order.simulation.pace, status).await;
    }
}

fn not_cancelled(ctx: &Context, step: Step) -> Result<(), CancelReason> {
    cancelled(ctx, step).map_or(Ok(()), Err)
}
