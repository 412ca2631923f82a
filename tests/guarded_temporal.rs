//! A Temporal that asks for a certificate and for an API key.

use std::path::Path;

use serde_json::json;

use crate::harness::certificates::Authority;
use crate::harness::cli::Cli;
use crate::harness::guarded_temporal::GuardedTemporal;
use crate::harness::temporal::Temporal;
use crate::harness::{Setup, World, folder};

const API_KEY: &str = "an-api-key.of-the-tests";

/// What leads through the door.
fn variables(folder: &Path, authority: &Authority, address: &str) -> Vec<(String, String)> {
    let client = authority.issue().write(folder);
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority.certificate()).expect("a file");
    let key = folder.join("api.key");
    std::fs::write(&key, format!("{API_KEY}\n")).expect("a file");
    [
        ("TEMPORAL_ADDRESS", address.to_owned()),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", ca.display().to_string()),
        (
            "TEMPORAL_TLS_CLIENT_CERT_PATH",
            client.certificate.display().to_string(),
        ),
        (
            "TEMPORAL_TLS_CLIENT_KEY_PATH",
            client.key.display().to_string(),
        ),
        ("TEMPORAL_API_KEY_FILE", key.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[tokio::test]
async fn worker_gateway_and_audit_show_a_certificate_and_an_api_key() {
    let server = Temporal::shared().await;
    let authority = Authority::new();
    let door = GuardedTemporal::start(server.address(), &authority, API_KEY).await;
    let secrets = folder::new("secrets");
    let mut shown = variables(&secrets, &authority, door.address());
    shown.push((
        "TEMPORAL_NAMESPACE".to_owned(),
        server.new_namespace().await,
    ));
    let world = World::start(Setup {
        temporal: Some(door.address().to_owned()),
        variables: shown,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let id = gateway.place(json!({})).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let audit = world.cli().pizza(&["audit"]).await;
    assert_eq!(audit.code, Some(0), "{audit:?}");

    let strangers = folder::new("strangers");
    let stranger = Authority::new();
    let theirs = variables(&strangers, &stranger, door.address());
    let of = |name: &str| {
        let found = theirs.iter().find(|(other, _)| other == name);
        found.expect("a variable").1.clone()
    };
    let ca = of("TEMPORAL_TLS_SERVER_CA_CERT_PATH");
    let certificate = of("TEMPORAL_TLS_CLIENT_CERT_PATH");
    let key = of("TEMPORAL_TLS_CLIENT_KEY_PATH");
    for (changed, expected) in [
        (
            vec![("TEMPORAL_TLS_SERVER_CA_CERT_PATH", ca)],
            "UnknownIssuer",
        ),
        (
            vec![
                ("TEMPORAL_TLS_CLIENT_CERT_PATH", certificate),
                ("TEMPORAL_TLS_CLIENT_KEY_PATH", key),
            ],
            "does it know who issued TEMPORAL_TLS_CLIENT_CERT_PATH?",
        ),
        (
            vec![
                ("TEMPORAL_TLS_CLIENT_CERT_PATH", String::new()),
                ("TEMPORAL_TLS_CLIENT_KEY_PATH", String::new()),
            ],
            "does it want a certificate (TEMPORAL_TLS_CLIENT_CERT_PATH,",
        ),
        (
            vec![("TEMPORAL_TLS_CLIENT_KEY_PATH", String::new())],
            "must be provided together",
        ),
        (
            vec![("TEMPORAL_TLS_CLIENT_KEY_PATH", "/none.key".to_owned())],
            "TEMPORAL_TLS_CLIENT_KEY_PATH /none.key",
        ),
        (
            vec![("TEMPORAL_API_KEY_FILE", String::new())],
            "an API key is needed at this door",
        ),
    ] {
        let mut cli = world.cli();
        for (name, value) in &changed {
            cli = changed_to(cli, name, value);
        }
        let refused = cli.pizza(&["audit"]).await;
        assert_eq!(refused.code, Some(2), "{changed:?}: {refused:?}");
        assert!(
            refused.stderr.contains(expected),
            "{changed:?}: {refused:?}"
        );
        assert!(!refused.stderr.contains(API_KEY), "{refused:?}");
    }
}

/// A variable with another value; without one, for none.
fn changed_to(cli: Cli, name: &str, value: &str) -> Cli {
    let mut cli = cli.without(name);
    if !value.is_empty() {
        cli.variables.push((name.to_owned(), value.to_owned()));
    }
    cli
}
