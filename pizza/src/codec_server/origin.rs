//! Origins of pages that browsers send requests from.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;
use url::Url;

/// Where a page comes from: scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin(String);

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "must be an origin, http or https with a host and maybe a port and no path";
        let url: Url = text.parse().map_err(|_| EXPECTED)?;
        let origin = url.origin().ascii_serialization();
        let is_web = matches!(url.scheme(), "http" | "https");
        if is_web && text.trim_end_matches('/').eq_ignore_ascii_case(&origin) {
            Ok(Self(origin))
        } else {
            Err(EXPECTED)
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Origin {
    /// Whether a browser's `Origin` header names it.
    pub(super) fn is(&self, header: &HeaderValue) -> bool {
        self.0.as_bytes() == header
    }
}

/// Whether all these pages come over TLS: then so does the session's cookie.
pub(super) fn is_https(origins: &[Origin]) -> bool {
    !origins.is_empty() && origins.iter().all(|origin| origin.0.starts_with("https:"))
}
