//! Waiting for conditions: the only place that sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// For what takes moments. All deadlines here are far longer than what they
/// wait for needs: the machine may be busy with twenty times its work.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// For what waits for retries, timeouts or the ends of many orders.
pub(crate) const LATER: Duration = Duration::from_secs(300);

/// How soon a condition is looked at again: often at first, since most hold in
/// a moment, and then less so, since to look costs a request or a process.
const FIRST_INTERVAL: Duration = Duration::from_millis(10);
const LONGEST_INTERVAL: Duration = Duration::from_millis(50);

/// How soon what the server answers at a rate of its own is looked at again.
const SELDOM: Duration = Duration::from_millis(500);

/// Waits until `condition` gives something, and fails the test when it has
/// not within `deadline`.
pub(crate) async fn eventually<T>(
    deadline: Duration,
    what: &str,
    condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    looked_at(
        deadline,
        what,
        (FIRST_INTERVAL, LONGEST_INTERVAL),
        condition,
    )
    .await
}

/// The same, of what the server lets nobody ask often.
pub(crate) async fn eventually_seldom<T>(
    deadline: Duration,
    what: &str,
    condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    looked_at(deadline, what, (SELDOM, SELDOM), condition).await
}

async fn looked_at<T>(
    deadline: Duration,
    what: &str,
    (mut interval, longest): (Duration, Duration),
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let until = Instant::now() + deadline;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(
            Instant::now() < until,
            "not within {} s: {what}",
            deadline.as_secs_f32()
        );
        sleep(interval).await;
        interval = (interval * 3 / 2).min(longest);
    }
}
