//! A kitchen's key: where it comes from, and to whom it is shown.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use pizza_api::Role;
use url::Url;

use super::gateway::{GatewayUrl, KitchenDoor};
use super::operator_key::{data_folder, is_this_machine, read};
use super::secret::Secret;
use crate::keys;

/// Whose key it is, in complaints about it.
const WHOSE: &str = "kitchen's";

/// Which gateway's kitchen door, and by what right.
#[derive(Args, Clone, Debug)]
pub(crate) struct KitchenDoorArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayUrl,
    /// The kitchen's key, or an operator's; better given in the variable
    ///
    /// Arguments are seen by everybody on the machine. Without a key, and for
    /// a gateway on this machine alone, the one that `pizza dev` keeps is
    /// taken: kitchen.key in the folder PIZZA_DATA, or .pizza.
    #[arg(
        long,
        value_name = "KEY",
        env = "PIZZA_KITCHEN_KEY",
        hide_env_values = true
    )]
    key: Option<Secret>,
}

impl KitchenDoorArgs {
    /// A client of the kitchen's door. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<KitchenDoor> {
        let data = data_folder(std::env::var_os("PIZZA_DATA").as_deref());
        let key = KitchenKey::find(self.key.clone(), &self.gateway.gateway, &data)?;
        Ok(KitchenDoor::new(self.gateway.connect()?, key))
    }
}

/// The key that is shown to the gateway, with where it comes from.
#[derive(Clone, Debug)]
pub(crate) enum KitchenKey {
    /// It was given.
    Given(Secret),
    /// It was found.
    Found(Secret, PathBuf),
    /// There is none.
    Missing,
}

impl KitchenKey {
    /// A key that this process knows.
    pub(crate) fn known(key: &str) -> Self {
        // Any text is a secret.
        key.parse().map_or(Self::Missing, Self::Given)
    }

    /// The key that was given, else the dev server's if `gateway` is on this
    /// machine: a key is never tried on whoever else is asked.
    fn find(given: Option<Secret>, gateway: &Url, data: &Path) -> anyhow::Result<Self> {
        if let Some(secret) = given.filter(|secret| !secret.is_empty()) {
            secret.check(WHOSE, "PIZZA_KITCHEN_KEY or --key")?;
            return Ok(Self::Given(secret));
        }
        if !is_this_machine(gateway) {
            return Ok(Self::Missing);
        }
        let file = data.join(keys::file(Role::Kitchen));
        let found =
            read(&file).with_context(|| format!("the key in {} cannot be read", file.display()))?;
        match found {
            Some(secret) => {
                secret.check(WHOSE, &file.display().to_string())?;
                Ok(Self::Found(secret, file))
            }
            None => Ok(Self::Missing),
        }
    }

    /// The key itself, to be sent.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::Given(secret) | Self::Found(secret, _) => Some(secret.text()),
            Self::Missing => None,
        }
    }

    /// What to do when the gateway does not take it.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Given(_) => {
                "the key from PIZZA_KITCHEN_KEY or --key is no kitchen's of this gateway".to_owned()
            }
            Self::Found(_, file) => format!(
                "the key in {} is no kitchen's of this gateway: give one with PIZZA_KITCHEN_KEY",
                file.display()
            ),
            Self::Missing => {
                "give a kitchen's key with PIZZA_KITCHEN_KEY; where `pizza dev` runs on this \
                 machine, its own is found from the same folder, or with PIZZA_DATA"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(given: &str, gateway: &str, data: &Path) -> anyhow::Result<KitchenKey> {
        let given = given.parse().ok();
        KitchenKey::find(given, &gateway.parse().expect("a URL"), data)
    }

    #[test]
    fn a_given_key_comes_first_and_the_dev_key_is_for_this_machine_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join(keys::file(Role::Kitchen)),
            "pizza_ki_kept\n",
        )
        .expect("a file");
        for (given, gateway, found) in [
            ("", "http://localhost:8080", Some("pizza_ki_kept")),
            ("mine", "http://localhost:8080", Some("mine")),
            ("mine", "https://far.example", Some("mine")),
            ("", "https://far.example", None),
        ] {
            let key = find(given, gateway, folder.path()).expect("it is looked for");
            assert_eq!(key.secret(), found, "{given} {gateway}");
            let told = format!("{key:?} {}", key.advice());
            assert!(!told.contains("pizza_ki_kept"), "{told}");
        }
        let error = find("no key", "http://localhost", folder.path()).expect_err("a space");
        assert!(!error.to_string().contains("no key"), "{error}");
    }
}
