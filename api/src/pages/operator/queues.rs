//! The failure queues: what operators see first.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures::FutureExt;
use maud::{Markup, html};
use pizza_app::{QueueSoFar, QueuesSoFar};
use pizza_store::now_ms;

use super::super::layout::Site;
use super::super::looking::{Look, looking};
use super::super::text::ago;
use super::words::{policy_words, tasks_of};

use super::frame::{Operating, QUEUES, encoded, page_of, table};
use crate::client::Client;
use crate::connection::Closing;
use crate::gateway::AppState;
use crate::problem::Problem;

/// How often the queues are looked at while somebody looks on.
const LOOK_EVERY: Duration = pizza_app::QUEUES_KEPT;

/// `GET /operator`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
) -> Result<Response, Problem> {
    let queues = app.use_cases().failure_queues_so_far().await?;
    let site = operator.site(&app);
    let mut page = page_of(
        &site,
        QUEUES,
        "Failure queues",
        html! {
            p.lead { "What failed for good waits here until somebody runs it again, or lets it go." }
            (draw(&site, &queues, now_ms()))
        },
    );
    page.live = Some(site.at("/operator/live"));
    Ok(site.show(page))
}

/// `GET /operator/live`.
pub(super) async fn live(
    operator: Operating,
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
) -> Result<Response, Problem> {
    looking(
        &app,
        &client,
        closing,
        operator.visitor,
        LOOK_EVERY,
        |looker| {
            async move {
                match looker.app.use_cases().failure_queues_lately().await {
                    Ok(queues) => Look::Now(draw(&looker.site(), &queues, looker.since_ms)),
                    Err(_) => Look::Away,
                }
            }
            .boxed()
        },
    )
}

fn draw(site: &Site<'_>, so_far: &QueuesSoFar, at_ms: i64) -> Markup {
    let depths: Vec<_> = so_far
        .queues
        .iter()
        .map(|queue| queue.depth(so_far.store_answers))
        .collect();
    let is_known = depths.iter().all(Option::is_some);
    let waiting: u64 = depths.iter().flatten().sum();
    let head = html! {
        th scope="col" { "Queue" }
        th.number scope="col" { "Waiting" }
        th scope="col" { "The oldest" }
        th scope="col" { "Within the last hour" }
        th scope="col" { "Run again by itself" }
    };
    let rows = html! {
        @for (queue, depth) in so_far.queues.iter().zip(&depths) {
            (row(site, so_far, queue, *depth, at_ms))
        }
    };
    html! {
        section data-part="queues" aria-label="The queues" {
            (away(so_far))
            @if is_known && waiting == 0 {
                p.card.lead #nothing { "Nothing waits for an operator." }
            }
            (table("Queues", &head, &rows))
        }
    }
}

/// Who cannot be asked, and what that leaves out.
fn away(so_far: &QueuesSoFar) -> Markup {
    html! {
        @if !so_far.temporal_answers {
            p.card.wrong role="alert" {
                "Temporal cannot be reached. How much waits is told by the books; what came and \
                 went, and what is run again by itself, nobody can tell right now. Nothing is lost."
            }
        }
        @if !so_far.store_answers {
            p.card.wrong role="alert" {
                "The store cannot be reached. Since when the oldest tasks wait, nobody can tell \
                 right now. Nothing is lost."
            }
        }
    }
}

fn row(
    site: &Site<'_>,
    so_far: &QueuesSoFar,
    queue: &QueueSoFar,
    depth: Option<u64>,
    at_ms: i64,
) -> Markup {
    let name = queue.parked.queue;
    let tasks = encoded(&[("queue", name)]);
    html! {
        tr data-queue=(name) {
            th scope="row" {
                a href=(site.at(&format!("/operator/tasks?{tasks}"))) {
                    (queue.parked.heading)
                }
                div.soft { (name) }
            }
            td.number data-depth=[depth] {
                @match depth {
                    Some(0) => "none",
                    Some(depth) => strong { (tasks_of(depth)) },
                    None => "unknown",
                }
            }
            td { (oldest(so_far, queue, at_ms)) }
            td {
                @match queue.stats {
                    Some(stats) => { (stats.arrived) " came, " (stats.resolved) " went" },
                    None => "unknown",
                }
            }
            td {
                @match &queue.auto_redrive {
                    Some(policy) => { (policy_words(policy)) ". " },
                    None if so_far.temporal_answers => "never. ",
                    None => "unknown. ",
                }
                a href=(site.at(&format!("/operator/queues/{name}"))) {
                    "Change" span.hidden { " for " (name) }
                }
            }
        }
    }
}

fn oldest(so_far: &QueuesSoFar, queue: &QueueSoFar, at_ms: i64) -> Markup {
    html! {
        @match &queue.booked {
            Some(booked) => { "parked " (ago(booked.since_ms, at_ms)) },
            None if so_far.store_answers => "none",
            None => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use failure_queue::client::QueueStats;
    use pizza_store::Waiting;
    use pizza_workflows::steps::payments;

    use super::*;

    fn queue(depth: Option<u64>, booked: Option<i64>) -> QueueSoFar {
        QueueSoFar {
            parked: &payments::REFUND_PAYMENT_FAILED,
            stats: depth.map(|depth| QueueStats {
                depth,
                ..QueueStats::default()
            }),
            auto_redrive: None,
            booked: booked.map(|count| Waiting {
                what: "refund-payment".to_owned(),
                count,
                since_ms: 1,
            }),
        }
    }

    #[test]
    fn the_books_tell_how_much_waits_while_temporal_is_away() {
        assert_eq!(queue(Some(3), Some(2)).depth(true), Some(3));
        assert_eq!(queue(None, Some(2)).depth(true), Some(2));
        assert_eq!(queue(None, None).depth(true), Some(0));
        assert_eq!(queue(None, None).depth(false), None);
        assert_eq!(queue(Some(0), None).depth(false), Some(0));
    }

    #[test]
    fn who_is_away_is_named() {
        let told = |temporal_answers, store_answers| {
            let so_far = QueuesSoFar {
                queues: Vec::new(),
                temporal_answers,
                store_answers,
            };
            away(&so_far).into_string()
        };
        assert_eq!(told(true, true), "");
        assert!(told(false, true).contains("Temporal cannot be reached"));
        assert!(told(true, false).contains("The store cannot be reached"));
    }
}
