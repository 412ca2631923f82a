//! An error with its causes, for a log line or an answer.

use std::error::Error;

/// An error and its causes in one text, the outermost first: `a: b: c`. A cause
/// that is in the text already, as some libraries write it, is left out. With
/// the feature `client`, errors of Temporal's client are described in plain words:
/// its own texts show types of Rust.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = told(error);
    let mut cause = cause(error);
    while let Some(error) = cause {
        let told = told(error);
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = self::cause(error);
    }
    text
}

/// An error without its causes.
fn told(error: &(dyn Error + 'static)) -> String {
    #[cfg(feature = "client")]
    {
        if let Some(told) = connection::told(error) {
            return told;
        }
        // Some wrap the text of what the server answered in their own.
        let cause = error.source();
        if let Some((cause, plain)) = cause.and_then(|it| Some((it, connection::told(it)?))) {
            return error.to_string().replace(&cause.to_string(), &plain);
        }
    }
    error.to_string()
}

/// The cause of an error, unless the error's text tells it.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    #[cfg(feature = "client")]
    if connection::told(error).is_some() {
        return None;
    }
    error.source()
}

/// Errors of Temporal's client, in plain words.
#[cfg(feature = "client")]
mod connection {
    use std::error::Error;
    use std::io;

    use temporalio_client::errors::ClientConnectError;
    use tonic::Status;

    /// An error of the client with its cause; none for another error.
    pub(super) fn told(error: &(dyn Error + 'static)) -> Option<String> {
        if let Some(status) = error.downcast_ref::<Status>() {
            return Some(answered(status));
        }
        Some(match error.downcast_ref::<ClientConnectError>()? {
            ClientConnectError::SystemInfoCallError(status) => answered(status),
            error => reason(error),
        })
    }

    /// What a server answered, or why no answer came.
    fn answered(status: &Status) -> String {
        match (status.source(), status.message()) {
            (Some(cause), _) => reason(cause),
            (None, "") => status.code().to_string(),
            (None, message) => format!("{}: {message}", status.code()),
        }
    }

    /// Why there is no connection: the innermost cause.
    fn reason(error: &(dyn Error + 'static)) -> String {
        let innermost = std::iter::successors(Some(error), |error| (*error).source()).last();
        let error = innermost.unwrap_or(error);
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            // So the TLS of the client wraps its errors.
            Some(io::ErrorKind::InvalidData) => format!("TLS failed: {error}"),
            Some(io::ErrorKind::TimedOut) => "no answer in time".to_owned(),
            _ => error.to_string(),
        }
    }
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

    #[cfg(feature = "client")]
    #[test]
    fn an_error_of_the_client_is_told_without_types_of_rust() {
        use std::io;

        use temporalio_client::errors::ClientConnectError;
        use tonic::Status;

        let of = |kind: io::ErrorKind, text: &str| ClientConnectError::DnsResolutionError {
            host: String::new(),
            source: io::Error::new(kind, text),
        };
        let lost = || {
            let cause = io::Error::new(io::ErrorKind::ConnectionReset, "connection reset");
            Status::from_error(Box::new(cause))
        };
        let answered = Status::permission_denied("no such namespace");
        let errors: [(Box<dyn Error>, &str); 7] = [
            (
                Box::new(of(io::ErrorKind::NotFound, "no such host")),
                "no such host",
            ),
            (
                Box::new(of(io::ErrorKind::InvalidData, "UnknownIssuer")),
                "TLS failed: UnknownIssuer",
            ),
            (
                Box::new(of(io::ErrorKind::TimedOut, "elapsed")),
                "no answer in time",
            ),
            (Box::new(lost()), "connection reset"),
            (
                Box::new(ClientConnectError::SystemInfoCallError(lost())),
                "connection reset",
            ),
            (
                Box::new(temporalio_client::errors::WorkflowStartError::Rpc(lost())),
                "Server error: connection reset",
            ),
            (
                Box::new(answered),
                "The caller does not have permission to execute the specified operation: no such \
                 namespace",
            ),
        ];
        for (error, told) in errors {
            assert_eq!(error_chain(error.as_ref()), told);
        }
    }
}
