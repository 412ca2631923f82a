//! Places an order, or, for `ALL`, one for each scenario.

use futures::future::join_all;
use pizza_contract as contract;
use pizza_domain::{
    CustomerId, ErrorOnStep, Flavour, InvalidField, Order, OrderId, OrderRequest, Pace, Quantity,
    Simulation, Size,
};
use pizza_store::meters;
use pizza_store::now_ms;

use super::error::{UseCaseError, Violation};
use super::idempotency::new_orders;
use super::idempotency_key::IdempotencyKey;
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;
use super::use_cases::about_order;
use crate::access::Viewer;

/// What a client asks for, not checked yet. What is none has a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceOrder {
    /// What is on it.
    pub flavour: Option<String>,
    /// The wait after each status change, in seconds.
    pub per_step_delay_seconds: Option<f64>,
    /// The step that is to fail.
    pub error_on_step: Option<contract::ErrorOnStep>,
    /// How large.
    pub size: Option<String>,
    /// How many. Wider than what is allowed, so that the rule is told in one
    /// place.
    pub quantity: Option<i128>,
    /// Whose the order is to be.
    pub customer_id: Option<String>,
    /// The key under which it is placed once, however often it is asked for.
    pub key: Option<IdempotencyKey>,
}

impl PlaceOrder {
    /// How many orders it asks for: one for each scenario with `ALL`.
    pub fn orders(&self) -> u32 {
        let scenarios = self.error_on_step.clone().map(scenarios);
        let scenarios = scenarios.and_then(Result::ok).unwrap_or(NO_ERROR.into());
        u32::try_from(scenarios.len()).unwrap_or(1)
    }
}

/// The orders that Temporal has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The one order, or the first of all.
    pub first: PlacedOrder,
    /// For `ALL` every order, the first included; empty otherwise.
    pub all: Vec<PlacedOrder>,
}

/// One order that Temporal has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedOrder {
    /// The step that is to fail in it.
    pub error_on_step: ErrorOnStep,
    /// Its id.
    pub order_id: OrderId,
}

impl UseCases {
    /// Starts an order's saga. The order is accepted when this returns. Under
    /// a key that was used before for the same, it is the order of then.
    ///
    /// # Errors
    /// When a field is not allowed, when the order would be another customer's
    /// than the viewer, or when Temporal did not take the order.
    pub async fn place_order(
        &self,
        viewer: &Viewer,
        request: PlaceOrder,
    ) -> Result<Placed, UseCaseError> {
        let key = request.key.clone();
        let (request, scenarios) = parse(viewer, request, self.settings.longest_pace)?;
        let allowed = self.allow_new(&request, &scenarios);
        let wanted = match key {
            Some(key) => {
                let orders = self.orders_under(&key, &request, &scenarios, allowed);
                orders.await?
            }
            None => {
                allowed?;
                new_orders(scenarios.len())
            }
        };
        if let Some(first) = wanted.first() {
            about_order(first.order_id);
        }
        let starts = wanted
            .iter()
            .zip(&scenarios)
            .map(async |(wanted, scenario)| {
                if wanted.is_placed {
                    return (wanted.order_id, Ok(()));
                }
                let order = self.accept(&request, wanted.order_id, *scenario);
                let started = self.start(order).await;
                if started.is_ok() {
                    meters::order_accepted();
                }
                (wanted.order_id, started)
            });
        let placed = all_or_error(join_all(starts).await)?;
        let mut placed = placed
            .into_iter()
            .zip(scenarios)
            .map(|(order_id, error_on_step)| PlacedOrder {
                error_on_step,
                order_id,
            });
        let first = placed.next().ok_or_else(no_scenario)?;
        let rest: Vec<_> = placed.collect();
        let all = if rest.is_empty() {
            rest
        } else {
            std::iter::once(first).chain(rest).collect()
        };
        Ok(Placed { first, all })
    }

    /// Whether this gateway takes such an order as a new one. What was taken
    /// before, under other settings, is the same order all the same.
    fn allow_new(
        &self,
        request: &OrderRequest,
        scenarios: &[ErrorOnStep],
    ) -> Result<(), UseCaseError> {
        self.allow_pace(request.simulation.pace)?;
        if self.settings.fault_injection || *scenarios == NO_ERROR {
            return Ok(());
        }
        Err(UseCaseError::FaultInjectionDisabled {
            field: "errorOnStep",
        })
    }

    /// Whether this gateway takes new orders of this pace.
    pub(super) fn allow_pace(&self, pace: Pace) -> Result<(), UseCaseError> {
        pace.check_up_to(self.settings.longest_pace)
            .map_err(|field| UseCaseError::invalid(Violation::OutOfRange, field))
    }

    fn accept(
        &self,
        request: &OrderRequest,
        order_id: OrderId,
        error_on_step: ErrorOnStep,
    ) -> Order {
        let mut request = request.clone();
        request.simulation.error_on_step = error_on_step;
        let prices = self.settings.menu.prices_of(&request.flavour);
        Order::accept(request, order_id, prices, self.settings.stages, now_ms())
    }

    async fn start(&self, order: Order) -> Result<(), TemporalError> {
        self.temporal
            .start_order(order, self.settings.temporal_timeout)
            .await
    }
}

fn no_scenario() -> UseCaseError {
    UseCaseError::Internal("no scenario was chosen".into())
}

/// The orders when each was started. Otherwise an error which names those
/// that exist, or may, all the same.
fn all_or_error(
    starts: Vec<(OrderId, Result<(), TemporalError>)>,
) -> Result<Vec<OrderId>, UseCaseError> {
    let mut started = Vec::new();
    let mut unknown = Vec::new();
    let mut first_error = None;
    for (order, start) in starts {
        match start {
            Ok(()) => started.push(order),
            Err(error) => {
                if error.may_have_happened() {
                    unknown.push(order);
                }
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        None => Ok(started),
        Some(error)
            if started.is_empty()
                && unknown.is_empty()
                && (!error.may_pass() || matches!(error, TemporalError::NoNamespace(_))) =>
        {
            Err(error.into())
        }
        Some(source) => Err(UseCaseError::NotPlaced {
            started,
            unknown,
            source,
        }),
    }
}

pub(super) fn parse(
    viewer: &Viewer,
    request: PlaceOrder,
    longest_pace: Pace,
) -> Result<(OrderRequest, Vec<ErrorOnStep>), UseCaseError> {
    let scenarios = request
        .error_on_step
        .map_or(Ok(NO_ERROR.into()), scenarios)?;
    let request = OrderRequest {
        customer_id: customer(viewer, request.customer_id)?,
        flavour: text(request.flavour, Flavour::try_from)?,
        size: text(request.size, |size: String| size.parse::<Size>())?,
        quantity: number(request.quantity, |quantity| {
            Quantity::try_from(u64::try_from(quantity).unwrap_or(u64::MAX))
        })?,
        simulation: Simulation {
            error_on_step: ErrorOnStep::None,
            // What no gateway takes is told with the limit of this one.
            pace: number(request.per_step_delay_seconds, |seconds| {
                Pace::from_seconds(seconds).map_err(|_| Pace::beyond(longest_pace))
            })?,
        },
    };
    Ok((request, scenarios))
}

/// Whose the order is to be: whoever holds a customer's key orders for
/// themselves.
fn customer(viewer: &Viewer, named: Option<String>) -> Result<CustomerId, UseCaseError> {
    match viewer {
        Viewer::Operator | Viewer::Public => text(named, CustomerId::try_from),
        Viewer::Customer(own) => match named {
            Some(named) if named != own.as_str() => Err(UseCaseError::ForeignCustomer),
            _ => Ok(own.clone()),
        },
    }
}

const NO_ERROR: [ErrorOnStep; 1] = [ErrorOnStep::None];

fn scenarios(choice: contract::ErrorOnStep) -> Result<Vec<ErrorOnStep>, UseCaseError> {
    let (scenario, violation) = match choice {
        contract::ErrorOnStep::Number(number) => {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            if number == ErrorOnStep::ALL_NUMBER {
                return Ok(ErrorOnStep::SCENARIOS.into());
            }
            (ErrorOnStep::from_number(number), Violation::OutOfRange)
        }
        contract::ErrorOnStep::Name(name) if name == ErrorOnStep::ALL_NAME => {
            return Ok(ErrorOnStep::SCENARIOS.into());
        }
        contract::ErrorOnStep::Name(name) => (name.parse(), Violation::InvalidValue),
    };
    let scenario = scenario.map_err(|field| UseCaseError::invalid(violation, field))?;
    Ok(vec![scenario])
}

fn text<T: Default>(
    value: Option<String>,
    parse: impl FnOnce(String) -> Result<T, InvalidField>,
) -> Result<T, UseCaseError> {
    checked(Violation::InvalidValue, value, parse)
}

fn number<V, T: Default>(
    value: Option<V>,
    parse: impl FnOnce(V) -> Result<T, InvalidField>,
) -> Result<T, UseCaseError> {
    checked(Violation::OutOfRange, value, parse)
}

fn checked<V, T: Default>(
    violation: Violation,
    value: Option<V>,
    parse: impl FnOnce(V) -> Result<T, InvalidField>,
) -> Result<T, UseCaseError> {
    value
        .map_or_else(|| Ok(T::default()), parse)
        .map_err(|field| UseCaseError::invalid(violation, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizza_contract::ErrorCode;
    use uuid::Uuid;

    fn parse_scenario(choice: contract::ErrorOnStep) -> Result<Vec<ErrorOnStep>, ErrorCode> {
        let request = PlaceOrder {
            error_on_step: Some(choice),
            ..PlaceOrder::default()
        };
        parse(&Viewer::Public, request, Pace::MAX)
            .map(|(_, scenarios)| scenarios)
            .map_err(|error| error.code())
    }

    #[test]
    fn an_order_without_fields_has_their_defaults() {
        let (request, scenarios) =
            parse(&Viewer::Public, PlaceOrder::default(), Pace::MAX).expect("an order");
        assert_eq!(request, OrderRequest::default());
        assert_eq!(scenarios, [ErrorOnStep::None]);
    }

    #[test]
    fn whoever_holds_a_customers_key_orders_for_themselves() {
        let placed_by = |viewer: &Viewer, named: Option<&str>| {
            let request = PlaceOrder {
                customer_id: named.map(str::to_owned),
                ..PlaceOrder::default()
            };
            parse(viewer, request, Pace::MAX)
                .map(|(request, _)| request.customer_id.to_string())
                .map_err(|error| error.code())
        };
        let ann = Viewer::Customer("ann".parse().expect("an id"));
        assert_eq!(placed_by(&ann, None), Ok("ann".to_owned()));
        assert_eq!(placed_by(&ann, Some("ann")), Ok("ann".to_owned()));
        for other in ["ben", "Ann", "guest", "no id"] {
            let refused = placed_by(&ann, Some(other));
            assert_eq!(refused, Err(ErrorCode::Forbidden), "{other}");
        }
        for anybodys in [&Viewer::Operator, &Viewer::Public] {
            assert_eq!(placed_by(anybodys, None), Ok("guest".to_owned()));
            assert_eq!(placed_by(anybodys, Some("ben")), Ok("ben".to_owned()));
        }
    }

    #[test]
    fn a_scenario_is_chosen_by_number_or_name() {
        for (number, scenario) in (0..).zip(ErrorOnStep::SCENARIOS) {
            let by_number = contract::ErrorOnStep::Number(number);
            assert_eq!(parse_scenario(by_number), Ok(vec![scenario]));
            let by_name = contract::ErrorOnStep::Name(scenario.as_str().to_owned());
            assert_eq!(parse_scenario(by_name), Ok(vec![scenario]));
        }
        let all = Vec::from(ErrorOnStep::SCENARIOS);
        assert_eq!(
            parse_scenario(contract::ErrorOnStep::Number(100)),
            Ok(all.clone())
        );
        assert_eq!(
            parse_scenario(contract::ErrorOnStep::Name("ALL".to_owned())),
            Ok(all)
        );
    }

    #[test]
    fn any_other_scenario_is_refused() {
        let beyond = ErrorOnStep::SCENARIOS.len() as i128;
        for number in [-1, beyond, 99, 101, i128::MAX, i128::MIN] {
            let refused = parse_scenario(contract::ErrorOnStep::Number(number));
            assert_eq!(refused, Err(ErrorCode::OutOfRange), "{number}");
        }
        for name in ["", "3", "all", "notifyCustomer", "None"] {
            let refused = parse_scenario(contract::ErrorOnStep::Name(name.to_owned()));
            assert_eq!(refused, Err(ErrorCode::InvalidValue), "{name}");
        }
    }

    #[test]
    fn what_was_started_is_named_in_the_error() {
        let ids: Vec<_> = (1..=3)
            .map(|n| OrderId::from_uuid(Uuid::from_u128(n)))
            .collect();
        let error = all_or_error(vec![
            (ids[0], Ok(())),
            (ids[1], Err(TemporalError::TimedOut)),
            (ids[2], Ok(())),
        ])
        .expect_err("one failed");
        let text = error.to_string();
        assert!(
            text.contains(&format!("started: {}, {}", ids[0], ids[2])),
            "{text}"
        );
        assert!(
            text.contains(&format!("whether it has: {}", ids[1])),
            "{text}"
        );
    }
}
