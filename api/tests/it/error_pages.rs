//! Where the `type` of a problem leads.

use pizza_contract::ErrorCode;

use crate::support::{TestGateway, problem};

#[tokio::test]
async fn a_problems_type_leads_to_its_page() {
    let gateway = TestGateway::start().await;
    let problem = problem(gateway.post("/orders", "{\"quantity\":0}").await).await;
    let page = gateway.get(problem["type"].as_str().expect("a type")).await;
    assert_eq!(page.status(), 200);
    assert_eq!(
        page.headers()["content-type"],
        "text/markdown; charset=utf-8"
    );
    let page = page.text().await.expect("text");
    assert!(page.starts_with("# out-of-range\n"), "{page}");

    let index = gateway.get("/errors").await.text().await.expect("text");
    for code in ErrorCode::ALL {
        let code = code.as_str();
        assert!(index.contains(&format!("[{code}]({code}.md)")), "{code}");
        assert_eq!(gateway.get(&format!("/errors/{code}")).await.status(), 200);
    }
    let linked = gateway.get("/errors/forbidden.md").await;
    assert_eq!(linked.status(), 200);
}

#[tokio::test]
async fn a_browser_is_shown_a_page_that_can_do_nothing() {
    let gateway = TestGateway::start().await;
    let request = gateway.http.get(gateway.url("/errors/unauthenticated"));
    let request = request.header("accept", "text/html,application/xhtml+xml;q=0.9");
    let page = request.send().await.expect("an answer");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = page.text().await.expect("text");
    assert!(page.contains("Bearer &lt;key&gt;"), "{page}");
}

#[tokio::test]
async fn there_is_no_page_for_what_is_no_code() {
    let gateway = TestGateway::start().await;
    for code in ["teapot", "README", "..%2f..%2fCargo.toml", "%ff"] {
        let answer = gateway.get(&format!("/errors/{code}")).await;
        assert!([400, 404].contains(&answer.status().as_u16()), "{code}");
        problem(answer).await;
    }
}

#[tokio::test]
async fn where_clients_know_the_gateway_by_a_url_the_type_is_absolute() {
    let gateway = TestGateway::with(|gateway| {
        gateway.public_url = Some("https://pizza.example/shop".parse().expect("a URL"));
    })
    .await;
    let answer = gateway.get("/orders/1").await;
    let problem: serde_json::Value = answer.json().await.expect("JSON");
    let expected = "https://pizza.example/shop/errors/invalid-order-id";
    assert_eq!(problem["type"], expected);
}
