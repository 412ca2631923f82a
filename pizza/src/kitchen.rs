//! The simulated kitchen: looks at the gateway's list of open tickets and
//! reports on them there, as a real kitchen would.
//!
//! It keeps nothing: what there is to do stands in the list, and a report's id
//! follows from what it says. So it may be killed at any moment, and any
//! number of kitchens do no harm to each other.

mod chance;
mod work;

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use pizza_client::{CallError, KitchenApi};
use pizza_contract::{Integer, KitchenSimulation, ListTickets, Ticket};
use pizza_domain::{KitchenReport, OrderId};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::client::kitchen_key::KitchenApiArgs;
use crate::shutdown;
use work::{Job, Station, TROUBLED, place};

/// How long the kitchen looks away from the list.
const IDLE: Duration = Duration::from_millis(50);

/// How often it asks how it is to behave.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Reports under way at once.
const HANDS: usize = 32;

/// Tickets in hand at once. The others wait on the list.
const MOST_TICKETS: usize = 4096;

/// Tickets on a page of the list.
const PAGE: Integer = 100;

#[derive(Args, Debug)]
pub(crate) struct KitchenArgs {
    #[command(flatten)]
    api: KitchenApiArgs,
}

/// Cooks until a signal stops it.
pub(crate) async fn run(args: KitchenArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let api = args.api.connect()?;
    tracing::info!(gateway = %args.api.gateway.gateway, "cooking");
    cook(api, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

/// Cooks until `shutdown`.
pub(crate) async fn cook(api: KitchenApi, shutdown: CancellationToken) {
    let mut kitchen = Kitchen::new(api);
    tokio::select! {
        () = kitchen.run() => {}
        () = shutdown.cancelled() => {}
    }
}

struct Kitchen {
    station: Station,
    simulation: watch::Sender<KitchenSimulation>,
    /// When it was last asked how to behave.
    asked: Option<Instant>,
    in_hand: HashMap<OrderId, Work>,
    /// The work on the tickets; it ends with the kitchen.
    tasks: JoinSet<()>,
}

/// The work on a ticket.
struct Work {
    task: AbortHandle,
    /// How many of the reports on the way to the door were made.
    done: Arc<AtomicUsize>,
}

impl Kitchen {
    fn new(api: KitchenApi) -> Self {
        let (simulation, receiver) = watch::channel(KitchenSimulation::default());
        Self {
            station: Station {
                api,
                simulation: receiver,
                hands: Arc::new(Semaphore::new(HANDS)),
            },
            simulation,
            asked: None,
            in_hand: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(&mut self) {
        loop {
            let pause = match self.look().await {
                Ok(()) => IDLE,
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(error, "the list of tickets cannot be seen");
                    TROUBLED
                }
            };
            sleep(pause).await;
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Looks how to behave, and what there is to do.
    async fn look(&mut self) -> Result<(), CallError> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            self.ask_how_to_behave().await?;
        }
        let mut open = HashSet::new();
        let mut wanted = ListTickets {
            limit: Some(PAGE),
            cursor: None,
        };
        loop {
            let page = self.station.api.tickets(&wanted).await?;
            let page = page.view;
            // What was said before an order came holds for that order.
            if page.tickets.iter().any(|ticket| self.is_new(ticket)) {
                self.ask_how_to_behave().await?;
            }
            for ticket in &page.tickets {
                open.insert(ticket.ticket_id);
                self.take_up(ticket);
            }
            wanted.cursor = page.next_cursor;
            if wanted.cursor.is_none() {
                break;
            }
        }
        self.put_down_all_but(&open);
        Ok(())
    }

    fn is_new(&self, ticket: &Ticket) -> bool {
        !ticket.simulation.silent && !self.in_hand.contains_key(&ticket.ticket_id)
    }

    async fn ask_how_to_behave(&mut self) -> Result<(), CallError> {
        let simulation = self.station.api.simulation().await?;
        self.behave(simulation.view);
        self.asked = Some(Instant::now());
        Ok(())
    }

    fn behave(&self, wished: KitchenSimulation) {
        let changed = self.simulation.send_if_modified(|now| {
            let differs = *now != wished;
            *now = wished;
            differs
        });
        if changed {
            tracing::info!(
                paused = wished.paused,
                delay_seconds = wished.delay_seconds,
                lose_rate = wished.lose_rate,
                repeat_rate = wished.repeat_rate,
                reorder_rate = wished.reorder_rate,
                seed = wished.seed,
                "told how to behave"
            );
        }
    }

    /// Begins to work on a ticket, unless that is under way, or came to its
    /// end at the stage that the ticket is still at.
    fn take_up(&mut self, ticket: &Ticket) {
        let Some(next) = next_report(ticket) else {
            return;
        };
        let is_news = match self.in_hand.get(&ticket.ticket_id) {
            None => self.in_hand.len() < MOST_TICKETS,
            Some(work) => {
                work.task.is_finished() && place(next) > work.done.load(Ordering::Relaxed)
            }
        };
        if !is_news || ticket.simulation.silent {
            return;
        }
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let now = Instant::now();
        let job = Job {
            ticket: ticket.ticket_id,
            next,
            since: now
                .checked_sub(seconds(ticket.seconds_at_stage))
                .unwrap_or(now),
            pace: seconds(ticket.simulation.per_step_delay_seconds),
        };
        let done = Arc::new(AtomicUsize::new(place(next)));
        let work = self.station.clone().work(job, Arc::clone(&done));
        let task = self.tasks.spawn(work);
        self.in_hand.insert(job.ticket, Work { task, done });
    }

    /// What is not on the list any more is over.
    fn put_down_all_but(&mut self, open: &HashSet<OrderId>) {
        self.in_hand.retain(|ticket, work| {
            let is_open = open.contains(ticket);
            if !is_open {
                work.task.abort();
            }
            is_open
        });
    }
}

/// The report that brings a ticket on. One that this version knows nothing of
/// is for others to make.
fn next_report(ticket: &Ticket) -> Option<KitchenReport> {
    let next = ticket.next_reports.first()?.parse().ok()?;
    KitchenReport::WAY.contains(&next).then_some(next)
}
