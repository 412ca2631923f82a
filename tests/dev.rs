//! `pizza dev`: everything with one command, whatever happens to it.

use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use rustix::process::Pid;
use serde_json::{Value, json};

use crate::harness::books::Books;
use crate::harness::gateway::Gateway;
use crate::harness::process::{Process, is_over};
use crate::harness::{LATER, SOON, eventually, folder, ports};

const ORDERS: usize = 20;

/// A running `pizza dev` and what it announced.
struct Dev {
    process: Process,
    announced: Value,
}

impl Dev {
    async fn start(data: &Path) -> Self {
        let mut process = run(data, &[]);
        let announced = process.announcement().await;
        Self { process, announced }
    }

    fn gateway(&self) -> Gateway {
        Gateway::new(self.announced["gateway"].as_str().expect("a URL"))
    }

    /// The ports of gateway, Temporal and its UI.
    fn ports(&self) -> Vec<u16> {
        ["gateway", "temporal", "ui"]
            .iter()
            .map(|part| {
                let address = self.announced[part].as_str().expect("an address");
                let port = address.trim_end_matches('/').rsplit(':').next();
                port.expect("a port").parse().expect("a port")
            })
            .collect()
    }
}

/// Starts `pizza dev` with its ports free to choose, unless `more` says
/// otherwise.
fn run(data: &Path, more: &[&str]) -> Process {
    let data_text = data.to_str().expect("UTF-8");
    let mut arguments = vec!["dev", "--json", "--data", data_text];
    for flag in ["--port", "--temporal-port", "--ui-port"] {
        if !more.contains(&flag) {
            arguments.extend([flag, "0"]);
        }
    }
    arguments.extend(more);
    Process::pizza(&folder::new("dev"), "dev", &arguments, &[])
}

#[tokio::test]
async fn twenty_orders_survive_the_death_of_everything() {
    let data = folder::new("dev-data");
    let dev = Dev::start(&data).await;
    let gateway = dev.gateway();
    let wish = || json!({ "perStepDelaySeconds": 0.3 });
    let ids = join_all((0..ORDERS).map(|_| gateway.place(wish()))).await;
    let mut books = Books::open(&format!("sqlite:{}", data.join("pizza.db").display())).await;
    eventually(LATER, "some orders are charged", async || {
        let charged = books.number("SELECT count(*) FROM payments").await;
        (charged >= 5).then_some(())
    })
    .await;
    let tree = dev.process.tree();
    assert!(
        tree.len() >= 2,
        "the Temporal server is a process of its own"
    );
    dev.process.kill();
    until_gone(&tree).await;
    let delivered = "SELECT count(*) FROM orders WHERE status = 'DeliveryConfirmed'";
    assert!(
        books.number(delivered).await < 20,
        "all was over before the kill"
    );

    let dev = Dev::start(&data).await;
    let gateway = dev.gateway();
    for id in &ids {
        let order = gateway.until_ended(id).await;
        let account = books.account(id).await;
        account.assert_legal();
        // Being dead for longer than the kitchen may be silent is a reason to
        // cancel; then everything is taken back.
        if order["status"] == "DeliveryConfirmed" {
            assert_eq!(account.payments, [("charge".to_owned(), 1200)], "{id}");
            assert_eq!(account.points, [("award".to_owned(), 12)], "{id}");
        } else {
            assert_eq!(order["cancelled"]["code"], "kitchen-overdue", "{order}");
            assert_eq!(account.payment_kinds(), ["charge", "refund"], "{id}");
            assert_eq!(account.points_left(), 0, "{id}");
        }
    }
    assert_eq!(books.orders().await, 20);
    stop(dev).await;
}

#[tokio::test]
async fn ctrl_c_stops_everything_cleanly_and_orders_go_on_at_the_next_start() {
    let data = folder::new("dev-data");
    let dev = Dev::start(&data).await;
    let id = dev
        .gateway()
        .place(json!({ "perStepDelaySeconds": 0.5 }))
        .await;
    dev.gateway().until(&id, "PaymentComplete").await;
    stop(dev).await;

    let dev = Dev::start(&data).await;
    let order = dev.gateway().until_ended(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    stop(dev).await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    for flag in ["--port", "--temporal-port", "--ui-port"] {
        let (_listener, port) = ports::taken();
        let port = port.to_string();
        let mut dev = run(&folder::new("dev-data"), &[flag, &port]);
        let status = dev.wait(SOON).await;
        assert_eq!(status.code(), Some(1), "{flag}: {}", dev.stderr());
        let said = dev.stderr();
        assert!(
            said.contains(&port) && said.contains(flag),
            "{flag} {port}: {said}"
        );
        assert_eq!(dev.stdout(), "", "{flag}");
    }
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_named_with_what_to_do() {
    // Below a regular file no folder can be made, not even by an
    // administrator.
    let file = folder::new("dev-data").join("file");
    std::fs::write(&file, "").expect("a file");
    let data = file.join("data");
    let mut dev = run(&data, &[]);
    let status = dev.wait(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", dev.stderr());
    let said = dev.stderr();
    assert!(said.contains(data.to_str().expect("UTF-8")), "{said}");
    assert!(said.contains("--data"), "{said}");
}

#[tokio::test]
async fn a_second_dev_on_the_same_data_is_refused_and_harms_nothing() {
    let data = folder::new("dev-data");
    let dev = Dev::start(&data).await;
    let mut second = run(&data, &[]);
    let status = second.wait(SOON).await;
    assert_eq!(status.code(), Some(1), "{}", second.stderr());
    assert!(second.stderr().contains("--data"), "{}", second.stderr());
    let id = dev.gateway().place(json!({})).await;
    dev.gateway().until(&id, "DeliveryConfirmed").await;
    stop(dev).await;
}

/// Presses Ctrl-C: everything ends in order, and nothing is left.
async fn stop(mut dev: Dev) {
    let tree = dev.process.tree();
    let ports = dev.ports();
    dev.process.interrupt();
    let status = dev.process.wait(SOON).await;
    assert_eq!(status.code(), Some(0), "{}", dev.process.stderr());
    until_gone(&tree).await;
    for port in ports {
        assert!(ports::is_free(port), "port {port} is still taken");
    }
}

/// Waits until all of the processes are over.
async fn until_gone(processes: &[Pid]) {
    eventually(Duration::from_secs(10), "no process is left", async || {
        processes
            .iter()
            .all(|process| is_over(*process))
            .then_some(())
    })
    .await;
}
