//! The gateways, asked in turn, and again where that can do no harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use failure_queue::error_chain;
use pizza_client::{CallError, Gateway};
use pizza_contract::{ErrorCode, ListOrders};
use reqwest::StatusCode;
use tokio::time::sleep;

use super::report::Tally;

/// How often a request is sent at most.
const TRIES: u32 = 5;

/// The wait before a request is sent again, which doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The gateways.
pub(super) struct Shop {
    pub(super) gateways: Vec<Gateway>,
    next: AtomicUsize,
}

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Why {
    /// It was turned away for now, by a limit or since something is away.
    Refused,
    /// Too late: the order has gone on.
    TooLate,
    /// No gateway answered. It may have been done.
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

    /// The gateway whose turn it is.
    fn gateway(&self) -> Gateway {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.gateways[turn % self.gateways.len()].clone()
    }

    /// Every gateway answers, and to this customer.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            let first = ListOrders {
                limit: Some(1),
                ..ListOrders::default()
            };
            gateway.orders(&first).await?;
        }
        Ok(())
    }

    /// Asks the gateway whose turn it is, and the next ones where another try
    /// may help. A request has one effect at most, however often it is sent.
    pub(super) async fn ask<T, F>(
        &self,
        tally: &Tally,
        call: impl Fn(Gateway) -> F,
    ) -> Result<T, Why>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut pause = FIRST_PAUSE;
        for tried in 1.. {
            let error = match call(self.gateway()).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let (why, wait) = meaning(&error, tally);
            // Perhaps too late for what an earlier try brought about.
            let why = match why {
                Why::TooLate if tried > 1 => Why::Unanswered(error_chain(&error)),
                why => why,
            };
            let Some(wait) = wait.filter(|_| tried < TRIES) else {
                return Err(why);
            };
            tally.counts().retries += 1;
            sleep(wait.max(pause)).await;
            pause *= 2;
        }
        unreachable!("the last try returns")
    }
}

/// What an error means, and, where another try may help, how long to wait at
/// least.
fn meaning(error: &CallError, tally: &Tally) -> (Why, Option<Duration>) {
    let text = || error_chain(error);
    match error.problem() {
        Some(problem)
            if matches!(
                problem.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ) =>
        {
            let mut counts = tally.counts();
            *counts.refusals.entry(problem.code.clone()).or_default() += 1;
            // A customer who is turned away because there is too much to do
            // stays away: the load is what is measured.
            let too_much = problem.status == StatusCode::TOO_MANY_REQUESTS
                || problem.is(ErrorCode::Overloaded);
            let wait = (!too_much).then(|| problem.retry_after.unwrap_or_default());
            (Why::Refused, wait)
        }
        Some(problem) if problem.status == StatusCode::CONFLICT => (Why::TooLate, None),
        // Without an answer, or a whole one, only asking again tells whether
        // it was done.
        None if error.is_unanswered() => (Why::Unanswered(text()), Some(Duration::ZERO)),
        _ => (Why::Failed(text()), None),
    }
}

#[cfg(test)]
mod tests {
    use pizza_contract::PlaceOrder;
    use serde_json::{Value, json};

    use super::*;
    use crate::client::stub::{Answer, Stub};

    const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    fn problem(status: u16, code: &str) -> Answer {
        let body = json!({ "code": code, "detail": "not now" });
        (status, vec![("retry-after", "0".to_owned())], body)
    }

    fn placed() -> Answer {
        let body = json!({ "message": "", "orderId": ID, "statusCheck": "" });
        (201, Vec::new(), body)
    }

    async fn place(shop: &Shop, tally: &Tally) -> Result<String, Why> {
        let placed = shop.ask(tally, |gateway| async move {
            gateway.place(&PlaceOrder::default(), Some("a key")).await
        });
        Ok(placed.await?.view.order_id.to_string())
    }

    /// What placing an order came to, how often it was sent, and the refusals
    /// that were counted.
    async fn placed_at(answers: Vec<Answer>) -> (Result<String, Why>, usize, Vec<(String, u64)>) {
        let stub = Stub::start(answers).await;
        let gateway = Gateway::new(stub.url.clone(), None).expect("a gateway");
        let shop = Shop::new(vec![gateway.impatient()]);
        let tally = Tally::default();
        let reply = place(&shop, &tally).await;
        let asked = stub.asked();
        assert!(
            asked
                .iter()
                .all(|it| it.header("idempotency-key") == "a key")
        );
        let refusals = tally.counts().refusals.clone();
        (reply, asked.len(), refusals.into_iter().collect())
    }

    #[tokio::test]
    async fn what_another_try_would_not_help_is_sent_once() {
        for (status, code, is_refusal) in [
            (429, "rate-limited", true),
            (503, "overloaded", true),
            (422, "out-of-range", false),
        ] {
            let (reply, sent, refusals) = placed_at(vec![problem(status, code), placed()]).await;
            assert_eq!(matches!(reply, Err(Why::Refused)), is_refusal, "{reply:?}");
            assert_eq!(matches!(reply, Err(Why::Failed(_))), !is_refusal);
            assert_eq!((sent, refusals.len()), (1, usize::from(is_refusal)));
        }
    }

    #[tokio::test]
    async fn what_was_away_is_asked_again_under_the_same_key() {
        let away = || problem(503, "temporal-unavailable");
        let (reply, sent, refusals) = placed_at(vec![away(), placed()]).await;
        assert_eq!(reply.expect("placed"), ID);
        assert_eq!(sent, 2);
        assert_eq!(refusals, [("temporal-unavailable".to_owned(), 1)]);
        // What is too late then may be so for what the first try did.
        let late = || problem(409, "order-delivered");
        let (reply, ..) = placed_at(vec![away(), late()]).await;
        assert!(matches!(reply, Err(Why::Unanswered(_))), "{reply:?}");
        let (reply, ..) = placed_at(vec![late()]).await;
        assert!(matches!(reply, Err(Why::TooLate)), "{reply:?}");
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
        let tally = Tally::default();
        // Nobody, then an answer that is none, then nobody again, then yes.
        let reply = place(&shop, &tally).await;
        assert!(matches!(&reply, Err(Why::Failed(_))), "{reply:?}");
        assert_eq!(place(&shop, &tally).await.expect("placed"), ID);
        assert!(tally.counts().retries >= 2);
    }
}
