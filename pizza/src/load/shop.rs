//! The gateways, asked in turn, and again where that can do no harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use failure_queue::error_chain;
use pizza_client::{CallError, Changes, Gateway, Problem};
use pizza_contract::{AmendOrder, ErrorCode, Order};
use pizza_domain::OrderId;
use reqwest::StatusCode;
use tokio::time::sleep;

use super::plan::Planned;
use super::tally::{Tally, Told};

/// How often a request is sent at most.
const TRIES: u32 = 5;

/// The wait before a request is sent again, which doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The gateways.
pub(super) struct Shop {
    gateways: Vec<Gateway>,
    next: AtomicUsize,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// It was done.
    Done(T),
    /// It was turned away for now, by a limit or by what is away.
    Refused,
    /// Too late: the order has gone on.
    TooLate,
    /// Nobody answered. It may have been done.
    Unanswered(String),
    /// Anything else: an error.
    Failed(String),
}

impl Shop {
    pub(super) const fn new(gateways: Vec<Gateway>) -> Self {
        Self {
            gateways,
            next: AtomicUsize::new(0),
        }
    }

    /// All of them.
    pub(super) fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// The gateway whose turn it is.
    fn gateway(&self) -> &Gateway {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.gateways[turn % self.gateways.len()]
    }

    /// Every gateway answers, and to this customer.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.orders(&[("limit", "1".to_owned())]).await?;
        }
        Ok(())
    }

    /// Places an order, under its key.
    pub(super) async fn place(&self, order: &Planned, tally: &Tally) -> Reply<OrderId> {
        let mut patience = Patience::new(tally);
        loop {
            let placed = self.gateway().place(&order.body, Some(&order.key)).await;
            if let Some(reply) = patience.judge(placed).await {
                return reply.map(|placed| placed.view.order_id);
            }
        }
    }

    /// Asks for another quantity.
    pub(super) async fn amend(&self, id: OrderId, order: &Planned, tally: &Tally) -> Reply<()> {
        let wanted = AmendOrder {
            quantity: Some(order.amended_quantity().into()),
            ..AmendOrder::default()
        };
        let mut patience = Patience::new(tally);
        loop {
            let amended = self.gateway().amend(id, &wanted, Some(&order.key)).await;
            if let Some(reply) = patience.judge(amended).await {
                return reply.map(drop);
            }
        }
    }

    /// Cancels an order.
    pub(super) async fn cancel(&self, id: OrderId, tally: &Tally) -> Reply<()> {
        let mut patience = Patience::new(tally);
        loop {
            let cancelled = self.gateway().cancel(id).await;
            if let Some(reply) = patience.judge(cancelled).await {
                return reply.map(drop);
            }
        }
    }

    /// Looks at an order.
    pub(super) async fn order(&self, id: OrderId, tally: &Tally) -> Reply<Order> {
        let mut patience = Patience::new(tally);
        loop {
            let order = self.gateway().order(id).await.map(|sent| sent.view);
            if let Some(reply) = patience.judge(order).await {
                return reply;
            }
        }
    }

    /// The changes of an order after a version; none when it has ended.
    pub(super) async fn changes(
        &self,
        id: OrderId,
        after: i64,
        tally: &Tally,
    ) -> Reply<Option<Changes>> {
        let mut patience = Patience::new(tally);
        loop {
            let changes = self.gateway().changes(id, after).await;
            if let Some(reply) = patience.judge(changes).await {
                return reply;
            }
        }
    }
}

impl<T> Reply<T> {
    fn map<U>(self, with: impl FnOnce(T) -> U) -> Reply<U> {
        match self {
            Self::Done(done) => Reply::Done(with(done)),
            Self::Refused => Reply::Refused,
            Self::TooLate => Reply::TooLate,
            Self::Unanswered(error) => Reply::Unanswered(error),
            Self::Failed(error) => Reply::Failed(error),
        }
    }
}

/// How often a request was sent, and may be sent again. Whatever is asked has
/// one effect at most, however often it is sent.
struct Patience<'a> {
    tally: &'a Tally,
    tries: u32,
    pause: Duration,
    /// Whether a try may have had its effect although nobody said so.
    may_be_done: bool,
}

impl<'a> Patience<'a> {
    const fn new(tally: &'a Tally) -> Self {
        Self {
            tally,
            tries: 1,
            pause: FIRST_PAUSE,
            may_be_done: false,
        }
    }

    /// The answer, if another try would not change it; else waits until there
    /// may be one.
    async fn judge<T>(&mut self, answer: Result<T, CallError>) -> Option<Reply<T>> {
        let error = match answer {
            Ok(answer) => return Some(Reply::Done(answer)),
            Err(error) => error,
        };
        let (reply, wait) = meaning(&error);
        let reply = match reply {
            // Perhaps for what an earlier try brought about.
            Reply::TooLate if self.may_be_done => Reply::Unanswered(error_chain(&error)),
            reply => reply,
        };
        self.may_be_done |= matches!(reply, Reply::Unanswered(_)) || was_away(&error);
        if let Some(code) = turned_away(&error) {
            self.tally.tell(Told::Refusal(code));
        }
        let Some(wait) = wait.filter(|_| self.tries < TRIES) else {
            return Some(reply);
        };
        self.tally.tell(Told::Retry);
        sleep(wait.max(self.pause)).await;
        self.pause *= 2;
        self.tries += 1;
        None
    }
}

/// What an error means, and, where another try may help, how long to wait at
/// least.
fn meaning<T>(error: &CallError) -> (Reply<T>, Option<Duration>) {
    match error.problem() {
        Some(problem) if is_turned_away(problem) => (Reply::Refused, wait_for(problem)),
        Some(problem) if problem.status == StatusCode::CONFLICT => (Reply::TooLate, None),
        // Nobody answered, or not to the end: whether it was done, only
        // asking again tells.
        None if error.is_unanswered() => {
            let unanswered = Reply::Unanswered(error_chain(error));
            (unanswered, Some(Duration::ZERO))
        }
        _ => (Reply::Failed(error_chain(error)), None),
    }
}

/// Whether something was away that may have done it all the same.
fn was_away(error: &CallError) -> bool {
    let problem = error.problem();
    problem.is_some_and(|problem| is_turned_away(problem) && wait_for(problem).is_some())
}

/// The code of a refusal that is for now.
fn turned_away(error: &CallError) -> Option<String> {
    let problem = error.problem()?;
    is_turned_away(problem).then(|| problem.code.clone())
}

fn is_turned_away(problem: &Problem) -> bool {
    matches!(
        problem.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// Who is turned away because there is too much to do stays away: the load
/// is what is measured. What was away may have done it all the same.
fn wait_for(problem: &Problem) -> Option<Duration> {
    let is_limit = problem.status == StatusCode::TOO_MANY_REQUESTS;
    let too_much = is_limit || problem.is(ErrorCode::Overloaded);
    (!too_much).then(|| problem.retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::client::stub::{Answer, Stub};
    use crate::load::plan::Plan;

    const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    fn problem(status: u16, code: &str) -> Answer {
        let body = json!({ "code": code, "detail": "not now" });
        (status, vec![("retry-after", "0".to_owned())], body)
    }

    fn placed() -> Answer {
        let body = json!({ "message": "", "orderId": ID, "statusCheck": "" });
        (201, Vec::new(), body)
    }

    fn planned() -> Planned {
        let plan = Plan {
            seed: 1,
            mix: "none=1".parse().expect("a mix"),
            pace_seconds: 0.0,
            customers: 0,
            run: Uuid::new_v4(),
        };
        plan.order(0)
    }

    /// What placing an order came to, the keys that it was sent under, and
    /// the refusals that were counted.
    async fn place(answers: Vec<Answer>) -> (Reply<OrderId>, Vec<String>, Vec<(String, u64)>) {
        let stub = Stub::start(answers).await;
        let shop = Shop::new(vec![
            Gateway::new(stub.url.clone(), None)
                .expect("a gateway")
                .impatient(),
        ]);
        let tally = Tally::new();
        let reply = shop.place(&planned(), &tally).await;
        let asked = stub.asked();
        let keys = asked
            .iter()
            .map(|it| it.header("idempotency-key").to_owned());
        let refusals = tally.counts().refusals.clone();
        (reply, keys.collect(), refusals.into_iter().collect())
    }

    #[tokio::test]
    async fn who_is_turned_away_by_a_limit_stays_away_and_is_counted() {
        for (status, code) in [(429, "rate-limited"), (503, "overloaded")] {
            let (reply, keys, refusals) = place(vec![problem(status, code), placed()]).await;
            assert!(matches!(reply, Reply::Refused), "{reply:?}");
            assert_eq!(keys.len(), 1);
            assert_eq!(refusals, [(code.to_owned(), 1)]);
        }
    }

    #[tokio::test]
    async fn what_was_away_is_asked_again_under_the_same_key() {
        let away = problem(503, "temporal-unavailable");
        let (reply, keys, refusals) = place(vec![away, placed()]).await;
        assert!(
            matches!(reply, Reply::Done(id) if id.to_string() == ID),
            "{reply:?}"
        );
        assert_eq!(keys.len(), 2);
        assert!(!keys[0].is_empty() && keys[0] == keys[1], "{keys:?}");
        assert_eq!(refusals, [("temporal-unavailable".to_owned(), 1)]);
    }

    #[tokio::test]
    async fn a_change_that_is_too_late_after_an_unanswered_try_may_have_been_made_by_that() {
        let late = || problem(409, "order-delivered");
        for (answers, may_be_done) in [
            (vec![late()], false),
            (vec![problem(503, "temporal-unavailable"), late()], true),
        ] {
            let stub = Stub::start(answers).await;
            let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
            let shop = Shop::new(vec![gateway.impatient()]);
            let id = ID.parse().expect("an id");
            let reply = shop.amend(id, &planned(), &Tally::new()).await;
            let is_unanswered = matches!(reply, Reply::Unanswered(_));
            assert_eq!(is_unanswered, may_be_done, "{reply:?}");
        }
    }

    #[tokio::test]
    async fn a_bad_request_is_an_error_at_once_and_no_refusal() {
        let (reply, keys, refusals) = place(vec![problem(422, "out-of-range")]).await;
        assert!(
            matches!(&reply, Reply::Failed(error) if error.contains("out-of-range")),
            "{reply:?}"
        );
        assert_eq!((keys.len(), refusals.len()), (1, 0));
    }

    #[tokio::test]
    async fn who_does_not_answer_is_asked_again_and_the_next_one_too() {
        let stub = Stub::start([(200, Vec::new(), Value::Null), placed()]).await;
        let away = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let nobody = format!("http://{}", away.local_addr().expect("an address"));
        drop(away);
        let urls = [nobody.parse().expect("a URL"), stub.url.clone()];
        let gateways = urls.map(|url| Gateway::new(url, None).expect("a gateway"));
        let shop = Shop::new(gateways.into());
        let tally = Tally::new();
        // Nobody, then an answer that is none, then nobody again, then yes.
        let reply = shop.place(&planned(), &tally).await;
        assert!(matches!(&reply, Reply::Failed(_)), "{reply:?}");
        let reply = shop.place(&planned(), &tally).await;
        assert!(matches!(&reply, Reply::Done(_)), "{reply:?}");
        assert!(tally.counts().retries >= 2);
    }
}
