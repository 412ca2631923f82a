//! Waiting for conditions: the only place that sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// For what takes moments, on a machine that is busy with other tests.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// For what waits for timeouts, or for many tasks.
pub(crate) const A_MINUTE: Duration = Duration::from_secs(60);

const INTERVAL: Duration = Duration::from_millis(25);

/// Waits until `condition` gives something, and fails the test when it has
/// not within `deadline`.
pub(crate) async fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let until = Instant::now() + deadline;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < until, "not within {deadline:?}: {what}");
        sleep(INTERVAL).await;
    }
}
