//! The work on one ticket, from report to report.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pizza_client::{KitchenApi, ReportAnswer};
use pizza_contract::KitchenSimulation;
use pizza_domain::{KitchenReport, OrderId};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::chance::Mishap;

/// How long the kitchen waits when the gateway does not answer.
pub(super) const TROUBLED: Duration = Duration::from_millis(500);

/// What all tickets share.
#[derive(Clone)]
pub(super) struct Station {
    pub(super) api: KitchenApi,
    /// How the kitchen is to behave.
    pub(super) simulation: watch::Receiver<KitchenSimulation>,
    /// One permit for each report that may be under way.
    pub(super) hands: Arc<Semaphore>,
}

/// A ticket to be worked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) ticket: OrderId,
    /// The report that comes next.
    pub(super) next: KitchenReport,
    /// Since when the ticket is at its stage.
    pub(super) since: Instant,
    /// The wait before each report but the first.
    pub(super) pace: Duration,
}

impl Station {
    /// Reports on a ticket until the food is delivered, a report is lost, or
    /// the gateway wants no more of them. `done` counts the reports that came
    /// so far on the way to the door.
    pub(super) async fn work(mut self, job: Job, done: Arc<AtomicUsize>) {
        let mut since = job.since;
        let next = place(job.next);
        for (report, number) in KitchenReport::WAY.into_iter().zip(1..).skip(next) {
            let pace = match report {
                KitchenReport::Accepted => Duration::ZERO,
                _ => job.pace,
            };
            self.until_due(since, pace).await;
            if !self.make(job.ticket, report).await {
                return;
            }
            since = Instant::now();
            done.store(number, Ordering::Relaxed);
        }
    }

    /// Waits until a report is due, however the kitchen is told to behave
    /// meanwhile.
    async fn until_due(&mut self, since: Instant, pace: Duration) {
        loop {
            let now = *self.simulation.borrow_and_update();
            let delay = Duration::try_from_secs_f64(now.delay_seconds).unwrap_or_default();
            tokio::select! {
                () = sleep_until(since + pace + delay), if !now.paused => return,
                changed = self.simulation.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Makes a report, as well as this kitchen does. Whether it was taken.
    async fn make(&self, ticket: OrderId, report: KitchenReport) -> bool {
        let simulation = *self.simulation.borrow();
        let mishap = Mishap::of(&simulation, ticket, report);
        if mishap.lost {
            tracing::info!(%ticket, %report, "lost on purpose");
            return false;
        }
        let too_early = KitchenReport::WAY.get(place(report) + 1);
        if let Some(too_early) = too_early.filter(|_| mishap.reordered) {
            tracing::info!(%ticket, report = %too_early, "made too early on purpose");
            self.send(ticket, *too_early).await;
        }
        let answer = self.send(ticket, report).await;
        if mishap.repeated {
            tracing::info!(%ticket, %report, "repeated on purpose");
            self.send(ticket, report).await;
        }
        answer == ReportAnswer::Taken
    }

    /// Sends a report until it is answered. Its id follows from what it says,
    /// so that whoever sends it again says the same.
    async fn send(&self, ticket: OrderId, report: KitchenReport) -> ReportAnswer {
        let report_id = format!("{ticket}/{report}");
        loop {
            // It is never closed.
            let hand = self.hands.acquire().await;
            let answer = self.api.report(ticket, report, &report_id).await;
            drop(hand);
            match answer {
                Ok(answer) => return answer,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(%ticket, %report, error, "report not made");
                    sleep(TROUBLED).await;
                }
            }
        }
    }
}

/// How many reports come before this one on the way to the door.
pub(super) fn place(report: KitchenReport) -> usize {
    KitchenReport::WAY
        .into_iter()
        .take_while(|other| *other < report)
        .count()
}
