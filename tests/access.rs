//! Who may order, who may see which order, and who is let in at all.

use pizza_api::proto;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{GetOrderRequest, PlaceOrderRequest};
use pizza_app::keys::KeyHash;
use serde_json::{Value, json};

use crate::harness::gateway::{Gateway, id_of};
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::process::Process;
use crate::harness::world::OPERATOR_KEY;
use crate::harness::{SOON, Setup, World, folder};
use tonic::Status;

const ANN: &str = "pizza_cu_ann-of-the-journeys";
const BEN: &str = "pizza_cu_ben-of-the-journeys";

fn customer_keys() -> (String, String) {
    let entries = [("ann", ANN), ("ben", BEN)].map(|(name, key)| KeyHash::of(key).entry(name));
    ("PIZZA_CUSTOMER_KEYS".to_owned(), entries.join(","))
}

fn with_key<T>(message: T, key: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let bearer = format!("Bearer {key}").parse().expect("a value");
    request.metadata_mut().insert("authorization", bearer);
    request
}

async fn get_over_grpc(world: &World, key: &str, id: &str) -> Result<proto::Order, Status> {
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let message = GetOrderRequest {
        order_id: id.to_owned(),
    };
    let mut orders = OrderServiceClient::new(channel);
    let answer = orders.get_order(with_key(message, key)).await?.into_inner();
    Ok(answer.order.expect("an order"))
}

async fn place_over_grpc(
    world: &World,
    key: &str,
    customer: Option<&str>,
) -> Result<String, Status> {
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let message = PlaceOrderRequest {
        customer_id: customer.map(str::to_owned),
        ..PlaceOrderRequest::default()
    };
    let mut orders = OrderServiceClient::new(channel);
    let answer = orders.place_order(with_key(message, key)).await?;
    Ok(answer.into_inner().order_id)
}

#[tokio::test]
async fn where_customers_have_keys_each_orders_for_themselves_and_sees_their_own() {
    let world = World::start(Setup {
        gateway_variables: vec![customer_keys()],
        ..Setup::default()
    })
    .await;
    let as_holder = |key| Gateway::with_key(world.gateway_url(), Some(key));
    let (ann, ben, operator) = (as_holder(ANN), as_holder(BEN), world.operator());

    let anns = ann.place(json!({ "flavour": "veggie" })).await;
    let bens = place_over_grpc(&world, BEN, None).await.expect("placed");
    let for_ann = operator.place(json!({ "customerId": "ann" })).await;
    for (id, owner) in [(&anns, "ann"), (&bens, "ben"), (&for_ann, "ann")] {
        let order = operator.until(id, "DeliveryConfirmed").await;
        assert_eq!(order["customerId"], owner, "{order}");
        let order = get_over_grpc(&world, OPERATOR_KEY, id).await;
        assert_eq!(order.expect("an order").customer_id, owner);
    }
    assert_eq!(ann.order(&for_ann).await["customerId"], "ann");

    // Another's order is like one that does not exist.
    let unknown = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    for path in ["", "/workflows"] {
        let foreign = ben.get(&format!("/orders/{anns}{path}")).await;
        let nobodys = ben.get(&format!("/orders/{unknown}{path}")).await;
        assert_eq!(foreign.status, 404, "{foreign:?}");
        assert_eq!(foreign.problem(), nobodys.problem());
        let detail = |it: &Value, id: &str| it["detail"].to_string().replace(id, "");
        assert_eq!(
            detail(&foreign.json(), &anns),
            detail(&nobodys.json(), unknown)
        );
    }
    let foreign = get_over_grpc(&world, BEN, &anns).await.expect_err("ann's");
    assert_eq!(code_of(&foreign), "order-not-found");

    let nobody = world.gateway();
    for answer in [
        nobody.get(&format!("/orders/{anns}")).await,
        nobody.post("/orders", &json!({})).await,
        as_holder("pizza_cu_wrong")
            .post("/orders", &json!({}))
            .await,
    ] {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{answer:?}");
        assert_eq!(answer.problem(), "unauthenticated");
    }
    let for_another = ben.post("/orders", &json!({ "customerId": "ann" })).await;
    assert_eq!(for_another.status, 403, "{for_another:?}");
    assert_eq!(for_another.problem(), "forbidden");
    assert_eq!(for_another.json()["field"], "customerId");
    let refused = place_over_grpc(&world, BEN, Some("ann")).await;
    assert_eq!(code_of(&refused.expect_err("ann's")), "forbidden");
    assert_eq!(world.books().await.orders().await, 3);
    on_the_command_line(&world, &anns).await;
}

async fn on_the_command_line(world: &World, anns: &str) {
    let cli = world.cli();
    let status = ["status", anns];
    let keyless = cli.pizza(&status).await;
    assert_eq!(keyless.code, Some(1), "{keyless:?}");
    for part in ["unauthenticated", "PIZZA_KEY"] {
        assert!(keyless.stderr.contains(part), "{keyless:?}");
    }
    let with_key = |key: &str| {
        let mut cli = world.cli();
        cli.variables.push(("PIZZA_KEY".to_owned(), key.to_owned()));
        cli
    };
    let shown = with_key(ANN).ok(&status).await;
    assert!(shown.contains("veggie"), "{shown}");
    let foreign = with_key(BEN).pizza(&status).await;
    assert_eq!(foreign.code, Some(1), "{foreign:?}");
    assert!(foreign.stderr.contains("order-not-found"), "{foreign:?}");
    let placed = with_key(BEN).ok(&["order", "--json"]).await;
    let placed: Value = serde_json::from_str(&placed).expect("JSON");
    let order = world.operator().order(&id_of(&placed)).await;
    assert_eq!(order["customerId"], "ben", "{order}");
    let bad = with_key("with a space").pizza(&["order"]).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stderr.contains("PIZZA_KEY"), "{bad:?}");
    assert!(!bad.stderr.contains("with a space"), "{bad:?}");
}

#[tokio::test]
async fn a_gateway_that_simulates_no_errors_says_so() {
    let mut world = World::found(Setup {
        fault_injection: false,
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let gateway = world.gateway();
    let refused = gateway.post("/orders", &json!({ "errorOnStep": 1 })).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.problem(), "fault-injection-disabled");
    assert_eq!(refused.json()["field"], "errorOnStep", "{refused:?}");
    gateway.place(json!({ "perStepDelaySeconds": 0.1 })).await;
}

/// Runs `pizza` in a folder of its own, with a Temporal that is never asked.
fn pizza(arguments: &[&str], variables: &[(&str, &str)]) -> Process {
    let folder = folder::new("access");
    std::fs::write(folder.join("temporal.toml"), "").expect("a file");
    let variables: Vec<_> = variables
        .iter()
        .chain(&[
            ("TEMPORAL_CONFIG_FILE", "temporal.toml"),
            ("DATABASE_URL", "sqlite:pizza.db"),
        ])
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Process::pizza(&folder, "access", arguments, &variables)
}

async fn assert_refused(mut process: Process, parts: &[&str]) {
    let status = process.wait(SOON).await;
    let said = process.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(process.stdout(), "");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

const GATEWAY: [&str; 4] = ["gateway", "--json", "--listen", "0.0.0.0:0"];
const DEV: [&str; 4] = ["dev", "--json", "--ip", "0.0.0.0"];

#[tokio::test]
async fn nobody_opens_a_gateway_to_others_by_oversight() {
    let parts = [
        "0.0.0.0",
        "--customer-keys",
        "PIZZA_CUSTOMER_KEYS",
        "--open",
        "PIZZA_OPEN",
    ];
    let flags = ["--listen", "PIZZA_LISTEN"];
    assert_refused(pizza(&GATEWAY, &[]), &[&parts[..], &flags].concat()).await;
    assert_refused(pizza(&GATEWAY, &[("PIZZA_OPEN", "false")]), &parts).await;
    assert_refused(pizza(&DEV, &[]), &[&parts[..], &["--ip"]].concat()).await;

    let (_, entries) = customer_keys();
    for (variable, is_open) in [
        (("PIZZA_OPEN", "true"), true),
        (("PIZZA_CUSTOMER_KEYS", &*entries), false),
    ] {
        let mut gateway = pizza(&GATEWAY, &[variable]);
        let announced = gateway.announcement().await;
        assert_eq!(announced["open"], is_open, "{announced}");
    }
}

#[tokio::test]
async fn dev_on_all_addresses_says_that_it_is_open_and_delivers() {
    let any_ports = [
        "--port",
        "0",
        "--temporal-port",
        "0",
        "--ui-port",
        "0",
        "--open",
    ];
    let mut dev = pizza(&[&DEV[..], &any_ports].concat(), &[]);
    let announced = dev.announcement().await;
    assert_eq!(announced["open"], true, "{announced}");
    let url = announced["gateway"].as_str().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let gateway = Gateway::new(url);
    let id = gateway.place(json!({})).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    dev.interrupt();
    assert_eq!(dev.wait(SOON).await.code(), Some(0), "{}", dev.stderr());
}

#[tokio::test]
async fn bad_keys_and_bad_menus_are_refused_before_anything_listens() {
    let gateway = ["gateway", "--json", "--listen", "127.0.0.1:0"];
    for variable in [
        "PIZZA_OPERATOR_KEYS",
        "PIZZA_CUSTOMER_KEYS",
        "PIZZA_KITCHEN_KEYS",
    ] {
        let process = pizza(&gateway, &[(variable, "ann:pizza_cu_secret")]);
        assert_refused(process, &[variable, "entry 1"]).await;
    }
    let menu = folder::new("menu").join("menu.toml");
    let custom = "[custom]\nsmall = 900\nmedium = 1200\nlarge = 1000001\n";
    std::fs::write(&menu, custom).expect("a file");
    let path = menu.to_str().expect("UTF-8");
    let parts = [path, "PIZZA_MENU", "custom", "large", "from 1 to 1000000"];
    assert_refused(pizza(&gateway, &[("PIZZA_MENU", path)]), &parts).await;
}
