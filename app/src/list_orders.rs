//! Lists orders.

use jiff::Timestamp;
use pizza_domain::{CustomerId, Flavour, InvalidField, OrderStatus, Step};
use pizza_store::{OrderFilter, OrderPosition, OrderRecord};

use super::cursor::{Mark, page_size};
use super::error::{UseCaseError, Violation};
use super::failures::invalid_cursor;
use super::use_cases::UseCases;
use crate::access::Viewer;

/// Which orders to list, as a client says it, not checked yet. What is none
/// does not matter.
#[derive(Clone, Debug, Default)]
pub struct ListOrders {
    /// Where they stand.
    pub status: Option<OrderStatus>,
    /// Whose they are.
    pub customer_id: Option<String>,
    /// What is on them, however it is spelled ([`Flavour::folded`]).
    pub flavour: Option<String>,
    /// They were accepted after this.
    pub placed_after: Option<Timestamp>,
    /// They were accepted before this.
    pub placed_before: Option<Timestamp>,
    /// The step that cancelled them by failing for good, or that they are
    /// still owed.
    pub failed_step: Option<String>,
    /// Orders on a page, 50 when none.
    pub limit: Option<i128>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of orders.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// The page, newest first.
    pub orders: Vec<OrderRecord>,
    /// Asks for the next page; none after the last.
    pub next_cursor: Option<String>,
}

impl ListOrders {
    fn filter(&self) -> Result<OrderFilter, UseCaseError> {
        Ok(OrderFilter {
            status: self.status,
            customer_id: read::<CustomerId>("customerId", self.customer_id.as_deref())?,
            flavour: read::<Flavour>("flavour", self.flavour.as_deref())?,
            placed_after_ms: self.placed_after.map(last_ms_until),
            placed_before_ms: self.placed_before.map(first_ms_from),
            failed_step: self.failed_step.as_deref().map(step).transpose()?,
        })
    }
}

impl UseCases {
    /// A page of the orders that this viewer may see, newest first. Orders
    /// that come in meanwhile stand before the first page, so that they shift
    /// none. One is listed once a worker has written it.
    ///
    /// # Errors
    /// When a value is not allowed, the cursor is none, or the store is away.
    pub async fn list_orders(
        &self,
        viewer: &Viewer,
        request: ListOrders,
    ) -> Result<Orders, UseCaseError> {
        let size = page_size(request.limit)?;
        let mut filter = request.filter()?;
        if let Viewer::Customer(own) = viewer {
            let asked = filter.customer_id.replace(own.clone());
            if asked.is_some_and(|asked| asked != *own) {
                return Ok(Orders::default());
            }
        }
        let mark = Mark::of(&format!("{filter:?}"));
        let after = request.cursor.map(|cursor| position(mark, &cursor));
        // One more than the page has says whether there is another.
        let after = after.transpose()?;
        let mut orders = self.store.list_orders(&filter, after, size + 1).await?;
        let page = usize::try_from(size).unwrap_or(usize::MAX);
        let is_last = orders.len() <= page;
        orders.truncate(page);
        let end = orders.last().filter(|_| !is_last).map(|order| {
            let OrderPosition {
                placed_at_ms,
                order_id,
            } = order.into();
            mark.cursor(format!("{placed_at_ms}/{order_id}").as_bytes())
        });
        Ok(Orders {
            orders,
            next_cursor: end,
        })
    }
}

/// The position that a cursor names.
fn position(mark: Mark, cursor: &str) -> Result<OrderPosition, UseCaseError> {
    let end = String::from_utf8(mark.read(cursor)?).map_err(|_| invalid_cursor())?;
    let (placed_at_ms, order_id) = end.split_once('/').ok_or_else(invalid_cursor)?;
    Ok(OrderPosition {
        placed_at_ms: placed_at_ms.parse().map_err(|_| invalid_cursor())?,
        order_id: order_id.parse().map_err(|_| invalid_cursor())?,
    })
}

/// Reads a value, whatever the type calls itself, as the field of this name.
fn read<T>(field: &'static str, text: Option<&str>) -> Result<Option<T>, UseCaseError>
where
    T: std::str::FromStr<Err = InvalidField>,
{
    let invalid = |error: InvalidField| {
        let expected = error.expected;
        UseCaseError::invalid(Violation::InvalidValue, InvalidField { field, expected })
    };
    text.map(|text| text.parse().map_err(invalid)).transpose()
}

fn step(name: &str) -> Result<Step, UseCaseError> {
    name.parse().map_err(|_| {
        let names = Step::ALL.map(Step::as_str);
        let field = InvalidField {
            field: "failedStep",
            expected: format!("must be one of {}", names.join(", ")),
        };
        UseCaseError::invalid(Violation::InvalidValue, field)
    })
}

const NANOSECONDS: i128 = 1_000_000;

/// The last millisecond that is not after a time.
fn last_ms_until(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond().div_euclid(NANOSECONDS)).unwrap_or(i64::MAX)
}

/// The first millisecond that is not before a time.
fn first_ms_from(time: Timestamp) -> i64 {
    i64::try_from(-(-time.as_nanosecond()).div_euclid(NANOSECONDS)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_between_milliseconds_are_on_the_right_side() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(last_ms_until(at("1970-01-01T00:00:00.0015Z")), 1);
        assert_eq!(first_ms_from(at("1970-01-01T00:00:00.0015Z")), 2);
        assert_eq!(first_ms_from(at("1970-01-01T00:00:00.001Z")), 1);
        assert_eq!(last_ms_until(at("1969-12-31T23:59:59.9985Z")), -2);
    }

    #[test]
    fn a_cursor_names_a_position_of_its_own_list() {
        let list = |status| {
            let filter = OrderFilter {
                status,
                ..OrderFilter::default()
            };
            Mark::of(&format!("{filter:?}"))
        };
        let all = list(None);
        let end = "17/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let cursor = all.cursor(end.as_bytes());
        let found = position(all, &cursor).expect("a position");
        assert_eq!(found.placed_at_ms, 17);
        assert!(position(list(Some(OrderStatus::Pending)), &cursor).is_err());
        for bad in ["17", "x/y", "17/6f1b", "/"] {
            assert!(position(all, &all.cursor(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
