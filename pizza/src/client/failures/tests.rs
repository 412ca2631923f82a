//! What the client makes of the gateway's answers.

use clap::Parser;
use serde_json::{Value, json};

use super::ending::Ending;
use super::{FailuresArgs, perform};
use crate::client::stub::{Answer, Asked, Stub};

const KEY: &str = "pizza_op_secret";

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    failures: FailuresArgs,
}

/// Runs `pizza failures` with these words at a gateway.
async fn failures(stub: &Stub, words: &str) -> anyhow::Result<Ending> {
    let gateway = stub.url.to_string();
    let door = ["--gateway", &gateway, "--operator-key", KEY];
    let words = ["failures"].into_iter().chain(words.split_whitespace());
    perform(Line::parse_from(words.chain(door)).failures).await
}

/// The same, where the gateway gives these answers; with what it was asked.
async fn told(words: &str, answers: Vec<Answer>) -> (anyhow::Result<Ending>, Vec<Asked>) {
    let stub = Stub::start(answers).await;
    let ending = failures(&stub, words).await;
    (ending, stub.asked())
}

fn ok(body: Value) -> Answer {
    (200, Vec::new(), body)
}

fn problem(status: u16, code: &str) -> Answer {
    let body = json!({ "code": code, "status": status, "detail": "no\u{1b}[31m" });
    (status, Vec::new(), body)
}

fn redriven(outcome: &str) -> Answer {
    let state = if outcome == "done" { "done" } else { "waiting" };
    let error = json!({ "code": "refund-failed", "message": "no", "causes": [], "refused": false });
    ok(json!({ "id": "a", "state": state, "outcome": outcome, "attempts": 7, "error": error }))
}

fn under_way() -> Answer {
    (202, Vec::new(), json!({ "id": "a", "state": "redriving" }))
}

fn progress(running: bool, failed_again: u64) -> Value {
    json!({
        "bulkId": "b-1", "action": "redrive", "principal": "alice", "reason": null,
        "startedAt": "2026-01-01T00:00:00Z", "endedAt": null, "running": running,
        "stopped": false, "matching": 2, "done": 1, "failedAgain": failed_again,
        "discarded": 0, "skipped": 0, "unanswered": 0, "problems": [],
    })
}

fn policy(spreading: bool) -> Answer {
    ok(json!({
        "queue": "refund-payment", "version": 1, "autoRedrive": null, "changes": [],
        "reached": 3, "spreading": spreading,
    }))
}

/// A parked task, as the gateway sends it.
pub(super) fn task() -> Value {
    json!({
        "id": "failed-refund-payment-6f1b", "queue": "refund-payment",
        "messageType": "RefundPaymentFailed", "state": "waiting",
        "orderId": "6f1b", "customerId": "c-7", "activityType": "refundPayment",
        "taskQueue": "orders",
        "retryPolicy": { "attempts": 6, "firstWaitSeconds": 1, "backoff": 1.1,
                         "longestWaitSeconds": 100 },
        "idempotencyKey": "6f1b/refundPayment",
        "error": { "code": "refund-failed", "message": "no\x1b]0;owned\x07 refund",
                   "causes": ["the provider\nis away"], "refused": false },
        "attempts": 7, "firstAttemptAt": "2026-01-01T00:00:00Z",
        "lastFailureAt": "2026-01-01T00:00:07Z", "parkedAt": "2026-01-01T00:00:06Z",
        "workflowId": "order-6f1b", "runId": "r-1",
        "input": { "encoding": "json/plain", "json": { "amount": 1200 } },
        "correctedInput": null,
        "then": [{ "queue": "remove-loyalty-points", "activityType": "reclaimLoyaltyPoints" }],
        "redrives": [{ "startedAt": "2026-01-02T00:00:00Z", "endedAt": "2026-01-02T00:00:01Z",
            "principal": "alice", "automatic": false, "outcome": "failedAgain",
            "error": { "code": "refund-failed", "message": "still", "causes": [], "refused": false } }],
        "earlierRedrives": 0,
        "audit": [{ "at": "2026-01-02T00:00:00Z", "principal": "alice", "action": "redrive",
            "reason": "provider is back", "requestId": "r-7", "correctedInput": false,
            "outcome": "failedAgain" }],
        "earlierAudit": 3,
        "autoRedrive": null, "nextRedriveAt": null,
    })
}

fn lines(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|asked| asked.line.as_str()).collect()
}

#[tokio::test]
async fn a_list_is_asked_for_with_its_filters_and_the_key() {
    let page = ok(json!({ "failures": [], "nextCursor": null }));
    let words = "list --queue refund-payment --older-than 2h --customer c-7 --state done \
                 --limit 5 --cursor x&y";
    let (ending, asked) = told(words, vec![page]).await;
    assert_eq!(ending.expect("a page"), Ending::AsWished);
    assert_eq!(
        lines(&asked),
        [
            "GET /failures?queue=refund-payment&olderThanSeconds=7200&customerId=c-7&state=done\
          &limit=5&cursor=x%26y"
        ]
    );
    assert_eq!(asked[0].header("authorization"), format!("Bearer {KEY}"));
}

#[tokio::test]
async fn what_a_redrive_comes_to_decides_the_exit_code() {
    for (answer, ending) in [
        (redriven("done"), Ending::AsWished),
        (redriven("failedAgain"), Ending::Partly),
        (problem(409, "failure-busy"), Ending::Partly),
        (problem(409, "failure-resolved"), Ending::Partly),
        (problem(404, "failure-not-found"), Ending::Failed),
        (problem(422, "invalid-value"), Ending::Failed),
    ] {
        let what = format!("{answer:?}");
        let (ended, asked) = told("redrive a --reason why", vec![answer]).await;
        assert_eq!(ended.expect("an ending"), ending, "{what}");
        assert_eq!(lines(&asked), ["POST /failures/a/redrive"]);
        assert_eq!(asked[0].json(), json!({ "reason": "why" }));
        assert_eq!(asked[0].header("idempotency-key").len(), 36);
    }
}

#[tokio::test]
async fn one_bad_task_does_not_stop_the_rest() {
    let answers = vec![
        redriven("done"),
        problem(404, "failure-not-found"),
        redriven("failedAgain"),
    ];
    let (ended, asked) = told("redrive a b c a", answers).await;
    assert_eq!(ended.expect("an ending"), Ending::Failed);
    let paths = ["a", "b", "c"].map(|id| format!("POST /failures/{id}/redrive"));
    assert_eq!(lines(&asked), paths);
    assert_ne!(
        asked[0].header("idempotency-key"),
        asked[1].header("idempotency-key")
    );
}

#[tokio::test]
async fn a_key_that_is_not_taken_ends_it_with_advice_and_is_not_repeated() {
    for (status, code, advice) in [
        (401, "unauthenticated", "PIZZA_OPERATOR_KEY"),
        (403, "forbidden", "PIZZA_OPERATOR_KEYS"),
    ] {
        let (ended, asked) = told("redrive a b", vec![problem(status, code)]).await;
        let error = format!("{:#}", ended.expect_err("no key"));
        assert!(error.contains(code) && error.contains(advice), "{error}");
        assert!(!error.contains(KEY), "{error}");
        assert_eq!(asked.len(), 1);
    }
}

#[tokio::test]
async fn a_busy_gateway_is_asked_again_under_the_same_key() {
    let (status, _, body) = problem(503, "temporal-unavailable");
    let later = (status, vec![("retry-after", "0".to_owned())], body);
    let (ended, asked) = told(
        "discard a --reason why",
        vec![
            later.clone(),
            ok(json!({ "id": "a", "state": "discarded" })),
        ],
    )
    .await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    assert_eq!(lines(&asked), ["POST /failures/a/discard"; 2]);
    let keys: Vec<_> = asked
        .iter()
        .map(|asked| asked.header("idempotency-key"))
        .collect();
    assert_eq!(keys[0], keys[1]);

    let (ended, asked) = told("redrive a", vec![later]).await;
    assert_eq!(ended.expect("an ending"), Ending::Failed);
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn a_redrive_that_takes_longer_is_waited_for() {
    let task = |state: &str| {
        let mut task = task();
        task["state"] = json!(state);
        ok(task)
    };
    let answers = vec![under_way(), task("redriving"), task("done")];
    let (ended, asked) = told("redrive a", answers).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    let look = "GET /failures/a";
    assert_eq!(lines(&asked), ["POST /failures/a/redrive", look, look]);

    let answers = vec![under_way(), task("redriving")];
    let (ended, _) = told("redrive a --timeout-seconds 1", answers).await;
    assert_eq!(ended.expect("an ending"), Ending::Partly);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::start([redriven("done")]).await;
    let location = vec![("location", elsewhere.url.to_string())];
    for status in [302, 307, 308] {
        let redirect = (status, location.clone(), Value::Null);
        let (ended, _) = told("redrive a", vec![redirect]).await;
        assert_eq!(ended.expect("an ending"), Ending::Failed);
        assert_eq!(elsewhere.asked().len(), 0);
    }
}

#[tokio::test]
async fn a_bulk_operation_is_followed_to_its_end() {
    let started = || (202, Vec::new(), json!({ "bulkId": "b-1", "matching": 2 }));
    for (failed_again, ending) in [(0, Ending::AsWished), (1, Ending::Partly)] {
        // A gateway may be away for a while.
        let (status, _, body) = problem(503, "overloaded");
        let answers = vec![
            started(),
            ok(progress(true, 0)),
            (status, vec![("retry-after", "0".to_owned())], body),
            ok(progress(false, failed_again)),
        ];
        let (ended, asked) = told("redrive --all --yes --rate 5", answers).await;
        assert_eq!(ended.expect("an ending"), ending);
        let request = json!({ "all": true, "action": "redrive", "ratePerSecond": 5.0 });
        assert_eq!(asked[0].json(), request);
        assert_eq!(asked[0].line, "POST /failures/bulk");
        assert_eq!(asked[3].line, "GET /failures/bulk/b-1");
    }
    let (ended, asked) = told("redrive --all --yes --no-wait", vec![started()]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn a_dry_run_asks_what_would_be_reached() {
    let found = ok(json!({ "matching": 2, "sample": [] }));
    let words = "discard --queue notify-customer --reason old --dry-run";
    let (ended, asked) = told(words, vec![found]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].json()["dryRun"], true);
    assert_eq!(asked[0].json()["queue"], "notify-customer");
}

#[tokio::test]
async fn a_bulk_operation_is_shown_and_stopped() {
    let (ended, asked) = told("bulk b-1", vec![ok(progress(true, 0))]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    assert_eq!(lines(&asked), ["GET /failures/bulk/b-1"]);
    let (ended, asked) = told("bulk b-1 --stop", vec![ok(progress(true, 1))]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    assert_eq!(lines(&asked), ["POST /failures/bulk/b-1/stop"]);
    let (ended, _) = told("bulk nothing", vec![problem(404, "bulk-not-found")]).await;
    assert!(ended.is_err());
}

#[tokio::test]
async fn a_policy_is_waited_for_until_each_task_knows() {
    let words = "policy refund-payment --on --reason nights";
    let (ended, asked) = told(words, vec![policy(true), policy(true), policy(false)]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
    let path = "/failure-queues/refund-payment/policy";
    let asked_lines = [
        format!("PUT {path}"),
        format!("GET {path}"),
        format!("GET {path}"),
    ];
    assert_eq!(lines(&asked), asked_lines);
    assert_eq!(asked[0].json()["autoRedrive"]["maxAttempts"], 20);

    let words = "policy refund-payment --off --timeout-seconds 0";
    let (ended, asked) = told(words, vec![policy(true)]).await;
    assert_eq!(ended.expect("an ending"), Ending::Partly);
    assert_eq!(asked[0].json(), json!({ "autoRedrive": null }));
    let (ended, _) = told("policy refund-payment", vec![policy(true)]).await;
    assert_eq!(ended.expect("an ending"), Ending::AsWished);
}

#[tokio::test]
async fn an_answer_of_another_kind_is_an_error() {
    let (ended, _) = told("queues", vec![ok(json!({ "failures": 1 }))]).await;
    let error = format!("{:#}", ended.expect_err("not queues"));
    assert!(error.contains("not what this version expects"), "{error}");
}
