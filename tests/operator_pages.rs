//! What operators do on their pages, to real tasks.

use reqwest::redirect::Policy;
use serde_json::json;

use crate::harness::world::OPERATOR_KEY;
use crate::harness::{LATER, SOON, Setup, World, eventually};

/// What people write, and what must not become part of a page.
const NASTY: &str = "<script>alert(1)</script> & 🍕 \u{202e}drawkcab שלום";

/// An operator's browser: it keeps its cookie, and follows no redirect.
pub(crate) struct Browser {
    pub(crate) http: reqwest::Client,
    base: String,
    pub(crate) cookie: String,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    location: String,
    text: String,
}

impl Answer {
    /// The value of the first hidden field with this name in the form that
    /// follows `form`.
    fn hidden(&self, form: &str, name: &str) -> String {
        let (_, page) = self.text.split_once(form).unwrap_or_else(|| {
            panic!("no {form}: {}", self.text);
        });
        let field = format!("type=\"hidden\" name=\"{name}\" value=\"");
        let (_, value) = page.split_once(&field).expect("the field");
        value.split('"').next().expect("its end").to_owned()
    }
}

impl Browser {
    pub(crate) async fn signed_in(world: &World) -> Self {
        temporalio_common::telemetry::ensure_default_crypto_provider();
        let http = reqwest::Client::builder().redirect(Policy::none());
        let http = http.build().expect("a client");
        let base = world.gateway_url().to_owned();
        let request = http
            .post(format!("{base}/sign-in"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("key={OPERATOR_KEY}&next=/operator"));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        Self { http, base, cookie }
    }

    /// Ends its session.
    pub(crate) async fn sign_out(&self) {
        let page = self.page("/operator").await;
        let token = page.hidden("action=\"/sign-out\"", "formToken");
        let answer = self.post("/sign-out", &[("formToken", &token)]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.header("cookie", &self.cookie);
        let response = request.header("accept", "text/html").send().await;
        let response = response.expect("an answer");
        let location = response.headers().get("location");
        Answer {
            status: response.status().as_u16(),
            location: location.map_or_else(String::new, |it| it.to_str().expect("text").to_owned()),
            text: response.text().await.expect("text"),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base)))
            .await
    }

    /// A page that is there.
    async fn page(&self, path: &str) -> Answer {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = self.http.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.finish())).await
    }

    /// Sends the form of a page that follows `form`, with these fields.
    async fn submit(
        &self,
        page: &Answer,
        form: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let token = page.hidden(form, "formToken");
        let key = page.hidden(form, "key");
        let mut all = vec![("formToken", token.as_str()), ("key", key.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }
}

/// Places an order whose step fails, waits for its end, and gives its id.
async fn failed_order(world: &World, error_on_step: u32, customer: &str) -> String {
    let order = json!({ "errorOnStep": error_on_step, "customerId": customer });
    let id = world.gateway().place(order).await;
    world.finished(&id).await;
    id
}

#[tokio::test]
async fn a_refund_is_run_again_on_its_page_and_twice_sent_is_once_done() {
    let world = World::shared().await;
    let browser = Browser::signed_in(&world).await;
    let order = failed_order(&world, 6, "guest").await;
    let task = format!("failed-refund-payment-{order}");
    let path = format!("/operator/tasks/{task}");
    let list = format!("/operator/tasks?queue=refund-payment&orderId={order}");
    eventually(SOON, "the task is listed", async || {
        let page = browser.page(&list).await;
        assert!(!page.text.contains("no worker tells more"), "{page:?}");
        page.text.contains(&path).then_some(())
    })
    .await;
    let queues = browser.page("/operator").await;
    assert!(
        queues.text.contains("data-queue=\"refund-payment\""),
        "{queues:?}"
    );

    // Whoever may repair it gets there from the order.
    let own = browser.page(&format!("/orders/{order}")).await;
    assert!(own.text.contains(&path), "{}", own.text);
    let stranger = Browser {
        cookie: String::new(),
        ..Browser::signed_in(&world).await
    };
    let seen = stranger.page(&format!("/orders/{order}")).await;
    assert!(seen.text.contains("refund-payment"), "{}", seen.text);
    assert!(!seen.text.contains(&path), "{}", seen.text);

    let page = browser.page(&path).await;
    for told in [
        "data-state=\"waiting\"",
        "12.00",
        "back to the customer",
        &format!("/orders/{order}"),
        "&quot;amount&quot;: 1200",
        "Nobody has done anything to it",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    let redrive = format!("{path}/redrive");
    for _ in 0..2 {
        let fields = [("reason", "the provider is back")];
        let answer = browser
            .submit(&page, "id=\"redrive\"", &redrive, &fields)
            .await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(answer.location, path);
    }
    let page = browser.page(&path).await;
    assert!(page.text.contains("data-state=\"done\""), "{}", page.text);
    assert!(page.text.contains("the provider is back"), "{}", page.text);
    assert!(!page.text.contains("id=\"discard\""), "{}", page.text);
    let shown = world.operator().get(&format!("/failures/{task}")).await;
    let shown = shown.json();
    assert_eq!(shown["audit"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(shown["audit"][0]["principal"], "journeys", "{shown}");
    let order = world.gateway().order(&order).await;
    assert_eq!(order["money"], "refunded", "{order}");

    eventually(SOON, "the audit trail tells", async || {
        let trail = browser.page("/operator/audit").await;
        trail.text.contains(&task).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_task_is_let_go_with_a_reason_and_not_without() {
    let world = World::shared().await;
    let browser = Browser::signed_in(&world).await;
    let order = failed_order(&world, 3, "guest").await;
    let path = format!("/operator/tasks/failed-add-loyalty-points-{order}");
    let discard = format!("{path}/discard");
    let page = browser.page(&path).await;
    assert!(
        page.text.contains("12 points to the customer"),
        "{}",
        page.text
    );
    let form = "id=\"discard\"";
    for (reason, kept) in [("", ""), (" ", "value=\" \"")] {
        let fields = [("reason", reason)];
        let refused = browser.submit(&page, form, &discard, &fields).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text.contains("role=\"alert\""), "{}", refused.text);
        assert!(refused.text.contains(kept), "{}", refused.text);
        assert!(refused.text.contains("data-state=\"waiting\""));
    }
    let done = browser
        .submit(&page, form, &discard, &[("reason", NASTY)])
        .await;
    assert_eq!(done.status, 303, "{done:?}");
    let escaped = NASTY.replace('&', "&amp;");
    let escaped = escaped.replace('<', "&lt;").replace('>', "&gt;");
    let escaped = format!("<bdi>{escaped}</bdi>");
    let page = browser.page(&path).await;
    assert!(
        page.text.contains("data-state=\"discarded\""),
        "{}",
        page.text
    );
    assert!(page.text.contains(&escaped), "{}", page.text);
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    eventually(SOON, "the audit trail tells", async || {
        let trail = browser.page("/operator/audit").await;
        assert!(!trail.text.contains("<script>alert"), "{}", trail.text);
        trail.text.contains(&escaped).then_some(())
    })
    .await;
    // What is over cannot be asked for once more.
    let again = [
        ("formToken", page.hidden("class=\"who\"", "formToken")),
        ("reason", "once more".to_owned()),
    ];
    let again = again
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let refused = browser.post(&discard, &again).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.text.contains("already closed"), "{}", refused.text);
}

#[tokio::test]
async fn a_corrected_input_that_is_refused_stays_as_it_was_typed() {
    let world = World::shared().await;
    let browser = Browser::signed_in(&world).await;
    let order = failed_order(&world, 7, "guest").await;
    let path = format!("/operator/tasks/failed-remove-loyalty-points-{order}");
    let redrive = format!("{path}/redrive");
    let page = browser.page(&path).await;
    let form = "id=\"correct\"";
    for (input, status, told) in [
        ("{\"points\": ", 400, "not a JSON object"),
        ("{\"points\":1,\"points\":2}", 400, "given twice"),
        ("{\"points\": 999999}", 422, "must be the order"),
        ("{\"tip\": 3}", 422, "idempotencyKey"),
    ] {
        let fields = [("input", input), ("reason", "kept & safe")];
        let refused = browser.submit(&page, form, &redrive, &fields).await;
        assert_eq!(refused.status, status, "{input}: {refused:?}");
        assert!(refused.text.contains(told), "{input}: {}", refused.text);
        let kept = input.replace('"', "&quot;");
        assert!(refused.text.contains(&kept), "{input}: {}", refused.text);
        assert!(refused.text.contains("value=\"kept &amp; safe\""));
    }
    let (_, input) = page.text.split_once("<textarea").expect("a text area");
    let (_, input) = input.split_once('>').expect("its text");
    let (input, _) = input.split_once("</textarea>").expect("its end");
    let input = input.replace("&quot;", "\"");
    let done = browser
        .submit(&page, form, &redrive, &[("input", &input)])
        .await;
    assert_eq!(done.status, 303, "{done:?}");
    let page = browser.page(&path).await;
    assert!(page.text.contains("data-state=\"done\""), "{}", page.text);
    assert!(page.text.contains("with another input"), "{}", page.text);
}

#[tokio::test]
async fn many_tasks_are_looked_at_and_then_run_again() {
    let world = World::start(Setup::default()).await;
    let browser = Browser::signed_in(&world).await;
    for _ in 0..3 {
        failed_order(&world, 7, "ann").await;
    }
    failed_order(&world, 7, "ben").await;
    let preview = "/operator/bulk?action=redrive&customerId=ann";
    let page = eventually(SOON, "three tasks are listed", async || {
        let page = browser.page(preview).await;
        page.text.contains("Run again: 3 tasks").then_some(page)
    })
    .await;
    let start = "id=\"start\"";
    let fields = [
        ("action", "redrive"),
        ("customerId", "ann"),
        ("reason", NASTY),
        ("ratePerSecond", "1000"),
    ];
    let refused = browser
        .submit(&page, start, "/operator/bulk", &fields)
        .await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.text.contains("must be from 0.1 to 100"),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("value=\"1000\""), "{}", refused.text);
    // A filter that is forgotten is none that fits all.
    let fields = [("action", "redrive")];
    let refused = browser
        .submit(&page, start, "/operator/bulk", &fields)
        .await;
    assert_eq!(refused.status, 422, "{refused:?}");

    let fields = [
        ("action", "redrive"),
        ("customerId", "ann"),
        ("reason", NASTY),
    ];
    let started = browser
        .submit(&page, start, "/operator/bulk", &fields)
        .await;
    assert_eq!(started.status, 303, "{started:?}");
    let again = browser
        .submit(&page, start, "/operator/bulk", &fields)
        .await;
    assert_eq!(again.location, started.location, "it is the same operation");
    let page = eventually(LATER, "the operation is through", async || {
        let page = browser.page(&started.location).await;
        page.text.contains("data-state=\"through\"").then_some(page)
    })
    .await;
    assert!(page.text.contains("3 of 3 tasks"), "{}", page.text);
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(!page.text.contains("id=\"stop\""), "{}", page.text);
    eventually(SOON, "one task is left", async || {
        let page = browser.page("/operator/tasks").await;
        (page.text.matches("data-task=").count() == 1).then_some(())
    })
    .await;
    eventually(SOON, "the operation is listed", async || {
        let page = browser.page("/operator/audit").await;
        let (_, listed) = page.text.split_once("data-operation=")?;
        let is_told = listed.contains(&started.location) && listed.contains("3 of 3 tasks");
        is_told.then_some(())
    })
    .await;
    one_queue_is_emptied_by_its_policy(&world, &browser).await;
}

/// The last task, ben's, is run again by itself.
async fn one_queue_is_emptied_by_its_policy(world: &World, browser: &Browser) {
    let queue = "/operator/queues/remove-loyalty-points";
    let page = browser.page(queue).await;
    assert!(
        page.text.contains("never run again by themselves"),
        "{}",
        page.text
    );
    let token = page.hidden("id=\"change\"", "formToken");
    let set = async |first_wait: &str| {
        let fields = [
            ("formToken", token.as_str()),
            ("auto", "on"),
            ("firstWaitSeconds", first_wait),
            ("backoff", "2"),
            ("longestWaitSeconds", "60"),
            ("maxAttempts", "10"),
            ("maxAgeSeconds", "86400"),
            ("reason", "nights"),
        ];
        browser.post(&format!("{queue}/policy"), &fields).await
    };
    for (wrong, status) in [("soon", 400), ("0.01", 422)] {
        let refused = set(wrong).await;
        assert_eq!(refused.status, status, "{refused:?}");
        let kept = format!("value=\"{wrong}\"");
        assert!(refused.text.contains(&kept), "{}", refused.text);
    }
    let answer = set("0.5").await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let page = browser.page(queue).await;
    assert!(page.text.contains("10 times at most"), "{}", page.text);
    assert!(page.text.contains("nights"), "{}", page.text);
    eventually(LATER, "nothing waits", async || {
        let page = browser.page("/operator").await;
        page.text.contains("Nothing waits").then_some(())
    })
    .await;
    let queues = world.operator().get("/failure-queues").await.json();
    let queues = queues["queues"].as_array().expect("queues").clone();
    assert!(queues.iter().all(|queue| queue["depth"] == 0), "{queues:?}");
}
