//! Follows orders to their ends.

use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use pizza_domain::OrderId;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use pizza_client::{CallError, Gateway, Sent};
use pizza_contract::{Order, OrderChange};

use super::output::{self, Live, plain};

/// How long watched orders may take before watching is given up. The orders
/// go on.
const WATCH_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// How long the gateway may take until it begins to tell.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long a gateway that was lost is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often the time that a stage is taking is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What is told of the order with this number.
enum Told {
    Change(usize, Box<OrderChange>),
    /// The gateway does not answer.
    Lost,
}

/// Follows orders to their ends, all at once, and shows each stage: on a
/// terminal with the time that it is taking, elsewhere in a line of its own.
/// A gateway that is away is waited for.
pub(crate) async fn to_the_end(
    gateway: &Gateway,
    ids: &[OrderId],
) -> anyhow::Result<Vec<Sent<Order>>> {
    let (told, mut heard) = mpsc::unbounded_channel();
    let following = try_join_all(
        ids.iter()
            .enumerate()
            .map(|(number, id)| follow(gateway, *id, number, told.clone())),
    );
    drop(told);
    let following = async {
        // Ended, it lets go of what it tells by.
        let ends = timeout(WATCH_LIMIT, following).await;
        ends.map_err(|_| anyhow::anyhow!("not every order has ended within {WATCH_LIMIT:?}"))?
    };
    let showing = async {
        let mut board = Board::new(ids);
        let mut tick = interval(DRAW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                told = heard.recv() => match told {
                    Some(told) => board.hear(told),
                    None => break,
                },
                _ = tick.tick(), if board.live.is_shown() => {}
            }
            board.draw();
        }
    };
    let (ends, ()) = tokio::join!(following, showing);
    ends
}

/// Follows an order to its end, telling each change, however often the
/// gateway is lost on the way.
async fn follow(
    gateway: &Gateway,
    id: OrderId,
    number: usize,
    tell: UnboundedSender<Told>,
) -> anyhow::Result<Sent<Order>> {
    let mut after = 0;
    let mut pause = FIRST_PAUSE;
    let mut is_over = false;
    while !is_over {
        match timeout(ANSWER_LIMIT, gateway.changes(id, after)).await {
            Ok(Ok(None)) => is_over = true,
            Ok(Ok(Some(mut changes))) => {
                while let Some(change) = changes.next().await? {
                    pause = FIRST_PAUSE;
                    after = change.version;
                    is_over = change.is_final();
                    // Whoever listens does so to the end.
                    let _ = tell.send(Told::Change(number, Box::new(change)));
                    if is_over {
                        break;
                    }
                }
            }
            Ok(Err(error)) if !error.may_pass() => return Err(error.into()),
            Ok(Err(_)) | Err(_) => {
                let _ = tell.send(Told::Lost);
            }
        }
        if !is_over {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Ok(ended(gateway, id).await?)
}

/// The order as it ended.
async fn ended(gateway: &Gateway, id: OrderId) -> Result<Sent<Order>, CallError> {
    loop {
        match gateway.order(id).await {
            Err(error) if error.may_pass() => sleep(LONGEST_PAUSE).await,
            order => return order,
        }
    }
}

/// What is known of the orders, as it is shown.
struct Board {
    orders: Vec<Way>,
    is_lost: bool,
    live: Live,
}

/// The way that an order has come.
struct Way {
    id: OrderId,
    stages: Vec<Stage>,
}

struct Stage {
    status: String,
    /// When the order came to it, by the clock of whoever wrote it.
    began_at: Option<Timestamp>,
    heard: Instant,
    is_last: bool,
}

impl Board {
    fn new(ids: &[OrderId]) -> Self {
        let way = |id: &OrderId| Way {
            id: *id,
            stages: Vec::new(),
        };
        Self {
            orders: ids.iter().map(way).collect(),
            is_lost: false,
            live: Live::new(),
        }
    }

    fn hear(&mut self, told: Told) {
        let was_lost = self.is_lost;
        self.is_lost = matches!(told, Told::Lost);
        let line = match told {
            Told::Lost => {
                (!was_lost).then(|| "the gateway does not answer; trying again".to_owned())
            }
            Told::Change(number, change) => {
                let way = &mut self.orders[number];
                way.comes_to(&change)
                    .then(|| format!("{}  {}", way.id, plain(&change.status)))
            }
        };
        if let Some(line) = line.filter(|_| !self.live.is_shown()) {
            output::note(&line);
        }
    }

    fn draw(&mut self) {
        if !self.live.is_shown() {
            return;
        }
        let mut lines = match &self.orders[..] {
            [only] => only.stages_in_lines(),
            several => several.iter().map(Way::in_a_line).collect(),
        };
        if self.is_lost {
            lines.push("the gateway does not answer; trying again".to_owned());
        }
        if !lines.is_empty() {
            self.live.draw(&lines.join("\n"));
        }
    }
}

impl Way {
    /// Takes a change, and says whether it is another stage.
    fn comes_to(&mut self, change: &OrderChange) -> bool {
        let is_new = self
            .stages
            .last()
            .is_none_or(|stage| stage.status != change.status);
        if is_new {
            self.stages.push(Stage {
                status: change.status.to_string(),
                began_at: change.came_at(),
                heard: Instant::now(),
                is_last: change.is_final(),
            });
        }
        is_new
    }

    fn stages_in_lines(&self) -> Vec<String> {
        let next = self.stages.iter().skip(1).map(Some).chain([None]);
        self.stages
            .iter()
            .zip(next)
            .map(|(stage, next)| stage.in_a_line(next))
            .collect()
    }

    fn in_a_line(&self) -> String {
        let stage = self.stages.last();
        let stage = stage.map_or_else(|| "not begun".to_owned(), |stage| stage.in_a_line(None));
        format!("{}  {stage}", self.id)
    }
}

impl Stage {
    /// The stage with the time that it took until the next, or is taking.
    fn in_a_line(&self, next: Option<&Self>) -> String {
        if self.is_last {
            return plain(&self.status);
        }
        let took = match next {
            None => self.heard.elapsed(),
            Some(next) => self.until(next),
        };
        format!("{:<18} {:>7.1} s", plain(&self.status), took.as_secs_f64())
    }

    fn until(&self, next: &Self) -> Duration {
        let by_the_writers = || {
            let took = next.began_at?.duration_since(self.began_at?);
            Duration::try_from(took).ok()
        };
        by_the_writers().unwrap_or_else(|| next.heard - self.heard)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::client::stub::Stub;

    fn change(status: &str, at: &str) -> OrderChange {
        let version = 1;
        let change = json!({
            "orderId": Uuid::nil(), "version": version, "status": status, "money": "notCharged",
            "points": "none", "flavour": "plain", "size": "medium", "quantity": 1, "total": 1200,
            "discountApplied": "0%", "cancelled": null, "changedAt": at,
        });
        serde_json::from_value(change).expect("a change")
    }

    #[test]
    fn each_stage_has_the_time_that_it_took() {
        let mut way = Way {
            id: OrderId::from_uuid(Uuid::nil()),
            stages: Vec::new(),
        };
        assert!(way.comes_to(&change("Pending", "2026-01-01T00:00:00Z")));
        assert!(way.comes_to(&change("Pay\u{1b}", "2026-01-01T00:00:01.25Z")));
        assert!(!way.comes_to(&change("Pay\u{1b}", "2026-01-01T00:00:02Z")));
        assert!(way.comes_to(&change("Cancelled", "2026-01-01T00:00:03.25Z")));
        assert_eq!(
            way.stages_in_lines(),
            [
                "Pending                1.2 s",
                "Pay\\u001b              2.0 s",
                "Cancelled"
            ]
        );
    }

    #[tokio::test]
    async fn one_who_may_not_watch_is_told_at_once() {
        let refused = json!({ "code": "order-not-found", "detail": "there is none" });
        let stub = Stub::start([(404, Vec::new(), refused)]).await;
        let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
        let id = OrderId::from_uuid(Uuid::nil());
        let error = to_the_end(&gateway, &[id]).await.expect_err("refused");
        assert!(error.to_string().contains("order-not-found"), "{error:#}");
    }

    #[tokio::test]
    async fn a_gateway_that_is_overloaded_is_asked_again() {
        let order = json!({
            "orderId": Uuid::nil(), "status": "Cancelled", "flavour": "plain", "size": "small",
            "quantity": 1, "total": 900, "discountApplied": "0%", "discountReason": null,
            "money": "notCharged", "points": "none", "cancelled": null, "version": 9,
        });
        let overloaded = json!({ "code": "overloaded" });
        let answers = [
            (503, Vec::new(), overloaded),
            (204, Vec::new(), Value::Null),
            (200, Vec::new(), order),
        ];
        let stub = Stub::start(answers).await;
        let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
        let id = OrderId::from_uuid(Uuid::nil());
        let ends = to_the_end(&gateway, &[id]).await.expect("an end");
        assert_eq!(ends[0].json["version"], 9);
        assert_eq!(stub.asked().len(), 3);
    }
}
