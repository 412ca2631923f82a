//! The production shape as plain processes: what `docker-compose.yml` starts,
//! without its containers.

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::harness::gateway::{Gateway, id_of};
use crate::harness::process::Process;
use crate::harness::{Engine, LATER, Setup, World, eventually};

const ORDERS: usize = 200;

/// Orders placed at once: what one Temporal dev server takes and goes on.
const AT_ONCE: usize = 20;

/// When one of each is killed: some orders are at every stage then.
const DELIVERED_BEFORE: i64 = 30;

const QUEUES: [&str; 5] = [
    "orders",
    "loyalty",
    "fulfilment",
    "failures",
    "reconciliation",
];

/// One of two of each role.
struct Half {
    workers: Vec<Process>,
    gateway: Process,
    kitchen: Process,
    url: String,
}

impl Half {
    async fn start(world: &World) -> Self {
        let workers = QUEUES.map(|queue| world.worker_with(&["--queue", queue]));
        let (gateway, url) = world.another_gateway().await;
        let kitchen = world.kitchen_at(&url);
        Self {
            workers: workers.into(),
            gateway,
            kitchen,
            url,
        }
    }

    /// Kills all of it at the same moment.
    fn kill(self) {
        for process in self.workers {
            process.kill();
        }
        self.gateway.kill();
        self.kitchen.kill();
    }

    fn show_if_panicking(&self) {
        let others = [&self.gateway, &self.kitchen];
        for process in self.workers.iter().chain(others) {
            process.show_if_panicking();
        }
    }
}

impl Drop for Survivor {
    fn drop(&mut self) {
        self.0.show_if_panicking();
    }
}

/// The half that lives on, and tells when the test fails.
struct Survivor(Half);

#[tokio::test]
async fn two_hundred_orders_survive_the_death_of_one_of_each() {
    let world = World::found(Setup {
        engine: Engine::Postgres,
        // Being without half of everybody for a while is nobody's fault.
        kitchen_deadline_seconds: 300.0,
        ..Setup::default()
    })
    .await;
    let survivor = Survivor(Half::start(&world).await);
    let victim = Half::start(&world).await;
    let urls = [survivor.0.url.clone(), victim.url.clone()];

    let placing = stream::iter(0..ORDERS)
        .map(|number| placed(&urls, number))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    let killing = async {
        let delivered = "SELECT count(*) FROM orders WHERE status = 'DeliveryConfirmed'";
        let mut books = world.books().await;
        eventually(LATER, "some orders are delivered", async || {
            (books.number(delivered).await >= DELIVERED_BEFORE).then_some(())
        })
        .await;
        victim.kill();
        books.number(delivered).await
    };
    let (ids, delivered_before) = tokio::join!(placing, killing);
    assert!(
        delivered_before < 100,
        "they were too late: {delivered_before}"
    );

    let gateway = Gateway::new(&survivor.0.url);
    for (number, id) in ids {
        let order = gateway.until_ended(&id).await;
        let (_, status, money) = scenario(number);
        assert_eq!(
            (&order["status"], &order["money"]),
            (&status, &money),
            "{order}"
        );
        world.final_history(&format!("order-{id}")).await;
    }
    assert_eq!(world.books().await.orders().await, 200);
    let audit = world.assert_audit_clean().await;
    assert_eq!(audit["orders"], 200, "{audit}");
}

/// What an order is to simulate, and how it is to end.
fn scenario(number: usize) -> (Value, Value, Value) {
    let (step, status, money) = match number % 10 {
        2 => (2, "Cancelled", "notCharged"),
        3 => (3, "DeliveryConfirmed", "charged"),
        4 => (4, "Cancelled", "refunded"),
        _ => (0, "DeliveryConfirmed", "charged"),
    };
    (json!(step), json!(status), json!(money))
}

/// Places an order at one of the gateways, or, when that is gone, at the
/// other: under its key it is the same order.
async fn placed(urls: &[String; 2], number: usize) -> (usize, String) {
    let (step, _, _) = scenario(number);
    let wish = json!({ "errorOnStep": step, "perStepDelaySeconds": 0.1 });
    let mut turn = number;
    let what = format!("order {number} is taken");
    eventually(LATER, &what, async || {
        let gateway = Gateway::new(&urls[turn % 2]);
        turn += 1;
        let request = gateway.client.post(gateway.at("/orders"));
        let key = format!("topology-{number}");
        let request = request.header("idempotency-key", key).json(&wish);
        let answer = request.send().await.ok()?;
        if answer.status() == 503 {
            return None;
        }
        assert_eq!(answer.status(), 201, "{answer:?}");
        Some((number, id_of(&answer.json().await.ok()?)))
    })
    .await
}
