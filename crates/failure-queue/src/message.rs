//! The input of a signal, which anybody with access to Temporal can send.

use std::sync::OnceLock;

use temporalio_common::data_converters::{
    GenericPayloadConverter, PayloadConversionError, SerializationContext, TemporalDeserializable,
    TemporalSerializable,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_workflow::{SyncWorkflowContext, WorkflowContext, WorkflowContextView};

/// The encoding of a payload that was not decrypted.
const ENCRYPTED: &[u8] = b"binary/encrypted";

/// The input of a signal.
///
/// The SDK fails the workflow task of a workflow that receives a signal which
/// it cannot decode, and tries it again without end. A signal handler that
/// takes a `Message` is called all the same, and drops such a signal with
/// [`Message::read`].
///
/// One that is encrypted fails the workflow task still: a worker that has the
/// key can read it.
#[derive(Clone, Debug)]
pub struct Message<T>(Result<T, Unreadable>);

/// What is told of a signal that cannot be read: nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unreadable {
    payloads: usize,
    bytes: usize,
}

/// A signal that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedMessage<'a> {
    /// The type of the workflow that it was sent to.
    pub workflow_type: &'a str,
    /// The name of the signal.
    pub message: &'static str,
}

static COUNT: OnceLock<fn(DroppedMessage<'_>)> = OnceLock::new();

/// Calls `count` for each signal that is dropped in this process. The first
/// call sets it, later ones change nothing.
pub fn count_dropped_messages(count: fn(DroppedMessage<'_>)) {
    let _ = COUNT.set(count);
}

impl<T> Message<T> {
    /// The input of the signal `message`; none when it cannot be read. Then
    /// the signal is counted and named in a log line, once and not again when
    /// the workflow is replayed.
    pub fn read(self, ctx: &impl Receiver, message: &'static str) -> Option<T> {
        let unreadable = match self.0 {
            Ok(input) => return Some(input),
            Err(unreadable) => unreadable,
        };
        if !ctx.is_replaying() {
            unreadable.report(&ctx.info(), message);
        }
        None
    }
}

impl Unreadable {
    fn report(&self, workflow: &WorkflowContextView, message: &'static str) {
        tracing::warn!(
            message_name = message,
            workflow_type = workflow.workflow_type(),
            workflow_id = workflow.workflow_id(),
            run_id = workflow.run_id(),
            payloads = self.payloads,
            bytes = self.bytes,
            "a signal was dropped: its input cannot be read"
        );
        if let Some(count) = COUNT.get() {
            count(DroppedMessage {
                workflow_type: workflow.workflow_type(),
                message,
            });
        }
    }
}

/// The context of a signal handler.
pub trait Receiver {
    /// Whether the workflow only repeats what its history says.
    fn is_replaying(&self) -> bool;

    /// The workflow.
    fn info(&self) -> WorkflowContextView;
}

impl<W> Receiver for WorkflowContext<W> {
    fn is_replaying(&self) -> bool {
        self.is_replaying()
    }

    fn info(&self) -> WorkflowContextView {
        self.info()
    }
}

impl<W> Receiver for SyncWorkflowContext<W> {
    fn is_replaying(&self) -> bool {
        self.is_replaying()
    }

    fn info(&self) -> WorkflowContextView {
        self.info()
    }
}

impl<T> From<T> for Message<T> {
    fn from(input: T) -> Self {
        Self(Ok(input))
    }
}

impl<T: TemporalSerializable + 'static> TemporalSerializable for Message<T> {
    fn to_payload(
        &self,
        context: &SerializationContext<'_>,
    ) -> Result<Payload, PayloadConversionError> {
        match &self.0 {
            Ok(input) => context.converter.to_payload(context, input),
            Err(_) => Err(PayloadConversionError::WrongEncoding),
        }
    }
}

impl<T: TemporalDeserializable + 'static> TemporalDeserializable for Message<T> {
    fn from_payloads(
        context: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        let is_encrypted = |payload: &Payload| {
            let encoding = payload.metadata.get("encoding");
            encoding.is_some_and(|encoding| encoding == ENCRYPTED)
        };
        if payloads.iter().any(is_encrypted) {
            return Err(PayloadConversionError::WrongEncoding);
        }
        let unreadable = Unreadable {
            payloads: payloads.len(),
            bytes: payloads.iter().map(|payload| payload.data.len()).sum(),
        };
        let input = context.converter.from_payloads(context, payloads);
        Ok(Self(input.map_err(|_| unreadable)))
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::data_converters::{PayloadConverter, SerializationContextData};

    use super::*;

    fn payload(encoding: &str, data: &[u8]) -> Payload {
        Payload {
            metadata: [("encoding".to_owned(), encoding.as_bytes().to_vec())].into(),
            data: data.to_vec(),
            ..Payload::default()
        }
    }

    fn read(payloads: Vec<Payload>) -> Result<Result<u32, Unreadable>, ()> {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let message: Result<Message<u32>, _> = converter.from_payloads(&context, payloads);
        message.map(|message| message.0).map_err(drop)
    }

    #[test]
    fn what_cannot_be_read_is_an_input_too() {
        assert_eq!(read(vec![payload("json/plain", b"7")]), Ok(Ok(7)));
        let unreadable = |payloads: Vec<Payload>| {
            let bytes = payloads.iter().map(|payload| payload.data.len()).sum();
            let payloads_len = payloads.len();
            assert_eq!(
                read(payloads),
                Ok(Err(Unreadable {
                    payloads: payloads_len,
                    bytes
                }))
            );
        };
        unreadable(Vec::new());
        unreadable(vec![payload("json/plain", b"\"x\"")]);
        unreadable(vec![payload("json/plain", b"7"); 2]);
        unreadable(vec![payload("binary/plain", &[0, 255])]);
        unreadable(vec![payload("binary/null", b"")]);
        unreadable(vec![payload("json/plain", b"{")]);
        unreadable(vec![Payload::default()]);
        // A worker that has the key can.
        assert_eq!(read(vec![payload("binary/encrypted", b"7")]), Err(()));
    }

    #[test]
    fn an_input_is_written_as_it_is() {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let plain = converter.to_payload(&context, &7_u32).expect("a payload");
        let message = Message::from(7_u32);
        assert_eq!(converter.to_payload(&context, &message).ok(), Some(plain));
    }
}
