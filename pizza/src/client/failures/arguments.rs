//! Names and reasons on a command line, and what each may look like.

use pizza_domain::is_blank;

/// What a name in a command line may look like, so that it is one segment of
/// a URL's path.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic())
        && !matches!(text, "." | "..");
    if fits {
        return Ok(text.to_owned());
    }
    Err("must be 1 to 255 printable ASCII characters without spaces".to_owned())
}

/// What an operator gives as a reason.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let fits = (1..=500).contains(&text.chars().count())
        && !is_blank(text)
        && !text.chars().any(char::is_control);
    if fits {
        return Ok(text.to_owned());
    }
    Err("must be 1 to 500 characters without control characters, one of them visible".to_owned())
}
