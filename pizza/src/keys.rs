//! Keys: how they are made, configured, and kept by `pizza dev`.

use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::Args;
use pizza_app::keys::{KeyHash, Keyring, Role, is_key_name};
use trusted_files::open_own;

use crate::client::output;
use crate::secret_file;

/// The random part of a key, in bytes.
const RANDOM_BYTES: usize = 32;
/// A file with a key is for its owner alone.
const OWNER_ONLY: u32 = 0o600;

/// The longest file of entries, in bytes: some ten thousand of them.
const MAX_ENTRIES_FILE: usize = 1 << 20;

/// The longest file with a key that `pizza dev` keeps, in bytes.
const MAX_KEY_FILE: usize = 512;

/// What keys of a role start with, so that a scanner of logs and repositories
/// can tell one.
const fn prefix(role: Role) -> &'static str {
    match role {
        Role::Operator => "pizza_op_",
        Role::Customer => "pizza_cu_",
        Role::Kitchen => "pizza_ki_",
    }
}

/// What whoever holds such a key is called.
pub(crate) const fn holder(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::Customer => "customer",
        Role::Kitchen => "kitchen",
    }
}

/// The name under which `pizza dev` lets the holder of its own key in.
const fn dev_name(role: Role) -> &'static str {
    match role {
        Role::Operator | Role::Customer => "dev",
        Role::Kitchen => "simulated-kitchen",
    }
}

/// The file that `pizza dev` keeps its key of a role in.
pub(crate) fn file(role: Role) -> String {
    format!("{}.key", holder(role))
}

/// The flag and the variable that tell the gateway of a role's keys.
pub(crate) const fn setting(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Operator => ("--operator-keys", "PIZZA_OPERATOR_KEYS"),
        Role::Customer => ("--customer-keys", "PIZZA_CUSTOMER_KEYS"),
        Role::Kitchen => ("--kitchen-keys", "PIZZA_KITCHEN_KEYS"),
    }
}

#[derive(Args, Debug)]
pub(crate) struct NewKeyArgs {
    /// Who will hold the key, as audit trails will name them; of a customer,
    /// the customer's id: 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'
    #[arg(value_parser = key_name)]
    name: String,
}

/// Whom the gateway lets in.
#[derive(Args, Clone, Debug)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    operators: OperatorKeysArgs,
    /// Which customers may order and see their orders: entries as `pizza
    /// customer-key` makes them. Without any, the gateway is open to everybody
    #[arg(
        long,
        value_name = "ENTRIES",
        env = "PIZZA_CUSTOMER_KEYS",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    customer_keys: Entries,
    /// A file with more such entries of customers, one on a line
    #[arg(long, value_name = "FILE", env = "PIZZA_CUSTOMER_KEYS_FILE")]
    customer_keys_file: Option<PathBuf>,
    /// Whose keys may take tickets and report on them: entries as `pizza
    /// kitchen-key` makes them
    #[arg(
        long,
        value_name = "ENTRIES",
        env = "PIZZA_KITCHEN_KEYS",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    kitchen_keys: Entries,
    /// A file with more such entries of kitchens, one on a line
    #[arg(long, value_name = "FILE", env = "PIZZA_KITCHEN_KEYS_FILE")]
    kitchen_keys_file: Option<PathBuf>,
}

/// Whom the codec server lets in.
#[derive(Args, Clone, Debug)]
pub(crate) struct OperatorKeysArgs {
    /// Whose keys may work on the failure queues, and read what is encrypted:
    /// `name:hash` entries as `pizza operator-key` makes them, with commas
    /// between them
    // Values of the environment are secrets' hashes: help does not show them.
    #[arg(
        long,
        value_name = "ENTRIES",
        env = "PIZZA_OPERATOR_KEYS",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    operator_keys: Entries,
    /// A file with more such entries of operators, one on a line
    #[arg(long, value_name = "FILE", env = "PIZZA_OPERATOR_KEYS_FILE")]
    operator_keys_file: Option<PathBuf>,
}

impl OperatorKeysArgs {
    /// The keys that were given; there must be some.
    pub(crate) fn keyring(&self) -> anyhow::Result<Keyring> {
        let mut keys = Keyring::default();
        self.add_to(&mut keys)?;
        let (flag, variable) = setting(Role::Operator);
        ensure!(
            keys.knows(Role::Operator),
            "nobody could be let in: {flag} ({variable}) sets whom, `pizza operator-key` makes keys"
        );
        Ok(keys)
    }

    fn add_to(&self, keys: &mut Keyring) -> anyhow::Result<()> {
        let file = self.operator_keys_file.as_deref();
        add(keys, Role::Operator, &self.operator_keys, file)
    }
}

/// Entries as they were given. They are read once the command line is, since
/// its errors repeat what they are about.
#[derive(Clone)]
struct Entries(String);

impl FromStr for Entries {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries(..)")
    }
}

impl KeysArgs {
    /// The keys that were given.
    pub(crate) fn keyring(&self) -> anyhow::Result<Keyring> {
        let mut keys = Keyring::default();
        self.operators.add_to(&mut keys)?;
        let customers = self.customer_keys_file.as_deref();
        add(&mut keys, Role::Customer, &self.customer_keys, customers)?;
        let kitchens = self.kitchen_keys_file.as_deref();
        add(&mut keys, Role::Kitchen, &self.kitchen_keys, kitchens)?;
        Ok(keys)
    }
}

/// Adds a role's keys: those of the flag or the variable, then the file's.
fn add(
    keys: &mut Keyring,
    role: Role,
    entries: &Entries,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let (flag, variable) = setting(role);
    keys.add(role, &entries.0)
        .with_context(|| format!("{flag} ({variable}) cannot be read"))?;
    let Some(file) = file else { return Ok(()) };
    entries_of(file)
        .and_then(|entries| Ok(keys.add(role, &entries)?))
        .with_context(|| {
            let file = file.display();
            format!("{file}, from {flag}-file ({variable}_FILE), cannot be read")
        })
}

/// The entries in a file, with commas between them. Empty lines and what
/// stands behind a `#` is left out.
fn entries_of(file: &Path) -> anyhow::Result<String> {
    let text = secret_file::read(file, MAX_ENTRIES_FILE)?;
    let entries: Vec<&str> = text
        .lines()
        .map(|line| line.split_once('#').map_or(line, |(entry, _)| entry).trim())
        .filter(|entry| !entry.is_empty())
        .collect();
    Ok(entries.join(","))
}

fn key_name(text: &str) -> Result<String, String> {
    if is_key_name(text) {
        return Ok(text.to_owned());
    }
    Err("must be 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'".to_owned())
}

/// Makes a key: the key itself on stdout, what the gateway needs on stderr.
/// Nothing is kept.
pub(crate) fn run(role: Role, args: &NewKeyArgs) -> anyhow::Result<ExitCode> {
    let key = generate(role)?;
    let (_, variable) = setting(role);
    output::note(&format!(
        "add to {variable} of the gateway:  {}",
        KeyHash::of(&key).entry(&args.name)
    ));
    output::secret(&key);
    Ok(ExitCode::SUCCESS)
}

fn generate(role: Role) -> anyhow::Result<String> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).context("the system has no random numbers")?;
    let random = BASE64_URL_SAFE_NO_PAD.encode(random);
    Ok(format!("{}{random}", prefix(role)))
}

fn is_key(role: Role, text: &str) -> bool {
    text.strip_prefix(prefix(role))
        .and_then(|random| BASE64_URL_SAFE_NO_PAD.decode(random).ok())
        .is_some_and(|random| random.len() == RANDOM_BYTES)
}

/// A key that `pizza dev` keeps in its folder.
pub(crate) struct KeptKey {
    role: Role,
    key: String,
    /// The file that holds it.
    pub(crate) path: PathBuf,
    /// Whether this start made it.
    made_now: bool,
}

impl KeptKey {
    /// Takes the key from the folder, or makes one there.
    pub(crate) fn in_folder(role: Role, data: &Path) -> anyhow::Result<Self> {
        let path = data.join(file(role));
        let kept = |key, made_now| Self {
            role,
            key,
            path: path.clone(),
            made_now,
        };
        if let Some(key) = read(role, &path)? {
            return Ok(kept(key, false));
        }
        let key = generate(role)?;
        match write(data, &path, &key) {
            Ok(()) => Ok(kept(key, true)),
            // Another start may have been quicker; then its key counts.
            Err(error) => match read(role, &path)? {
                Some(key) => Ok(kept(key, false)),
                None => Err(error).with_context(|| {
                    let (holder, path) = (holder(role), path.display());
                    format!("the {holder}'s key cannot be written to {path}")
                }),
            },
        }
    }

    /// Lets the key's holder in.
    pub(crate) fn add_to(&self, keys: &mut Keyring) -> anyhow::Result<()> {
        let dev_name = dev_name(self.role);
        keys.add_hash(self.role, dev_name, KeyHash::of(&self.key))
            .with_context(|| {
                let path = self.path.display();
                format!("the key in {path} cannot be added under the name {dev_name}")
            })
    }

    /// The key, for what runs in this process.
    pub(crate) fn secret(&self) -> &str {
        &self.key
    }

    /// The key, at the one start at which it is shown.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.made_now.then_some(self.key.as_str())
    }
}

/// The key in the file, if there is one. Others lose sight of it.
fn read(role: Role, path: &Path) -> anyhow::Result<Option<String>> {
    let named = || format!("{} cannot be read", path.display());
    let file = match open_own(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(named),
    };
    let mode = file.metadata().with_context(named)?.permissions().mode();
    let text = secret_file::text_of(file, MAX_KEY_FILE).with_context(named)?;
    let key = text.trim();
    if !is_key(role, key) {
        bail!(
            "{} holds no {}'s key; remove it, and the next start makes another",
            path.display(),
            holder(role)
        );
    }
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the key; no longer");
        fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok(Some(key.to_owned()))
}

/// Writes the file whole or not at all, and for its owner alone from the
/// first moment on.
fn write(data: &Path, path: &Path, key: &str) -> anyhow::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".key")
        .permissions(Permissions::from_mode(OWNER_ONLY))
        .tempfile_in(data)?;
    writeln!(file, "{key}")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(data)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        let metadata = fs::metadata(path).expect("a file");
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_long_and_never_the_same() {
        let prefixes = [Role::Operator, Role::Customer, Role::Kitchen].map(|role| {
            let key = generate(role).expect("a key");
            let (prefix, random) = key.split_at(prefix(role).len());
            assert_eq!(random.len(), 43, "{key}");
            assert_ne!(key, generate(role).expect("another"));
            prefix.to_owned()
        });
        assert_eq!(prefixes, ["pizza_op_", "pizza_cu_", "pizza_ki_"]);
    }

    #[test]
    fn a_key_is_known_by_its_form() {
        let key = generate(Role::Operator).expect("a key");
        assert!(is_key(Role::Operator, &key), "{key}");
        assert!(!is_key(Role::Kitchen, &key), "{key}");
        let customers = generate(Role::Customer).expect("a key");
        let short = &key[..key.len() - 1];
        for other in ["", "pizza_op_", short, &key[1..], &customers] {
            assert!(!is_key(Role::Operator, other), "{other}");
        }
    }

    #[test]
    fn a_kept_key_is_made_once_and_shown_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = KeptKey::in_folder(Role::Operator, folder.path()).expect("a key");
        assert_eq!(first.shown(), Some(first.key.as_str()));
        assert_eq!(mode(&first.path), 0o600);
        let again = KeptKey::in_folder(Role::Operator, folder.path()).expect("the key");
        assert_eq!((again.shown(), &again.key), (None, &first.key));
        let mut keys = Keyring::default();
        again.add_to(&mut keys).expect("taken");
        let holder = keys.holder(&first.key).expect("let in");
        assert_eq!(holder.name, "dev");
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 1, "nothing is left behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_hidden_and_a_spoilt_one_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = KeptKey::in_folder(Role::Operator, folder.path()).expect("a key");
        fs::set_permissions(&kept.path, Permissions::from_mode(0o644)).expect("allowed");
        assert!(KeptKey::in_folder(Role::Operator, folder.path()).is_ok());
        assert_eq!(mode(&kept.path), 0o600);
        fs::write(&kept.path, "pizza_op_short").expect("written");
        let error = KeptKey::in_folder(Role::Operator, folder.path())
            .err()
            .expect("refused");
        let told = format!("{error:#}");
        assert!(told.contains("operator.key"), "{told}");
        assert!(!told.contains("short"), "{told}");
    }

    #[test]
    fn a_link_in_place_of_a_key_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = KeptKey::in_folder(Role::Operator, folder.path()).expect("a key");
        let moved = folder.path().join("moved");
        fs::rename(&kept.path, &moved).expect("moved");
        std::os::unix::fs::symlink(&moved, &kept.path).expect("a link");
        let refused = KeptKey::in_folder(Role::Operator, folder.path()).err();
        let told = format!("{:#}", refused.expect("refused"));
        assert!(
            told.contains("operator.key") && told.contains("link"),
            "{told}"
        );
    }

    #[test]
    fn entries_are_not_printed() {
        let entries = |text: &str| -> Entries { text.parse().expect("any text") };
        let args = |[operator, customer, kitchen]: [&str; 3]| KeysArgs {
            operators: OperatorKeysArgs {
                operator_keys: entries(operator),
                operator_keys_file: None,
            },
            customer_keys: entries(customer),
            kitchen_keys: entries(kitchen),
            ..no_keys()
        };
        let bad = "ann:pizza_op_secret";
        for (given, variable) in [
            ([bad, "", ""], "PIZZA_OPERATOR_KEYS"),
            (["", bad, ""], "PIZZA_CUSTOMER_KEYS"),
            (["", "", bad], "PIZZA_KITCHEN_KEYS"),
        ] {
            let args = args(given);
            let error = format!("{:#}", args.keyring().expect_err("no hash"));
            assert!(
                error.contains(variable) && error.contains("entry 1"),
                "{error}"
            );
            assert!(!format!("{error} {args:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn entries_in_a_file_stand_beside_those_that_were_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("customers");
        let hash = "0".repeat(64);
        fs::write(&file, format!("# ours\nann:{hash}\n\nbob:{hash} # new\n")).expect("written");
        let mut args = no_keys();
        args.customer_keys_file = Some(file.clone());
        assert!(args.keyring().is_err(), "one hash for two");

        let other = "1".repeat(64);
        fs::write(&file, format!("ann:{hash}\nbob:{other}\n")).expect("written");
        assert!(args.keyring().expect("a keyring").knows(Role::Customer));

        fs::write(&file, "ann:secret").expect("written");
        let error = format!("{:#}", args.keyring().expect_err("no hash"));
        assert!(error.contains("PIZZA_CUSTOMER_KEYS_FILE"), "{error}");
        assert!(!error.contains("secret"), "{error}");

        args.customer_keys_file = Some(folder.path().join("none"));
        let error = format!("{:#}", args.keyring().expect_err("no file"));
        assert!(error.contains("PIZZA_CUSTOMER_KEYS_FILE"), "{error}");
    }

    fn no_keys() -> KeysArgs {
        let none = || Entries(String::new());
        KeysArgs {
            operators: OperatorKeysArgs {
                operator_keys: none(),
                operator_keys_file: None,
            },
            customer_keys: none(),
            customer_keys_file: None,
            kitchen_keys: none(),
            kitchen_keys_file: None,
        }
    }
}
