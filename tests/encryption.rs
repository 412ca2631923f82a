//! What customers, kitchens, operators and errors say is Temporal's to keep,
//! and not to read.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::cost::MOST_EVENTS;
use crate::harness::temporal::Temporal;
use crate::harness::world::OPERATOR_KEY;
use crate::harness::{LATER, SOON, Setup, World, eventually, folder, ports};
use crate::operator_pages::Browser;

const A: &str = "2026-a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const B: &str = "2026-b:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";

const CUSTOMER: &str = "telltale-customer";
const FLAVOUR: &str = "telltale-flavour pineapple";
const REJECTION: &str = "telltale rejection of the kitchen";
const DISCARD: &str = "telltale reason to discard";
const REDRIVE: &str = "telltale reason to redrive";

/// What must not be read in the database. The first of them are the journey's
/// own words, the others the product's.
const TELLTALES: [&str; 13] = [
    CUSTOMER,
    FLAVOUR,
    REJECTION,
    DISCARD,
    REDRIVE,
    // How prices and discounts are written.
    "\"total\":",
    "\"amount\":",
    "\"discount\":",
    // Texts of errors, of a redrive that failed and of a cancellation.
    "the payment provider did not refund",
    "the loyalty programme refused to take the points back",
    "the kitchen refused the order",
    "the books are closed",
    "the customer cancelled the order",
];

#[tokio::test]
async fn the_search_finds_what_is_not_encrypted() {
    let database = lived_through(None).await;
    let found = found_in(&database);
    assert_eq!(found, TELLTALES, "all of them");
}

#[tokio::test]
async fn nothing_of_customers_prices_and_errors_is_in_temporals_database() {
    let database = lived_through(Some(A)).await;
    let found = found_in(&database);
    assert!(found.is_empty(), "{found:?}");
    // It is the right database, and it was searched.
    assert!(holds(&database, "binary/encrypted") && holds(&database, "refundPayment"));
}

/// The raw bytes of the database of a Temporal that saw every kind of word
/// there is: orders that were rejected, cancelled, parked, redriven in vain and
/// with success, discarded, and taken up again.
async fn lived_through(codec_keys: Option<&str>) -> Vec<u8> {
    let file = folder::new("temporal-data").join("temporal.db");
    let temporal = Temporal::start(ports::free(), Some(&file)).await;
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 300.0,
        reconcile_grace_seconds: 0,
        temporal: Some(temporal.address().to_owned()),
        codec_keys: codec_keys.map(str::to_owned),
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let order =
        |step: u32| json!({ "customerId": CUSTOMER, "flavour": FLAVOUR, "errorOnStep": step });

    let unrefunded = gateway.place(order(6)).await;
    let unreclaimed = gateway.place(order(7)).await;
    let rejected = gateway.place_accepted(order(0)).await;
    let cancelled = gateway.place_accepted(order(0)).await;
    let ended = gateway.place_accepted(order(0)).await;
    let rejection = json!({ "event": "rejected", "reportId": "no", "reason": REJECTION });
    assert_eq!(gateway.report_all(&rejected, &rejection).await.status, 200);
    assert_eq!(gateway.cancel(&cancelled).await.status, 200);
    let terminate = [
        "workflow",
        "terminate",
        "--workflow-id",
        &format!("order-{ended}"),
    ];
    world.cli().temporal(&terminate).await;
    eventually(LATER, "the ended order is taken up", async || {
        world.cli().ok(&["reconcile"]).await;
        (gateway.order(&ended).await["status"] == "Cancelled").then_some(())
    })
    .await;
    for (id, message) in [
        (&rejected, REJECTION),
        (&cancelled, "the customer cancelled the order"),
        (&unrefunded, "the kitchen refused the order"),
        (&unreclaimed, "the kitchen refused the order"),
        (&ended, ""),
    ] {
        let order = world.finished(id).await;
        let told = order["cancelled"]["message"].as_str().expect("a reason");
        assert!(told.contains(message), "{order}");
    }
    failures_are_looked_after(&world, &unrefunded, &unreclaimed).await;
    assert_told(&world, &rejected, REJECTION).await;
    assert_told(&world, &unreclaimed, "refused to take the points back").await;
    assert_not_named(&world, codec_keys.is_some()).await;
    world.assert_audit_clean().await;

    drop(world);
    temporal.kill();
    raw(&file)
}

/// Redrives one task, in vain first, and discards the other.
async fn failures_are_looked_after(world: &World, unrefunded: &str, unreclaimed: &str) {
    let operator = world.operator();
    let refund = format!("failed-refund-payment-{unrefunded}");
    let reclaim = format!("failed-remove-loyalty-points-{unreclaimed}");
    let listed = format!("/failures?customerId={CUSTOMER}");
    eventually(SOON, "both tasks are found by their customer", async || {
        let list = operator.get(&listed).await;
        (list.text.contains(&refund) && list.text.contains(&reclaim)).then_some(())
    })
    .await;
    let shown = operator.get(&format!("/failures/{refund}")).await.text;
    for told in [CUSTOMER, "the payment provider did not refund"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let mut books = world.books().await;
    books.refuse("payments", "NEW.kind = 'refund'").await;
    let why = json!({ "reason": REDRIVE });
    let redrive = format!("/failures/{refund}/redrive");
    let answer = operator.post(&redrive, &why).await.json();
    assert_eq!(answer["outcome"], "failedAgain", "{answer}");
    let message = answer["error"]["message"].as_str().expect("a text");
    assert!(message.contains("the books are closed"), "{answer}");
    books.accept("payments").await;
    let answer = operator.post(&redrive, &why).await.json();
    assert_eq!(answer["outcome"], "done", "{answer}");
    let discard = format!("/failures/{reclaim}/discard");
    let answer = operator.post(&discard, &json!({ "reason": DISCARD })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // A refusal comes from the workflow, with its text.
    let again = operator.post(&redrive, &why).await;
    assert_eq!(again.problem(), "failure-resolved");
}

/// The timeline is told in plain words.
async fn assert_told(world: &World, order: &str, words: &str) {
    let timeline = format!("/orders/{order}/timeline");
    eventually(SOON, "the timeline has its words", async || {
        let told = world.operator().get(&timeline).await.json();
        let entries = told["entries"].as_array().expect("a list").iter();
        let mut steps = entries.filter(|entry| entry["source"] == "temporal");
        steps
            .any(|entry| entry.to_string().contains(words))
            .then_some(())
    })
    .await;
}

/// A customer is found by name where nothing is encrypted, and there alone.
async fn assert_not_named(world: &World, encrypted: bool) {
    let query = format!("CustomerId='{CUSTOMER}'");
    let list = world
        .cli()
        .temporal(&["workflow", "list", "--query", &query])
        .await;
    assert_eq!(list.contains("order-"), !encrypted, "{list}");
}

/// The database and what was not written into it yet.
fn raw(file: &Path) -> Vec<u8> {
    let folder = file.parent().expect("a folder");
    let files = fs::read_dir(folder).expect("the database").flatten();
    files
        .map(|file| fs::read(file.path()).expect("bytes"))
        .collect::<Vec<_>>()
        .concat()
}

fn found_in(database: &[u8]) -> Vec<&'static str> {
    let found = TELLTALES.into_iter().filter(|text| holds(database, text));
    found.collect()
}

/// Whether a text stands there, as it is or as base64 at any offset.
fn holds(database: &[u8], text: &str) -> bool {
    (0..3)
        .map(|offset| {
            let padded = [&b"   "[..offset], text.as_bytes()].concat();
            let coded = BASE64_STANDARD_NO_PAD.encode(&padded);
            // The characters at the ends depend on what stands beside it.
            let from = (offset * 8).div_ceil(6);
            coded[from..padded.len() * 8 / 6].to_owned().into_bytes()
        })
        .chain([text.as_bytes().to_vec()])
        .any(|needle| contains(database, &needle))
}

fn contains(database: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let starts = database
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == first);
    starts
        .map(|(at, _)| &database[at..])
        .any(|rest| rest.starts_with(needle))
}

#[test]
fn a_text_is_found_in_base64_wherever_it_begins() {
    for before in ["", "x", "xy", "xyz"] {
        let coded = BASE64_STANDARD_NO_PAD.encode(format!("{before}{FLAVOUR} and more"));
        assert!(holds(coded.as_bytes(), FLAVOUR), "{before}");
        assert!(!holds(coded.as_bytes(), REJECTION), "{before}");
    }
}

/// A browser that signed in at the gateway has its session at the codec server,
/// too.
async fn a_browser_decodes_from_the_ui_alone_until_it_signs_out(
    world: &World,
    codec_server: &str,
    ui: &str,
) {
    let browser = Browser::signed_in(world).await;
    let decode = async |origin: Option<&str>, cookie: &str| {
        let request = browser.http.post(format!("{codec_server}/decode"));
        let request = request.json(&json!({ "payloads": [] }));
        let request = request.header("cookie", cookie);
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        answer.status().as_u16()
    };
    let cookie = browser.cookie.as_str();
    assert_eq!(decode(Some(ui), cookie).await, 200);
    assert_eq!(decode(Some("http://evil.example"), cookie).await, 403);
    assert_eq!(decode(None, cookie).await, 401);
    assert_eq!(decode(Some(ui), "pizza-session=invented").await, 401);
    browser.sign_out().await;
    assert_eq!(decode(Some(ui), cookie).await, 401);
}

#[tokio::test]
async fn the_temporal_cli_reads_through_the_codec_server_and_replays_read_with_the_keys() {
    let world = World::start(Setup {
        codec_keys: Some(A.to_owned()),
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "flavour": FLAVOUR })).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let workflow = format!("order-{id}");
    let bare = world.final_history(&workflow).await;
    assert!(!bare.decoded.to_string().contains(FLAVOUR));

    let (mut events, mut encrypted) = (0, 0);
    for branch in ["", "-loyalty", "-fulfilment"] {
        let history = world.final_history(&format!("{workflow}{branch}")).await;
        let mut plain = Vec::new();
        plain_payloads(&history.printed, "", &mut plain);
        let unknown: Vec<_> = plain.iter().filter(|path| !may_be_plain(path)).collect();
        assert!(unknown.is_empty(), "{branch}: {unknown:?}");
        events += history.events().len() - history.lost_task_events();
        encrypted += history
            .printed
            .to_string()
            .matches("encryption-key-id")
            .count();
    }
    println!("a delivered order: {events} events, {encrypted} encrypted payloads in them");
    assert!(events <= MOST_EVENTS, "no more than without: {events}");

    let ui = "http://127.0.0.1:8233";
    let (server, url) = world.codec_server(ui).await;
    let show = |key: &str| {
        let auth = format!("Bearer {key}");
        let mut arguments: Vec<String> = ["temporal", "workflow", "show", "-o", "json"]
            .map(str::to_owned)
            .to_vec();
        for (flag, value) in [
            ("--workflow-id", workflow.as_str()),
            ("--codec-endpoint", &url),
            ("--codec-auth", &auth),
        ] {
            arguments.extend([flag.to_owned(), value.to_owned()]);
        }
        arguments
    };
    let run = async |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        world.cli().pizza(&arguments).await
    };
    let shown = run(show(OPERATOR_KEY)).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    let shown = crate::harness::history::History::of(shown);
    assert!(
        shown.decoded.to_string().contains(FLAVOUR),
        "{}",
        shown.decoded
    );
    let refused = run(show("pizza_op_another")).await;
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(!refused.stdout.contains(FLAVOUR), "{refused:?}");
    let from_elsewhere = gateway
        .client
        .post(format!("{url}/decode"))
        .bearer_auth(OPERATOR_KEY)
        .header("origin", "http://evil.example")
        .json(&json!({ "payloads": [] }));
    assert_eq!(gateway.send(from_elsewhere).await.status, 403);
    a_browser_decodes_from_the_ui_alone_until_it_signs_out(&world, &url, ui).await;
    let log = server.stderr();
    assert!(
        !log.contains(FLAVOUR) && !log.contains(OPERATOR_KEY),
        "{log}"
    );

    let history = bare.printed.to_string();
    let replayed = world.cli().with_input(&["replay", "-"], &history).await;
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let keyless = world.cli().without("PIZZA_CODEC_KEYS");
    let unread = keyless.with_input(&["replay", "-"], &history).await;
    assert_eq!(unread.code, Some(2), "{unread:?}");
    let all = format!("{}{}", unread.stdout, unread.stderr);
    assert!(
        all.contains("2026-a") && all.contains("--codec-keys"),
        "{all}"
    );
    let live = ["replay", "--workflow-id", &workflow];
    assert_eq!(world.cli().pizza(&live).await.code, Some(0));
    let drawn = ["status", "--file", "-"];
    let drawn = world.cli().with_input(&drawn, &history).await;
    assert!(drawn.stdout.contains("processPayment"), "{drawn:?}");
}

/// The paths of all payloads that are not encrypted.
fn plain_payloads(value: &Value, path: &str, found: &mut Vec<String>) {
    let encoding = value["metadata"]["encoding"].as_str();
    if let Some(encoding) = encoding {
        let encrypted = base64::prelude::BASE64_STANDARD.encode("binary/encrypted");
        found.extend((encoding != encrypted).then(|| path.to_owned()));
        return;
    }
    let below = |name: String, value: &Value, found: &mut Vec<String>| {
        plain_payloads(value, &format!("{path}.{name}"), found);
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| below(name.clone(), value, found)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(place, value)| below(place.to_string(), value, found)),
        _ => {}
    }
}

/// What `docs/encryption.md` says is plain: search attributes, what a local
/// activity's marker says of it, the name of a patch, and the summary that a client
/// gave.
fn may_be_plain(path: &str) -> bool {
    path.contains(".searchAttributes.indexedFields.")
        || path.contains("markerRecordedEventAttributes.details.data.")
        || path.contains("markerRecordedEventAttributes.details.patch-data.")
        || path == ".events.0.userMetadata.summary"
}

#[tokio::test]
async fn keys_change_while_orders_run_and_a_worker_that_lacks_one_catches_up_when_it_has_it() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 300.0,
        ..Setup::default()
    })
    .await;
    let plain = world.gateway().place_accepted(json!({})).await;

    // Switched on.
    world.use_codec_keys(A);
    stop(&mut world);
    world.start_all().await;
    let first = world.gateway().place_accepted(json!({})).await;

    // A gateway that writes with a key that the worker has not.
    world.use_codec_keys(&format!("{B}{A}"));
    drop(world.gateway.take());
    world.start_gateway().await;
    let second = world.gateway().place(json!({})).await;
    let workflow = format!("order-{second}");
    let failed = eventually(LATER, "the worker says which key it lacks", async || {
        let history = world.history(&workflow).await;
        history.events().iter().find_map(|event| {
            let failed = &event["workflowTaskFailedEventAttributes"];
            failed["failure"]["message"].as_str().map(str::to_owned)
        })
    })
    .await;
    assert!(failed.contains("no key has the id \"2026-b\""), "{failed}");
    assert_eq!(world.gateway().order(&second).await["status"], "Pending");

    stop(&mut world);
    world.start_all().await;
    world.start_kitchen();
    let gateway = world.gateway();
    for id in [&plain, &first, &second] {
        gateway.until(id, "DeliveryConfirmed").await;
        world.final_history(&format!("order-{id}")).await;
    }
    world.assert_audit_clean().await;

    // What each was encrypted with, the old ones with what came later.
    for (id, keys) in [
        (&plain, &["2026-b"][..]),
        (&first, &["2026-a", "2026-b"]),
        (&second, &["2026-b"]),
    ] {
        let history = world.history(&format!("order-{id}")).await;
        let printed = history.decoded.to_string();
        for key in keys {
            assert!(uses(&history.printed, key), "{id} {key}: {printed}");
        }
    }
}

#[tokio::test]
async fn an_order_whose_key_is_lost_is_rolled_back_by_the_books_under_a_new_one() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 300.0,
        reconcile_grace_seconds: 0,
        codec_keys: Some(A.to_owned()),
        ..Setup::default()
    })
    .await;
    let lost = world.gateway().place_accepted(json!({})).await;
    world.use_codec_keys(B);
    stop(&mut world);
    world.start_all().await;

    // Neither the order nor the schedule of its reconciliation can be read.
    let workflow = format!("order-{lost}");
    let terminate = ["workflow", "terminate", "--workflow-id", &workflow];
    world.cli().temporal(&terminate).await;
    let order = eventually(LATER, "the order is taken up", async || {
        world.cli().ok(&["reconcile"]).await;
        let order = world.gateway().order(&lost).await;
        (order["status"] == "Cancelled").then_some(order)
    })
    .await;
    assert_eq!(order["cancelled"]["code"], "workflow-terminated", "{order}");
    let order = world.finished(&lost).await;
    assert_eq!(order["money"], "refunded", "{order}");
    world.assert_audit_clean().await;
    let schedule = ["schedule", "describe", "--schedule-id", "reconcile-orders"];
    let schedule = world.cli().temporal_json(&schedule).await;
    assert!(
        uses(&schedule, "2026-b") && !uses(&schedule, "2026-a"),
        "{schedule}"
    );
    let told = world
        .operator()
        .get(&format!("/orders/{lost}/timeline"))
        .await;
    assert_eq!(told.status, 200, "{told:?}");
}

/// Stops worker and gateway.
fn stop(world: &mut World) {
    drop(world.worker.take());
    drop(world.gateway.take());
}

/// Whether something of a history is encrypted with a key.
fn uses(history: &Value, key: &str) -> bool {
    let id = base64::prelude::BASE64_STANDARD.encode(key);
    history
        .to_string()
        .contains(&format!("\"encryption-key-id\":\"{id}\""))
}
