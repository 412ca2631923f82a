//! Tells what happened to an order.

use pizza_domain::OrderId;
use pizza_store::{BusinessHistory, OrderRecord, PizzaThen};

use super::error::UseCaseError;
use super::histories::Runs;
use super::use_cases::UseCases;
use crate::access::Viewer;
use crate::timeline::{Placed, SourceState, Sources, Timeline, hide_operations, merged};

impl UseCases {
    /// What happened to an order, from the store and from the histories of its
    /// workflows. While Temporal is away, or once it has forgotten the order,
    /// the store's part is told alone; the timeline says so. Only an operator
    /// is told what is between operators.
    ///
    /// # Errors
    /// When there is no such order for this viewer, or who could tell is away.
    pub async fn get_timeline(
        &self,
        viewer: &Viewer,
        id: OrderId,
    ) -> Result<Timeline, UseCaseError> {
        let order = self.get_order(viewer, id).await?.record;
        self.timeline_of(viewer, &order, Runs::All).await
    }

    /// What happened to an order whose record is known, as far as these runs
    /// of its workflows tell.
    pub(super) async fn timeline_of(
        &self,
        viewer: &Viewer,
        order: &OrderRecord,
        runs: Runs,
    ) -> Result<Timeline, UseCaseError> {
        let id = order.order_id;
        let books = self.store.business_history(id).await?;
        let tasks = books.tasks.iter().map(|task| task.task_id.clone());
        let limit = self.settings.temporal_timeout;
        let steps = self
            .temporal
            .histories(id, tasks.collect(), runs, limit)
            .await;
        let sources = Sources {
            store: match books.changes.is_empty() {
                true => SourceState::Empty,
                false => SourceState::Read,
            },
            temporal: steps.state,
        };
        let placed = placed(order, &books);
        let mut timeline = merged(&placed, &books, &steps.histories, sources, steps.truncated);
        if !viewer.sees_operations() {
            hide_operations(&mut timeline);
        }
        Ok(timeline)
    }
}

/// The order as it was accepted. One that was amended was another one then.
fn placed(order: &OrderRecord, books: &BusinessHistory) -> Placed {
    let first = books.changes.first().and_then(|first| first.pizza.clone());
    Placed {
        order_id: order.order_id,
        at_ms: order.placed_at_ms,
        pizza: first.unwrap_or_else(|| PizzaThen {
            flavour: order.flavour.to_string(),
            size: order.size.to_string(),
            quantity: order.quantity,
            total: order.total,
        }),
    }
}
