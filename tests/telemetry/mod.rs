//! What the processes tell about themselves: metrics, traces, logs.
//!
//! One world tells all of it, and each test lets it make the orders that it
//! looks at. The test is the kitchen, so that a deadline is missed when it
//! keeps silent.

mod collector;
mod deploy;
mod dropped;
mod logs;
mod metrics;
mod traces;

use std::ops::Deref;
use std::sync::OnceLock;

use tokio::sync::OnceCell;

use crate::harness::{Setup, Shared, World, ports};
use collector::Collector;

/// What makes a process trace, to the collector of this run.
fn tracing_variables() -> Vec<(String, String)> {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", Collector::shared().url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=Zo%C3%AB%2C%20Ann"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The world, and what collects from it.
struct Told {
    world: Shared,
    worker_metrics: String,
    gateway_metrics: String,
}

impl Told {
    async fn world() -> Self {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        static PORTS: OnceLock<[u16; 2]> = OnceLock::new();
        let ports = PORTS.get_or_init(|| [ports::free(), ports::free()]);
        let [worker, gateway] = ports.map(|port| format!("127.0.0.1:{port}"));
        let variables = |metrics: &str| {
            let mut variables = tracing_variables();
            for (name, value) in [
                ("PIZZA_METRICS_LISTEN", metrics),
                ("PIZZA_AUDIT_EVERY_SECONDS", "1"),
            ] {
                variables.push((name.to_owned(), value.to_owned()));
            }
            variables
        };
        let setup = Setup {
            kitchen: false,
            kitchen_deadline_seconds: 6.0,
            worker_variables: variables(&worker),
            gateway_variables: variables(&gateway),
            ..Setup::default()
        };
        Self {
            world: Shared::of(&WORLD, setup).await,
            worker_metrics: worker,
            gateway_metrics: gateway,
        }
    }

    /// Reports an order all the way to the door.
    async fn deliver(&self, id: &str) {
        self.ticket_is_there(id).await;
        for event in ["accepted", "cooked", "pickedUp", "delivered"] {
            self.gateway().report_taken(id, event).await;
        }
        self.final_history(&format!("order-{id}")).await;
    }
}

impl Deref for Told {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}
