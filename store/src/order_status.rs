//! The statuses that the order's workflow writes, the delivery with its ticket
//! and its report.

use pizza_domain::{KitchenReport, OrderStatus};
use pizza_workflows::steps::StatusChange;

use super::order_record::find;
use super::orders::apply;
use super::{Store, StoreError, kitchen};

impl Store {
    /// Writes a status, and the kitchen report that brought it about.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.set_order_status", level = "debug", skip_all)]
    pub async fn set_order_status(&self, change: &StatusChange) -> Result<(), StoreError> {
        self.within(async {
            let id = change.order_id;
            let mut transaction = self.begin(id).await?;
            let ended = apply(&mut transaction, id, change.status.into()).await?;
            if change.status == OrderStatus::DeliveryConfirmed {
                let report_id = change.report.as_ref().and_then(|it| it.report_id.as_ref());
                let event = KitchenReport::Delivered;
                kitchen::list_report(&mut transaction, id, event, report_id, None).await?;
                let now = find(&mut transaction, id).await?.map(|order| order.status);
                if now == Some(OrderStatus::DeliveryConfirmed) {
                    kitchen::deliver_ticket(&mut transaction, id).await?;
                }
            }
            transaction.commit().await?;
            self.measure(id, ended).await;
            Ok(())
        })
        .await
    }
}
