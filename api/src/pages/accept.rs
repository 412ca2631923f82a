//! Whether a request is a browser's, which wants a page, or a program's.

use http::{HeaderMap, header};

/// Whether whoever asks would rather have a page than JSON. Programs that do
/// not say what they take, or take anything, get JSON.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let ranges: Vec<Range> = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| split(value, ','))
        .filter_map(Range::read)
        .collect();
    let (page, json) = (
        Preference::of("text", "html", &ranges),
        Preference::of("application", "json", &ranges),
    );
    // Of what is liked equally, a page is for those who name it.
    page.weight > json.weight || (page.is_named && page.weight > 0 && page.weight == json.weight)
}

/// A media range of an `Accept` header (RFC 9110, 12.5.1), with its weight in
/// thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    /// Reads one; none where it cannot be read. Parameters other than the
    /// weight say nothing that matters here.
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_weight = name.trim().eq_ignore_ascii_case("q");
            is_weight.then(|| value.trim())
        });
        Some(Self {
            kind,
            subtype,
            weight: weight.map_or(Some(1000), thousandths)?,
        })
    }

    /// How closely it names a media type; none where it does not cover it.
    fn closeness(&self, kind: &str, subtype: &str) -> Option<u8> {
        if (self.kind, self.subtype) == ("*", "*") {
            return Some(0);
        }
        if !self.kind.eq_ignore_ascii_case(kind) {
            return None;
        }
        if self.subtype == "*" {
            return Some(1);
        }
        self.subtype.eq_ignore_ascii_case(subtype).then_some(2)
    }
}

/// How much a media type is liked.
struct Preference {
    weight: u16,
    /// Whether it was named itself, and not covered by a wildcard.
    is_named: bool,
}

impl Preference {
    /// What the closest of the ranges says, the heaviest of several.
    fn of(kind: &str, subtype: &str, ranges: &[Range<'_>]) -> Self {
        let covering = ranges
            .iter()
            .filter_map(|range| Some((range.closeness(kind, subtype)?, range.weight)));
        let closest = covering.max();
        Self {
            weight: closest.map_or(0, |(_, weight)| weight),
            is_named: closest.is_some_and(|(closeness, _)| closeness == 2),
        }
    }
}

/// A weight: 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The parts of a text between separators, except where those are quoted.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wants(accept: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        wants_page(&headers)
    }

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "text/html",
            "text/html, */*",
            "text/html, application/json",
            "text/*",
        ] {
            assert!(wants(&[browser]), "{browser}");
        }
        for program in [
            "",
            "*/*",
            "application/json",
            "application/*, text/*",
            "application/json, text/html;q=0.9",
            "text/plain",
            "html",
        ] {
            assert!(!wants(&[program]), "{program}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn weights_are_read_in_either_case_and_with_spaces() {
        for browser in [
            "TEXT/HTML; q=0.5, application/json; q=0.4",
            "text/html;Q=0.5, application/json;Q=0.4",
            "application/json ; Q = 0.4 , text/html ; q = 0.5",
            "text/html;charset=utf-8;q=0.002,application/json;q=0.001",
            "text/html;q=1.000,application/json;q=0.999",
            "text/html;x=\"a,b;q=0\";q=0.7, application/json;q=0.6",
            "*/*;q=0.1, text/html;q=0.2",
            "text/html;q=0.3, application/json;q=0, */*;q=0.9",
        ] {
            assert!(wants(&[browser]), "{browser}");
        }
        for program in [
            "text/html;q=0",
            "text/html;Q=0",
            "text/html;Q=0.5, application/json",
            "text/html ; Q=0.000, */*",
            "text/html;q=0.5, */*",
            "text/html;q=0.5, application/*;q=0.6",
            "text/html;q=nonsense",
            "text/html;q=1.1",
            "text/html;q=0.1234",
            "text/html;q=+1",
            "text/html;q=",
        ] {
            assert!(!wants(&[program]), "{program}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        assert!(wants(&["application/json;q=0.5", "text/html"]));
        assert!(!wants(&["text/html;q=0.5", "application/json"]));
    }
}
