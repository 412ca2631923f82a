//! Every error that a client can meet, with one stable code for each.

use http::StatusCode;

macro_rules! error_codes {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $status:ident, $grpc:ident, $title:literal;)+) => {
        /// The stable code of an error. Codes are only ever added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])+ $variant),+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The HTTP status that it comes with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// The gRPC status that it comes with.
            #[must_use]
            pub const fn grpc(self) -> GrpcStatus {
                match self { $(Self::$variant => GrpcStatus::$grpc),+ }
            }

            /// Its page for people, in Markdown: what it means, and what to do.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$variant => {
                        include_str!(concat!("../../docs/errors/", $code, ".md"))
                    }),+
                }
            }

            /// A few words for people, the same each time.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

error_codes! {
    /// The request cannot be read at all.
    InvalidRequest = "invalid-request", BAD_REQUEST, InvalidArgument, "The request cannot be read";
    /// The body is not a JSON object.
    InvalidJson = "invalid-json", BAD_REQUEST, InvalidArgument, "The body is not a JSON object";
    /// A field is of another type, or `null`.
    InvalidType = "invalid-type", BAD_REQUEST, InvalidArgument, "A field has the wrong type";
    /// A field is given twice.
    DuplicateField = "duplicate-field", BAD_REQUEST, InvalidArgument, "A field is given twice";
    /// The id in the address is not a UUID.
    InvalidOrderId = "invalid-order-id", BAD_REQUEST, InvalidArgument, "This is not an order's id";
    /// There is no such field.
    UnknownField = "unknown-field", UNPROCESSABLE_ENTITY, InvalidArgument, "There is no such field";
    /// A field that has no default is missing.
    MissingField = "missing-field", UNPROCESSABLE_ENTITY, InvalidArgument, "A field is missing";
    /// A number is too small or too large.
    OutOfRange = "out-of-range", UNPROCESSABLE_ENTITY, InvalidArgument, "A number is out of range";
    /// A text is not one that is allowed.
    InvalidValue = "invalid-value", UNPROCESSABLE_ENTITY, InvalidArgument, "A value is not allowed";
    /// There is no order with this id.
    OrderNotFound = "order-not-found", NOT_FOUND, NotFound, "There is no such order";
    /// The kitchen has no ticket with this id.
    TicketNotFound = "ticket-not-found", NOT_FOUND, NotFound, "There is no such ticket";
    /// The call needs a key, and came without one that is known.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, Unauthenticated, "A key is needed";
    /// The key is known, but not for this.
    Forbidden = "forbidden", FORBIDDEN, PermissionDenied, "This key may not do that";
    /// The request is for a host that is not this gateway's.
    MisdirectedRequest = "misdirected-request", MISDIRECTED_REQUEST, FailedPrecondition, "This host is not answered for here";
    /// A page of another site had the browser send the request.
    CrossSiteRequest = "cross-site-request", FORBIDDEN, PermissionDenied, "A page of another site sent this";
    /// There is no parked task with this id.
    FailureNotFound = "failure-not-found", NOT_FOUND, NotFound, "There is no such parked task";
    /// The parked task is done or was discarded.
    FailureResolved = "failure-resolved", CONFLICT, FailedPrecondition, "The parked task is already closed";
    /// The parked task is being redriven.
    FailureBusy = "failure-busy", CONFLICT, Aborted, "The parked task is being redriven";
    /// The parked task was redriven by hand too often.
    TooManyRedrives = "too-many-redrives", CONFLICT, FailedPrecondition, "The parked task was redriven too often";
    /// Somebody paused the workflow.
    WorkflowPaused = "workflow-paused", CONFLICT, FailedPrecondition, "The workflow is paused in Temporal";
    /// There is no failure queue with this name.
    FailureQueueNotFound = "failure-queue-not-found", NOT_FOUND, NotFound, "There is no such failure queue";
    /// There is no bulk operation with this id.
    BulkNotFound = "bulk-not-found", NOT_FOUND, NotFound, "There is no such bulk operation";
    /// Nothing is served at this address.
    NotFound = "not-found", NOT_FOUND, Unimplemented, "Nothing is served here";
    /// The address is served, but not with this method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, Unimplemented, "This method is not served here";
    /// The request did not arrive in time.
    RequestTimeout = "request-timeout", REQUEST_TIMEOUT, DeadlineExceeded, "The request took too long";
    /// Another kitchen report has to come first.
    KitchenReportOutOfOrder = "kitchen-report-out-of-order", CONFLICT, FailedPrecondition, "Another report has to come first";
    /// The order is over.
    KitchenReportLate = "kitchen-report-late", CONFLICT, FailedPrecondition, "The order is already over";
    /// The body is larger than is allowed.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, ResourceExhausted, "The body is too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, InvalidArgument, "The body must be JSON";
    /// Too many requests are under way.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, ResourceExhausted, "Too many requests are under way";
    /// One client asks too often.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, ResourceExhausted, "Too many requests";
    /// Temporal is away or did not answer in time.
    TemporalUnavailable = "temporal-unavailable", SERVICE_UNAVAILABLE, Unavailable, "Temporal cannot be reached";
    /// The store is away or did not answer in time.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, Unavailable, "The store cannot be reached";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY, InvalidArgument, "The key was used for another request";
    /// Errors are not simulated here.
    FaultInjectionDisabled = "fault-injection-disabled", FORBIDDEN, PermissionDenied, "Errors are not simulated here";
    /// The courier has the order.
    OrderOnItsWay = "order-on-its-way", CONFLICT, FailedPrecondition, "The order is on its way";
    /// The order was delivered.
    OrderDelivered = "order-delivered", CONFLICT, FailedPrecondition, "The order was delivered";
    /// The kitchen cooks already.
    OrderCooking = "order-cooking", CONFLICT, FailedPrecondition, "The kitchen cooks already";
    /// Nobody works on the order right now.
    OrderUnattended = "order-unattended", SERVICE_UNAVAILABLE, Unavailable, "Nobody attends to the order right now";
    /// The order is cancelled, or about to be.
    OrderOver = "order-over", CONFLICT, FailedPrecondition, "The order is cancelled";
    /// The order was amended too often.
    TooManyAmendments = "too-many-amendments", CONFLICT, FailedPrecondition, "The order was amended too often";
    /// The payment of the difference was declined; the order is as it was.
    PaymentDeclined = "payment-declined", CONFLICT, FailedPrecondition, "The payment was declined";
    /// The order could not be amended now; it is as it was.
    AmendmentFailed = "amendment-failed", SERVICE_UNAVAILABLE, Unavailable, "The order could not be amended";
    /// Another report was made under this id.
    ReportIdReused = "report-id-reused", UNPROCESSABLE_ENTITY, InvalidArgument, "The id is another report's";
    /// Too many reports were made on the order.
    TooManyReports = "too-many-kitchen-reports", CONFLICT, FailedPrecondition, "Too many reports were made on this order";
    /// Something that every request needs is away.
    NotReady = "not-ready", SERVICE_UNAVAILABLE, Unavailable, "The gateway is not ready";
    /// A fault of the gateway's own.
    Internal = "internal", INTERNAL_SERVER_ERROR, Internal, "Something went wrong here";
}

/// The statuses of gRPC that errors come with, with the numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the protocol's own names")]
pub enum GrpcStatus {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_its_own_and_reads_like_one() {
        let codes: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for code in codes {
            assert!(
                code.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{code}"
            );
        }
    }
}
