//! Says how far a load is.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::tally::{Counts, Stage, Tally};
use crate::client::output::{self, Live};

/// How often it is said on a terminal, where each line takes the place of the
/// one before, and elsewhere.
const ON_A_TERMINAL: Duration = Duration::from_millis(500);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Says it until it is dropped.
pub(super) async fn tell(tally: &Tally, start: Instant) -> Infallible {
    let mut live = Live::new();
    let every = if live.is_shown() {
        ON_A_TERMINAL
    } else {
        ELSEWHERE
    };
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once, when there is nothing to say.
    tick.tick().await;
    loop {
        tick.tick().await;
        let line = line(&tally.counts(), start.elapsed());
        if live.is_shown() {
            live.draw(&line);
        } else {
            output::note(&line);
        }
    }
}

fn line(counts: &Counts, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = |count: u64| count as f64 / seconds;
    let whole = counts.took[&Stage::Whole].percentiles();
    let mut parts = vec![
        format!("{:.0} s", elapsed.as_secs_f64()),
        format!(
            "offered {:.1}/s, accepted {:.1}/s, ended {:.1}/s",
            rate(counts.offered),
            rate(counts.accepted),
            rate(counts.ended)
        ),
        format!("{} under way", counts.under_way.len()),
        format!("whole p50 {:.0} ms, p99 {:.0} ms", whole.p50, whole.p99),
    ];
    parts.extend(list("ended", &counts.ends));
    parts.extend(list("turned away", &counts.refusals));
    let wrong = [
        ("over the cap", counts.over_cap),
        ("wrong ends", counts.wrong),
        ("errors", counts.failed),
    ];
    let wrong = wrong.into_iter().filter(|(_, count)| *count > 0);
    parts.extend(wrong.map(|(what, count)| format!("{count} {what}")));
    parts.join("; ")
}

fn list<'a>(what: &str, counts: impl IntoIterator<Item = (&'a String, &'a u64)>) -> Option<String> {
    let counts: Vec<_> = counts
        .into_iter()
        .map(|(name, count)| format!("{count} {}", output::plain(name)))
        .collect();
    (!counts.is_empty()).then(|| format!("{what}: {}", counts.join(", ")))
}
