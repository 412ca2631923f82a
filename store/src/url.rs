//! Which URLs can be a store's, and how a URL is shown.

use super::engine::Engine;
use super::{StoreError, StoreOptions, postgres, sqlite};

impl StoreOptions {
    /// Whether there is an engine that can open this URL.
    ///
    /// # Errors
    /// When there is none. No text repeats the URL.
    pub fn check(&self) -> Result<(), StoreError> {
        Engine::of(&self.url)?.check(&self.url)
    }

    /// The URL as it may be shown: of a server only where it is, and of what
    /// cannot be read nothing but its scheme.
    #[must_use]
    pub fn shown_url(&self) -> String {
        shown(&self.url)
    }
}

/// A URL for an error's text, which stands in logs: without its user, and
/// without parameters, in which a password may stand as well.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let is_file = scheme == "sqlite";
    match Engine::of(url) {
        Ok(Engine::Sqlite) if sqlite::check(url).is_ok() => {
            url.split('?').next().unwrap_or_default().to_owned()
        }
        Ok(Engine::Postgres) if postgres::check(url).is_ok() => {
            let rest = rest.trim_start_matches('/');
            let rest = rest.split('?').next().unwrap_or_default();
            let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
            let slash = if url.contains(":///") { "/" } else { "" };
            format!("{scheme}://{slash}{place}")
        }
        _ if is_file || scheme.starts_with("postgres") => format!("{scheme}:..."),
        _ => "...".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stays_out_of_what_is_shown() {
        for (url, expected) in [
            ("postgres://u:secret@h/db", "postgres://h/db"),
            ("postgres://u:se%40cret@h:5432/db", "postgres://h:5432/db"),
            (
                "postgresql://h/db?user=u&password=secret",
                "postgresql://h/db",
            ),
            ("postgres://u:sec?ret@h/db", "postgres:..."),
            ("postgres:/u:secret@h/db", "postgres:..."),
            ("password=secret host=h:5432", "..."),
            ("secret:x", "..."),
            ("sqlite://u:secret@h/db", "sqlite:..."),
            ("sqlite:a.db?key=secret", "sqlite:..."),
            ("sqlite:a.db?mode=rwc", "sqlite:a.db"),
            ("sqlite:/srv/a@b/pizza.db", "sqlite:/srv/a@b/pizza.db"),
            ("postgres:///db?host=/run", "postgres:///db"),
            ("sqlite:pizza.db", "sqlite:pizza.db"),
        ] {
            let options = StoreOptions::new(url);
            assert_eq!(options.shown_url(), expected);
            assert!(!format!("{options:?}").contains("cret"));
        }
    }
}
