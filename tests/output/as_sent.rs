//! What a gateway sends is passed on whole with `--json`, and never makes a
//! line of its own without.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::cli::Cli;
use crate::harness::folder;

const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// A text that would like to be more than a part of a line.
const TEXT: &str = "a\nerror: b\r\u{1b}[2J\u{85}c\u{2028}d\u{202e}e";

/// The same as it is printed.
const AS_PRINTED: &str = "a\\u000aerror: b\\u000d\\u001b[2J\\u0085c\\u2028d\\u202ee";

/// A gateway of a later version, whose answers hold more than this one reads.
struct Later {
    url: String,
}

impl Later {
    /// Answers each request with what `answer` has for its method and path.
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(respond).with_state(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url }
    }

    fn cli(&self) -> Cli {
        Cli {
            folder: folder::new("later"),
            variables: [
                ("PIZZA_GATEWAY", self.url.as_str()),
                ("PIZZA_OPERATOR_KEY", "pizza_op_key"),
                ("PIZZA_KITCHEN_KEY", "pizza_kitchen_key"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        }
    }
}

/// The status and the body that a request by this method and path gets.
type Answer = fn(&Method, &str) -> (u16, Value);

async fn respond(State(answer): State<Answer>, request: Request) -> impl IntoResponse {
    let (status, body) = answer(request.method(), request.uri().path());
    (StatusCode::from_u16(status).expect("a status"), Json(body))
}

fn order(text: &str) -> Value {
    json!({
        "orderId": ID, "status": "Cancelled", "flavour": text, "size": text, "quantity": 2,
        "total": 900, "discountApplied": text, "discountReason": text, "money": text,
        "points": text, "version": 9, "customerId": text, "placedAt": text,
        "cancelled": { "step": text, "code": text, "message": text, "since": 1.5 },
        "owed": [{ "queue": text, "messageType": text, "taskId": text, "state": text,
                   "later": true }],
        "ofALaterVersion": { "a": [1, null, 0.25, 18_446_744_073_709_551_615_u64] },
    })
}

fn task(text: &str) -> Value {
    let mut task = json!({
        "id": "t", "state": "done", "queue": text, "messageType": text, "orderId": text,
        "customerId": text, "parkedAt": text, "errorCode": text, "outcome": "done",
        "attempts": 3, "ofALaterVersion": [text],
    });
    let more = json!({
        "activityType": text, "taskQueue": text, "idempotencyKey": text, "workflowId": text,
        "runId": text, "firstAttemptAt": text, "lastFailureAt": text,
        "retryPolicy": { "attempts": 3, "firstWaitSeconds": 1.0, "backoff": 2.0,
                         "longestWaitSeconds": 9.0 },
        "error": { "code": text, "message": text }, "input": { "encoding": text },
        "then": [], "redrives": [], "earlierRedrives": 0, "audit": [], "earlierAudit": 0,
    });
    for (name, value) in more.as_object().expect("an object") {
        task[name] = value.clone();
    }
    task
}

fn answer(method: &Method, path: &str) -> (u16, Value) {
    answer_with("plain", method, path)
}

fn hostile(method: &Method, path: &str) -> (u16, Value) {
    answer_with(TEXT, method, path)
}

fn answer_with(text: &str, method: &Method, path: &str) -> (u16, Value) {
    let prices = json!({ "small": 900, "medium": 1000, "large": 1100, "family": 1500 });
    let path = path.replace(ID, "ID");
    let body = match (method.as_str(), path.as_str()) {
        ("GET", "/menu") => json!({
            "unit": "minor", "custom": prices,
            "flavours": [{ "flavour": text, "prices": prices, "discountPercent": 5,
                           "discountReason": text, "vegan": true }],
        }),
        ("POST", "/orders") => {
            let placed = json!({
                "message": text, "orderId": ID, "statusCheck": text, "estimate": 7,
            });
            return (201, placed);
        }
        ("GET", "/orders") => json!({
            "orders": [order(text)], "nextCursor": null, "total": 1,
        }),
        ("GET", "/orders/ID") => order(text),
        ("GET", "/orders/ID/events") => return (204, Value::Null),
        ("GET", "/orders/ID/timeline") => json!({
            "orderId": ID, "placedAt": null, "truncated": false, "entries": [], "later": text,
            "sources": { "store": "read", "temporal": "read" },
        }),
        ("PATCH", "/orders/ID") => json!({ "order": order(text), "difference": 1, "later": 2 }),
        ("DELETE", "/orders/ID") => {
            json!({ "orderId": ID, "outcome": text, "status": text, "later": [] })
        }
        ("GET", "/kitchen/tickets") => json!({
            "tickets": [{
                "ticketId": ID, "flavour": text, "size": text, "quantity": 1, "stage": text,
                "nextReports": [text], "handedOverAt": text, "secondsAtStage": 1.5, "secondsLeft": null,
                "simulation": { "perStepDelaySeconds": 0.0, "silent": false, "later": 1 },
            }],
            "nextCursor": null, "later": true,
        }),
        ("POST", "/kitchen/tickets/ID/events") => {
            json!({
                "orderId": ID, "event": text, "outcome": text, "status": text, "later": 1,
            })
        }
        ("GET", "/kitchen/simulation") => json!({
            "paused": false, "delaySeconds": 0.5, "loseRate": 0.0, "repeatRate": 0.0,
            "reorderRate": 0.0, "seed": 18_446_744_073_709_551_615_u64, "later": text,
        }),
        ("GET", "/failure-queues") => json!({
            "queues": [{ "queue": text, "messageType": text, "depth": 1, "oldestAgeSeconds": 1,
                         "arrivedLastHour": 1, "resolvedLastHour": 0, "autoRedrive": null,
                         "later": text }],
            "later": 1,
        }),
        ("GET", "/failures") => json!({
            "failures": [task(text)], "nextCursor": null, "later": 1,
        }),
        ("GET", "/failures/t") => task(text),
        ("POST", "/failures/t/redrive" | "/failures/t/discard") => task(text),
        ("POST", "/failures/u/redrive") => {
            let problem = json!({
                "code": "failure-resolved", "detail": text, "status": 409, "title": text,
                "type": "about:blank", "later": [text],
            });
            return (409, problem);
        }
        _ => {
            let problem = json!({ "code": text, "detail": text, "status": 409 });
            return (409, problem);
        }
    };
    (200, body)
}

/// Each command of a client with `--json`, and the request whose answer it
/// prints.
const COMMANDS: [(&str, &str, &str); 14] = [
    ("menu --json", "GET", "/menu"),
    ("order --json", "POST", "/orders"),
    ("orders --json", "GET", "/orders"),
    ("status ID --json", "GET", "/orders/ID"),
    ("status ID --timeline --json", "GET", "/orders/ID/timeline"),
    ("amend ID --quantity 2 --json", "PATCH", "/orders/ID"),
    ("cancel ID --json", "DELETE", "/orders/ID"),
    ("tickets --json", "GET", "/kitchen/tickets"),
    (
        "report ID accepted --json",
        "POST",
        "/kitchen/tickets/ID/events",
    ),
    ("kitchen-simulation --json", "GET", "/kitchen/simulation"),
    ("failures queues --json", "GET", "/failure-queues"),
    ("failures list --json", "GET", "/failures"),
    ("failures show t --json", "GET", "/failures/t"),
    ("failures redrive t --json", "POST", "/failures/t/redrive"),
];

fn words(line: &str) -> Vec<&str> {
    let words = line.split_whitespace();
    words
        .map(|word| if word == "ID" { ID } else { word })
        .collect()
}

#[tokio::test]
async fn json_is_what_the_gateway_sent_key_by_key() {
    let later = Later::start(answer).await;
    let cli = later.cli();
    for (line, method, path) in COMMANDS {
        let output = cli.pizza(&words(line)).await;
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        let method = method.parse().expect("a method");
        let (_, mut sent) = answer(&method, path);
        if line.contains("redrive") {
            // What the command makes of it stands beside what was sent.
            sent["verdict"] = json!("done");
        }
        assert_eq!(output.json_lines(), [sent], "{line}");
    }
    let watched = cli.pizza(&["order", "--watch", "--json"]).await;
    let sent = [answer(&Method::POST, "/orders").1, order("plain")];
    assert_eq!(watched.json_lines(), sent, "{watched:?}");

    let refused = cli.pizza(&["failures", "redrive", "u", "--json"]).await;
    let (_, mut problem) = answer(&Method::POST, "/failures/u/redrive");
    problem["verdict"] = json!("skipped");
    problem["id"] = json!("u");
    assert_eq!(refused.json_lines(), [problem], "{refused:?}");
}

#[tokio::test]
async fn a_text_of_a_gateway_makes_no_line_of_its_own() {
    let later = Later::start(hostile).await;
    let cli = later.cli();
    // A table's cell may be too narrow for the whole of it.
    let tables = [
        "menu",
        "orders",
        "tickets",
        "failures queues",
        "failures list",
    ];
    for line in tables {
        let output = cli.pizza(&words(line)).await;
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        assert_harmless(line, &output.stdout);
        // Head, rule, a row or two, borders; a cell has many lines where
        // the table wraps, each between borders.
        for row in output.stdout.lines() {
            let is_bordered = row.starts_with(['│', '┌', '└', '╞', '├']);
            assert!(is_bordered, "{line}: {row:?} in\n{}", output.stdout);
        }
    }
    for (line, lines) in [
        ("order", 1),
        ("status ID", 9),
        ("amend ID --quantity 2", 9),
        ("cancel ID", 1),
        ("report ID accepted", 1),
    ] {
        let output = cli.pizza(&words(line)).await;
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        assert_harmless(line, &format!("{}{}", output.stdout, output.stderr));
        assert_eq!(output.stdout.lines().count(), lines, "{line}: {output:?}");
        let shown = output.stdout.contains(AS_PRINTED);
        assert_eq!(shown, line != "cancel ID", "{line}: {output:?}");
    }
    for line in ["failures policy refund-payment", "failures show nowhere"] {
        let output = cli.pizza(&words(line)).await;
        assert_eq!(output.code, Some(1), "{line}: {output:?}");
        let expected = format!("error: {AS_PRINTED} (409 Conflict): {AS_PRINTED}\n");
        assert_eq!(output.stderr, expected, "{line}");
    }
}

fn assert_harmless(line: &str, text: &str) {
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_harmful), "{line}: {text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("error:")),
        "{line}: {text}"
    );
}
