//! On which page a form is.

use axum::extract::{OriginalUri, State};
use axum::response::Redirect;

use crate::gateway::AppState;

/// The page that has a form, to whoever comes to the form's own address: by
/// loading a refusal again, or by signing in there.
pub(super) async fn page_of_form(State(app): State<AppState>, address: OriginalUri) -> Redirect {
    let page = form_is_on(address.path());
    Redirect::to(&format!("{}{page}", app.base_path()))
}

fn form_is_on(path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["shop", "orders", id, _] => format!("/orders/{id}"),
        ["kitchen", ..] => "/kitchen".to_owned(),
        ["operator"] => "/operator".to_owned(),
        ["operator", way @ .., _] => format!("/operator/{}", way.join("/")),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_on_a_page() {
        for (form, page) in [
            ("/shop/orders", "/"),
            ("/shop/orders/7/cancel", "/orders/7"),
            ("/kitchen/board/7", "/kitchen"),
            ("/kitchen/", "/kitchen"),
            ("/operator/", "/operator"),
            ("/operator/tasks/7/redrive", "/operator/tasks/7"),
            (
                "/operator/queues/refund-payment/policy",
                "/operator/queues/refund-payment",
            ),
            ("/sign-out", "/"),
        ] {
            assert_eq!(form_is_on(form), page);
        }
    }
}
