//! The texts of failures.
//!
//! A failure's message and stack trace are no payloads, so a codec does not
//! see them. The SDK can put them into one (`encoded_attributes`); but it
//! takes them out again of the outermost failure alone, and code that looks
//! at a cause, or that hands a failure on, would find "Encoded failure" in
//! place of its message. [`EncodedFailures`] takes them out of all.

use temporalio_common::data_converters::{
    CommonAttributes, DefaultFailureConverter, FailureConverter, GenericPayloadConverter,
    PayloadConversionError, PayloadConverter, SerializationContext, SerializationContextData,
};
use temporalio_common::error::{IncomingError, OutgoingError};
use temporalio_common::protos::temporal::api::failure::v1::Failure;

/// Writes failures whose messages and stack traces are payloads, and reads
/// both those and plain ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncodedFailures;

impl FailureConverter for EncodedFailures {
    fn to_failure(
        &self,
        error: OutgoingError,
        payload_converter: &PayloadConverter,
        context: &SerializationContextData,
    ) -> Failure {
        DefaultFailureConverter::new(true).to_failure(error, payload_converter, context)
    }

    fn to_error(
        &self,
        mut failure: Failure,
        payload_converter: &PayloadConverter,
        context: &SerializationContextData,
    ) -> Result<IncomingError, PayloadConversionError> {
        reveal(&mut failure);
        DefaultFailureConverter::new(true).to_error(failure, payload_converter, context)
    }
}

/// Puts messages and stack traces, which were decrypted already, back where
/// they belong: in a failure and all its causes.
pub fn reveal(failure: &mut Failure) {
    let mut next = Some(failure);
    while let Some(failure) = next {
        if let Some(told) = attributes(failure) {
            failure.message = told.message;
            failure.stack_trace = told.stack_trace;
            failure.encoded_attributes = None;
        }
        next = failure.cause.as_deref_mut();
    }
}

/// The message of a failure, wherever it stands.
#[must_use]
pub fn message(failure: &Failure) -> String {
    attributes(failure).map_or_else(|| failure.message.clone(), |told| told.message)
}

fn attributes(failure: &Failure) -> Option<CommonAttributes> {
    let encoded = failure.encoded_attributes.clone()?;
    let converter = PayloadConverter::default();
    let context = SerializationContext::new(&SerializationContextData::None, &converter);
    converter.from_payload(&context, encoded).ok()
}

#[cfg(test)]
mod tests {
    use temporalio_common::data_converters::SerializationContextData as Context;
    use temporalio_common::error::{ApplicationFailure, OutgoingWorkflowError};
    use temporalio_common::payload_visitor::{decode_payloads, encode_payloads};

    use super::*;
    use crate::{Cipher, Keys};

    const KEY: &str = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn cipher() -> Cipher {
        Cipher::new(Keys::parse(KEY).expect("a key"))
    }

    /// A failure with a cause, as the server gets it.
    async fn sent() -> Failure {
        let mut failure = Failure::application_failure("outer text".to_owned(), true);
        failure.cause = Some(Box::new(Failure::application_failure(
            "inner text".to_owned(),
            false,
        )));
        let converter = PayloadConverter::default();
        let error = EncodedFailures
            .to_error(failure, &converter, &Context::None)
            .expect("an error");
        let IncomingError::Application(error) = error else {
            panic!("an application failure: {error:?}");
        };
        let error = *Box::<ApplicationFailure>::from(error);
        let error = OutgoingWorkflowError::Application(Box::new(error));
        let outgoing = OutgoingError::Workflow(error);
        let mut failure = EncodedFailures.to_failure(outgoing, &converter, &Context::None);
        encode_payloads(&mut failure, &cipher(), &Context::None)
            .await
            .expect("encrypted");
        failure
    }

    fn texts(failure: &Failure) -> Vec<&str> {
        std::iter::successors(Some(failure), |failure| failure.cause.as_deref())
            .map(|failure| failure.message.as_str())
            .collect()
    }

    #[tokio::test]
    async fn no_message_is_sent_in_plain_and_all_are_read() {
        let mut failure = sent().await;
        assert_eq!(texts(&failure), ["Encoded failure", "Encoded failure"]);
        assert!(!format!("{failure:?}").contains("text"));
        decode_payloads(&mut failure, &cipher(), &Context::None)
            .await
            .expect("decrypted");
        assert_eq!(message(&failure), "outer text");
        let converter = PayloadConverter::default();
        let error = EncodedFailures.to_error(failure, &converter, &Context::None);
        let error = error.expect("an error");
        assert_eq!(texts(error.failure()), ["outer text", "inner text"]);
    }

    #[test]
    fn a_plain_failure_is_read_as_it_is() {
        let mut plain = Failure::application_failure("a text".to_owned(), true);
        reveal(&mut plain);
        assert_eq!(texts(&plain), ["a text"]);
        assert_eq!(message(&plain), "a text");
    }
}
