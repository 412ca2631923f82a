//! Ways into the Temporal UI, where there is one.

use maud::{Markup, html};
use url::Url;

use super::layout::Site;

/// A workflow's id, linked to what the Temporal UI shows of it.
pub(super) fn temporal_link(site: &Site<'_>, workflow_id: &str) -> Markup {
    linked(site, workflow_id, html! { span.id { (workflow_id) } })
}

/// Anything, linked to what the Temporal UI shows of a workflow; as it is
/// where there is no UI.
pub(super) fn linked(site: &Site<'_>, workflow_id: &str, what: Markup) -> Markup {
    let gateway = &site.app.gateway;
    let namespace = gateway.use_cases.temporal.namespace();
    let ui = gateway.temporal_ui.as_ref();
    match ui.and_then(|ui| workflow(ui, namespace, workflow_id)) {
        Some(url) => html! { a href=(url) title="in the Temporal UI" { (what) } },
        None => what,
    }
}

/// Where the UI shows a workflow.
fn workflow(ui: &Url, namespace: &str, workflow_id: &str) -> Option<Url> {
    let mut url = ui.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend([
        "namespaces",
        namespace,
        "workflows",
        workflow_id,
    ]);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_a_page_of_the_ui_wherever_that_is_served() {
        for (ui, page) in [
            (
                "http://127.0.0.1:8233",
                "http://127.0.0.1:8233/namespaces/a%20b/workflows/order-1",
            ),
            (
                "https://pizza.example/temporal/",
                "https://pizza.example/temporal/namespaces/a%20b/workflows/order-1",
            ),
        ] {
            let ui: Url = ui.parse().expect("a URL");
            let url = workflow(&ui, "a b", "order-1").map(String::from);
            assert_eq!(url.as_deref(), Some(page));
        }
        let ui: Url = "http://127.0.0.1:8233".parse().expect("a URL");
        let strange = workflow(&ui, "default", "../a?b").map(String::from);
        let page = "http://127.0.0.1:8233/namespaces/default/workflows/..%2Fa%3Fb";
        assert_eq!(strange.as_deref(), Some(page));
    }
}
