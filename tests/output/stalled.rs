//! A reader that stops reading stops nothing.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use crate::harness::cli::Cli;
use crate::harness::gateway::Gateway;
use crate::harness::process::Process;
use crate::harness::{LATER, SOON, World, eventually, folder, ports};

/// The exit code of a process whose output was lost.
const UNWRITTEN: Option<i32> = Some(74);

/// A pipe that is full, and stays so as long as its reader is kept.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().expect("a pipe");
    let mut more = writer.try_clone().expect("a pipe");
    // It is blocked until the reader goes.
    thread::spawn(move || while more.write_all(&[b'.'; 4096]).is_ok() {});
    (reader, writer)
}

/// How many lines of its log a process has dropped.
async fn dropped(metrics: &Gateway) -> u64 {
    let text = metrics.get("/metrics").await.text;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("pizza_log_lines_dropped_total "));
    line.expect("the metric").parse().expect("a number")
}

/// Reads lines to the end, and passes on the first that says how many were
/// dropped.
fn read_on(reader: PipeReader) -> mpsc::Receiver<Value> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["dropped"].is_u64() {
                let _ = tell.send(line);
            }
        }
    });
    told
}

#[tokio::test]
async fn lines_that_nobody_reads_are_dropped_and_counted_and_hold_nothing_up() {
    let world = World::shared().await;
    let (reader, writer) = pipe().expect("a pipe");
    let metrics = format!("127.0.0.1:{}", ports::free());
    let arguments = [
        "gateway",
        "--json",
        "--requests-per-second",
        "0",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        &metrics,
    ];
    let cli = world.cli().with("RUST_LOG", "trace");
    let mut process = Process::pizza_into(&cli, "gateway", &arguments, None, writer.into());
    let announced = process.announcement().await;
    let gateway = Gateway::new(announced["gateway"].as_str().expect("a URL"));
    let metrics = Gateway::new(&format!("http://{metrics}"));
    eventually(LATER, "lines are dropped", async || {
        for _ in 0..10 {
            assert_eq!(gateway.get("/menu").await.status, 200);
        }
        (dropped(&metrics).await > 0).then_some(())
    })
    .await;
    assert_eq!(gateway.get("/readyz").await.status, 200);

    // Once somebody reads again, a line says what is missing.
    let told = read_on(reader);
    let line = eventually(SOON, "a line says it", async || told.try_recv().ok()).await;
    assert!(line["dropped"].as_u64() > Some(0), "{line}");
    assert_eq!(line["level"], "WARN", "{line}");
    let message = line["message"].as_str().expect("a message");
    assert!(
        message.starts_with("lines of the log were dropped"),
        "{line}"
    );
    process.interrupt();
    assert_eq!(process.wait(LATER).await.code(), Some(0));
}

#[tokio::test]
async fn a_shop_whose_log_nobody_reads_takes_orders_and_ends_when_asked() {
    let port = ports::free();
    let (_reader, writer) = full_pipe();
    let mut process = dev(port, None, writer.into());
    process.announcement().await;
    deliver_one(port).await;
    process.interrupt();
    assert_eq!(process.wait(LATER).await.code(), Some(0));
}

#[tokio::test]
async fn a_shop_whose_streams_nobody_reads_takes_orders_and_ends_when_asked() {
    let port = ports::free();
    let (_out, stdout) = full_pipe();
    let (_err, stderr) = full_pipe();
    let mut process = dev(port, Some(stdout.into()), stderr.into());
    deliver_one(port).await;
    process.terminate();
    // What it announced was never read.
    assert_eq!(process.wait(LATER).await.code(), UNWRITTEN);
}

fn dev(port: u16, stdout: Option<Stdio>, stderr: Stdio) -> Process {
    let cli = Cli {
        folder: folder::new("dev"),
        variables: Vec::new(),
    };
    let port = port.to_string();
    let mut arguments = vec!["dev", "--json", "--port", &port];
    arguments.extend(["--temporal-port", "0", "--ui-port", "0"]);
    Process::pizza_into(&cli, "dev", &arguments, stdout, stderr)
}

async fn deliver_one(port: u16) {
    let gateway = Gateway::new(&format!("http://127.0.0.1:{port}"));
    eventually(LATER, "the shop is open", async || {
        let ready = gateway.client.get(gateway.at("/readyz")).send().await;
        ready
            .is_ok_and(|ready| ready.status().is_success())
            .then_some(())
    })
    .await;
    let id = gateway.place(json!({ "flavour": "hawaiian" })).await;
    let order = gateway.until_ended(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
}

/// The names of a process's threads, as the kernel keeps them.
#[cfg(target_os = "linux")]
fn threads(process: &Process) -> Vec<String> {
    let id = process.tree()[0].as_raw_nonzero();
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_that_waits_for_its_reader_ends_when_asked() {
    let world = World::shared().await;
    // It ends in its own way when it is asked to.
    let (_out, stdout) = full_pipe();
    let (_err, stderr) = full_pipe();
    let arguments = ["migrate"];
    let stdout = Some(stdout.into());
    let cli = world.cli();
    let mut process = Process::pizza_into(&cli, "migrate", &arguments, stdout, stderr.into());
    eventually(SOON, "it prints", async || {
        let is_printing = threads(&process).iter().any(|name| name == "stdout");
        is_printing.then_some(())
    })
    .await;
    process.terminate();
    assert_eq!(process.wait(SOON).await.code(), UNWRITTEN);
}
