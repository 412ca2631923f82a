//! What forms may hold, and who is told.

use crate::operator_pages::Browser;
use crate::support::TestGateway;

const FORMS: [&str; 4] = [
    "/kitchen/pause",
    "/kitchen/board/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11",
    "/operator/bulk",
    "/operator/queues/refund-payment/policy",
];

#[tokio::test]
async fn whoever_lacks_the_right_is_told_so_before_the_form_is_read() {
    let gateway = TestGateway::start().await;
    let twice = [("event", "cooked"), ("event", "cooked")];
    let stranger = Browser::at(&gateway);
    let operator = Browser::operator(&gateway).await;
    for form in FORMS {
        let answer = stranger.post(form, &twice, &[]).await;
        assert_eq!(answer.status, 401, "{form}: {}", answer.text);
        let answer = operator.post(form, &twice, &[]).await;
        assert_eq!(answer.status, 400, "{form}");
        assert!(answer.text.contains("is given twice"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_form_is_as_large_as_json_may_be_and_has_few_fields() {
    let gateway = TestGateway::start().await;
    let stranger = Browser::at(&gateway);
    // With its name and the sign after it, `key=…` is as large as is allowed.
    let longest = "k".repeat(16 * 1024 - 4);
    let answer = stranger.post("/sign-in", &[("key", &longest)], &[]).await;
    assert_eq!(answer.status, 401, "it is read");
    let longer = format!("{longest}k");
    let answer = stranger.post("/sign-in", &[("key", &longer)], &[]).await;
    assert_eq!(answer.status, 413);
    assert!(
        answer
            .text
            .contains("the body may have at most 16384 bytes"),
        "{}",
        answer.text
    );
    let names: Vec<String> = (0..33).map(|number| format!("f{number}")).collect();
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let answer = stranger.post("/sign-in", &fields, &[]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("at most 32 fields"), "{}", answer.text);
}
