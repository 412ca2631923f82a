//! What the commands for operators are told.

use clap::Args;
use pizza_app::keys::Role;
use pizza_client::{FailureQueues, Secret};

use super::gateway_args::GatewayUrl;
use super::shown_key::ShownKey;
use crate::store_args::data_folder;

/// Which gateway to ask, and by what right.
#[derive(Args, Clone, Debug)]
pub(crate) struct OperatorArgs {
    #[command(flatten)]
    gateway: GatewayUrl,
    /// The operator's key; better given in the variable
    ///
    /// Arguments are seen by everybody on the machine. Without a key, and for
    /// a gateway on this machine alone, the one that `pizza dev` keeps is
    /// taken: operator.key in the folder PIZZA_DATA, or .pizza.
    #[arg(
        long,
        value_name = "KEY",
        env = "PIZZA_OPERATOR_KEY",
        hide_env_values = true
    )]
    operator_key: Option<Secret>,
}

impl OperatorArgs {
    /// A client of the gateway's failure queues. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<FailureQueues> {
        let key = ShownKey::find(
            Role::Operator,
            self.operator_key.clone(),
            &self.gateway.gateway,
            &data_folder(),
        )?;
        Ok(FailureQueues::new(
            self.gateway.connect()?.with_key(key.into()),
        ))
    }
}
