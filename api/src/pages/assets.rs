//! What pages are made with: a style, which stands in each page, and a script,
//! which is asked for once and then kept by the browser.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, header};
use pizza_contract::ErrorCode;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// The style of every page.
pub(super) const STYLE: &str = include_str!("style.css");

const SCRIPT: &str = include_str!("app.js");

/// The script's file name. It changes with the script, so that a browser may
/// keep what it has for good.
pub(super) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SCRIPT);
    let hex: String = digest
        .iter()
        .take(8)
        .map(|it| format!("{it:02x}"))
        .collect();
    format!("app-{hex}.js")
});

/// What the policy of a page lets it apply: this style and no other.
pub(super) static STYLE_HASH: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(STYLE);
    format!("sha256-{}", BASE64_STANDARD.encode(digest))
});

/// How long a browser may keep the script: a year, in seconds. Nothing else is
/// kept.
pub(crate) const FOR_GOOD: HeaderValue =
    HeaderValue::from_static("public, max-age=31536000, immutable");

pub(super) async fn serve(Path(file): Path<String>) -> Result<Response, Problem> {
    if file != *SCRIPT_NAME {
        let detail = "there is no such file";
        return Err(Problem::new(ErrorCode::NotFound, detail));
    }
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, FOR_GOOD.clone()),
    ];
    Ok((headers, SCRIPT).into_response())
}
