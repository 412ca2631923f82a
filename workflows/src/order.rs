//! The saga of one order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use failure_queue::{Message, Steps};
use pizza_domain::{
    Amendment, CancelReason, MoneyState, Order, OrderStatus, PointsState, Recovery, Step,
};
use temporalio_macros::workflow_methods;
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, join,
};

use crate::branches::{self, award_points, fulfil};
use crate::change::amend::{AmendReceipt, acceptable, amend, follow_amendments};
use crate::change::cancel::{cancel, cancellable};
use crate::change::refusal::refusal;
use crate::change::signals::ChangeAnswer;
use crate::earlier_branches::looks_for_branches;
use crate::failure::{cancelled, cancels, order_cancelled, take};
use crate::names::{message, patch, workflow_type};
use crate::order_state::{
    Charge, Context, Fulfilment, OrderOutcome, OrderWorkflow, Phase, Record, payment_of,
};
use crate::pace::{pace, show_if_paced};
use crate::rollback::roll_back;
use crate::steps::{
    DeliveryReport, EarlierRun, FulfilmentState, OrderSteps, PaymentSteps, StatusChange, StepSpec,
};

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
            phase: Phase::Beginning,
            record: Record::Unwritten,
            charge: Charge::Absent,
            fulfilment: Fulfilment::Unstarted,
            looks_for_more: false,
            called_off: None,
            amending: false,
            wanted_amendments: 0,
            amendments: 0,
            questions: 0,
            awaited: BTreeSet::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Takes the order to the door, or takes everything back.
    #[run(name = workflow_type::ORDER)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderOutcome> {
        let ended = match ctx.state(|state| state.order.recovery.clone()) {
            Some(recovery) => recover(ctx, recovery).await,
            None => deliver(ctx).await,
        };
        let ended = match ended {
            Ok(()) => Ok(()),
            Err(reason) => give_up(ctx, reason).await,
        };
        Steps::new(ctx).handlers_finished().await;
        match ended {
            Ok(()) => Ok(ctx.state(|state| state.outcome)),
            Err(reason) => Err(order_cancelled(reason)),
        }
    }

    /// The customer does not want the order any more.
    #[update(name = message::CANCEL_ORDER)]
    pub async fn cancel(
        ctx: &mut WorkflowContext<Self>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        cancel(ctx).await.map_err(refusal)
    }

    /// An order that is cancelled already, or delivered, leaves no trace of
    /// the attempt to cancel it.
    #[update_validator(cancel)]
    fn validate_cancel(
        &self,
        _ctx: &WorkflowContextView,
        _nothing: &(),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        cancellable(self).map_err(refusal)
    }

    /// The customer wants something else.
    #[update(name = message::AMEND_ORDER)]
    pub async fn amend(
        ctx: &mut WorkflowContext<Self>,
        amendment: Amendment,
    ) -> Result<AmendReceipt, Box<dyn Error + Send + Sync>> {
        amend(ctx, amendment).await.map_err(refusal)
    }

    /// An amendment that cannot be made, or changes nothing, leaves no trace.
    #[update_validator(amend)]
    fn validate_amend(
        &self,
        _ctx: &WorkflowContextView,
        amendment: &Amendment,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        acceptable(self, amendment).map_err(refusal)
    }

    /// The fulfilment branch's word on a change that it was asked for.
    #[signal(name = message::ANSWER_CHANGE)]
    pub fn answer_change(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        answer: Message<ChangeAnswer>,
    ) {
        let Some(answer) = answer.read(ctx, message::ANSWER_CHANGE) else {
            return;
        };
        self.questions = self.questions.max(answer.number);
        if self.awaited.remove(&answer.number) {
            self.answers.insert(answer.number, answer.refused);
        }
    }

    /// How the order stands.
    #[query(name = message::PROGRESS)]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> OrderOutcome {
        self.outcome
    }
}

async fn deliver(ctx: &Context) -> Result<(), CancelReason> {
    create(ctx).await?;
    charge(ctx).await?;
    hand_over(ctx).await?;
    let order = ctx.state(|state| state.order.clone());
    // The order is delivered when the fulfilment branch is: the loyalty branch
    // may still be trying then.
    let fulfilled = async {
        let fulfilled = fulfil(ctx, &order).await;
        // Said in the same breath as it is known: what comes now is too late.
        ctx.state_mut(|state| {
            state.phase = match fulfilled {
                Ok(_) => Phase::Delivered,
                Err(_) => Phase::RollingBack,
            };
        });
        confirm_delivery(ctx, fulfilled?).await;
        Ok(())
    };
    let (loyalty, fulfilment) = join!(award_points(ctx, &order), fulfilled);
    ctx.state_mut(|state| state.outcome.points = loyalty);
    fulfilment
}

/// Takes up an order whose workflow was ended from outside.
async fn recover(ctx: &Context, recovery: Recovery) -> Result<(), CancelReason> {
    match recovery {
        Recovery::Delivered => {
            was_delivered(ctx, None).await;
            Ok(())
        }
        Recovery::RollBack(reason) => {
            take_back_whatever_is_there(ctx);
            Err(reason)
        }
    }
}

/// Ends an order that an earlier run had delivered.
async fn was_delivered(ctx: &Context, report: Option<DeliveryReport>) {
    let order = ctx.state_mut(|state| {
        state.phase = Phase::Delivered;
        state.order.clone()
    });
    confirm_delivery(ctx, report).await;
    // They may have been tried for when the earlier run was ended.
    let points = award_points(ctx, &order).await;
    ctx.state_mut(|state| {
        state.outcome.money = MoneyState::Charged;
        state.outcome.points = points;
    });
}

/// Rolls an order back, unless a branch of an earlier run delivered it. A
/// branch that still runs is ended first: it could deliver what is refunded.
async fn give_up(ctx: &Context, reason: CancelReason) -> Result<(), CancelReason> {
    if ctx.state(|state| !state.fulfilment.is_over()) && looks_for_branches(ctx) {
        ctx.state_mut(|state| state.phase = Phase::Settling);
        match branches::settle(ctx).await {
            FulfilmentState::Delivered(report) => {
                was_delivered(ctx, report).await;
                return Ok(());
            }
            FulfilmentState::Absent => {}
            _ => take_back_whatever_is_there(ctx),
        }
    }
    ctx.state_mut(|state| state.phase = Phase::RollingBack);
    roll_back(ctx, &reason).await;
    Err(reason)
}

/// Has the rollback look for a charge, for points and for a ticket that this
/// run does not know of: it may be a new run of an order that had come
/// further. Where there are none, the books say so.
fn take_back_whatever_is_there(ctx: &Context) {
    ctx.state_mut(|state| {
        state.looks_for_more = true;
        state.charge = state.charge.sought();
        if state.outcome.points == PointsState::None {
            state.outcome.points = PointsState::Awarded;
        }
    });
}

/// The moment from which the kitchen has the order: not before an amendment
/// that is under way has ended.
async fn hand_over(ctx: &Context) -> Result<(), CancelReason> {
    wanted(ctx, Step::PrepareOrder).await?;
    ctx.state_mut(|state| state.phase = Phase::Kitchen);
    Ok(())
}

/// Writes that the order was delivered: the one status that nothing may undo,
/// so it waits until the branch that saw it has ended.
async fn confirm_delivery(ctx: &Context, report: Option<DeliveryReport>) {
    let change = StatusChange {
        order_id: ctx.state(|state| state.order.order_id),
        status: OrderStatus::DeliveryConfirmed,
        report,
    };
    Steps::new(ctx)
        .bookkeeping(OrderSteps::set_order_status, change, "confirm delivery")
        .await;
    ctx.state_mut(|state| state.outcome.status = OrderStatus::DeliveryConfirmed);
}

async fn create(ctx: &Context) -> Result<(), CancelReason> {
    let step = Step::CreateOrder;
    wanted(ctx, step).await?;
    let order = ctx.state(|state| state.order.clone());
    let earlier = take(ctx, step, OrderSteps::create_order, order).await?;
    let record = match earlier {
        Some(earlier) => {
            follow(ctx, earlier).await?;
            Record::OfEarlierRun
        }
        None => Record::New,
    };
    ctx.state_mut(|state| state.record = record);
    pace_after(ctx, OrderStatus::Pending).await;
    Ok(())
}

/// Goes on from what an earlier run wrote.
async fn follow(ctx: &Context, earlier: EarlierRun) -> Result<(), CancelReason> {
    if let Some(amendments) = earlier.amendments {
        follow_amendments(ctx, amendments).await;
    }
    // What an observer has seen as the order's end stays its end.
    match earlier.cancelled {
        Some(reason) => {
            take_back_whatever_is_there(ctx);
            Err(reason)
        }
        None => Ok(()),
    }
}

async fn charge(ctx: &Context) -> Result<(), CancelReason> {
    let step = Step::ProcessPayment;
    wanted(ctx, step).await?;
    show_if_paced(ctx, OrderStatus::PaymentProcessing).await;
    wanted(ctx, step).await?;
    ctx.state_mut(|state| state.charge = Charge::UnderWay);
    let charged = Steps::new(ctx)
        .regular(
            PaymentSteps::process_payment,
            payment_of(ctx, step),
            &StepSpec::of(step).policy(),
            step.as_str(),
        )
        .await;
    ctx.state_mut(|state| {
        state.charge = match &charged {
            Ok(()) => Charge::Made,
            Err(failure) if failure.refused => Charge::Absent,
            Err(_) => Charge::Possible,
        };
        if charged.is_ok() {
            state.outcome.money = MoneyState::Charged;
        }
    });
    if charged.is_err() {
        // Nothing is said yes to before it is known how the order ends.
        let phase = if looks_for_branches(ctx) {
            Phase::Settling
        } else {
            Phase::RollingBack
        };
        ctx.state_mut(|state| state.phase = phase);
    }
    match &charged {
        Ok(()) => pace_after(ctx, OrderStatus::PaymentComplete).await,
        Err(failure) if failure.refused => pace_after(ctx, OrderStatus::PaymentFailed).await,
        Err(_) => {}
    }
    charged.map_err(|failure| cancels(failure, step))
}

/// Waits the pace of the order after a step that brought about `status`.
async fn pace_after(ctx: &Context, status: OrderStatus) {
    ctx.state_mut(|state| state.outcome.status = status);
    pace(ctx, status).await;
}

/// Waits until no amendment is under way, and says whether `step` is to be
/// taken then.
async fn wanted(ctx: &Context, step: Step) -> Result<(), CancelReason> {
    Steps::new(ctx)
        .until(|state: &OrderWorkflow| !state.amending)
        .await;
    if let Some(reason) = ctx.state(|state| state.called_off.clone()) {
        take_back_whatever_is_there(ctx);
        return Err(reason);
    }
    let Some(reason) = cancelled(ctx, step) else {
        return Ok(());
    };
    if ctx.patched(patch::TAKE_BACK_WHATEVER_IS_THERE) {
        take_back_whatever_is_there(ctx);
    }
    Err(reason)
}
