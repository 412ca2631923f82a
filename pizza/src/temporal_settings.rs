//! How Temporal is reached, from the variables and the file that every
//! Temporal tool reads, and one more variable: the API key may be in a file,
//! as other secrets are.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, ensure};
use temporalio_client::envconfig::{DataSource, LoadClientConfigProfileOptions};
use temporalio_client::{ClientOptions, ConnectionOptions};
use temporalio_common::envconfig::load_client_config_profile;
use trusted_files::open_given;

use crate::secret_file;

/// The variable that names the file of the API key.
const API_KEY_FILE: &str = "TEMPORAL_API_KEY_FILE";

/// The variable that names the file of the settings.
const CONFIG_FILE: &str = "TEMPORAL_CONFIG_FILE";

/// The variable that names the file of the key to the client's certificate.
const CLIENT_KEY: &str = "TEMPORAL_TLS_CLIENT_KEY_PATH";

/// The longest API key, in bytes. Those of Temporal Cloud have some hundreds.
const LONGEST_API_KEY: usize = 16 * 1024;

/// The settings, read and checked.
pub(crate) fn load() -> anyhow::Result<(ConnectionOptions, ClientOptions)> {
    const UNUSABLE: &str =
        "the Temporal connection settings (TEMPORAL_*, temporal.toml) are unusable";
    // A file that was named and is not there would be done without.
    if let Some(path) = std::env::var_os(CONFIG_FILE) {
        let path = Path::new(&path);
        File::open(path).with_context(|| format!("{CONFIG_FILE} {}", path.display()))?;
    }
    let variables = variables()?;
    let options = LoadClientConfigProfileOptions::default();
    let mut profile = load_client_config_profile(options, Some(&variables))
        .map_err(|error| anyhow::anyhow!(first_line(&error.to_string())))
        .context(UNUSABLE)?;
    if let Some(address) = &profile.address {
        check_address(
            address,
            "TEMPORAL_ADDRESS (or the address in temporal.toml)",
        )?;
    }
    if let Some(tls) = &profile.tls {
        for (variable, source) in [
            ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", &tls.server_ca_cert),
            ("TEMPORAL_TLS_CLIENT_CERT_PATH", &tls.client_cert),
            (CLIENT_KEY, &tls.client_key),
        ] {
            // The SDK's own complaint does not say which file it is.
            if let Some(DataSource::Path(path)) = source {
                let named = || format!("{variable} {path}");
                let file = if variable == CLIENT_KEY {
                    open_given(Path::new(path)).map(|given| given.file)
                } else {
                    File::open(path)
                };
                let file = file.with_context(named)?;
                // A device or a pipe has no length.
                let about = file.metadata().with_context(named)?;
                let is_empty = about.is_file() && about.len() == 0;
                ensure!(!is_empty, "{variable} {path}: the file is empty");
            }
        }
    }
    if let Some(path) = std::env::var_os(API_KEY_FILE) {
        ensure!(
            profile.api_key.is_none(),
            "there are two API keys for Temporal: one in {API_KEY_FILE}, one in TEMPORAL_API_KEY \
             or temporal.toml"
        );
        profile.api_key = Some(api_key(Path::new(&path))?);
    }
    let namespace = profile.namespace.clone();
    let client = ClientOptions::new(namespace.unwrap_or_else(|| "default".to_owned())).build();
    let connection = ConnectionOptions::try_from(profile)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context(UNUSABLE)?;
    Ok((connection, client))
}

/// Refuses an address with more in it than where the server is, without
/// repeating it: a password or a key may be among that.
pub(crate) fn check_address(address: &str, setting: &str) -> anyhow::Result<()> {
    ensure!(
        !address.contains(['@', '?', '#']),
        "{setting} holds a user, a password, a query (`?`) or a fragment (`#`), which Temporal does \
         not take; an API key is given with {API_KEY_FILE}"
    );
    Ok(())
}

/// The first line of an error's text, which says where in a file it is. The
/// others repeat what stands there, and that may be a key.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The environment, less what is no text: the SDK would panic over that, and
/// repeat it.
///
/// # Errors
/// When a variable of Temporal's is no text. Its value is not repeated.
fn variables() -> anyhow::Result<HashMap<String, String>> {
    let mut variables = HashMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => {
                variables.insert(name, value);
            }
            Err(_) => ensure!(!name.starts_with("TEMPORAL_"), "{name} is not UTF-8"),
        }
    }
    Ok(variables)
}

/// What to look at when Temporal cannot be reached by these settings. A server
/// that wants another certificate often just closes the connection: in TLS 1.3
/// the client has its handshake behind it by then.
pub(crate) fn advice(connection: &ConnectionOptions) -> &'static str {
    let tls = connection.tls_options.as_ref();
    match tls.map(|tls| tls.client_tls_options.is_some()) {
        None => "is the address right?",
        Some(false) => {
            "is the address right, and does it want a certificate (TEMPORAL_TLS_CLIENT_CERT_PATH, \
             TEMPORAL_TLS_CLIENT_KEY_PATH) or an API key (TEMPORAL_API_KEY_FILE)?"
        }
        Some(true) => {
            "is the address right, and does it know who issued TEMPORAL_TLS_CLIENT_CERT_PATH?"
        }
    }
}

/// Reads an API key. No error repeats it.
fn api_key(path: &Path) -> anyhow::Result<String> {
    let named = || format!("{API_KEY_FILE} {}", path.display());
    let text = secret_file::read(path, LONGEST_API_KEY).with_context(named)?;
    let key = text.trim();
    let fits = key.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(
        fits && !key.is_empty(),
        "{} holds no API key: one is printable ASCII without spaces, of at most {LONGEST_API_KEY} \
         bytes",
        named()
    );
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_comes_from_a_file_and_is_in_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, "eyJhbGciOi.secret\n").expect("a file");
        assert_eq!(api_key(&path).expect("a key"), "eyJhbGciOi.secret");
        let long = "s".repeat(LONGEST_API_KEY + 1);
        for bad in ["", " \n", "two secrets", "secr\u{e9}t", &long] {
            std::fs::write(&path, bad).expect("a file");
            let told = format!("{:#}", api_key(&path).expect_err(bad));
            assert!(told.contains(API_KEY_FILE), "{told}");
            assert!(!told.contains("ss") && !told.contains("two"), "{told}");
        }
        let none = api_key(&folder.path().join("none")).expect_err("no file");
        assert!(format!("{none:#}").contains(API_KEY_FILE));
    }
}
