//! What is counted is what happened.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::sync::OnceCell;

use super::{Told, deploy};
use crate::harness::{SOON, eventually};

/// What a port of metrics tells.
pub(super) struct Scrape(String);

impl Scrape {
    pub(super) async fn of(address: &str) -> Self {
        let answer = reqwest::get(format!("http://{address}/metrics"));
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 200);
        Self(answer.text().await.expect("text"))
    }

    /// The names of all series.
    fn names(&self) -> BTreeSet<String> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.split(['{', ' ']).next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The sum of the series whose text holds all of these.
    pub(super) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let lines = self.0.lines().filter(of_name);
        lines
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// Orders with every end that is counted: delivered (twice asked for), parked,
/// cancelled by the customer, given up by the kitchen's deadline.
async fn orders_of_all_kinds(told: &Told) {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = || async {
        let gateway = told.gateway();
        let order = || {
            let request = gateway.client.post(gateway.at("/orders")).json(&json!({}));
            gateway.send(request.header("idempotency-key", "twice"))
        };
        let (first, again) = (order().await, order().await);
        assert_eq!((first.status, again.status), (201, 201), "{again:?}");
        let delivered = first.json()["orderId"].as_str().expect("an id").to_owned();
        let late = told.handed_over().await;
        told.deliver(&delivered).await;
        let parked = gateway
            .place(json!({ "errorOnStep": "addLoyaltyPoints" }))
            .await;
        told.ticket_is_there(&parked).await;
        let unwanted = told.handed_over().await;
        assert_eq!(gateway.cancel(&unwanted).await.status, 200);
        assert_eq!(gateway.get("/orders/nonsense").await.status, 400);
        for id in [&late, &parked, &unwanted] {
            told.finished(id).await;
        }
    };
    MADE.get_or_init(make).await;
}

#[tokio::test]
async fn what_became_of_orders_is_counted() {
    let told = Told::world().await;
    orders_of_all_kinds(&told).await;
    let worker = eventually(SOON, "the books were read", async || {
        let scrape = Scrape::of(&told.worker_metrics).await;
        let depth = scrape.sum(
            "pizza_failure_queue_depth",
            &["queue=\"add-loyalty-points\""],
        );
        let audited = scrape.sum("pizza_audit_orders", &[]);
        (depth >= 1.0 && audited >= 4.0).then_some(scrape)
    })
    .await;
    for (name, labels) in [
        (
            "pizza_orders_ended_total",
            vec!["end=\"delivered\"", "step=\"none\""],
        ),
        (
            "pizza_orders_ended_total",
            vec!["end=\"cancelled\"", "step=\"processOrder\""],
        ),
        (
            "pizza_kitchen_deadlines_missed_total",
            vec!["stage=\"accepted\""],
        ),
        (
            "pizza_order_status_seconds_count",
            vec!["status=\"CookingStarted\""],
        ),
        (
            "temporal_workflow_completed",
            vec!["workflow_type=\"PizzaOrder\""],
        ),
        ("temporal_num_pollers", vec!["task_queue=\"fulfilment\""]),
        ("process_resident_memory_bytes", vec![]),
        ("pizza_books_read_timestamp_seconds", vec![]),
    ] {
        let sum = worker.sum(name, &labels);
        assert!(sum >= 1.0, "{name} {labels:?} is {sum}\n{}", worker.0);
    }
    assert_eq!(worker.sum("pizza_audit_violations", &[]), 0.0);
    let gateway = Scrape::of(&told.gateway_metrics).await;
    let accepted = gateway.sum("pizza_orders_accepted_total", &[]);
    let answered = gateway.sum(
        "pizza_http_requests_total",
        &["route=\"/orders\"", "method=\"POST\"", "code=\"201\""],
    );
    assert_eq!(
        gateway.sum(
            "pizza_idempotent_replays_total",
            &["operation=\"placeOrder\""]
        ),
        1.0
    );
    assert!(
        accepted >= 4.0 && answered > accepted - 0.5,
        "{accepted} of {answered}"
    );
    for (name, labels) in [
        (
            "pizza_http_requests_total",
            vec!["route=\"/orders/{id}\"", "code=\"400\""],
        ),
        (
            "temporal_request",
            vec!["operation=\"StartWorkflowExecution\""],
        ),
        (
            "temporal_request_latency_count",
            vec!["operation=\"StartWorkflowExecution\""],
        ),
    ] {
        let sum = gateway.sum(name, &labels);
        assert!(sum >= 1.0, "{name} {labels:?} is {sum}\n{}", gateway.0);
    }
    // Ids would make a series of each request.
    for scrape in [&worker.0, &gateway.0] {
        let ids = scrape
            .lines()
            .filter(|line| line.contains("order-") || line.contains("nonsense"));
        assert_eq!(ids.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn every_metric_that_a_rule_or_a_dashboard_names_is_exported() {
    let told = Told::world().await;
    orders_of_all_kinds(&told).await;
    let mut exported = Scrape::of(&told.worker_metrics).await.names();
    exported.extend(Scrape::of(&told.gateway_metrics).await.names());
    // gRPC has its series from its first call on.
    let grpc = crate::harness::grpc::Grpc::connect(told.gateway_url()).await;
    let nobody = grpc.order("6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11").await;
    assert!(nobody.is_err());
    exported.extend(Scrape::of(&told.gateway_metrics).await.names());
    // Prometheus makes this one itself.
    exported.insert("up".to_owned());
    let named = deploy::metrics_named();
    let missing: Vec<_> = named.difference(&exported).collect();
    assert!(missing.is_empty(), "{missing:#?} of {exported:#?}");
}

#[tokio::test]
async fn a_worker_says_whether_tasks_reach_it() {
    let told = Told::world().await;
    for address in [&told.worker_metrics, &told.gateway_metrics] {
        let healthz = reqwest::get(format!("http://{address}/healthz")).await;
        assert_eq!(healthz.expect("an answer").status(), 200);
    }
    let ready = format!("http://{}/readyz", told.worker_metrics);
    let told = eventually(SOON, "the worker polls", async || {
        let answer = reqwest::get(&ready).await.expect("an answer");
        (answer.status() == 200).then_some(answer)
    })
    .await;
    let told: serde_json::Value = told.json().await.expect("JSON");
    assert!(told["pollers"].as_u64() > Some(0), "{told}");
    assert_eq!(told["lastPollFailed"], false, "{told}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_before_any_work_begins() {
    let told = Told::world().await;
    let cli = told.cli();
    let taken = told.worker_metrics.as_str();
    for role in ["worker", "gateway"] {
        let mut arguments = vec![role, "--metrics-listen", taken];
        if role == "gateway" {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let output = cli.pizza(&arguments).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        let named = output
            .stderr
            .contains("--metrics-listen (PIZZA_METRICS_LISTEN)");
        assert!(named, "{output:?}");
    }
}
