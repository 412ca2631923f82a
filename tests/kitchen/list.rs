//! What there is to do stands in a list.

use pizza_api::proto::kitchen_service_client::KitchenServiceClient;
use pizza_api::proto::{KitchenEvent, ListTicketsRequest};
use serde_json::{Value, json};
use tonic::Code;

use super::WAY;
use crate::harness::grpc::{Grpc, as_kitchen};
use crate::harness::{SOON, Setup, World, eventually};

/// Seconds, for each stage.
const DEADLINE: f64 = 120.0;

async fn page(world: &World, query: &str) -> Value {
    let answer = world.cook().get(&format!("/kitchen/tickets{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn ids(page: &Value) -> Vec<&str> {
    let tickets = page["tickets"].as_array().expect("a list").iter();
    let ids = tickets.map(|ticket| ticket["ticketId"].as_str().expect("an id"));
    ids.collect()
}

#[tokio::test]
async fn open_tickets_are_listed_the_most_urgent_first_through_each_door() {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: DEADLINE,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let mut orders = Vec::new();
    for number in 0..3 {
        let wish = json!({ "flavour": "hawaiian", "size": "large", "quantity": 2,
                           "perStepDelaySeconds": 0.001 });
        orders.push(gateway.place(wish).await);
        eventually(SOON, "the ticket is on the list", async || {
            (ids(&page(&world, "").await).len() == number + 1).then_some(())
        })
        .await;
    }
    // The first is dealt with, and now the least urgent.
    gateway.report_taken(&orders[0], "accepted").await;
    let listed = page(&world, "").await;
    assert_eq!(ids(&listed), [&orders[1], &orders[2], &orders[0]]);
    assert_eq!(listed["nextCursor"], Value::Null);
    let [received, .., accepted] = &listed["tickets"].as_array().expect("a list")[..] else {
        panic!("{listed}");
    };
    assert_eq!(received["stage"], "received", "{received}");
    assert_eq!(received["nextReports"], json!(["accepted", "rejected"]));
    assert_eq!(accepted["stage"], "accepted", "{accepted}");
    assert_eq!(accepted["nextReports"], json!(["cooked", "rejected"]));
    for ticket in [received, accepted] {
        let what = [&ticket["flavour"], &ticket["size"], &ticket["quantity"]];
        assert_eq!(what, [&json!("hawaiian"), &json!("large"), &json!(2)]);
        let left = ticket["secondsLeft"].as_f64().expect("a number");
        assert!(left > 0.0 && left <= DEADLINE + 0.001, "{ticket}");
        let at_stage = ticket["secondsAtStage"].as_f64().expect("a number");
        assert!((left + at_stage - DEADLINE).abs() < 5.0, "{ticket}");
        let simulation = json!({ "perStepDelaySeconds": 0.001, "silent": false });
        assert_eq!(ticket["simulation"], simulation);
        for time in ["handedOverAt", "dueAt"] {
            assert!(
                ticket[time].as_str().expect("a time").ends_with('Z'),
                "{ticket}"
            );
        }
    }
    pages_make_up_the_list(&world, &orders).await;
    the_same_over_grpc(&world, &orders).await;
    the_same_on_the_command_line(&world, &orders).await;

    for event in &WAY[1..] {
        gateway.report_taken(&orders[0], event).await;
    }
    gateway.report_taken(&orders[1], "rejected").await;
    eventually(SOON, "what is over leaves the list", async || {
        (ids(&page(&world, "").await) == [&orders[2]]).then_some(())
    })
    .await;
}

async fn pages_make_up_the_list(world: &World, orders: &[String]) {
    let mut query = "?limit=2".to_owned();
    let first = page(world, &query).await;
    assert_eq!(ids(&first), [&orders[1], &orders[2]]);
    let cursor = first["nextCursor"].as_str().expect("there is more");
    query.push_str(&format!("&cursor={cursor}"));
    let second = page(world, &query).await;
    assert_eq!(ids(&second), [&orders[0]]);
    assert_eq!(second["nextCursor"], Value::Null);
}

async fn the_same_over_grpc(world: &World, orders: &[String]) {
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let mut kitchen = KitchenServiceClient::new(channel);
    let request = ListTicketsRequest {
        limit: Some(2),
        cursor: None,
    };
    let refused = kitchen.list_tickets(request.clone()).await;
    assert_eq!(refused.expect_err("no key").code(), Code::Unauthenticated);
    let page = kitchen.list_tickets(as_kitchen(request)).await;
    let page = page.expect("a page").into_inner();
    assert!(page.next_cursor.is_some(), "{page:?}");
    assert_eq!(page.tickets[0].ticket_id, orders[1]);
    let ticket = &page.tickets[1];
    assert_eq!(ticket.ticket_id, orders[2]);
    assert_eq!(ticket.last_report(), KitchenEvent::Unspecified);
    let next = [KitchenEvent::Accepted, KitchenEvent::Rejected].map(i32::from);
    assert_eq!(ticket.next_reports, next);
    assert!(ticket.seconds_left.expect("known") > 0.0, "{ticket:?}");
}

async fn the_same_on_the_command_line(world: &World, orders: &[String]) {
    let json = world.cli().ok(&["tickets", "--json"]).await;
    let listed: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(ids(&listed), [&orders[1], &orders[2], &orders[0]]);
    let table = world.cli().ok(&["tickets"]).await;
    for part in [
        orders[0].as_str(),
        "2 x hawaiian, large",
        "cooked or rejected",
    ] {
        assert!(table.contains(part), "{part} is not in:\n{table}");
    }
    // An operator's key does as well; without any, nothing is shown.
    let mut cli = world.cli().without("PIZZA_KITCHEN_KEY");
    let output = cli.pizza(&["tickets"]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("PIZZA_KITCHEN_KEY"), "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    let operator = crate::harness::world::OPERATOR_KEY.to_owned();
    cli.variables
        .push(("PIZZA_KITCHEN_KEY".to_owned(), operator));
    assert_eq!(cli.pizza(&["tickets"]).await.code, Some(0));
}
