//! What a step is given when it is run again.

use std::collections::BTreeMap;

use failure_queue::{Bytes, RedriveRequest, StoredPayload};

use crate::harness::{Next, World, redrive_by};

#[tokio::test]
async fn a_corrected_input_is_used_and_the_original_kept() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", vec![Next::Fault("bank-away"); 2]);
    let corrected = StoredPayload::json(r#"{"key":"a","amount":7}"#);
    let request = RedriveRequest {
        input: Some(corrected.clone()),
        ..redrive_by("alice")
    };
    world.queues.redrive(&task, request).await.unwrap();
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.corrected_input, Some(corrected));
    assert_eq!(view.input.as_json(), Some(r#"{"key":"a","amount":100}"#));
    assert!(view.audit[0].corrected_input);

    // It holds until another one is given.
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    let original = RedriveRequest {
        original_input: true,
        ..redrive_by("alice")
    };
    world.queues.redrive(&task, original).await.unwrap();
    assert_eq!(world.ledger.amounts("a"), [100, 7, 7, 100]);
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.corrected_input, None);
}

#[tokio::test]
async fn an_opaque_payload_reaches_the_step_byte_for_byte() {
    let world = World::new().await;
    let bytes = |text: &[u8]| Bytes(text.to_vec());
    let secret = StoredPayload {
        metadata: BTreeMap::from([
            ("encoding".to_owned(), bytes(b"binary/encrypted")),
            ("encryption-key-id".to_owned(), bytes(&[0xff, 0, 1])),
        ]),
        data: Bytes((0..=255).collect()),
    };
    let mut errand = world.errand("a");
    errand.opaque = Some(secret.clone());
    errand.payment.key = "opaque".to_owned();
    let task = world.park_errand(errand, "bank-away").await;
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.input, secret);
    assert_eq!(view.input.as_json(), None);
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.opaque(), [secret.clone(), secret]);
}
