//! `GET /errors` and `GET /errors/{code}`: what the codes mean, for people.
//! The pages are part of the binary, so that the `type` of a problem leads
//! somewhere wherever the gateway runs, and tells of its own version.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use http::{HeaderMap, header};
use pizza_contract::ErrorCode;

use crate::gateway::{App, AppState};
use crate::pages;
use crate::problem::Problem;

const INDEX: &str = include_str!("../../../docs/errors/README.md");

pub(super) async fn index(State(app): State<AppState>, headers: HeaderMap) -> Response {
    shown(&app, "Errors", INDEX, &headers).await
}

pub(super) async fn page(
    State(app): State<AppState>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // The index links to files.
    let code = code.strip_suffix(".md").unwrap_or(&code);
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    let known = known.ok_or_else(|| {
        let detail = "there is no error with this code; /errors lists them";
        Problem::new(ErrorCode::NotFound, detail)
    })?;
    Ok(shown(&app, known.title(), known.page(), &headers).await)
}

/// Markdown, as it is; to a browser, which would rather store than show it,
/// the same within a page.
async fn shown(app: &App, title: &str, markdown: &'static str, headers: &HeaderMap) -> Response {
    if pages::wants_page(headers) {
        let cookies = CookieJar::from_headers(headers);
        return pages::text_page(app, &cookies, title, markdown).await;
    }
    let markdown_type = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    (markdown_type, markdown).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// `FAILED_PRECONDITION` for `FailedPrecondition`.
    fn grpc_name(code: ErrorCode) -> String {
        let mut name = String::new();
        for letter in format!("{:?}", code.grpc()).chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        let pages: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        let codes = ErrorCode::ALL
            .iter()
            .map(|code| format!("{}.md", code.as_str()));
        let expected: BTreeSet<String> = codes.chain(["README.md".to_owned()]).collect();
        assert_eq!(pages, expected);
    }

    #[test]
    fn every_page_says_what_the_gateway_does() {
        for &code in ErrorCode::ALL {
            let (name, page) = (code.as_str(), code.page());
            assert!(
                page.starts_with(&format!("# {name}\n\n{}.", code.title())),
                "{name}"
            );
            let row = |of: &str, value: &str| {
                let row = format!("| {of} | {value} |\n");
                assert!(page.contains(&row), "{name} lacks {row}");
            };
            let status = code.status();
            let reason = status.canonical_reason().expect("a known status");
            row("HTTP", &format!("{} {reason}", status.as_u16()));
            row("gRPC", &format!("`{}`", grpc_name(code)));
            let waits = Problem::new(code, "").retry_after.is_some();
            assert_eq!(page.contains("| `Retry-After` | yes |"), waits, "{name}");
            for part in [
                "| caused by | ",
                "| another try | ",
                "\n## What to do\n\n- ",
            ] {
                assert!(page.contains(part), "{name} lacks {part}");
            }
            let (_, example) = page.split_once("```json\n").expect("an example");
            let example = example.strip_suffix("```\n").expect("its end");
            let example: Value = serde_json::from_str(example).expect("JSON");
            assert_eq!(example["type"], format!("/errors/{name}"));
            assert_eq!(example["code"], name);
            assert_eq!(example["title"], code.title());
            assert_eq!(example["status"], status.as_u16());
            for field in ["detail", "instance", "requestId"] {
                assert!(example[field].is_string(), "{name} lacks {field}");
            }
            let listed = format!(
                "| [{name}]({name}.md) | {} | `{}` | {} |\n",
                status.as_u16(),
                grpc_name(code),
                code.title()
            );
            assert!(INDEX.contains(&listed), "the index lacks {listed}");
        }
        let rows = INDEX.matches("\n| [").count();
        assert_eq!(rows, ErrorCode::ALL.len());
    }
}
