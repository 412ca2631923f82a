//! The failure queues over gRPC, with Temporal away.

use pizza_api::proto::failure_queue_service_client::FailureQueueServiceClient;
use pizza_api::proto::redrive_failure_request::Input;
use pizza_api::proto::set_queue_policy_request::Change;
use pizza_api::proto::{
    AutoRedrive, BulkAction, DiscardFailureRequest, FailureFilter, FailureState, GetBulkRequest,
    GetFailureRequest, GetQueuePolicyRequest, ListFailureQueuesRequest, ListFailuresRequest,
    RedriveFailureRequest, SetQueuePolicyRequest, StartBulkRequest, StopBulkRequest,
};
use pizza_app::keys::Keyring;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::grpc::{channel, code, raw_call};
use crate::support::{OPERATOR_KEY, TestGateway};

const TASK: &str = "failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
const OPERATION: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// Shows the operator's key with each call.
#[derive(Clone)]
struct AsOperator;

impl Interceptor for AsOperator {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let key = format!("Bearer {OPERATOR_KEY}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", key);
        Ok(request)
    }
}

async fn operator(
    gateway: &TestGateway,
) -> FailureQueueServiceClient<InterceptedService<Channel, AsOperator>> {
    FailureQueueServiceClient::with_interceptor(channel(gateway).await, AsOperator)
}

/// Nothing of the message is read, and it does not matter whether the method
/// is there.
#[tokio::test]
async fn without_a_key_no_method_is_reached() {
    let gateway = TestGateway::start().await;
    for method in [
        "ListFailureQueues",
        "ListFailures",
        "GetFailure",
        "RedriveFailure",
        "DiscardFailure",
        "GetQueuePolicy",
        "SetQueuePolicy",
        "StartBulk",
        "GetBulk",
        "StopBulk",
        "AnyOther",
    ] {
        let path = format!("/cloud_pizza.v1.FailureQueueService/{method}");
        let status = raw_call(&gateway, &path, &[0, 0, 0, 0, 1, 0x0f][..]).await;
        assert_eq!(
            (status.code(), code(&status)),
            (Code::Unauthenticated, "unauthenticated"),
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_gateway_without_operators_permits_nobody() {
    let gateway = TestGateway::with(|gateway| gateway.keys = Keyring::default()).await;
    let mut failures = operator(&gateway).await;
    let request = ListFailureQueuesRequest {};
    let status = failures
        .list_failure_queues(request)
        .await
        .expect_err("refused");
    assert_eq!(
        (status.code(), code(&status)),
        (Code::PermissionDenied, "forbidden")
    );
}

/// What a call is refused with: code, and field if there is one.
fn refusal<T>(answer: Result<T, Status>) -> (Code, String, Option<String>) {
    let status = answer.map(drop).expect_err("refused");
    let field = status.metadata().get("pizza-error-field");
    let field = field.map(|field| field.to_str().expect("text").to_owned());
    (status.code(), code(&status).to_owned(), field)
}

fn invalid(code: &str, field: &str) -> (Code, String, Option<String>) {
    let field = Some(field.to_owned());
    (Code::InvalidArgument, code.to_owned(), field)
}

#[tokio::test]
async fn bad_calls_are_refused_with_the_codes_of_http() {
    let gateway = TestGateway::start().await;
    let mut failures = operator(&gateway).await;

    let list = ListFailuresRequest {
        state: FailureState::Redriving.into(),
        ..Default::default()
    };
    let refused = refusal(failures.list_failures(list).await);
    assert_eq!(refused, invalid("invalid-value", "state"));
    let list = ListFailuresRequest {
        limit: Some(0),
        ..Default::default()
    };
    let refused = refusal(failures.list_failures(list).await);
    assert_eq!(refused, invalid("out-of-range", "limit"));

    for json in ["[]", "{", "{\"a\":1,\"a\":1}", "{}{}"] {
        let redrive = RedriveFailureRequest {
            id: TASK.to_owned(),
            input: Some(Input::CorrectedInputJson(json.to_owned())),
            ..Default::default()
        };
        let refused = refusal(failures.redrive_failure(redrive).await);
        assert_eq!(refused, invalid("invalid-value", "input"), "{json}");
    }
    let redrive = RedriveFailureRequest {
        id: TASK.to_owned(),
        idempotency_key: Some(String::new()),
        ..Default::default()
    };
    let refused = refusal(failures.redrive_failure(redrive).await);
    assert_eq!(refused, invalid("invalid-value", "Idempotency-Key"));

    let discard = DiscardFailureRequest {
        id: TASK.to_owned(),
        ..Default::default()
    };
    let refused = refusal(failures.discard_failure(discard).await);
    assert_eq!(refused, invalid("missing-field", "reason"));

    for change in [None, Some(Change::Off(false))] {
        let policy = SetQueuePolicyRequest {
            queue: "refund-payment".to_owned(),
            change,
            reason: None,
        };
        let refused = refusal(failures.set_queue_policy(policy).await);
        assert_eq!(refused, invalid("missing-field", "autoRedrive"));
    }
    let policy = SetQueuePolicyRequest {
        queue: "refund-payment".to_owned(),
        change: Some(Change::AutoRedrive(AutoRedrive::default())),
        reason: None,
    };
    let refused = refusal(failures.set_queue_policy(policy).await);
    assert_eq!(
        refused,
        invalid("out-of-range", "autoRedrive.firstWaitSeconds")
    );

    let bulk = |action: i32, all| StartBulkRequest {
        action,
        all,
        ..Default::default()
    };
    let refused = refusal(failures.start_bulk(bulk(0, true)).await);
    assert_eq!(refused, invalid("missing-field", "action"));
    let refused = refusal(failures.start_bulk(bulk(9, true)).await);
    assert_eq!(refused, invalid("invalid-value", "action"));
    let redrive = BulkAction::Redrive.into();
    let refused = refusal(failures.start_bulk(bulk(redrive, false)).await);
    assert_eq!(refused, invalid("missing-field", "all"));
}

#[tokio::test]
async fn what_cannot_be_there_is_not_found() {
    let gateway = TestGateway::start().await;
    let mut failures = operator(&gateway).await;
    let not_found = |code: &str| (Code::NotFound, code.to_owned(), None);
    let id = "order-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11".to_owned();
    let refused = refusal(failures.get_failure(GetFailureRequest { id }).await);
    assert_eq!(refused, not_found("failure-not-found"));
    let queue = "refunds".to_owned();
    let refused = refusal(
        failures
            .get_queue_policy(GetQueuePolicyRequest { queue })
            .await,
    );
    assert_eq!(refused, not_found("failure-queue-not-found"));
    let bulk_id = "1".to_owned();
    let refused = refusal(failures.get_bulk(GetBulkRequest { bulk_id }).await);
    assert_eq!(refused, not_found("bulk-not-found"));
}

#[tokio::test]
async fn good_calls_get_as_far_as_temporal() {
    let gateway = TestGateway::start().await;
    let mut failures = operator(&gateway).await;
    let away = (Code::Unavailable, "temporal-unavailable".to_owned(), None);
    let request = ListFailureQueuesRequest {};
    assert_eq!(refusal(failures.list_failure_queues(request).await), away);
    let request = ListFailuresRequest {
        filter: Some(FailureFilter {
            queue: Some("refund-payment".to_owned()),
            older_than_seconds: Some(60),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(refusal(failures.list_failures(request).await), away);
    let request = RedriveFailureRequest {
        id: TASK.to_owned(),
        input: Some(Input::OriginalInput(true)),
        idempotency_key: Some("monday".to_owned()),
        ..Default::default()
    };
    assert_eq!(refusal(failures.redrive_failure(request).await), away);
    let request = SetQueuePolicyRequest {
        queue: "refund-payment".to_owned(),
        change: Some(Change::Off(true)),
        reason: None,
    };
    assert_eq!(refusal(failures.set_queue_policy(request).await), away);
    let request = StartBulkRequest {
        action: BulkAction::Discard.into(),
        all: true,
        dry_run: true,
        ..Default::default()
    };
    assert_eq!(refusal(failures.start_bulk(request).await), away);
    let bulk_id = OPERATION.to_owned();
    assert_eq!(
        refusal(failures.stop_bulk(StopBulkRequest { bulk_id }).await),
        away
    );
}
