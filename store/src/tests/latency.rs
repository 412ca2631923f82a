//! How long the main operations take, on each engine: for `docs/figures.md`.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::OrderFilter;
use super::super::test_databases::{TestEngine, database, on_each_engine};
use super::*;

/// How often each operation is made; `PIZZA_STORE_LATENCY_N` sets another
/// number.
const TIMES: usize = 20;

#[derive(Default)]
struct Latencies(BTreeMap<&'static str, Vec<Duration>>);

impl Latencies {
    async fn take<T>(
        &mut self,
        operation: &'static str,
        running: impl Future<Output = Result<T, StoreError>>,
    ) {
        let began = Instant::now();
        running.await.expect("answered");
        self.0.entry(operation).or_default().push(began.elapsed());
    }

    fn percentile(times: &[Duration], percent: usize) -> Duration {
        times[(times.len() - 1) * percent / 100]
    }
}

async fn an_operation_takes_a_fraction_of_what_it_may(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let times = std::env::var("PIZZA_STORE_LATENCY_N").ok();
    let times = times.and_then(|n| n.parse().ok()).unwrap_or(TIMES);
    let mut taken = Latencies::default();
    for _ in 0..times {
        let order = order();
        let id = order.order_id;
        taken.take("create_order", store.create_order(&order)).await;
        let paying = OrderStatus::PaymentProcessing;
        taken
            .take("change_order", store.change_order(id, paying))
            .await;
        let charge = payment(&order, Step::ProcessPayment);
        taken.take("give", store.give(&PAYMENTS, &charge)).await;
        let award = points(&order, Step::AddLoyaltyPoints);
        taken.take("give", store.give(&POINTS, &award)).await;
        let ticket = ticket(&order);
        taken
            .take("book_ticket", store.book_ticket(&ticket, false))
            .await;
        taken.take("order", store.order(id)).await;
        let all = OrderFilter::default();
        taken
            .take("list_orders (20)", store.list_orders(&all, None, 20))
            .await;
        taken
            .take("changed_after", store.changed_after(now_ms() - 100))
            .await;
        taken
            .take("business_history", store.business_history(id))
            .await;
    }
    for (operation, mut times) in taken.0 {
        times.sort_unstable();
        let [p50, p95] = [50, 95].map(|percent| Latencies::percentile(&times, percent));
        println!(
            "{engine:?} {operation}: n {} p50 {p50:?} p95 {p95:?}",
            times.len()
        );
        assert!(p50 < store.options.timeout / 2, "{operation}: {p50:?}");
    }
}

on_each_engine!(an_operation_takes_a_fraction_of_what_it_may,);
