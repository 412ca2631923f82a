//! An error with its causes, for a log line or an answer.

use std::error::Error;

/// An error and its causes in one text, the outermost first: `a: b: c`. A cause
/// that is in the text already, as some libraries write it, is left out.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Told(&'static str, Option<Box<Told>>);

    impl std::fmt::Display for Told {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Told {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            let cause = self.1.as_deref()?;
            Some(cause)
        }
    }

    #[test]
    fn each_cause_is_told_once() {
        let cause = Told("no such host", None);
        let repeated = Told("lookup failed: no such host", Some(Box::new(cause)));
        let error = Told("not connected", Some(Box::new(repeated)));
        let told = "not connected: lookup failed: no such host";
        assert_eq!(error_chain(&error), told);
    }
}
