//! The operators' pages over HTTP, with Temporal away: who is let in, what is
//! refused, and what the books tell.

use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use pizza_store::{StoreOptions, now_ms};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use sse_stream::SseStream;
use tokio::time::timeout;

use crate::shop::{Shop, Written, id};
use crate::support::{KITCHEN_KEY, OPERATOR_KEY, TestGateway};

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most that a page's first answer may have.
const LARGEST_PAGE: usize = 50_000;

const TASK: &str = "/operator/tasks/failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// What people write, and what must not become part of a page.
const NASTY: &str = "<script>alert(1)</script> \"' & 🍕 \u{202e}drawkcab שלום";

const PAGES: [&str; 8] = [
    "/operator",
    "/operator/tasks",
    "/operator/tasks?queue=refund-payment&state=done",
    TASK,
    "/operator/queues/refund-payment",
    "/operator/bulk?action=redrive",
    "/operator/audit",
    "/operator/orders",
];

/// Somebody's browser: it keeps its cookie, and follows no redirect.
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    pub(crate) cookie: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// What the forms of the page carry.
    fn form_token(&self) -> String {
        let (_, after) = self
            .text
            .split_once("name=\"formToken\" value=\"")
            .unwrap_or_else(|| panic!("no form: {}", self.text));
        after.split('"').next().expect("its end").to_owned()
    }
}

impl Browser {
    pub(crate) fn at(gateway: &TestGateway) -> Self {
        crate::support::choose_cryptography();
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            http: http.build().expect("a client"),
            base: gateway.url(""),
            cookie: None,
        }
    }

    /// One who signed in with this key.
    pub(crate) async fn signed_in(gateway: &TestGateway, key: &str) -> Self {
        let mut browser = Self::at(gateway);
        let answer = browser.post("/sign-in", &[("key", key)], &[]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("set-cookie");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().map(str::to_owned);
        browser
    }

    pub(crate) async fn operator(gateway: &TestGateway) -> Self {
        Self::signed_in(gateway, OPERATOR_KEY).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let mut request = request.header("accept", "text/html,*/*;q=0.8");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("text"),
        }
    }

    /// Opens a stream of what a page shows.
    pub(crate) async fn stream(&self, path: &str) -> reqwest::Response {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base)))
            .await
    }

    /// Sends a form with these fields, and headers on top.
    pub(crate) async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Sends a form of a page that this browser was shown.
    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.get("/operator").await.form_token();
        let mut all = vec![("formToken", token.as_str())];
        all.extend(fields);
        self.post(path, &all, &[]).await
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_there_and_back() {
    let gateway = TestGateway::start().await;
    let browser = Browser::at(&gateway);
    for path in PAGES {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        let sign_in = format!("/sign-in?next={next}");
        assert_eq!(answer.header("location"), sign_in, "{path}");
        let page = browser.get(answer.header("location")).await;
        assert_eq!(page.status, 200, "{path}");
        let kept = format!("name=\"next\" value=\"{}\"", path.replace('&', "&amp;"));
        assert!(page.text.contains(&kept), "{path}: {}", page.text);
    }
    // An event stream is no page, and nobody is led away from it.
    let request = gateway.http.get(gateway.url("/operator/live"));
    let request = request.header("accept", "text/event-stream");
    assert_eq!(request.send().await.expect("an answer").status(), 401);
    for path in ["/redrive", "/discard"] {
        let path = format!("{TASK}{path}");
        let answer = browser.post(&path, &[("reason", "x")], &[]).await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_opens_nothing_and_is_told() {
    let gateway = TestGateway::start().await;
    let browser = Browser::at(&gateway);
    for key in ["", "pizza_op_another", &format!("{OPERATOR_KEY}x")] {
        let fields = [("key", key), ("next", "/operator")];
        let answer = browser.post("/sign-in", &fields, &[]).await;
        assert_eq!(answer.status, 401, "{key}");
        assert_eq!(answer.header("set-cookie"), "", "{key}");
        assert!(answer.text.contains("role=\"alert\""), "{}", answer.text);
        assert!(answer.text.contains("value=\"/operator\""), "{key}");
        assert!(key.is_empty() || !answer.text.contains(key), "{key}");
    }
}

#[tokio::test]
async fn a_kitchens_key_is_not_an_operators() {
    let gateway = TestGateway::start().await;
    let browser = Browser::signed_in(&gateway, KITCHEN_KEY).await;
    for path in PAGES {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("not an operator"), "{}", answer.text);
        assert!(answer.text.contains("Sign out"), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_address_of_a_form_leads_to_its_page() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    for (form, page) in [
        (format!("{TASK}/redrive"), TASK),
        ("/kitchen/board/7".to_owned(), "/kitchen"),
        ("/shop/orders".to_owned(), "/"),
        ("/operator/".to_owned(), "/operator"),
    ] {
        let answer = browser.get(&form).await;
        assert_eq!(answer.status, 303, "{form}: {answer:?}");
        assert_eq!(answer.header("location"), page, "{form}");
    }
}

#[tokio::test]
async fn whoever_is_signed_out_meanwhile_is_led_back_from_a_form() {
    let gateway = TestGateway::start().await;
    let browser = Browser::at(&gateway);
    let form = format!("{TASK}/redrive");
    let answer = browser.post(&form, &[], &[]).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let next: String = url::form_urlencoded::byte_serialize(form.as_bytes()).collect();
    let sign_in = format!("href=\"/sign-in?next={next}\"");
    assert!(answer.text.contains(&sign_in), "{}", answer.text);
    assert!(!answer.text.contains("Bearer"), "{}", answer.text);
}

#[tokio::test]
async fn each_role_begins_on_its_own_page() {
    let gateway = TestGateway::start().await;
    for (key, page) in [(OPERATOR_KEY, "/operator"), (KITCHEN_KEY, "/kitchen")] {
        let browser = Browser::at(&gateway);
        let answer = browser.post("/sign-in", &[("key", key)], &[]).await;
        assert_eq!(answer.header("location"), page, "{answer:?}");
    }
}

#[tokio::test]
async fn a_form_that_is_not_of_the_session_is_refused() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    let other = Browser::operator(&gateway).await;
    let own = browser.get("/operator").await.form_token();
    let foreign = other.get("/operator").await.form_token();
    assert_ne!(own, foreign);
    for path in [
        &format!("{TASK}/redrive"),
        &format!("{TASK}/discard"),
        "/operator/bulk",
        "/operator/queues/refund-payment/policy",
        "/operator/bulk/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/stop",
        "/sign-out",
    ] {
        let fields = [("action", "redrive"), ("reason", "paid by hand")];
        for token in [None, Some(""), Some("x"), Some(foreign.as_str())] {
            let mut fields = fields.to_vec();
            fields.extend(token.map(|token| ("formToken", token)));
            let answer = browser.post(path, &fields, &[]).await;
            assert_eq!(answer.status, 403, "{path} {token:?}: {answer:?}");
        }
        let mut fields = fields.to_vec();
        fields.push(("formToken", &own));
        for headers in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = browser.post(path, &fields, &[headers]).await;
            assert_eq!(answer.status, 403, "{path} {headers:?}: {answer:?}");
        }
    }
    // None of these signed the browser out.
    assert_eq!(browser.get("/operator").await.status, 200);
    let origin = gateway.url("");
    let headers = [
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let fields = [("formToken", own.as_str())];
    let answer = browser.post("/sign-out", &fields, &headers).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[tokio::test]
async fn signing_out_ends_the_session_at_every_gateway() {
    let gateway = TestGateway::start().await;
    let options = StoreOptions::new(gateway.store_url.clone());
    let other = TestGateway::on(options, |_| {}).await;
    let browser = Browser::operator(&gateway).await;
    let elsewhere = Browser {
        cookie: browser.cookie.clone(),
        ..Browser::at(&other)
    };
    assert_eq!(elsewhere.get("/operator").await.status, 200);
    let order = Written {
        status: "PaymentComplete",
        ..Written::default()
    };
    let order_page = format!("/shop/orders/{}/live", order.id);
    Shop::of(&gateway).await.order(order).await;
    let mut streams = [
        stream(&elsewhere, "/operator/live").await,
        stream(&elsewhere, &order_page).await,
    ];
    for stream in &mut streams {
        assert!(next(stream).await.is_some(), "the parts as they are");
    }
    let answer = browser.submit("/sign-out", &[]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    for browser in [&browser, &elsewhere] {
        let answer = browser.get("/operator").await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(answer.header("location").starts_with("/sign-in"));
    }
    // Nor does what was open go on.
    for stream in &mut streams {
        while let Some(event) = next(stream).await {
            if event.event.as_deref() == Some("end") {
                break;
            }
        }
    }
}

type Events = Pin<Box<SseStream<reqwest::Body>>>;

async fn stream(browser: &Browser, path: &str) -> Events {
    let request = browser.http.get(format!("{}{path}", browser.base));
    let cookie = browser.cookie.as_deref().expect("a session");
    let response = request.header("cookie", cookie).send().await;
    let response = response.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Box::pin(SseStream::new(response.into()))
}

async fn next(events: &mut Events) -> Option<sse_stream::Sse> {
    let event = timeout(PATIENCE, events.next()).await.expect("in time")?;
    Some(event.expect("an event"))
}

#[tokio::test]
async fn while_temporal_is_away_the_books_tell_what_waits() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    let page = browser.get("/operator").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(
        page.text.contains("Temporal cannot be reached"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Nothing waits"), "{}", page.text);
    let mut events = stream(&browser, "/operator/live").await;
    next(&mut events).await.expect("the parts as they are");
    let mut shop = Shop::of(&gateway).await;
    task(&mut shop, 1, "parked", "NULL").await;
    let event = next(&mut events).await.expect("the parts anew");
    let data = event.data.expect("data");
    assert!(data.contains("data-depth=\\\"1\\\""), "{data}");
    let page = browser.get("/operator").await;
    assert!(page.text.contains("data-depth=\"1\""), "{}", page.text);
    assert!(!page.text.contains("Nothing waits"), "{}", page.text);
    for path in ["/operator/tasks", TASK, "/operator/bulk?action=redrive"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(page.text.contains("Temporal"), "{}", page.text);
    }
}

/// Books a task of the order with this number.
async fn task(shop: &mut Shop, number: u32, state: &str, reason: &str) {
    let order = id(number);
    let resolved = match state {
        "parked" => "NULL, NULL".to_owned(),
        _ => format!("{}, 'ann'", now_ms() - i64::from(number) * 1000),
    };
    shop.execute(&format!(
        "INSERT INTO failed_tasks (task_id, order_id, customer_id, queue, message_type, state, \
         parked_at_ms, resolved_at_ms, resolved_by, reason) \
         VALUES ('failed-refund-payment-{order}', '{order}', 'ben', 'refund-payment', \
         'RefundPaymentFailed', '{state}', 1, {resolved}, {reason})"
    ))
    .await;
}

#[tokio::test]
async fn the_audit_trail_tells_who_did_what_page_by_page() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    let empty = browser.get("/operator/audit").await;
    assert!(empty.text.contains("Nobody has had to repair"), "{empty:?}");
    let mut shop = Shop::of(&gateway).await;
    let reason = format!("'{}'", NASTY.replace('\'', "''"));
    task(&mut shop, 1, "discarded", &reason).await;
    for number in 2..=25 {
        task(&mut shop, number, "done", "NULL").await;
    }
    let page = browser.get("/operator/audit").await;
    assert_eq!(page.status, 200);
    assert!(page.text.len() < LARGEST_PAGE, "{}", page.text.len());
    assert_eq!(page.text.matches("data-task=").count(), 20);
    assert!(page.text.contains("<bdi>ann</bdi>"), "{}", page.text);
    assert!(page.text.contains("let go"), "{}", page.text);
    let many = "What was done to many tasks at once, Temporal knows";
    assert!(page.text.contains(many), "{}", page.text);
    is_escaped(&page.text);
    let (_, after) = page.text.split_once("rel=\"next\" href=\"").expect("more");
    let next = after.split('"').next().expect("its end");
    let page = browser.get(&next.replace("&amp;", "&")).await;
    assert_eq!(page.text.matches("data-task=").count(), 5);
    assert!(!page.text.contains("rel=\"next\""));
    let page = browser.get("/operator/audit?cursor=x").await;
    assert_eq!(page.status, 422);
}

/// What people wrote is in the page as a text, apart from those around it.
fn is_escaped(page: &str) {
    assert!(!page.contains("<script>alert"), "{page}");
    let text = NASTY.replace('&', "&amp;");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace('"', "&quot;");
    assert!(page.contains(&format!("<bdi>{text}</bdi>")), "{page}");
}

#[tokio::test]
async fn orders_are_found_by_id_customer_and_status() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    let empty = browser.get("/operator/orders").await;
    assert!(empty.text.contains("Nobody has ordered yet"), "{empty:?}");
    let mut shop = Shop::of(&gateway).await;
    let nasty = NASTY.replace('\'', "''");
    for number in 0..60 {
        let (customer, status) = match number % 3 {
            0 => ("ann", "Cancelled"),
            _ => ("ben", "DeliveryConfirmed"),
        };
        let order = Written {
            id: &id(number),
            customer,
            flavour: if number == 59 { &nasty } else { "plain" },
            status,
            cancel_step: if number % 3 == 0 { "prepareOrder" } else { "" },
            placed_at_ms: 1_763_810_000_000 + i64::from(number),
        };
        shop.order(order).await;
    }
    let count = |page: &Answer| page.text.matches("data-order=").count();
    let all = browser.get("/operator/orders").await;
    assert_eq!((all.status, count(&all)), (200, 25));
    assert!(all.text.len() < LARGEST_PAGE, "{}", all.text.len());
    is_escaped(&all.text);
    let cancelled = browser
        .get("/operator/orders?status=Cancelled&search=ann")
        .await;
    assert_eq!(count(&cancelled), 20);
    assert!(!cancelled.text.contains("rel=\"next\""));
    let failed = browser
        .get("/operator/orders?failedStep=prepareOrder")
        .await;
    assert_eq!(count(&failed), 20);
    // 2025-11-22 11:13:20 UTC, all of them.
    let within = "placedAfter=2025-11-22T11:13&placedBefore=2025-11-22T11:14";
    let within = browser.get(&format!("/operator/orders?{within}")).await;
    assert_eq!(count(&within), 25);
    let next = "placedAfter=2025-11-22T11%3A13&amp;placedBefore=2025-11-22T11%3A14&amp;cursor=";
    assert!(within.text.contains(next), "{}", within.text);
    for beyond in [
        "placedAfter=2025-11-22T11:14",
        "placedBefore=2025-11-22T11:13",
    ] {
        let beyond = browser.get(&format!("/operator/orders?{beyond}")).await;
        assert_eq!((beyond.status, count(&beyond)), (200, 0));
    }
    let all = "placedAfter=2025-11-22&placedBefore=9999-12-31T23:59";
    let all = browser.get(&format!("/operator/orders?{all}")).await;
    assert_eq!((all.status, count(&all)), (200, 25));
    assert!(
        all.text.contains("value=\"2025-11-22T00:00\""),
        "{}",
        all.text
    );
    let none = browser.get("/operator/orders?search=nobody").await;
    assert!(none.text.contains("There are no such orders"), "{none:?}");
    let found = browser
        .get(&format!("/operator/orders?search={}", id(7)))
        .await;
    assert_eq!(found.status, 303, "{found:?}");
    assert_eq!(found.header("location"), format!("/orders/{}", id(7)));
    for (query, field) in [
        ("search=a%20b", "search"),
        ("status=Lost", "status"),
        ("failedStep=x", "failedStep"),
        ("placedAfter=yesterday", "placedAfter"),
        ("placedBefore=2025-02-30T00:00", "placedBefore"),
        ("placedBefore=2025-11-22T11:13:20%2B25:99", "placedBefore"),
    ] {
        let refused = browser.get(&format!("/operator/orders?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
        assert!(refused.text.contains("role=\"alert\""), "{query}");
        assert!(refused.text.contains(field), "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_beside_what_was_typed() {
    let gateway = TestGateway::start().await;
    let browser = Browser::operator(&gateway).await;
    for (query, status) in [
        ("queue=refunds&errorCode=kept", 422),
        ("olderThanSeconds=soon&errorCode=kept", 400),
        ("orderId=1&errorCode=kept", 400),
        ("cursor=x&errorCode=kept", 422),
    ] {
        let page = browser.get(&format!("/operator/tasks?{query}")).await;
        assert_eq!(page.status, status, "{query}: {}", page.text);
        assert!(page.text.contains("role=\"alert\""), "{query}");
        assert!(page.text.contains("value=\"kept\""), "{query}");
    }
    for (path, status) in [
        ("/operator/tasks?state=lost", 422),
        ("/operator/tasks/1", 404),
        ("/operator/queues/refunds", 404),
        ("/operator/bulk", 422),
        ("/operator/bulk/1", 404),
        ("/operator/nothing", 404),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, status, "{path}: {}", page.text);
        assert!(page.text.starts_with("<!DOCTYPE html>"), "{path}");
        assert!(page.text.contains("Sign out"), "{path}: {}", page.text);
    }
    let explained = browser.get("/errors/order-cooking").await;
    assert!(explained.text.contains("Sign out"), "{}", explained.text);
}
