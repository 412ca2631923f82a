//! The customer does not want the order any more.

use failure_queue::Steps;
use pizza_domain::{CancelReason, OrderStatus, Step};

use super::ask::{Word, ask, joins_a_branch};
use super::refusal::ChangeRefusal;
use super::signals::Change;
use crate::names::CANCELLED_BY_CUSTOMER;
use crate::order_state::{Context, OrderWorkflow, Phase};

/// Calls the order off, unless it is on its way. Once this says yes, the order
/// will be rolled back whatever happens.
///
/// # Errors
/// Why not.
pub(crate) async fn cancel(ctx: &Context) -> Result<(), ChangeRefusal> {
    let joins = joins_a_branch(ctx).await;
    if joins {
        Steps::new(ctx)
            .until(|state: &OrderWorkflow| state.phase != Phase::Beginning)
            .await;
    }
    match ctx.state(|state| state.phase) {
        Phase::Beginning => {
            let reason = reason(ctx);
            ctx.state_mut(|state| state.called_off.get_or_insert(reason).clone());
            Ok(())
        }
        Phase::Kitchen => match ask(ctx, Change::Cancel(reason(ctx))).await {
            Word::Refused(OrderStatus::DeliveryConfirmed) => Err(ChangeRefusal::Delivered),
            Word::Refused(_) => Err(ChangeRefusal::OnItsWay),
            Word::Granted | Word::Ended => settled(ctx),
        },
        Phase::Settling => {
            Steps::new(ctx)
                .until(|state: &OrderWorkflow| state.phase != Phase::Settling)
                .await;
            settled(ctx)
        }
        Phase::Delivered | Phase::RollingBack => settled(ctx),
    }
}

/// Whether a cancellation has anything to do. What is refused here costs no
/// event of the history.
///
/// # Errors
/// [`ChangeRefusal::Over`] when the order is cancelled already, or about to
/// be; otherwise why it cannot be.
pub(crate) fn cancellable(state: &OrderWorkflow) -> Result<(), ChangeRefusal> {
    match state.phase {
        Phase::Delivered => Err(ChangeRefusal::Delivered),
        // Answered once it is known how the order ends.
        Phase::Settling => Ok(()),
        Phase::Beginning | Phase::Kitchen if state.called_off.is_none() => Ok(()),
        _ => Err(ChangeRefusal::Over),
    }
}

/// What an order that has come to its end says to a cancellation.
fn settled(ctx: &Context) -> Result<(), ChangeRefusal> {
    match ctx.state(|state| state.phase) {
        Phase::Delivered => Err(ChangeRefusal::Delivered),
        _ => Ok(()),
    }
}

/// Why the order ends, with the step that it does not come to.
fn reason(ctx: &Context) -> CancelReason {
    let step = ctx.state(|state| match state.phase {
        Phase::Beginning if !state.charge.may_exist() => Step::ProcessPayment,
        Phase::Beginning => Step::PrepareOrder,
        _ => Step::ProcessOrder,
    });
    CancelReason {
        step,
        code: CANCELLED_BY_CUSTOMER.to_owned(),
        message: "the customer cancelled the order".to_owned(),
    }
}
