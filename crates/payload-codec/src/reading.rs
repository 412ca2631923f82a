//! Reading what the server hands out raw: histories.

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::future::BoxFuture;
use temporalio_common::data_converters::{
    PayloadCodec, PayloadConversionError, SerializationContextData,
};
use temporalio_common::payload_visitor::{
    AsyncPayloadVisitor, PayloadField, PayloadFieldData, PayloadVisitable,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::cipher;

/// Decrypts every payload of a message that `codec` can decrypt. The others
/// stay as they are: whoever reads a history without a key learns less, and not
/// nothing. Returns how many stayed.
pub async fn open_what_can_be_opened<M: PayloadVisitable>(
    message: &mut M,
    codec: &(dyn PayloadCodec + Send + Sync),
) -> usize {
    let mut opening = Opening { codec, left: 0 };
    // It never fails.
    let _ = message.visit_payloads_mut(&mut opening).await;
    opening.left
}

struct Opening<'a> {
    codec: &'a (dyn PayloadCodec + Send + Sync),
    left: usize,
}

impl Opening<'_> {
    async fn open(&mut self, payload: &mut Payload) {
        let context = SerializationContextData::None;
        let opened = self.codec.decode(&context, vec![payload.clone()]).await;
        match opened.ok().and_then(|opened| opened.into_iter().next()) {
            Some(opened) => *payload = opened,
            None => self.left += 1,
        }
    }
}

impl AsyncPayloadVisitor for Opening<'_> {
    fn visit<'a>(
        &'a mut self,
        field: PayloadField<'a>,
    ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
        async move {
            for payload in payloads_of(field) {
                self.open(payload).await;
            }
            Ok(())
        }
        .boxed()
    }
}

/// The ids of the keys that a message's payloads are encrypted with, in their
/// order.
pub async fn key_ids<M: PayloadVisitable>(message: &mut M) -> BTreeSet<String> {
    let mut listing = Listing(BTreeSet::new());
    // It never fails.
    let _ = message.visit_payloads_mut(&mut listing).await;
    listing.0
}

struct Listing(BTreeSet<String>);

impl AsyncPayloadVisitor for Listing {
    fn visit<'a>(
        &'a mut self,
        field: PayloadField<'a>,
    ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
        async move {
            self.0
                .extend(payloads_of(field).iter().filter_map(cipher::key_id_of));
            Ok(())
        }
        .boxed()
    }
}

fn payloads_of(field: PayloadField<'_>) -> &mut [Payload] {
    match field.data {
        PayloadFieldData::Single(payload) => std::slice::from_mut(payload),
        PayloadFieldData::Repeated(payloads) => payloads.as_mut_slice(),
        PayloadFieldData::Payloads(payloads) => payloads.payloads.as_mut_slice(),
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::common::v1::Payloads;
    use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
    use temporalio_common::protos::temporal::api::history::v1::{
        History, HistoryEvent, WorkflowExecutionStartedEventAttributes,
    };

    use super::*;
    use crate::{Cipher, Keys};

    #[tokio::test]
    async fn a_payload_whose_key_is_lost_takes_no_other_with_it() {
        let keys = [
            "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "b:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
        ];
        let [ours, lost] = keys.map(|key| Cipher::new(Keys::parse(key).expect("a key")));
        let plain = |text: &str| Payload {
            data: text.as_bytes().to_vec(),
            ..Payload::default()
        };
        let gone = lost.seal(&plain("gone")).expect("sealed");
        let payloads = vec![
            ours.seal(&plain("ours")).expect("sealed"),
            gone.clone(),
            plain("open"),
        ];
        let started = WorkflowExecutionStartedEventAttributes {
            input: Some(Payloads { payloads }),
            ..Default::default()
        };
        let mut history = History {
            events: vec![HistoryEvent {
                attributes: Some(Attributes::WorkflowExecutionStartedEventAttributes(started)),
                ..Default::default()
            }],
        };
        let ids = key_ids(&mut history).await;
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(open_what_can_be_opened(&mut history, &ours).await, 1);
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
            &history.events[0].attributes
        else {
            panic!("{history:?}");
        };
        let payloads = &started.input.as_ref().expect("an input").payloads;
        assert_eq!(*payloads, [plain("ours"), gone, plain("open")]);
    }
}
