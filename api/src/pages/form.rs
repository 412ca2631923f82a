//! What a form of ours sends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header;
use maud::{Markup, html};
use pizza_app::access::{KitchenAccess, Operator, Viewer};
use pizza_app::{IdempotencyKey, UseCaseError};
use pizza_contract::ErrorCode;
use uuid::Uuid;

use super::session::Visitor;
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// The field that says that the form stood in a page of this session.
pub(super) const TOKEN: &str = "formToken";

/// The most fields that a form may have; the largest of ours has a dozen.
const MOST_FIELDS: usize = 32;

/// A form, and who sent it. One that no page of the visitor's session had is
/// refused, and so is one of a visitor who lacks the right, before any of it is
/// read.
#[derive(Debug)]
pub(super) struct Submitted<R> {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// What they may do.
    pub(super) right: R,
    fields: BTreeMap<String, String>,
}

/// What a visitor must be allowed to do to send a form.
pub(super) trait Right: Sized + Send {
    /// The visitor's right, if they have it.
    fn of(visitor: &Visitor, app: &App) -> Result<Self, Problem>;
}

/// What everybody may do, such as signing in.
impl Right for () {
    fn of(_: &Visitor, _: &App) -> Result<Self, Problem> {
        Ok(())
    }
}

impl Right for Viewer {
    fn of(visitor: &Visitor, app: &App) -> Result<Self, Problem> {
        visitor.viewer(app)
    }
}

impl Right for KitchenAccess {
    fn of(visitor: &Visitor, app: &App) -> Result<Self, Problem> {
        visitor.cook(app)
    }
}

impl Right for Operator {
    fn of(visitor: &Visitor, app: &App) -> Result<Self, Problem> {
        visitor.operator(app)
    }
}

/// The field that makes a form act once, however often it is sent.
pub(super) const KEY: &str = "key";

/// What makes a form act once, `fresh` unless it may have been done all the
/// same: then it keeps the key that it was sent with, and is not done twice.
pub(super) fn key_field(fresh: Uuid, sent: Option<&str>, refused: Option<&Problem>) -> Markup {
    let may_be_done = refused.is_some_and(|it| it.code.status().is_server_error());
    let kept = sent.filter(|_| may_be_done).map(str::to_owned);
    let key = kept.unwrap_or_else(|| fresh.to_string());
    html! { input type="hidden" name=(KEY) value=(key) autocomplete="off"; }
}

impl<R> Submitted<R> {
    /// The key under which the form acts once.
    pub(super) fn key(&self) -> Result<Option<IdempotencyKey>, UseCaseError> {
        self.text(KEY).map(IdempotencyKey::parse).transpose()
    }

    /// A field's text; none when it is missing or empty.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let text = self.fields.get(field).map(String::as_str);
        text.filter(|text| !text.is_empty())
    }
}

impl<R: Right> FromRequest<AppState> for Submitted<R> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let is_form = kind.is_some_and(|kind| {
            let form = b"application/x-www-form-urlencoded";
            kind.as_bytes().to_ascii_lowercase().starts_with(form)
        });
        if !is_form {
            let detail = "a form is sent as application/x-www-form-urlencoded";
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
        }
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let right = R::of(&visitor, app)?;
        // It is there, and not too large: see `arrival`.
        let unread =
            |error: axum::Error| Problem::new(ErrorCode::InvalidRequest, error.to_string());
        let body = to_bytes(body, app.gateway.limits.body_bytes)
            .await
            .map_err(unread)?;
        let fields = fields(&body)?;
        if !visitor.sent(fields.get(TOKEN).map(String::as_str)) {
            let detail = "the form is not of this session: go back, load the page again, \
                          and send it once more";
            return Err(Problem::new(ErrorCode::Forbidden, detail).field(TOKEN));
        }
        Ok(Self {
            visitor,
            right,
            fields,
        })
    }
}

fn fields(body: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if fields.len() == MOST_FIELDS {
            let detail = format!("the form may have at most {MOST_FIELDS} fields");
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        }
        match fields.entry(name.into_owned()) {
            Entry::Vacant(field) => field.insert(value.into_owned()),
            Entry::Occupied(field) => {
                let name = field.key().clone();
                let detail = format!("{name} is given twice");
                return Err(Problem::new(ErrorCode::DuplicateField, detail).field(name));
            }
        };
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_a_bounded_number_of_fields() {
        let form = |count| {
            let fields = (0..count).map(|number| format!("f{number}="));
            fields.collect::<Vec<_>>().join("&")
        };
        let most = fields(form(MOST_FIELDS).as_bytes()).expect("a form");
        assert_eq!(most.len(), MOST_FIELDS);
        let refused = fields(form(MOST_FIELDS + 1).as_bytes()).expect_err("refused");
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
        assert_eq!(refused.detail, "the form may have at most 32 fields");
    }

    #[test]
    fn what_may_have_been_done_is_tried_again_under_its_key() {
        let keeps = |code| {
            let refused = Problem::new(code, "no");
            let field = key_field(Uuid::nil(), Some("monday"), Some(&refused));
            field.into_string().contains("value=\"monday\"")
        };
        assert!(keeps(ErrorCode::TemporalUnavailable));
        assert!(keeps(ErrorCode::Internal));
        assert!(!keeps(ErrorCode::MissingField));
        let fresh = key_field(Uuid::nil(), None, None).into_string();
        assert!(fresh.contains(&Uuid::nil().to_string()), "{fresh}");
    }
}
