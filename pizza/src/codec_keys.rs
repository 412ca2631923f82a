//! The keys that encrypt what Temporal keeps: where they are, and how one is
//! made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::{Context, bail};
use clap::Args;
use payload_codec::{Cipher, KeyId, Keys, key_ids};
use temporalio_common::data_converters::SerializationContextData;
use temporalio_common::payload_visitor::decode_payloads;
use temporalio_common::protos::temporal::api::history::v1::History;

use crate::client::output;
use crate::secret_file;

/// The largest file of keys, in bytes: some hundreds of keys.
const LARGEST_FILE: usize = 64 * 1024;

/// What names the file, for the texts of errors.
const SETTING: &str = "--codec-keys (PIZZA_CODEC_KEYS)";

/// Where the keys are. One for the process: a client that does not encrypt
/// beside one that does would give away what the other hides.
static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// The keys in it, once they were read.
static CIPHER: OnceLock<Cipher> = OnceLock::new();

/// What encrypts.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CodecKeysArgs {
    /// Encrypt what Temporal keeps with the keys in this file, one `ID:BASE64` on a line as
    /// `pizza codec-key` makes them: the first one writes, all of them read
    #[arg(long, value_name = "FILE", env = "PIZZA_CODEC_KEYS")]
    codec_keys: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct NewCodecKeyArgs {
    /// What to call the key, `2026-11` for example: 1 to 64 characters of A-Z, a-z, 0-9, '.', '_'
    /// and '-'. It is no secret
    id: KeyId,
}

/// Makes a key: a line of the file. Nothing is kept.
pub(crate) fn run(args: &NewCodecKeyArgs) -> anyhow::Result<ExitCode> {
    let line = Keys::generate(&args.id).context("the system has no random numbers")?;
    output::note(&format!(
        "add this line to the file of {SETTING}; once every process can read with it, make it \
         the first"
    ));
    output::secret(&line);
    Ok(ExitCode::SUCCESS)
}

/// From now on, these are the keys of this process. They are read when they
/// are needed first.
pub(crate) fn use_those_of(args: CodecKeysArgs) {
    // The first call is that of `main`, and the only one.
    let _ = FILE.set(args.codec_keys);
}

/// What encrypts, and decrypts; none where no file was named.
pub(crate) fn cipher() -> anyhow::Result<Option<Cipher>> {
    if let Some(known) = CIPHER.get() {
        return Ok(Some(known.clone()));
    }
    let Some(file) = FILE.get().and_then(Option::as_ref) else {
        return Ok(None);
    };
    let keys = read(file).with_context(|| format!("{SETTING}: {}", file.display()))?;
    let ids: Vec<&str> = keys.ids().map(KeyId::as_str).collect();
    tracing::info!(keys = ?ids, "payloads are encrypted; the first key writes");
    Ok(Some(CIPHER.get_or_init(|| Cipher::new(keys)).clone()))
}

fn read(path: &Path) -> anyhow::Result<Keys> {
    let text = secret_file::read(path, LARGEST_FILE).context("cannot be read")?;
    Ok(Keys::parse(&text)?)
}

/// Decrypts a history, whole or not at all.
///
/// # Errors
/// When it is encrypted with a key that is not there; it names the key.
pub(crate) async fn open(history: &mut History, cipher: Option<&Cipher>) -> anyhow::Result<()> {
    let Some(cipher) = cipher else {
        let ids = key_ids(history).await;
        if ids.is_empty() {
            return Ok(());
        }
        bail!("it is encrypted with {ids:?}; {SETTING} names the file that holds the keys");
    };
    decode_payloads(history, cipher, &SerializationContextData::None)
        .await
        .context("it cannot be decrypted")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";

    #[test]
    fn a_bad_file_is_refused_without_a_word_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("codec.keys");
        for (text, told) in [
            (String::new(), "it holds no key"),
            (KEY.replace("a:", "a b:"), "line 1 must have an id"),
            (format!("{KEY}\n{KEY}"), "line 2 has the id of"),
            (KEY[..20].to_owned(), "line 1 must have 32 bytes"),
            (
                format!("{KEY}\n").repeat(2000),
                "is longer than 65536 bytes",
            ),
        ] {
            fs::write(&path, text).expect("written");
            let error = format!("{:#}", read(&path).expect_err(told));
            assert!(error.contains(told) && !error.contains("AAAA"), "{error}");
        }
        for path in [folder.path(), Path::new("/nowhere/at/all")] {
            assert!(read(path).is_err(), "{}", path.display());
        }
    }
}
