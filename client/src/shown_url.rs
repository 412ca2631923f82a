//! URLs in messages.

use url::Url;

/// A URL as messages show it: where something is, and no more. In its user, its
/// query and its fragment a password or a key may stand.
#[must_use]
pub fn shown(url: &Url) -> String {
    if url.cannot_be_a_base() {
        // No server's: its parts may stand anywhere.
        return "...".to_owned();
    }
    let mut shown = url.clone();
    // A URL that has no user keeps none.
    let _ = shown
        .set_password(None)
        .and_then(|()| shown.set_username(""));
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

/// Whether a URL holds nothing but where something is.
#[must_use]
pub fn is_bare(url: &Url) -> bool {
    !url.cannot_be_a_base() && shown(url) == url.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_but_where_it_leads() {
        for (url, expected) in [
            ("https://u:secret@h:1/a?key=secret#secret", "https://h:1/a"),
            ("http://secret@h", "http://h/"),
            ("http://h/?key=secret", "http://h/"),
            ("http://[::1]:8080/shop/", "http://[::1]:8080/shop/"),
            ("secret:x", "..."),
            ("u:secret@h", "..."),
        ] {
            let url: Url = url.parse().expect("a URL");
            assert_eq!(shown(&url), expected);
            assert_eq!(is_bare(&url), url.as_str() == expected, "{url}");
        }
    }
}
