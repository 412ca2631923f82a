//! A customer's key: where it comes from, and to whom it is shown.

use clap::Args;

use pizza_client::{Gateway, Secret};

use super::gateway_args::GatewayUrl;

/// Which gateway to ask, and by what right.
#[derive(Args, Clone, Debug)]
pub(crate) struct CustomerArgs {
    #[command(flatten)]
    gateway: GatewayUrl,
    /// The customer's key, where the gateway wants one; better given in the variable
    ///
    /// Arguments are seen by everybody on the machine. An operator's key does
    /// as well: it sees every order, and orders for every customer.
    #[arg(long, value_name = "KEY", env = "PIZZA_KEY", hide_env_values = true)]
    key: Option<Secret>,
}

impl CustomerArgs {
    /// A client of the gateway that shows the key. Nothing is sent yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Gateway> {
        self.gateway.connect_with(self.key.as_ref())
    }
}
