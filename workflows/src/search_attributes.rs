//! The search attributes of an order's workflows.

use pizza_domain::Order;
use temporalio_common::search_attributes::SearchAttributes;

use crate::names::search_attribute;

/// The search attributes of an order's workflows.
#[must_use]
pub fn search_attributes(order: &Order) -> SearchAttributes {
    SearchAttributes::new([
        search_attribute::ORDER_ID.value_set(order.order_id.to_string()),
        search_attribute::CUSTOMER_ID.value_set(searchable_customer(order)),
    ])
}

/// What the customer of an order is called where nothing is encrypted.
fn searchable_customer(order: &Order) -> String {
    let alias = order.customer_alias.clone();
    alias.unwrap_or_else(|| order.customer_id.to_string())
}
