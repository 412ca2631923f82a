//! An order is one trace, from the request to the statements.

use serde_json::{Value, json};

use super::collector::{Collector, Trace};
use super::{Told, tracing_variables};
use crate::harness::{SOON, Setup, World, eventually};

/// What every delivered order does, each under its name in the trace.
const OF_A_DELIVERED_ORDER: [&str; 24] = [
    "POST /orders",
    "StartWorkflow:PizzaOrder",
    "RunWorkflow:PizzaOrder",
    "StartActivity:createOrder",
    "RunActivity:createOrder",
    "store.create_order",
    "RunActivity:processPayment",
    "store.give",
    "StartChildWorkflow:PizzaLoyalty",
    "RunWorkflow:PizzaLoyalty",
    "RunActivity:addLoyaltyPoints",
    "store.give",
    "StartChildWorkflow:PizzaFulfilment",
    "RunWorkflow:PizzaFulfilment",
    "RunActivity:prepareOrder",
    "store.book_ticket",
    "ValidateUpdate:reportKitchenEvent",
    "HandleUpdate:reportKitchenEvent",
    "RunActivity:recordKitchenReport",
    "store.record_report",
    "RunActivity:setOrderStatus",
    "store.set_order_status",
    "store.change_order",
    "StartActivity:processPayment",
];

/// Places an order, and gives its id and the id of its trace.
async fn placed(told: &Told, order: &Value, traceparent: Option<&str>) -> (String, String) {
    let gateway = told.gateway();
    let mut request = gateway.client.post(gateway.at("/orders")).json(order);
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let parts: Vec<_> = answer.header("traceresponse").split('-').collect();
    let [version, trace, span, flags] = parts[..] else {
        panic!("no trace: {answer:?}");
    };
    assert_eq!((version, span.len(), flags), ("00", 16, "01"), "{answer:?}");
    let id = answer.json()["orderId"].as_str().expect("an id").to_owned();
    (id, trace.to_owned())
}

/// The trace, once all of these spans are there and none misses its parent,
/// but the one that began it.
async fn whole(trace: &str, expected: &[&str]) -> Trace {
    let what = format!("trace {trace} is whole");
    let found = eventually(SOON, &what, async || {
        let trace = Collector::shared().trace(trace);
        let is_there = expected.iter().all(|name| trace.count(name) > 0);
        if is_there && trace.roots().len() == 1 {
            return Some(Ok(trace));
        }
        None
    });
    // Says what is missing before it gives up.
    match tokio::time::timeout(SOON - std::time::Duration::from_secs(1), found).await {
        Ok(found) => found,
        Err(_) => {
            let trace = Collector::shared().trace(trace);
            let missing: Vec<_> = expected.iter().filter(|it| trace.count(it) == 0).collect();
            Err(format!("missing {missing:?} in\n{}", trace.drawn()))
        }
    }
    .unwrap_or_else(|missing| panic!("{missing}"))
}

#[tokio::test]
async fn the_trace_of_a_delivered_order_holds_every_step_of_it() {
    let told = Told::world().await;
    let (id, trace) = placed(&told, &json!({ "flavour": "Secret Sauce" }), None).await;
    told.deliver(&id).await;
    let trace = whole(&trace, &OF_A_DELIVERED_ORDER).await;
    println!("{}", trace.drawn());

    assert_eq!(trace.roots()[0].name, "POST /orders");
    assert_eq!(trace.roots()[0].parent, "", "nobody brought a trace along");
    // Each activity's work in the store hangs below the activity.
    for (activity, statement) in [
        ("RunActivity:createOrder", "store.create_order"),
        ("RunActivity:processPayment", "store.give"),
        ("RunActivity:addLoyaltyPoints", "store.give"),
        ("RunActivity:prepareOrder", "store.book_ticket"),
        ("RunActivity:recordKitchenReport", "store.record_report"),
    ] {
        let activity = trace.0.iter().find(|span| span.name == activity);
        let activity = activity.expect("an activity");
        assert_eq!(activity.service, "pizza-worker");
        let names: Vec<_> = trace.children(&activity.id).map(|it| &it.name).collect();
        assert!(names.iter().any(|it| *it == statement), "{names:?}");
    }
    // The kitchen's four reports were each handled in the order's trace.
    assert_eq!(trace.count("HandleUpdate:reportKitchenEvent"), 4);
    for span in &trace.0 {
        assert!(!span.whole.contains("Secret"), "{}", span.whole);
        // As the environment told it, decoded.
        assert!(span.resource.contains("\"Zoë, Ann\""), "{}", span.resource);
    }
    // What the headers carry is no part of what is replayed.
    for workflow in ["", "-loyalty", "-fulfilment"] {
        let workflow = format!("order-{id}{workflow}");
        told.cli().ok(&["replay", "--workflow-id", &workflow]).await;
    }
}

#[tokio::test]
async fn workers_that_trace_and_workers_that_do_not_carry_on_each_others_orders() {
    // And the gateway's collector is away, which holds nothing up.
    let nowhere = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let mut world = World::start(Setup {
        kitchen: false,
        // Being without a worker for a while is not the kitchen's fault.
        kitchen_deadline_seconds: 300.0,
        worker_variables: tracing_variables(),
        gateway_variables: nowhere
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    world.worker.take().expect("a worker").kill();
    let silent = world.worker_with(&[]);
    gateway.report_taken(&id, "cooked").await;
    silent.kill();
    world.start_worker();
    gateway.report_taken(&id, "pickedUp").await;
    gateway.report_taken(&id, "delivered").await;
    let order = world.finished(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    world.books().await.account(&id).await.assert_legal();
    let history = world.history(&format!("order-{id}")).await;
    let failed = history
        .types()
        .into_iter()
        .filter(|it| it.contains("TASK_FAILED"));
    assert_eq!(failed.count(), 0);

    let mut process = world.gateway.take().expect("a gateway");
    let lost = eventually(SOON, "the gateway says that traces are lost", async || {
        let lines = process.stderr().matches("traces are being lost").count();
        (lines > 0).then_some(lines)
    });
    assert_eq!(lost.await, 1, "once, whatever the number of batches");
    process.interrupt();
    let ended = process.wait(SOON).await;
    assert_eq!(ended.code(), Some(0), "{}", process.stderr());
}

#[tokio::test]
async fn a_setting_that_cannot_be_obeyed_names_itself() {
    let told = Told::world().await;
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "https://collector:4317",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization: secret"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz"),
        ("OTEL_SDK_DISABLED", "perhaps"),
        ("RUST_LOG", "pizza=loud"),
        ("PIZZA_LOG_FORMAT", "xml"),
        ("PIZZA_METRICS_LISTEN", "9464"),
        ("PIZZA_AUDIT_EVERY_SECONDS", "often"),
    ] {
        let mut cli = told.cli();
        let collector = Collector::shared().url();
        for (name, value) in [("OTEL_EXPORTER_OTLP_ENDPOINT", collector), (name, value)] {
            cli.variables.push((name.to_owned(), value.to_owned()));
        }
        let output = cli.pizza(&["worker"]).await;
        assert!(matches!(output.code, Some(1 | 2)), "{name}: {output:?}");
        let flag = name
            .trim_start_matches("PIZZA_")
            .to_lowercase()
            .replace('_', "-");
        let is_named = output.stderr.contains(name) || output.stderr.contains(&flag);
        assert!(is_named, "{name}: {output:?}");
        assert!(!output.stderr.contains("secret"), "{name}: {output:?}");
    }
}

#[tokio::test]
async fn an_order_that_is_rolled_back_is_part_of_the_trace_that_its_client_brought() {
    let told = Told::world().await;
    let (theirs, root) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let brought = format!("00-{theirs}-{root}-01");
    let order = json!({ "errorOnStep": "prepareOrder", "customerId": "secret-ann" });
    let (id, trace) = placed(&told, &order, Some(&brought)).await;
    assert_eq!(trace, theirs, "the order is part of the client's trace");
    told.finished(&id).await;
    let trace = whole(
        &trace,
        &[
            "RunWorkflow:PizzaOrder",
            "RunWorkflow:PizzaFulfilment",
            "RunActivity:prepareOrder",
            "RunActivity:refundPayment",
            "store.take_back",
            "RunActivity:reclaimLoyaltyPoints",
            "RunActivity:cancelOrder",
            "store.cancel_order",
            "RunActivity:notifyCustomer",
        ],
    )
    .await;
    println!("{}", trace.drawn());

    assert_eq!(trace.roots()[0].parent, root);
    let refused = trace
        .0
        .iter()
        .find(|it| it.name == "RunActivity:prepareOrder");
    assert!(refused.expect("it ran").has_failed);
    for span in &trace.0 {
        let whole = &span.whole;
        assert!(
            !whole.contains("secret") && !whole.contains("refused"),
            "{whole}"
        );
    }
}

#[tokio::test]
async fn each_attempt_of_a_step_is_seen_and_a_cancellation_is_a_trace_of_its_own() {
    let told = Told::world().await;
    let (id, trace) = placed(&told, &json!({ "errorOnStep": "createOrder" }), None).await;
    told.finished(&id).await;
    let trace = whole(
        &trace,
        &["RunActivity:cancelOrder", "RunWorkflow:PizzaOrder"],
    )
    .await;
    println!("{}", trace.drawn());
    assert_eq!(
        trace.count("RunActivity:createOrder"),
        4,
        "{}",
        trace.drawn()
    );

    let (id, ordered) = placed(&told, &json!({}), None).await;
    told.ticket_is_there(&id).await;
    let answer = told.gateway().cancel(&id).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cancelled = answer.header("traceresponse")[3..35].to_owned();
    assert_ne!(cancelled, ordered);
    let trace = whole(
        &cancelled,
        &[
            "DELETE /orders/{id}",
            "StartWorkflowUpdate:cancelOrder",
            "HandleUpdate:cancelOrder",
        ],
    )
    .await;
    println!("{}", trace.drawn());
}

#[tokio::test]
async fn who_only_asks_for_news_leaves_no_trace() {
    let told = Told::world().await;
    let cook = told.cook();
    for path in ["/healthz", "/readyz", "/kitchen/tickets"] {
        let answer = cook.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("traceresponse"), "", "{answer:?}");
    }
    // What is exported comes in order: once this one is there, those are not.
    let (_, trace) = placed(&told, &json!({}), None).await;
    whole(&trace, &["POST /orders"]).await;
    for trace in Collector::shared().all() {
        for span in &trace.0 {
            assert!(!span.name.contains("ready"), "{span:?}");
            assert!(!span.name.contains("open_tickets"), "{span:?}");
        }
    }
}
