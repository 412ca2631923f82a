//! Sessions of browsers.
//!
//! The Temporal UI can send the codec server an access token of its own single
//! sign-on, or the browser's cookies, and nothing else. Without single sign-on
//! that leaves a cookie: an operator signs in here once, and their browser
//! sends the session's cookie along when the UI asks. It does so where the UI
//! and the codec server are the same site, which is the same host whatever the
//! port: the cookie is `SameSite=Strict`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

/// How long a session lasts.
const LENGTH: Duration = Duration::from_hours(8);

/// How many there may be. An operator has one for each browser.
const MOST: usize = 1_000;

const COOKIE: &str = "pizza_codec_session";

/// The sessions of this process, by the hashes of their cookies. They end with
/// it.
pub(super) struct Sessions {
    /// Whether browsers may send the cookie over TLS alone.
    secure: bool,
    open: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    operator: String,
    ends: Instant,
}

impl Sessions {
    pub(super) fn new(secure: bool) -> Self {
        Self {
            secure,
            open: Mutex::default(),
        }
    }

    /// Begins a session. Returns the cookie to set; none where the system has
    /// no random numbers or there are too many sessions.
    pub(super) fn begin(&self, operator: String) -> Option<HeaderValue> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let now = Instant::now();
        let mut open = self.open();
        open.retain(|_, session| session.ends > now);
        if open.len() >= MOST {
            return None;
        }
        let ends = now + LENGTH;
        open.insert(hash(&token), Session { operator, ends });
        self.cookie(&token, LENGTH.as_secs())
    }

    /// Ends the session of a request. Returns the cookie to set.
    pub(super) fn end(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if let Some(token) = token(headers) {
            self.open().remove(&hash(token));
        }
        self.cookie("", 0)
    }

    /// Whose session a request belongs to.
    pub(super) fn operator(&self, headers: &HeaderMap) -> Option<String> {
        let token = token(headers)?;
        let open = self.open();
        let session = open.get(&hash(token))?;
        (session.ends > Instant::now()).then(|| session.operator.clone())
    }

    fn cookie(&self, token: &str, seconds: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
        );
        HeaderValue::from_str(&cookie).ok()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        // Nothing is left half done where it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}
