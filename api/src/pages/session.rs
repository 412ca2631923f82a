//! Who looks at a page: nobody in particular, or whoever signed in with a key.
//!
//! A session is a cookie that no script can read, with 256 random bits in it.
//! The store keeps its hash, so that every gateway knows the session and it can
//! be ended. It is worth as much as the key that it was opened with, for as
//! long as the gateway knows that key.
//!
//! The cookie also says whose key that is and until when it lasts, under a tag
//! that only a gateway can make. So a request of the session is counted as the
//! key holder's without a look into the store, which a flood of invented
//! cookies could keep busy. What the session may do, the store decides alone.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::request::Parts;
use pizza_app::UseCaseError;
use pizza_app::access::{KitchenAccess, Operator, Viewer};
use pizza_app::keys::{KeyHash, Keyring, Principal, Role};
use pizza_contract::ErrorCode;
use pizza_store::{Session as KeptSession, Store, StoreError, now_ms};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::layout::{Site, role_name};
use crate::gateway::{App, AppState};
use crate::problem::Problem;

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
    cookie: SessionCookie,
    principal: Principal,
}

/// The cookie of a session, as a browser shows it to the gateway and to what
/// else there is under the gateway's host name. Nothing prints it.
#[derive(Clone)]
pub struct SessionCookie(String);

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionCookie(..)")
    }
}

impl SessionCookie {
    /// The one of a request, which is made over TLS or not.
    #[must_use]
    pub fn of(headers: &HeaderMap, is_over_tls: bool) -> Option<Self> {
        Self::among(&CookieJar::from_headers(headers), is_over_tls)
    }

    fn among(cookies: &CookieJar, is_over_tls: bool) -> Option<Self> {
        let cookie = cookies.get(cookie_name(is_over_tls))?;
        Some(Self(cookie.value().to_owned()))
    }

    /// `RANDOM.END.ROLE.NAME.TAG`: a new one of the holder of this key.
    fn fresh(key: &KeyHash, holder: &Principal, expires_at_ms: i64) -> Result<Self, Problem> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| {
            Problem::new(ErrorCode::Internal, "the system has no random numbers now")
        })?;
        let random = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (role, name) = (role_name(holder.role), &holder.name);
        let claim = format!("{random}.{expires_at_ms}.{role}.{name}");
        let tag = key.tag(&claim);
        Ok(Self(format!("{claim}.{tag}")))
    }

    /// Whose key it was opened with, if a gateway made it and it has not
    /// expired. It may have been ended since: this is for counting, not for
    /// rights.
    pub fn holder<'a>(&self, keys: &'a Keyring) -> Option<&'a Principal> {
        let (claim, tag) = self.0.rsplit_once('.')?;
        let mut parts = claim.splitn(4, '.');
        let (_, end, role, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let role = Role::ALL.into_iter().find(|it| role_name(*it) == role)?;
        let (key, holder) = keys.named(role, name)?;
        let is_ours = key.has_tagged(claim, tag);
        let lasts = end.parse::<i64>().is_ok_and(|end| now_ms() < end);
        (is_ours && lasts).then_some(holder)
    }

    /// Whose key it was opened with, if the store has the session.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn signed_in<'a>(
        &self,
        store: &Store,
        keys: &'a Keyring,
    ) -> Result<Option<&'a Principal>, StoreError> {
        let kept = store.session(&self.id()).await?;
        let hash = kept.and_then(|kept| KeyHash::from_hex(&kept.key_hash));
        Ok(hash.and_then(|hash| keys.holder_by_hash(&hash)))
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

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let cookies = CookieJar::from_headers(&parts.headers);
        Ok(Self::of(app, &cookies).await?)
    }
}

impl Visitor {
    /// Whoever shows these cookies.
    pub(super) async fn of(app: &App, cookies: &CookieJar) -> Result<Self, UseCaseError> {
        let Some(cookie) = SessionCookie::among(cookies, app.is_reached_over_tls()) else {
            return Ok(Self::default());
        };
        let store = &app.use_cases().store;
        let principal = cookie.signed_in(store, &app.gateway.keys).await?.cloned();
        let session = principal.map(|principal| Session { cookie, principal });
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
        Ok(Viewer::of(&app.gateway.keys, self.principal())?)
    }

    /// The operator that they are.
    pub(super) fn operator(&self, app: &App) -> Result<Operator, Problem> {
        Ok(Operator::of(&app.gateway.keys, self.principal())?)
    }

    /// The cook that they are.
    pub(super) fn cook(&self, app: &App) -> Result<KitchenAccess, Problem> {
        Ok(KitchenAccess::of(&app.gateway.keys, self.principal())?)
    }

    /// Whether their session was ended since, here or at another gateway.
    pub(super) async fn has_left(&self, app: &App) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        let kept = app.use_cases().store.session(&session.cookie.id()).await;
        // A store that is away says nothing about it.
        matches!(kept, Ok(None))
    }

    /// What their forms must carry; none where nobody is signed in, whose
    /// forms say no more than anybody could.
    pub(super) fn form_token(&self) -> Option<String> {
        self.session.as_ref().map(|it| it.cookie.form_token())
    }

    /// Whether a form that carries this is one of theirs.
    pub(super) fn sent(&self, token: Option<&str>) -> bool {
        self.form_token().is_none_or(|expected| {
            let given = token.unwrap_or_default();
            expected.as_bytes().ct_eq(given.as_bytes()).into()
        })
    }
}

/// The holder of the key that the request's session was opened with, going by
/// the cookie alone: for counting, not for rights.
pub(crate) fn holder<'a>(app: &'a App, headers: &HeaderMap) -> Option<&'a Principal> {
    SessionCookie::of(headers, app.is_reached_over_tls())?.holder(&app.gateway.keys)
}

/// Signs the holder of the key with this hash in, and ends the session that
/// the browser had.
pub(super) async fn open(
    app: &App,
    before: &Visitor,
    key: &KeyHash,
    holder: &Principal,
) -> Result<Cookie<'static>, Problem> {
    close(app, before).await?;
    let lasts_ms = i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX);
    let session = KeptSession {
        key_hash: key.hex(),
        expires_at_ms: now_ms().saturating_add(lasts_ms),
    };
    let secret = SessionCookie::fresh(key, holder, session.expires_at_ms)?;
    let store = &app.use_cases().store;
    let opened = store.open_session(&secret.id(), &session).await;
    opened.map_err(UseCaseError::from)?;
    Ok(cookie(app, secret.0))
}

/// Ends the session, for every gateway.
pub(super) async fn close(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    if let Some(session) = &visitor.session {
        let store = &app.use_cases().store;
        let closed = store.close_session(&session.cookie.id()).await;
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
    Cookie::build((cookie_name(app.is_reached_over_tls()), value))
        .path("/")
        .http_only(true)
        .secure(app.is_reached_over_tls())
        // A link from elsewhere leads to a page that knows its visitor; a form
        // from elsewhere does not.
        .same_site(SameSite::Lax)
        .build()
}

const fn cookie_name(is_over_tls: bool) -> &'static str {
    if is_over_tls { COOKIE_OVER_TLS } else { COOKIE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_counted_under_the_key_it_was_made_with_and_no_other() {
        let (key, other) = (KeyHash::of("a key"), KeyHash::of("another"));
        let mut keys = Keyring::default();
        for (role, name, hash) in [
            (Role::Operator, "ann.b-c_d", key),
            (Role::Customer, "ann.b-c_d", other),
        ] {
            keys.add_hash(role, name, hash).expect("a key");
        }
        let ann = keys.holder_by_hash(&key).expect("ann").clone();
        let in_a_minute = now_ms() + 60_000;
        let made = SessionCookie::fresh(&key, &ann, in_a_minute).expect("a secret");
        assert_eq!(made.holder(&keys), Some(&ann));
        let forged = SessionCookie::fresh(&other, &ann, in_a_minute).expect("a secret");
        let expired = SessionCookie::fresh(&key, &ann, now_ms() - 1).expect("a secret");
        let of_customer = made.0.replace(".operator.", ".customer.");
        let longer = made.0.replace(&in_a_minute.to_string(), "9999999999999");
        for none in [
            forged.0,
            expired.0,
            of_customer,
            longer,
            String::new(),
            "a.b.c.d.e".into(),
        ] {
            assert_eq!(SessionCookie(none.clone()).holder(&keys), None, "{none}");
        }
        assert_eq!(made.holder(&Keyring::default()), None);
    }
}
