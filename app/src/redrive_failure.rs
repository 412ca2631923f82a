//! Runs a parked task again.

use failure_queue::client::Redriven;
use failure_queue::{RedriveRequest, StoredPayload, TaskView};
use pizza_contract::reading::{Fault, read};
use pizza_domain::{Money, composed};
use pizza_workflows::names::{activity, search_attribute};
use pizza_workflows::steps::{Notification, Payment, Points};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::error::{UseCaseError, Violation};
use super::failures::{FailureId, check_visible};
use super::idempotency_key::IdempotencyKey;
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;

/// Which task to run again, and with what.
#[derive(Clone, Debug)]
pub struct RedriveFailure {
    /// The task.
    pub id: FailureId,
    /// Who asks.
    pub principal: String,
    /// Why.
    pub reason: Option<String>,
    /// Sent again with the same key, the request acts once.
    pub key: Option<IdempotencyKey>,
    /// The input to take from now on.
    pub input: Option<Map<String, Value>>,
    /// Whether the original input is to be taken again.
    pub original_input: bool,
}

impl UseCases {
    /// Runs a parked task's step again, and waits for its end for as long as
    /// a client can be kept waiting.
    ///
    /// # Errors
    /// When there is no such task, it is closed or being redriven, the given
    /// input is not one for its step, or Temporal or its worker is away.
    pub async fn redrive_failure(&self, request: RedriveFailure) -> Result<Redriven, UseCaseError> {
        let id = request.id;
        let mut redrive = RedriveRequest {
            principal: request.principal,
            reason: request.reason.as_deref().map(composed),
            request_id: request.key.map(Into::into),
            input: None,
            original_input: request.original_input,
        };
        if let Some(input) = &request.input {
            redrive.input = Some(StoredPayload::json(Value::from(input.clone()).to_string()));
        }
        redrive.check()?;
        check_visible("reason", redrive.reason.as_deref())?;
        if let Some(input) = request.input {
            let view = self.show_failure(&id).await?;
            let order = view.task.subject.get(search_attribute::ORDER_ID.name());
            if let Some(order) = order.and_then(|id| id.parse().ok())
                && let Some(order) = self.store.order(order).await?
            {
                check_due(order.customer_id.as_str(), order.total, &input)?;
            }
            check_input(&view, input)?;
        }
        // A redrive that takes too long is looked at once more, to tell
        // whether it was taken; without a worker that would take as long again.
        let limit = self.settings.report_timeout + self.settings.temporal_timeout;
        let redrive = async {
            let queues = self.queues_to_act().await?;
            Ok(queues.redrive(id.as_str(), redrive).await?)
        };
        timeout(limit, redrive)
            .await
            .unwrap_or(Err(UseCaseError::TemporalUnavailable(
                TemporalError::TimedOut,
            )))
    }
}

/// The field of every step's input that makes its effect happen once.
const KEY: &str = "idempotencyKey";
/// The field of every step's input that says which order it is for.
const ORDER: &str = "orderId";

/// A corrected input must read as the step's own, and must be for the same
/// effect: under another key the step would act a second time.
fn check_input(view: &TaskView, input: Map<String, Value>) -> Result<(), UseCaseError> {
    if view.state.is_closed() {
        // The task itself says so, or answers a request that it took before.
        return Ok(());
    }
    let original = original(view);
    let order = view.task.subject.get(search_attribute::ORDER_ID.name());
    let key = kept(&original, KEY).or(Some(&view.task.idempotency_key));
    must_keep(&input, KEY, key)?;
    must_keep(&input, ORDER, kept(&original, ORDER).or(order))?;
    match view.task.activity_type.as_str() {
        activity::REFUND_PAYMENT => must_read_as::<Payment>(input),
        activity::ADD_LOYALTY_POINTS | activity::RECLAIM_LOYALTY_POINTS => {
            must_read_as::<Points>(input)
        }
        activity::NOTIFY_CUSTOMER => must_read_as::<Notification>(input),
        other => Err(UseCaseError::Internal(
            format!("no input is known for the activity {other}").into(),
        )),
    }
}

/// A corrected input moves what the order is due, to whom it is due, and
/// nothing else.
fn check_due(
    customer_id: &str,
    total: i64,
    input: &Map<String, Value>,
) -> Result<(), UseCaseError> {
    let points = Money::from_minor(total).whole_units();
    for (field, due) in [
        ("customerId", Value::from(customer_id)),
        ("amount", Value::from(total)),
        ("points", Value::from(points)),
    ] {
        if input.get(field).is_some_and(|given| *given != due) {
            let expected = format!("must be the order's: {due}");
            return Err(refused(Violation::InvalidValue, field, expected));
        }
    }
    Ok(())
}

/// The original input as far as it can be read.
fn original(view: &TaskView) -> Map<String, Value> {
    let text = view.input.as_json().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

fn kept<'a>(original: &'a Map<String, Value>, field: &str) -> Option<&'a String> {
    match original.get(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn must_keep(
    input: &Map<String, Value>,
    field: &str,
    value: Option<&String>,
) -> Result<(), UseCaseError> {
    match (input.get(field), value) {
        (None, _) => Err(refused(Violation::Missing, field, "is missing".to_owned())),
        (Some(Value::String(given)), Some(value)) if given == value => Ok(()),
        (Some(_), Some(value)) => {
            let expected = format!("must stay {value:?}");
            Err(refused(Violation::InvalidValue, field, expected))
        }
        // Nobody knows what it was; whether it can be one is for the step's type.
        (Some(_), None) => Ok(()),
    }
}

/// Reads an input as `T`, to the last field: one that the step would not read
/// is a mistake of its author.
fn must_read_as<T: DeserializeOwned>(input: Map<String, Value>) -> Result<(), UseCaseError> {
    let read: Result<T, Fault> = read(input);
    read.map_err(|fault| UseCaseError::Unreadable(fault.within(INPUT)))?;
    Ok(())
}

/// What the field of a redrive is called that holds the corrected input.
const INPUT: &str = "input";

fn refused(violation: Violation, field: &str, expected: String) -> UseCaseError {
    UseCaseError::InvalidPart {
        violation,
        field: format!("{INPUT}.{field}"),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use pizza_contract::ErrorCode;

    const ORDER_ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    fn refund(amount: Value) -> Value {
        json!({
            "orderId": ORDER_ID,
            "customerId": "guest",
            "amount": amount,
            "idempotencyKey": format!("{ORDER_ID}/refundPayment"),
            "simulation": { "errorOnStep": "none", "pace": 0 },
        })
    }

    /// A parked refund with this input.
    fn parked(state: &str, input: &str) -> TaskView {
        let failure = json!({
            "code": "unknown", "message": "poisoned", "causes": [], "attempts": 6, "refused": false,
        });
        let policy = json!({
            "attempts": 6, "firstWaitMs": 1000, "backoff": 1.1, "longestWaitMs": 100_000,
        });
        let view = json!({
            "id": format!("failed-refund-payment-{ORDER_ID}"),
            "task": {
                "queue": "refund-payment",
                "messageType": "RefundPaymentFailed",
                "subject": { "OrderId": ORDER_ID, "CustomerId": "guest" },
                "activityType": "refundPayment",
                "taskQueue": "orders",
                "policy": policy,
                "idempotencyKey": format!("{ORDER_ID}/refundPayment"),
                "failure": failure,
                "firstAttemptAtMs": 1,
                "parkedAtMs": 2,
                "workflowId": format!("order-{ORDER_ID}"),
                "runId": "run",
            },
            "state": state,
            "failure": failure,
            "attempts": 6,
            "lastFailureAtMs": 2,
            "redrives": [],
            "earlierRedrives": 0,
            "audit": [],
            "earlierAudit": 0,
            "input": StoredPayload::json(input),
            "correctedInput": null,
            "autoRedrive": null,
            "nextRedriveAtMs": null,
        });
        serde_json::from_value(view).expect("a task")
    }

    /// What a corrected input is refused with: code, and field.
    fn refusal(view: &TaskView, input: Value) -> Option<(ErrorCode, String)> {
        let Value::Object(input) = input else {
            panic!("no object: {input}");
        };
        let error = check_input(view, input).err()?;
        let text = error.to_string();
        let field = text.split(' ').next().unwrap_or_default();
        Some((error.code(), field.to_owned()))
    }

    fn with(name: &str, value: Value) -> Value {
        let mut input = refund(json!(1200));
        input[name] = value;
        input
    }

    fn without(name: &str) -> Value {
        let mut input = refund(json!(1200));
        input.as_object_mut().expect("an object").remove(name);
        input
    }

    #[test]
    fn a_corrected_input_is_for_the_same_effect() {
        let poisoned = refund(json!("twelve")).to_string();
        let other_order = "00000000-0000-4000-8000-000000000000";
        // Whether or not the original can be read.
        for original in [poisoned.as_str(), "{", "[]", "{\"orderId\":3}"] {
            let view = parked("waiting", original);
            assert_eq!(refusal(&view, refund(json!(1200))), None, "{original}");
            for (input, code, field) in [
                (
                    with(KEY, json!("other")),
                    ErrorCode::InvalidValue,
                    "input.idempotencyKey",
                ),
                (
                    with(KEY, json!(null)),
                    ErrorCode::InvalidValue,
                    "input.idempotencyKey",
                ),
                (
                    without(KEY),
                    ErrorCode::MissingField,
                    "input.idempotencyKey",
                ),
                (
                    with(ORDER, json!(other_order)),
                    ErrorCode::InvalidValue,
                    "input.orderId",
                ),
                (without(ORDER), ErrorCode::MissingField, "input.orderId"),
            ] {
                let refused = Some((code, field.to_owned()));
                assert_eq!(refusal(&view, input), refused, "{original}");
            }
        }
    }

    #[test]
    fn a_corrected_input_moves_what_the_order_is_due_to_whom_it_is_due() {
        let due = |input: Value| {
            let Value::Object(input) = input else {
                panic!("no object: {input}");
            };
            check_due("guest", 1200, &input).map_err(|error| error.to_string())
        };
        assert_eq!(due(refund(json!(1200))), Ok(()));
        assert_eq!(due(json!({ "points": 12 })), Ok(()));
        for (input, field) in [
            (with("customerId", json!("mallory")), "input.customerId"),
            (refund(json!(999_999)), "input.amount"),
            (refund(json!(-1)), "input.amount"),
            (json!({ "points": 13 }), "input.points"),
        ] {
            let error = due(input).expect_err(field);
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn a_corrected_input_reads_as_its_steps_own() {
        let view = parked("waiting", &refund(json!("twelve")).to_string());
        let within = |name: &str, value: Value| {
            let mut input = refund(json!(1200));
            input["simulation"][name] = value;
            input
        };
        let mut no_pace = refund(json!(1200));
        let simulation = no_pace["simulation"].as_object_mut();
        simulation.expect("an object").remove("pace");
        use ErrorCode::{InvalidType, InvalidValue, MissingField, UnknownField};
        for (input, code, field) in [
            (with("amount", json!("12")), InvalidType, "input.amount"),
            (with("amount", json!(null)), InvalidType, "input.amount"),
            (with("amount", json!(1.5)), InvalidType, "input.amount"),
            (without("amount"), MissingField, "input.amount"),
            (without("simulation"), MissingField, "input.simulation"),
            (with("tip", json!(1)), UnknownField, "input.tip"),
            (
                with("simulation", json!(1)),
                InvalidType,
                "input.simulation",
            ),
            (no_pace, MissingField, "input.simulation.pace"),
            (
                within("pace", json!(-1)),
                InvalidType,
                "input.simulation.pace",
            ),
            (
                within("errorOnStep", json!("sleep")),
                InvalidValue,
                "input.simulation.errorOnStep",
            ),
            (
                within("tip", json!(1)),
                UnknownField,
                "input.simulation.tip",
            ),
        ] {
            let refused = Some((code, field.to_owned()));
            assert_eq!(refusal(&view, input.clone()), refused, "{input}");
        }
    }

    /// A request that is sent again is to be answered as it was.
    #[test]
    fn what_is_given_to_a_closed_task_is_its_own_to_refuse() {
        for state in ["done", "discarded"] {
            assert_eq!(refusal(&parked(state, "{}"), json!({})), None);
        }
    }
}
