//! Which gateway the commands ask, and whom they believe that it is one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use pizza_client::{Gateway, Key, Secret};
use reqwest::Certificate;
use url::Url;

use super::output;

/// The largest file of certificates, in bytes. A whole system's are 250 KB.
const MOST_CERTIFICATES: u64 = 1024 * 1024;

/// What to do when the gateway does not know which customer asks.
const NO_CUSTOMER: &str = "give a customer's key with PIZZA_KEY or --key: who runs the gateway \
                           makes one with `pizza customer-key ID`";

/// Which gateway to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct GatewayUrl {
    /// The gateway's URL
    #[arg(
        long,
        value_name = "URL",
        env = "PIZZA_GATEWAY",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) gateway: Url,
    #[command(flatten)]
    trust: TrustArgs,
}

impl GatewayUrl {
    /// A client of this gateway. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Gateway> {
        self.trust.connect(&self.gateway, None)
    }

    /// The same, which shows a customer's key.
    pub(crate) fn connect_with(&self, key: Option<&Secret>) -> anyhow::Result<Gateway> {
        self.trust.connect(&self.gateway, key)
    }
}

/// Whom a client believes that it is the gateway.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// The certificates in PEM that an https gateway's own is to be issued by;
    /// by default those that this machine trusts
    #[arg(long, value_name = "FILE", env = "PIZZA_CA_CERTIFICATE")]
    ca_certificate: Option<PathBuf>,
}

impl TrustArgs {
    /// A client of the gateway at `url` that shows a customer's key, if there
    /// is one. Nothing is sent yet.
    pub(crate) fn connect(&self, url: &Url, key: Option<&Secret>) -> anyhow::Result<Gateway> {
        if let Some(key) = key {
            key.check("customer's", "PIZZA_KEY or --key")?;
        }
        let authorities = self.ca_certificate.as_deref().map(certificates);
        let gateway = Gateway::new(url.clone(), authorities.transpose()?)?;
        let key = Key {
            secret: key.cloned(),
            if_unknown: Some(NO_CUSTOMER.to_owned()),
            if_forbidden: None,
        };
        Ok(gateway.with_key(key).on_wait(tell_of_wait))
    }
}

fn tell_of_wait(wait: Duration) {
    output::note(&format!(
        "the gateway is asked too often; trying again in {} s",
        wait.as_secs()
    ));
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let named = || format!("--ca-certificate (PIZZA_CA_CERTIFICATE) {}", path.display());
    let mut pem = Vec::new();
    let file = File::open(path).with_context(named)?;
    file.take(MOST_CERTIFICATES)
        .read_to_end(&mut pem)
        .with_context(named)?;
    let certificates = Certificate::from_pem_bundle(&pem).with_context(named)?;
    ensure!(
        !certificates.is_empty(),
        "{} holds no certificate in PEM",
        named()
    );
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_certificates_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing").expect("a file");
        for path in [folder.path().join("none.pem"), empty] {
            let error = certificates(&path).expect_err("no certificates");
            let told = format!("{error:#}");
            assert!(told.contains("PIZZA_CA_CERTIFICATE"), "{told}");
            assert!(told.contains(&path.display().to_string()), "{told}");
        }
    }
}
