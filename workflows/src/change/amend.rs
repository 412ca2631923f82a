//! The customer wants something else.
//!
//! An amendment is a small saga of its own: the kitchen is kept from accepting,
//! the difference to the price is charged or given back, the points follow, and
//! the record. When money or points do not move, what has moved is taken back,
//! and the order is as it was.

use std::time::Duration;

use failure_queue::{StepFailure, StepPolicy, Steps};
use pizza_domain::{Amendment, Money, MoneyState, Order, OrderStatus};
use serde::{Deserialize, Serialize};

use super::ask::{Word, ask, joins_a_branch};
use super::refusal::ChangeRefusal;
use super::signals::{Change, SettledChange, detached};
use crate::earlier_branches::looks_for_branches;
use crate::failure::sentence;
use crate::fulfilment_state::FulfilmentWorkflow;
use crate::names::{amendment_key, fulfilment_workflow_id};
use crate::order_state::{Charge, Context, OrderWorkflow, Phase, Record};
use crate::steps::{
    Amendments, LoyaltySteps, OrderSteps, PaymentAdjustment, PaymentSteps, PointsAdjustment,
    RecordedAmendment,
};

/// What the customer is told of an amendment that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendReceipt {
    /// What was asked for, by which a repetition is told from another request.
    pub asked: Amendment,
    /// What is to be paid now, in minor units.
    pub total: Money,
    /// What was charged on top (or given back, when negative), in minor units.
    pub difference: Money,
}

/// Amends the order, unless the kitchen has accepted it.
///
/// # Errors
/// Why not; then the order is as it was.
pub(crate) async fn amend(ctx: &Context, asked: Amendment) -> Result<AmendReceipt, ChangeRefusal> {
    ctx.state_mut(|state| state.wanted_amendments += 1);
    let begun = begin(ctx).await;
    ctx.state_mut(|state| state.wanted_amendments -= 1);
    begun?;
    let amended = try_to_amend(ctx, &asked).await;
    ctx.state_mut(|state| state.amending = false);
    amended.map(|difference| AmendReceipt {
        total: ctx.state(|state| state.order.total),
        difference,
        asked,
    })
}

/// Amends the order while the kitchen is kept from accepting it. Gives the
/// difference that was charged.
async fn try_to_amend(ctx: &Context, asked: &Amendment) -> Result<Money, ChangeRefusal> {
    hold(ctx).await?;
    let changed = change(ctx, asked).await;
    let order = changed
        .is_ok()
        .then(|| ctx.state(|state| state.order.clone()));
    release(ctx, order).await;
    changed
}

/// Waits for its turn: until the order is written, is not being charged, and
/// no other amendment is under way. What an earlier run charged is known once
/// this run has come to the payment.
async fn begin(ctx: &Context) -> Result<(), ChangeRefusal> {
    let joins = joins_a_branch(ctx).await;
    let looks = ctx.state(|state| state.phase) == Phase::Beginning && looks_for_branches(ctx);
    Steps::new(ctx)
        .until(move |state: &OrderWorkflow| {
            let waits_to_join = joins && state.phase == Phase::Beginning;
            let is_charged = state.outcome.money == MoneyState::Charged;
            let waits_to_charge = looks && state.record == Record::OfEarlierRun && !is_charged;
            let is_idle = state.record != Record::Unwritten
                && state.charge != Charge::UnderWay
                && !state.amending;
            amendable(state).is_err() || (is_idle && !waits_to_join && !waits_to_charge)
        })
        .await;
    ctx.state_mut(|state| {
        amendable(state)?;
        state.amending = true;
        // Counts those that come to nothing, too: the keys of their effects
        // are used.
        state.amendments += 1;
        Ok(())
    })
}

/// Takes over what an earlier run amended, and takes back what it had begun:
/// an amendment that is asked for again is another one. Of the prices of a
/// flavour that it changed, only the total is known.
pub(crate) async fn follow_amendments(ctx: &Context, amendments: Amendments) {
    let order = ctx.state_mut(|state| {
        state.amendments = state.amendments.max(amendments.last);
        let order = &mut state.order;
        order.flavour = amendments.flavour;
        order.size = amendments.size;
        order.quantity = amendments.quantity;
        order.discount = amendments.discount;
        order.total = amendments.total;
        order.clone()
    });
    for number in amendments.unfinished {
        Steps::new(ctx)
            .bookkeeping(
                PaymentSteps::void_payment_adjustment,
                payment(&order, number, Money::default()),
                "void payment adjustment",
            )
            .await;
        Steps::new(ctx)
            .bookkeeping(
                LoyaltySteps::void_points_adjustment,
                points(&order, number, 0),
                "void points adjustment",
            )
            .await;
    }
}

/// Whether an amendment may be tried.
///
/// # Errors
/// Why not.
pub(crate) fn amendable(state: &OrderWorkflow) -> Result<(), ChangeRefusal> {
    match state.phase {
        Phase::Beginning | Phase::Kitchen if state.called_off.is_none() => Ok(()),
        Phase::Delivered => Err(ChangeRefusal::Delivered),
        _ => Err(ChangeRefusal::Over),
    }
}

/// Whether an amendment may be begun. What is refused here costs no event of
/// the history.
///
/// # Errors
/// Why not.
pub(crate) fn acceptable(state: &OrderWorkflow, asked: &Amendment) -> Result<(), ChangeRefusal> {
    amendable(state)?;
    // What is under way decides what the order will be like, and so does what an
    // earlier run amended, which is known once the order is written.
    let is_settled =
        state.record != Record::Unwritten && !state.amending && state.wanted_amendments == 0;
    if is_settled && state.order.amended(asked) == state.order {
        return Err(ChangeRefusal::Unchanged);
    }
    if state.amendments >= Amendment::MOST_OF_AN_ORDER {
        return Err(ChangeRefusal::TooMany);
    }
    if state.wanted_amendments >= Amendment::MOST_AT_ONCE {
        return Err(ChangeRefusal::Failed(format!(
            "{} amendments of this order wait for their turn",
            state.wanted_amendments
        )));
    }
    Ok(())
}

/// Keeps the kitchen from accepting the order, if it has the ticket.
async fn hold(ctx: &Context) -> Result<(), ChangeRefusal> {
    if ctx.state(|state| state.phase) == Phase::Beginning {
        return Ok(());
    }
    match ask(ctx, Change::Amend).await {
        Word::Granted => Ok(()),
        Word::Refused(OrderStatus::DeliveryConfirmed) => Err(ChangeRefusal::Delivered),
        Word::Refused(OrderStatus::DeliveryStarted) => Err(ChangeRefusal::OnItsWay),
        Word::Refused(_) => Err(ChangeRefusal::Cooking),
        Word::Ended => Err(ctx.state(|state| match state.phase {
            Phase::Delivered => ChangeRefusal::Delivered,
            _ => ChangeRefusal::Over,
        })),
    }
}

/// Lets the kitchen go on, with the order as it is now.
async fn release(ctx: &Context, order: Option<Order>) {
    if ctx.state(|state| state.phase) != Phase::Kitchen {
        return;
    }
    let id = ctx.state(|state| fulfilment_workflow_id(state.order.order_id));
    // A kitchen whose part is over does not wait.
    let _ = ctx
        .external_workflow(id, None)
        .signal(
            FulfilmentWorkflow::settle_change,
            SettledChange { order }.into(),
            detached(),
        )
        .await;
}

/// Moves money and points, and writes the amended order. Gives the difference
/// to the price that was paid.
async fn change(ctx: &Context, asked: &Amendment) -> Result<Money, ChangeRefusal> {
    let (old, number) = ctx.state(|state| (state.order.clone(), state.amendments));
    let new = old.amended(asked);
    if new == old {
        return Ok(Money::default());
    }
    let charged = ctx.state(|state| state.outcome.money == MoneyState::Charged);
    let difference = if charged {
        new.total.minus(old.total)
    } else {
        Money::default()
    };
    adjust_payment(ctx, &new, number, difference).await?;
    // The points are awarded once the kitchen has the order.
    let points = match ctx.state(|state| state.phase) {
        Phase::Beginning => 0,
        _ => new.points() - old.points(),
    };
    if let Err(refusal) = adjust_points(ctx, &new, number, points).await {
        void_payment(ctx, &new, number, difference).await;
        return Err(refusal);
    }
    let recorded = RecordedAmendment {
        order: new.clone(),
        amendment: number,
    };
    let policy = StepPolicy::bookkeeping();
    let record = OrderSteps::record_amendment;
    let written = Steps::new(ctx)
        .local_first(record, recorded, &policy, "record amendment")
        .await;
    if matches!(written, Ok(Some(_))) {
        // Only what this attempt moved: what the record holds under this
        // number is another amendment's.
        void_payment(ctx, &new, number, difference).await;
        void_points(ctx, &new, number, points).await;
        return Err(ChangeRefusal::Failed(
            "the order's record did not take it".to_owned(),
        ));
    }
    ctx.state_mut(|state| state.order = new);
    Ok(difference)
}

async fn adjust_payment(
    ctx: &Context,
    order: &Order,
    number: u32,
    difference: Money,
) -> Result<(), ChangeRefusal> {
    if difference == Money::default() {
        return Ok(());
    }
    let adjusted = Steps::new(ctx)
        .regular(
            PaymentSteps::adjust_payment,
            payment(order, number, difference),
            &policy(),
            "adjust payment",
        )
        .await;
    let Err(failure) = adjusted else {
        return Ok(());
    };
    if !failure.refused {
        // The provider may have acted and not been heard.
        void_payment(ctx, order, number, difference).await;
    }
    Err(refusal(failure))
}

async fn adjust_points(
    ctx: &Context,
    order: &Order,
    number: u32,
    points: i64,
) -> Result<(), ChangeRefusal> {
    if points == 0 {
        return Ok(());
    }
    let adjusted = Steps::new(ctx)
        .regular(
            LoyaltySteps::adjust_loyalty_points,
            self::points(order, number, points),
            &policy(),
            "adjust points",
        )
        .await;
    let Err(failure) = adjusted else {
        return Ok(());
    };
    if !failure.refused {
        void_points(ctx, order, number, points).await;
    }
    Err(refusal(failure))
}

async fn void_points(ctx: &Context, order: &Order, number: u32, points: i64) {
    if points == 0 {
        return;
    }
    Steps::new(ctx)
        .bookkeeping(
            LoyaltySteps::void_points_adjustment,
            self::points(order, number, points),
            "void points adjustment",
        )
        .await;
}

async fn void_payment(ctx: &Context, order: &Order, number: u32, difference: Money) {
    if difference == Money::default() {
        return;
    }
    Steps::new(ctx)
        .bookkeeping(
            PaymentSteps::void_payment_adjustment,
            payment(order, number, difference),
            "void payment adjustment",
        )
        .await;
}

fn payment(order: &Order, number: u32, difference: Money) -> PaymentAdjustment {
    PaymentAdjustment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amendment: number,
        difference,
        total: Some(order.total),
        idempotency_key: amendment_key(order.order_id, number, "payment"),
    }
}

fn points(order: &Order, number: u32, points: i64) -> PointsAdjustment {
    PointsAdjustment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amendment: number,
        points,
        idempotency_key: amendment_key(order.order_id, number, "points"),
    }
}

fn refusal(failure: StepFailure) -> ChangeRefusal {
    let message = sentence(&failure);
    if failure.refused {
        ChangeRefusal::Declined(message)
    } else {
        ChangeRefusal::Failed(message)
    }
}

/// A customer waits for the answer, so it is not tried for long.
fn policy() -> StepPolicy {
    StepPolicy {
        attempts: Some(3),
        first_wait: Duration::from_millis(500),
        backoff: 2.0,
        longest_wait: Duration::from_secs(2),
    }
}
