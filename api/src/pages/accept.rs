//! Whether a request is a browser's, which wants a page, or a program's.

use http::{HeaderMap, header};

/// Whether whoever asks would rather have a page than JSON. Programs that do
/// not say what they take, or take anything, get JSON.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let ranges: Vec<&str> = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let weight_of = |kind: &str| {
        let of_kind = ranges.iter().filter_map(|range| weight(range, kind));
        of_kind.max().unwrap_or(0)
    };
    let page = weight_of("text/html");
    page > 0 && page >= weight_of("application/json")
}

/// What a media range weighs, in thousandths, if it is of this very type.
fn weight(range: &str, kind: &str) -> Option<u16> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(kind) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    let Some(quality) = quality else {
        return Some(1000);
    };
    let quality: f32 = quality.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to 1000"
    )]
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wants(accept: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        wants_page(&headers)
    }

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "text/html",
            "TEXT/HTML; q=0.5, application/json; q=0.4",
        ] {
            assert!(wants(browser), "{browser}");
        }
        for program in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
            "text/html;q=0",
            "text/html;q=nonsense",
            "text/*",
        ] {
            assert!(!wants(program), "{program}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
