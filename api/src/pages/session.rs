//! Who looks at a page: nobody in particular, or whoever signed in with a key.
//!
//! A session is 256 random bits in a cookie that no script can read. The store
//! keeps their hash, so that every gateway knows the session and it can be
//! ended. It is worth as much as the key that it was opened with, for as long
//! as the gateway knows that key.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::request::Parts;
use pizza_activities::store::{Session as KeptSession, now_ms};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::layout::Site;
use crate::cook::Cook;
use crate::gateway::App;
use crate::keys::{KeyHash, Principal};
use crate::operator::Operator;
use crate::problem::{ErrorCode, Problem};
use crate::usecases::UseCaseError;
use crate::viewer::Viewer;

/// What the cookie is called. Over TLS its name also keeps other hosts of the
/// same site from setting it.
const COOKIE: &str = "pizza-session";
const COOKIE_OVER_TLS: &str = "__Host-pizza-session";

/// How long a session lasts: a working day.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// Whoever looks at a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    session: Option<Session>,
}

#[derive(Clone, Debug)]
struct Session {
    secret: Secret,
    principal: Principal,
}

/// What a browser shows. Nothing prints it.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    fn fresh() -> Result<Self, Problem> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| {
            Problem::new(ErrorCode::Internal, "the system has no random numbers now")
        })?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What the store knows the session by.
    fn id(&self) -> String {
        self.digest("session")
    }

    /// What the forms of the session's pages carry: whoever knows it has read
    /// such a page.
    fn form_token(&self) -> String {
        self.digest("form")
    }

    fn digest(&self, purpose: &str) -> String {
        let digest = Sha256::digest(format!("{purpose}:{}", self.0));
        BASE64_URL_SAFE_NO_PAD.encode(digest)
    }
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let cookies = CookieJar::from_headers(&parts.headers);
        Ok(Self::of(app, &cookies).await?)
    }
}

impl Visitor {
    /// Whoever shows these cookies.
    pub(super) async fn of(app: &App, cookies: &CookieJar) -> Result<Self, UseCaseError> {
        let Some(cookie) = cookies.get(cookie_name(app)) else {
            return Ok(Self::default());
        };
        let secret = Secret(cookie.value().to_owned());
        let kept = app.use_cases().store.session(&secret.id()).await?;
        let hash = kept.and_then(|kept| KeyHash::from_hex(&kept.key_hash));
        let holder = hash.and_then(|hash| app.gateway.keys.holder_by_hash(&hash));
        let session = holder.map(|holder| Session {
            secret,
            principal: holder.clone(),
        });
        Ok(Self { session })
    }

    /// Whoever is signed in.
    pub(super) fn principal(&self) -> Option<&Principal> {
        self.session.as_ref().map(|session| &session.principal)
    }

    /// The gateway as it is drawn for them.
    pub(super) const fn site<'a>(&'a self, app: &'a App) -> Site<'a> {
        Site { app, visitor: self }
    }

    /// What they may see of orders.
    pub(super) fn viewer(&self, app: &App) -> Result<Viewer, Problem> {
        Viewer::of(&app.gateway.keys, self.principal())
    }

    /// The operator that they are.
    pub(super) fn operator(&self, app: &App) -> Result<Operator, Problem> {
        Operator::of(&app.gateway.keys, self.principal())
    }

    /// The cook that they are.
    pub(super) fn cook(&self, app: &App) -> Result<Cook, Problem> {
        Cook::of(&app.gateway.keys, self.principal())
    }

    /// Whether their session was ended since, here or at another gateway.
    pub(super) async fn has_left(&self, app: &App) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        let kept = app.use_cases().store.session(&session.secret.id()).await;
        // A store that is away says nothing about it.
        matches!(kept, Ok(None))
    }

    /// What their forms must carry; none where nobody is signed in, whose
    /// forms say no more than anybody could.
    pub(super) fn form_token(&self) -> Option<String> {
        self.session.as_ref().map(|it| it.secret.form_token())
    }

    /// Whether a form that carries this is one of theirs.
    pub(super) fn sent(&self, token: Option<&str>) -> bool {
        self.form_token().is_none_or(|expected| {
            let given = token.unwrap_or_default();
            expected.as_bytes().ct_eq(given.as_bytes()).into()
        })
    }
}

/// Signs whoever holds the key with this hash in, and ends the session that
/// the browser had.
pub(super) async fn open(
    app: &App,
    before: &Visitor,
    key: &KeyHash,
) -> Result<Cookie<'static>, Problem> {
    close(app, before).await?;
    let secret = Secret::fresh()?;
    let lasts_ms = i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX);
    let session = KeptSession {
        key_hash: key.hex(),
        expires_at_ms: now_ms().saturating_add(lasts_ms),
    };
    let store = &app.use_cases().store;
    let opened = store.open_session(&secret.id(), &session).await;
    opened.map_err(UseCaseError::from)?;
    Ok(cookie(app, secret.0))
}

/// Ends the session, for every gateway.
pub(super) async fn close(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    if let Some(session) = &visitor.session {
        let store = &app.use_cases().store;
        let closed = store.close_session(&session.secret.id()).await;
        closed.map_err(UseCaseError::from)?;
    }
    Ok(())
}

/// What makes the browser forget its session.
pub(super) fn no_cookie(app: &App) -> Cookie<'static> {
    let mut cookie = cookie(app, String::new());
    cookie.make_removal();
    cookie
}

fn cookie(app: &App, value: String) -> Cookie<'static> {
    Cookie::build((cookie_name(app), value))
        .path("/")
        .http_only(true)
        .secure(app.is_reached_over_tls())
        // A link from elsewhere leads to a page that knows its visitor; a form
        // from elsewhere does not.
        .same_site(SameSite::Lax)
        .build()
}

fn cookie_name(app: &App) -> &'static str {
    if app.is_reached_over_tls() {
        COOKIE_OVER_TLS
    } else {
        COOKIE
    }
}
