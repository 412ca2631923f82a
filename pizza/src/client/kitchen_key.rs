//! What the commands for kitchens are told.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use pizza_app::keys::Role;
use pizza_client::{KitchenApi, Secret};

use super::gateway_args::GatewayUrl;
use super::shown_key::{self, ShownKey};
use crate::store_args::data_folder;

/// Which gateway's kitchens, and by what right.
#[derive(Args, Clone, Debug)]
pub(crate) struct KitchenApiArgs {
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
    /// A file with the key, for a kitchen that runs as a service
    #[arg(
        long,
        value_name = "FILE",
        env = "PIZZA_KITCHEN_KEY_FILE",
        conflicts_with = "key"
    )]
    key_file: Option<PathBuf>,
}

impl KitchenApiArgs {
    /// A client of the gateway's API for kitchens. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<KitchenApi> {
        let given = match &self.key_file {
            Some(file) => Some(read(file)?),
            None => self.key.clone(),
        };
        let key = ShownKey::find(Role::Kitchen, given, &self.gateway.gateway, &data_folder())?;
        Ok(KitchenApi::new(
            self.gateway.connect()?.with_key(key.into()),
        ))
    }
}

/// The key in a file that was named. One without a key in it is a mistake.
fn read(file: &Path) -> anyhow::Result<Secret> {
    let source = format!("{} (--key-file, PIZZA_KITCHEN_KEY_FILE)", file.display());
    let key = shown_key::read(file).with_context(|| format!("{source} cannot be read"))?;
    key.check("kitchen's", &source)?;
    Ok(key)
}
