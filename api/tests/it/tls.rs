//! The door with a lock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pizza_api::proto::GetMenuRequest;
use pizza_api::proto::menu_service_client::MenuServiceClient;
use pizza_api::{Limits, Tls, TlsError};
use reqwest::Certificate;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::certificates::{Authority, Pair, PairFiles};
use crate::support::TestGateway;

/// How often the tests' gateways look at their certificates.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const SHORT: Duration = Duration::from_millis(400);

struct Locked {
    gateway: TestGateway,
    authority: Authority,
    folder: TempDir,
}

impl Locked {
    async fn start(limits: Limits) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().expect("a folder");
        let tls = read(&authority.issue().write(folder.path())).expect("TLS");
        let gateway = TestGateway::with(|gateway| {
            gateway.limits = limits;
            gateway.tls = Some(tls);
        })
        .await;
        Self {
            gateway,
            authority,
            folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.gateway.address)
    }

    fn client(&self) -> reqwest::Client {
        let authority = Certificate::from_pem(self.authority.certificate().as_bytes());
        reqwest::Client::builder()
            .tls_certs_only([authority.expect("a certificate")])
            .build()
            .expect("a client")
    }

    /// A connection to the gateway under this name.
    async fn opened(&self, name: &'static str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(der(&self.authority.certificate()))
            .expect("a root");
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.gateway.address)
            .await
            .expect("a connection");
        let name = ServerName::try_from(name).expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.expect("a handshake")
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self) -> CertificateDer<'static> {
        let opened = self.opened("localhost").await;
        let chain = opened.get_ref().1.peer_certificates().expect("a chain");
        chain[0].clone().into_owned()
    }
}

fn read(files: &PairFiles) -> Result<Tls, TlsError> {
    Tls::read(files.certificate.clone(), files.key.clone(), LOOK_EVERY)
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

#[tokio::test]
async fn both_doors_are_served_over_tls() {
    let locked = Locked::start(Limits::default()).await;
    let answer = locked.client().get(locked.url("/menu")).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200);
    let strict = &answer.headers()["strict-transport-security"];
    assert_eq!(strict, "max-age=31536000");

    let authority = tonic::transport::Certificate::from_pem(locked.authority.certificate());
    let channel = Endpoint::try_from(locked.url(""))
        .expect("an address")
        .tls_config(ClientTlsConfig::new().ca_certificate(authority))
        .expect("a configuration")
        .connect()
        .await
        .expect("a connection");
    let mut menu = MenuServiceClient::new(channel);
    menu.get_menu(GetMenuRequest {}).await.expect("a menu");

    let stranger = locked.gateway.http.get(locked.url("/menu")).send().await;
    assert!(stranger.is_err(), "a certificate of nobody's is believed");
    locked.gateway.stop().await;
}

#[tokio::test]
async fn one_who_speaks_plain_http_is_told_so_and_let_go() {
    let locked = Locked::start(Limits::default()).await;
    for hello in [
        "GET /menu HTTP/1.1\r\nhost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = locked.gateway.connect().await;
        client.send(hello).await;
        let said = client.rest().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(
            said.ends_with("\r\n\r\nthis port speaks https alone.\n"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn one_who_takes_too_long_for_the_handshake_is_cut_off() {
    let limits = Limits {
        first_request: SHORT,
        ..Limits::default()
    };
    let locked = Locked::start(limits).await;
    // Nothing; the head of a record of 512 bytes, and nothing or little more.
    for (hello, drip) in [
        ("", false),
        ("\x16\x03\x01\x02\x00", false),
        ("\x16\x03\x01\x02\x00", true),
    ] {
        let connected = Instant::now();
        let mut client = locked.gateway.connect().await;
        client.send(hello).await;
        if drip {
            client.drip(b"\x01", Duration::from_millis(20)).await;
        }
        let end = client.until_closed().await;
        // One that drips has met the reset already.
        assert!(drip || end.is_err(), "a reset");
        let took = connected.elapsed();
        assert!(took >= SHORT && took < SHORT * 20, "closed after {took:?}");
    }
    // A handshake that is never followed by a request is no better.
    let connected = Instant::now();
    let answered = locked.client().get(locked.url("/healthz")).send().await;
    assert_eq!(answered.expect("an answer").status(), 200);
    locked.shown().await;
    assert!(connected.elapsed() < SHORT * 20);
}

#[tokio::test]
async fn a_shutdown_waits_for_no_handshake() {
    let locked = Locked::start(Limits::default()).await;
    let mut silent = locked.gateway.connect().await;
    silent.send("\x16\x03\x01\x02\x00").await;
    let grace = Limits::default().grace;
    assert!(locked.gateway.stop().await < grace / 2);
    silent.until_closed().await.expect_err("a reset");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_never() {
    let locked = Locked::start(Limits::default()).await;
    let old = locked.shown().await;
    let kept = locked.client();
    assert_eq!(
        kept.get(locked.url("/menu"))
            .send()
            .await
            .expect("an answer")
            .status(),
        200
    );

    let renewed = locked.authority.issue();
    let broken = [
        Pair {
            key: locked.authority.issue().key,
            certificate: renewed.certificate.clone(),
        },
        locked.authority.issue_until(2002),
        Pair {
            key: "half a k".to_owned(),
            certificate: renewed.certificate.clone(),
        },
    ];
    for pair in broken {
        pair.write(locked.folder.path());
        // Ten looks.
        let since = Instant::now();
        while since.elapsed() < LOOK_EVERY * 10 {
            assert_eq!(locked.shown().await, old);
        }
    }
    renewed.write(locked.folder.path());
    let since = Instant::now();
    while locked.shown().await != der(&renewed.certificate) {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "it is not taken up"
        );
    }
    // Whoever was connected stays.
    assert_eq!(
        kept.get(locked.url("/menu"))
            .send()
            .await
            .expect("an answer")
            .status(),
        200
    );
}

fn refusal(folder: &Path, pair: &Pair) -> String {
    let error = read(&pair.write(folder)).expect_err("refused");
    let mut told = error.to_string();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
        told = format!("{told}: {cause}");
    }
    assert!(
        !told.contains("MII") && !told.contains("BEGIN PRIVATE"),
        "{told}"
    );
    told
}

#[test]
fn a_pair_that_no_client_would_take_is_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let good = || authority.issue();
    let certificate = folder.path().join("certificate.pem").display().to_string();
    let key = folder.path().join("key.pem").display().to_string();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let large = "a".repeat(300 * 1024);
    for (pair, named) in [
        (
            Pair {
                key: good().key,
                ..good()
            },
            format!("the key in {key} is not that of"),
        ),
        (
            authority.issue_until(2002),
            format!("the certificate in {certificate} is not valid now"),
        ),
        (
            Pair {
                certificate: String::new(),
                ..good()
            },
            format!("{certificate} holds no certificate"),
        ),
        (
            Pair {
                certificate: good().key,
                ..good()
            },
            format!("{certificate} holds no certificate"),
        ),
        (
            Pair {
                key: String::new(),
                ..good()
            },
            format!("{key} holds no private key"),
        ),
        (
            Pair {
                key: good().certificate,
                ..good()
            },
            format!("{key} holds no private key"),
        ),
        (
            Pair {
                key: encrypted.to_owned(),
                ..good()
            },
            "not encrypted".to_owned(),
        ),
        (
            Pair {
                key: large,
                ..good()
            },
            format!("{key} has more than 262144 bytes"),
        ),
    ] {
        let told = refusal(folder.path(), &pair);
        assert!(told.contains(&named), "{named}: {told}");
    }
    let expired = refusal(folder.path(), &authority.issue_until(2002));
    assert!(expired.contains("expired"), "{expired}");
    let none = folder.path().join("none.pem");
    let error = Tls::read(none.clone(), none.clone(), LOOK_EVERY).expect_err("no file");
    assert!(
        error.to_string().contains(&none.display().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_may_come_in_the_older_form() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let pair = authority.issue();
    let PrivateKeyDer::Pkcs8(key) =
        PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key")
    else {
        panic!("PKCS#8");
    };
    // The octet string in a PKCS#8 key of the curve P-256 is a SEC1 key.
    let key = key.secret_pkcs8_der();
    let start = key
        .windows(2)
        .position(|pair| pair[0] == 0x04 && usize::from(pair[1]) > 100);
    let sec1 = &key[start.expect("an octet string") + 2..];
    let sec1 = base64(sec1);
    let pair = Pair {
        key: format!("-----BEGIN EC PRIVATE KEY-----\n{sec1}\n-----END EC PRIVATE KEY-----\n"),
        ..pair
    };
    read(&pair.write(folder.path())).expect("TLS");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Answers and closes: what a client of TLS that says good-bye is owed.
#[tokio::test]
async fn a_connection_ends_with_a_good_bye() {
    let locked = Locked::start(Limits::default()).await;
    let mut opened = locked.opened("127.0.0.1").await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    opened.write_all(request).await.expect("sent");
    let mut said = String::new();
    // Without a good-bye, this is an error: the end may have been cut off.
    opened.read_to_string(&mut said).await.expect("a clean end");
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}
