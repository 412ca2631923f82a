//! TLS at the gateway's own door: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by
//! ALPN, and a certificate that is exchanged while the gateway runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use failure_queue::error_chain;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, Error, InconsistentKeys, RootCertStore, ServerConfig,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use trusted_files::open_given;

use crate::connection::WatchedStream;

/// The largest file of a certificate or a key, in bytes. A chain of four takes
/// about 8 KiB.
const MOST_BYTES: u64 = 256 * 1024;

/// How long before its end a certificate is warned of. One that is renewed
/// automatically is exchanged a month before it, mostly.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 24 * 3600);

/// How often that is said again.
const WARN_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The first byte of a TLS connection: a record of the handshake.
const HANDSHAKE: u8 = 0x16;

/// A certificate and its key, from the files that they are kept in.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: Files,
    /// How often the files are looked at.
    look_every: Duration,
    current: Mutex<Current>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of what was read last, whether it could be used or not.
    read: Fingerprint,
    warned: Option<Instant>,
}

type Fingerprint = [u8; 32];

/// Why there is no TLS with these files. No error holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file is no certificate.
    #[error("{} has more than {MOST_BYTES} bytes, which no certificate or key has", .0.display())]
    TooLarge(PathBuf),
    /// There is no certificate in its file.
    #[error("{} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in its file.
    #[error(
        "{} holds no private key in PEM that can be read: PKCS#8, PKCS#1 or SEC1, not encrypted",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error("the key in {} is not that of the certificate in {}", .key.display(), .certificate.display())]
    OtherKey {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Where the key is.
        key: PathBuf,
    },
    /// The certificate is not valid any more, or not yet.
    #[error("the certificate in {} is not valid now", .0.display())]
    NotValidNow(PathBuf, #[source] Error),
    /// Something else is wrong with the pair.
    #[error("the certificate in {} cannot be used with its key", .0.display())]
    Unusable(PathBuf, #[source] Error),
}

impl Tls {
    /// Reads a chain of certificates, the gateway's own first, and its key,
    /// both in PEM. While the gateway runs, both files are looked at every
    /// `look_every`, and taken up when they have changed.
    ///
    /// # Errors
    /// When a client that checks certificates would not take this one, or it
    /// cannot be used at all.
    pub fn read(
        certificate: PathBuf,
        key: PathBuf,
        look_every: Duration,
    ) -> Result<Self, TlsError> {
        let files = Files { certificate, key };
        let contents = files.read()?;
        let config = files.config(&contents)?;
        let current = Mutex::new(Current {
            config: Arc::new(config),
            read: contents.fingerprint(),
            warned: None,
        });
        Ok(Self(Arc::new(Inner {
            files,
            look_every,
            current,
        })))
    }

    /// Accepts with the current certificate.
    fn acceptor(&self) -> TlsAcceptor {
        let current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// Opens a connection; none when the client does not. One that speaks no
    /// TLS is told so in HTTP, which is what it most likely speaks.
    pub(crate) async fn open(&self, mut stream: WatchedStream) -> Option<TlsStream<WatchedStream>> {
        let mut first = [0];
        let read = stream.stream.peek(&mut first).await.ok()?;
        if read == 1 && first[0] != HANDSHAKE {
            // Whoever it is went away, or not: there is nothing else to do.
            let _ = turn_away(&mut stream.stream).await;
            return None;
        }
        self.acceptor().accept(stream).await.ok()
    }

    /// Takes up what changes in the files, until `shutdown`. What cannot be
    /// used is logged once, and the certificate of before is kept.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        let mut looks = interval(self.0.look_every);
        while shutdown.run_until_cancelled(looks.tick()).await.is_some() {
            let tls = self.clone();
            // Two small files: still not for the thread of all connections.
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    fn look(&self) {
        let files = &self.0.files;
        let contents = match files.read() {
            Ok(contents) => contents,
            // Between the removal of one and the arrival of the next.
            Err(error) => {
                return tracing::debug!(error = error_chain(&error), "no certificate is read");
            }
        };
        let read = contents.fingerprint();
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if current.read != read {
            current.read = read;
            match files.config(&contents) {
                Ok(config) => {
                    current.config = Arc::new(config);
                    current.warned = None;
                    tracing::info!(path = %files.certificate.display(), "a new certificate is used");
                }
                Err(error) => tracing::error!(
                    error = error_chain(&error),
                    "the new certificate is of no use; the one of before is kept"
                ),
            }
        }
        let warned_lately = current.warned.is_some_and(|it| it.elapsed() < WARN_EVERY);
        if !warned_lately && contents.ends_within(WARN_BEFORE) {
            current.warned = Some(Instant::now());
            tracing::warn!(
                path = %files.certificate.display(),
                "the certificate ends within 14 days, or has ended"
            );
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Files { certificate, key } = &self.0.files;
        write!(f, "Tls({}, {})", certificate.display(), key.display())
    }
}

impl Files {
    fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&self.certificate, File::open(&self.certificate))?,
            // It is secret, and whoever puts another one there takes the door.
            key: read(&self.key, open_given(&self.key).map(|given| given.file))?,
        })
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
        let chain = contents.chain();
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| TlsError::NoKey(self.key.clone()))?;
        validity(&chain, UnixTime::now())
            .map_err(|error| TlsError::NotValidNow(self.certificate.clone(), error))?;
        let unusable = |error| TlsError::Unusable(self.certificate.clone(), error);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::OtherKey {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                },
                error => unusable(error),
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// What stands in the files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn fingerprint(&self) -> Fingerprint {
        let certificate = Sha256::digest(&self.certificate);
        let key = Sha256::digest(&self.key);
        Sha256::digest([certificate, key].concat()).into()
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        read.unwrap_or_default()
    }

    fn ends_within(&self, time: Duration) -> bool {
        let now = UnixTime::now().as_secs();
        let then = UnixTime::since_unix_epoch(Duration::from_secs(now) + time);
        validity(&self.chain(), then).is_err()
    }
}

fn read(path: &Path, opened: io::Result<File>) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error| TlsError::Unreadable(path.to_owned(), error);
    let mut contents = Vec::new();
    let mut bounded = opened.map_err(unreadable)?.take(MOST_BYTES + 1);
    bounded.read_to_end(&mut contents).map_err(unreadable)?;
    if contents.len() as u64 > MOST_BYTES {
        return Err(TlsError::TooLarge(path.to_owned()));
    }
    Ok(contents)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Whether a certificate is valid at a time, in the eyes of a client. Who
/// issued it and for which name is the clients' to judge: here the end of the
/// chain is trusted, and any name will do.
fn validity(chain: &[CertificateDer<'_>], at: UnixTime) -> Result<(), Error> {
    let [own, others @ ..] = chain else {
        return Ok(());
    };
    let mut roots = RootCertStore::empty();
    roots.add(others.last().unwrap_or(own).clone().into_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let name =
        ServerName::try_from("localhost").map_err(|error| Error::General(error.to_string()))?;
    match verifier.verify_server_cert(own, others, &name, &[], at) {
        Err(
            error @ Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::BadEncoding,
            ),
        ) => Err(error),
        _ => Ok(()),
    }
}

/// Answers a client that speaks no TLS, after a look at what came, since an
/// answer to bytes that nobody read may never arrive.
async fn turn_away(stream: &mut TcpStream) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
        content-length: 30\r\nconnection: close\r\n\r\nthis port speaks https alone.\n";
    let mut said = [0; 4096];
    let _ = stream.read(&mut said).await?;
    stream.write_all(ANSWER).await?;
    stream.shutdown().await
}
