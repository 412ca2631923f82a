//! An operator's or a kitchen's key: where it comes from, and to whom it is
//! shown.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use pizza_app::keys::Role;
use pizza_client::{Key, MAX_KEY, Secret};
use url::{Host, Url};

use crate::{keys, secret_file};

/// The key that is shown to the gateway, with where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct ShownKey {
    role: Role,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    /// It was given.
    Given(Secret),
    /// It was found.
    Found(Secret, PathBuf),
    /// There is none.
    Missing,
}

/// The variable, and the flag, that a client is given a role's key by.
const fn sources(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Operator => ("PIZZA_OPERATOR_KEY", "--operator-key"),
        Role::Kitchen => ("PIZZA_KITCHEN_KEY", "--key"),
        Role::Customer => ("PIZZA_KEY", "--key"),
    }
}

impl ShownKey {
    /// A key that this process knows.
    pub(crate) fn known(role: Role, key: &str) -> Self {
        let origin = Origin::Given(secret(key));
        Self { role, origin }
    }

    /// The key that was given, else the dev server's if `gateway` is on this
    /// machine: a key is never tried on whoever else is asked.
    pub(super) fn find(
        role: Role,
        given: Option<Secret>,
        gateway: &Url,
        data: &Path,
    ) -> anyhow::Result<Self> {
        let origin = Origin::find(role, given, gateway, data)?;
        Ok(Self { role, origin })
    }

    fn secret(&self) -> Option<&Secret> {
        match &self.origin {
            Origin::Given(secret) | Origin::Found(secret, _) => Some(secret),
            Origin::Missing => None,
        }
    }

    /// What to do when the gateway does not know who asks.
    fn advice_unknown(&self) -> String {
        let holder = keys::holder(self.role);
        let (variable, flag) = sources(self.role);
        match &self.origin {
            Origin::Given(_) => format!(
                "the key from {variable} or {flag} is none of this gateway's: ask who runs it for \
                 one (`pizza {holder}-key NAME` makes one)"
            ),
            Origin::Found(_, file) => format!(
                "the key in {} is none of this gateway's: give its own with {variable}",
                file.display()
            ),
            Origin::Missing => format!(
                "give the {holder}'s key with {variable}; where `pizza dev` runs on this machine, \
                 its own is found from the same folder, or with PIZZA_DATA"
            ),
        }
    }

    /// What to do when the gateway knows who asks and says no.
    fn advice_forbidden(&self) -> String {
        let holder = keys::holder(self.role);
        let (_, variable) = keys::setting(self.role);
        format!(
            "the gateway knows no {holder}'s key (it is told of them with {variable}), or this one \
             is none"
        )
    }
}

impl From<ShownKey> for Key {
    fn from(key: ShownKey) -> Self {
        Self {
            secret: key.secret().cloned(),
            if_unknown: Some(key.advice_unknown()),
            if_forbidden: Some(key.advice_forbidden()),
        }
    }
}

impl Origin {
    fn find(role: Role, given: Option<Secret>, gateway: &Url, data: &Path) -> anyhow::Result<Self> {
        let whose = format!("{}'s", keys::holder(role));
        if let Some(secret) = given {
            let (variable, flag) = sources(role);
            secret.check(&whose, &format!("{variable} or {flag}"))?;
            return Ok(Self::Given(secret));
        }
        if !is_this_machine(gateway) {
            return Ok(Self::Missing);
        }
        let file = data.join(keys::file(role));
        let found = read_own(&file)
            .with_context(|| format!("the key in {} cannot be read", file.display()))?;
        match found {
            Some(secret) => {
                secret.check(&whose, &file.display().to_string())?;
                Ok(Self::Found(secret, file))
            }
            None => Ok(Self::Missing),
        }
    }
}

/// Whether what is sent to this URL stays on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The key that stands alone in a file which a person has named.
pub(super) fn read(file: &Path) -> io::Result<Secret> {
    Ok(secret(&secret_file::read(file, MAX_KEY)?))
}

/// The key that stands alone in a file which `pizza dev` has made; none when
/// there is no such file.
fn read_own(file: &Path) -> io::Result<Option<Secret>> {
    match secret_file::read_own(file, MAX_KEY) {
        Ok(text) => Ok(Some(secret(&text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Any text is a secret.
fn secret(text: &str) -> Secret {
    let Ok(secret) = text.parse();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pizza_op_0123456789abcdef";

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    fn given(text: &str) -> Option<Secret> {
        Some(secret(text))
    }

    /// A data folder with the dev server's key in it.
    fn folder(key: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(keys::file(Role::Operator)), key).expect("a file");
        folder
    }

    fn found(given: Option<Secret>, gateway: &str, folder: &Path) -> Option<String> {
        let key =
            ShownKey::find(Role::Operator, given, &url(gateway), folder).expect("it is looked for");
        key.secret().map(|secret| secret.text().to_owned())
    }

    #[test]
    fn the_dev_key_is_for_a_gateway_on_this_machine_alone() {
        let folder = folder(&format!("{KEY}\n"));
        for near in [
            "http://127.0.0.1:8080",
            "http://127.3.2.1:8080",
            "http://localhost:8080",
            "http://[::1]:8080/prefix/",
        ] {
            assert_eq!(
                found(None, near, folder.path()).as_deref(),
                Some(KEY),
                "{near}"
            );
        }
        for far in [
            "http://10.0.0.1:8080",
            "http://0.0.0.0:8080",
            "https://pizza.example.org",
            "http://localhost.example.org:8080",
            "http://127.0.0.1.example.org:8080",
        ] {
            assert_eq!(found(None, far, folder.path()), None, "{far}");
        }
    }

    #[test]
    fn a_given_key_comes_before_one_that_is_found() {
        let folder = folder(KEY);
        let here = "http://127.0.0.1:8080";
        let key = found(given("pizza_op_given"), here, folder.path());
        assert_eq!(key.as_deref(), Some("pizza_op_given"));
        let key = found(
            given("pizza_op_given"),
            "https://far.example",
            folder.path(),
        );
        assert_eq!(key.as_deref(), Some("pizza_op_given"));
        let nowhere = folder.path().join("nowhere");
        assert_eq!(found(None, here, &nowhere), None);
    }

    #[test]
    fn no_link_is_followed_in_the_dev_servers_folder() {
        let data = tempfile::tempdir().expect("a folder");
        let elsewhere = folder(KEY);
        let key = keys::file(Role::Operator);
        let link = data.path().join(&key);
        std::os::unix::fs::symlink(elsewhere.path().join(key), link).expect("a link");
        let here = url("http://127.0.0.1:8080");
        let refused = ShownKey::find(Role::Operator, None, &here, data.path());
        let told = format!("{:#}", refused.expect_err("a link"));
        assert!(told.contains("symbolic link"), "{told}");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_being_repeated() {
        let here = url("http://127.0.0.1:8080");
        let nowhere = Path::new("nowhere");
        for bad in [" ", "with a space", "line\nline", "ключ"] {
            let error = ShownKey::find(Role::Operator, given(bad), &here, nowhere).expect_err(bad);
            let told = format!("{error:#}");
            assert!(bad == " " || !told.contains(bad), "{told}");
        }
        let empty = folder("\n");
        let error =
            ShownKey::find(Role::Operator, None, &here, empty.path()).expect_err("an empty file");
        assert!(error.to_string().contains("operator.key"), "{error}");
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ShownKey::known(Role::Operator, KEY);
        for text in [
            format!("{key:?}"),
            key.advice_unknown(),
            key.advice_forbidden(),
        ] {
            assert!(!text.contains(KEY), "{text}");
        }
    }

    #[test]
    fn a_kitchens_key_has_a_file_and_a_variable_of_its_own() {
        let folder = folder(KEY);
        let here = url("http://localhost:8080");
        let missing = ShownKey::find(Role::Kitchen, None, &here, folder.path()).expect("looked");
        assert!(missing.secret().is_none());
        assert!(missing.advice_unknown().contains("PIZZA_KITCHEN_KEY"));
        let file = folder.path().join(keys::file(Role::Kitchen));
        std::fs::write(file, "pizza_ki_kept\n").expect("a file");
        let kept = ShownKey::find(Role::Kitchen, None, &here, folder.path()).expect("looked");
        assert_eq!(kept.secret().map(Secret::text), Some("pizza_ki_kept"));
    }
}
