//! How orders come: by a schedule, or each after the end of another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::customer::{self, Due};
use super::plan::{Arrivals, Plan, Schedule};
use super::shop::Shop;
use super::tally::{Tally, Told};

/// How long a customer of a closed loop who was not served stays away.
const NOT_SERVED: Duration = Duration::from_secs(1);

/// How orders come.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(
    tag = "loop",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(super) enum Course {
    /// By a schedule, whatever becomes of those before.
    Open {
        /// Orders a second.
        rate: f64,
        arrivals: Arrivals,
        max_in_flight: usize,
    },
    /// Each after the end of another.
    Closed { concurrency: usize },
}

/// When to stop.
#[derive(Clone, Debug)]
pub(super) struct Until {
    pub(super) duration: Option<Duration>,
    pub(super) orders: Option<u64>,
    /// Whoever started it wants no more.
    pub(super) stopped: CancellationToken,
    /// How long the orders under way may take after the last arrival.
    pub(super) settle: Duration,
}

/// A load under way.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) shop: Arc<Shop>,
    pub(super) plan: Arc<Plan>,
    pub(super) tally: Arc<Tally>,
    /// The order that was placed before the start.
    pub(super) ahead: Option<u64>,
    pub(super) start: Instant,
    pub(super) started_at: Timestamp,
}

impl Load {
    /// Lets orders come, and gives how long they came once all have ended or
    /// have had their time to.
    ///
    /// # Errors
    /// When the generator itself is broken.
    pub(super) async fn run(&self, course: Course, until: &Until) -> anyhow::Result<Duration> {
        // Dropped, it ends what is still under way.
        let mut customers = JoinSet::new();
        match course {
            Course::Open {
                rate,
                arrivals,
                max_in_flight,
            } => {
                let schedule = Schedule::new(self.plan.seed, arrivals, rate);
                self.open(schedule, max_in_flight, until, &mut customers)
                    .await?;
            }
            Course::Closed { concurrency } => {
                self.closed(concurrency, until, &mut customers).await?;
            }
        }
        let arriving = self.start.elapsed();
        let ending = async {
            while let Some(ended) = customers.join_next().await {
                ended.context("an order's customer broke down")?;
            }
            anyhow::Ok(())
        };
        // What has not ended by then is in the report.
        timeout(until.settle, ending).await.unwrap_or(Ok(()))?;
        Ok(arriving)
    }

    async fn open(
        &self,
        schedule: Schedule,
        max_in_flight: usize,
        until: &Until,
        customers: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        for (at, number) in schedule.zip(0..) {
            if until.orders.is_some_and(|orders| number >= orders) {
                return Ok(());
            }
            let is_over = until.duration.is_some_and(|duration| at >= duration);
            // The time ends when it ends, not with the last arrival in it.
            let next = until.duration.filter(|_| is_over).unwrap_or(at);
            tokio::select! {
                () = sleep_until(self.start + next) => {}
                () = until.stopped.cancelled() => return Ok(()),
            }
            if is_over {
                return Ok(());
            }
            self.arrive(number, at, max_in_flight, customers);
            while let Some(ended) = customers.try_join_next() {
                ended.context("an order's customer broke down")?;
            }
        }
        Ok(())
    }

    fn arrive(&self, number: u64, at: Duration, max_in_flight: usize, customers: &mut JoinSet<()>) {
        self.tally.tell(Told::Offered);
        if self.tally.under_way() >= max_in_flight {
            self.tally.tell(Told::OverCap);
            return;
        }
        let load = self.clone();
        self.tally.begin(number, self.plan.order(number).scenario);
        customers.spawn(async move {
            load.order(number, at).await;
        });
    }

    async fn closed(
        &self,
        concurrency: usize,
        until: &Until,
        customers: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        let next = Arc::new(AtomicU64::new(0));
        // Told by the first who finds that there is nothing more to order.
        let enough = until.stopped.child_token();
        for _ in 0..concurrency {
            let (load, next, enough) = (self.clone(), Arc::clone(&next), enough.clone());
            let orders = until.orders.unwrap_or(u64::MAX);
            customers.spawn(async move { load.order_again(&next, orders, &enough).await });
        }
        let over = async {
            match until.duration {
                Some(duration) => sleep_until(self.start + duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            () = enough.cancelled() => {}
            Some(broken) = broken(customers) => return Err(broken),
        }
        enough.cancel();
        Ok(())
    }

    /// One customer of a closed loop, who orders until it is enough.
    async fn order_again(&self, next: &AtomicU64, orders: u64, enough: &CancellationToken) {
        while !enough.is_cancelled() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= orders {
                enough.cancel();
                return;
            }
            self.tally.tell(Told::Offered);
            self.tally.begin(number, self.plan.order(number).scenario);
            let is_served = self.order(number, self.start.elapsed()).await;
            if !is_served {
                enough.run_until_cancelled(sleep(NOT_SERVED)).await;
            }
        }
    }

    /// Places an order that is due so long after the start, and follows it.
    /// Whether it came to an end.
    async fn order(&self, number: u64, at: Duration) -> bool {
        let due = Due {
            at: self.start + at,
            on_the_wall: self.started_at + at,
            is_timed: self.ahead != Some(number),
        };
        customer::order(&self.shop, &self.tally, &self.plan.order(number), due).await
    }
}

/// The first customer that breaks down; none when all have gone home.
async fn broken(customers: &mut JoinSet<()>) -> Option<anyhow::Error> {
    while let Some(ended) = customers.join_next().await {
        if let Err(error) = ended {
            return Some(anyhow::Error::new(error).context("an order's customer broke down"));
        }
    }
    None
}
