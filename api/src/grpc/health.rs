//! The standard health service, told what `/readyz` would say.

use std::time::Duration;

use pizza_app::Missing;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::Door;
use super::{KitchenServiceServer, MenuServiceServer, OrderServiceServer};
use crate::gateway::AppState;

/// How often it is looked. Whoever asks for health is answered from the last
/// look, so that asking costs nothing.
const INTERVAL: Duration = Duration::from_secs(3);

/// Keeps the health service up to date until the shutdown, from which on
/// nothing is served.
pub(crate) async fn watch(reporter: HealthReporter, app: AppState, shutdown: CancellationToken) {
    let looking = async {
        // Nothing is known before the first look, least of all good health.
        tell(&reporter, ServingStatus::NotServing).await;
        let mut before = Missing::default().there();
        loop {
            let limit = app.gateway.limits.readiness;
            let missing = app.use_cases().missing(limit).await;
            if missing.there() != before {
                log(&missing);
                before = missing.there();
            }
            let status = if missing.is_ready() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            tell(&reporter, status).await;
            sleep(INTERVAL).await;
        }
    };
    shutdown.run_until_cancelled(Box::pin(looking)).await;
    tell(&reporter, ServingStatus::NotServing).await;
}

/// Says what changed: once, however often it is looked.
fn log(missing: &Missing) {
    if missing.is_ready() {
        tracing::info!("the gateway is ready again");
        return;
    }
    tracing::warn!(
        store = missing.store.as_ref().map(|fault| &fault.cause),
        temporal = missing.temporal.as_ref().map(|fault| &fault.cause),
        "the gateway is not ready"
    );
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    // The empty name stands for the whole server.
    let services = [
        "",
        OrderServiceServer::<Door>::NAME,
        MenuServiceServer::<Door>::NAME,
        KitchenServiceServer::<Door>::NAME,
    ];
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}
