//! `OrderService/WatchOrder`.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use pizza_app::access::Viewer;
use pizza_app::{UseCaseError, Violation};
use pizza_domain::InvalidField;
use pizza_store::OrderChange;
use tonic::Status;

use super::convert::timestamp;
use super::get_order::{money, points, size, status};
use super::proto::{self, WatchOrderRequest, WatchOrderResponse};
use crate::connection::Closing;
use crate::gateway::App;
use crate::problem::Problem;
use crate::streams::Place;

/// The changes, as they come.
pub(super) type Stream = BoxStream<'static, Result<WatchOrderResponse, Status>>;

pub(super) async fn serve(
    app: &App,
    place: Place,
    viewer: &Viewer,
    closing: Closing,
    request: WatchOrderRequest,
) -> Result<Stream, Problem> {
    let id = super::convert::order_id(&request.order_id)?;
    let after = request.after_version.unwrap_or(0);
    if after < 0 {
        return Err(negative().into());
    }
    let Some(changes) = app.watch(place, viewer, id, after).await? else {
        return Ok(stream::empty().boxed());
    };
    let changes = stream::unfold(Some((changes, closing)), async |watch| {
        let (mut changes, closing) = watch?;
        tokio::select! {
            biased;
            change = changes.next() => {
                let change = Some(change?.into());
                Some((Ok(WatchOrderResponse { change }), Some((changes, closing))))
            }
            () = closing.clone().asked() => {
                let detail = "the gateway closes this connection; go on with after_version";
                Some((Err(Status::unavailable(detail)), None))
            }
        }
    });
    Ok(changes.boxed())
}

fn negative() -> UseCaseError {
    let field = InvalidField {
        field: "afterVersion",
        expected: "must not be negative".to_owned(),
    };
    UseCaseError::invalid(Violation::OutOfRange, field)
}

impl From<OrderChange> for proto::OrderChange {
    fn from(change: OrderChange) -> Self {
        Self {
            order_id: change.order_id.to_string(),
            version: change.version,
            status: status(change.status).into(),
            money: money(change.money).into(),
            points: points(change.points).into(),
            flavour: change.flavour.into(),
            size: size(change.size).into(),
            quantity: u32::try_from(change.quantity).unwrap_or_default(),
            discount_percent: change.discount.percent().into(),
            total_minor: change.total,
            cancelled: change.cancelled.map(Into::into),
            changed_at: Some(timestamp(change.changed_at_ms)),
        }
    }
}
