//! A variable that is empty is as one that is not set, for every role.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::cli::Cli;
use crate::harness::gateway::Gateway;
use crate::harness::process::Process;
use crate::harness::{SOON, eventually, folder};

/// What libraries read, beside what the command line declares.
const OF_LIBRARIES: [&str; 24] = [
    "HTTPS_PROXY",
    "NO_COLOR",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_PROPAGATORS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_EXPORTER",
    "OTEL_TRACES_SAMPLER",
    "PIZZA_LOG_FORMAT",
    "RUST_LOG",
    "SSL_CERT_FILE",
    "TEMPORAL_ADDRESS",
    "TEMPORAL_API_KEY",
    "TEMPORAL_CONFIG_FILE",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_PROFILE",
    "TEMPORAL_TLS",
    "XDG_CACHE_HOME",
];

/// The variables that a flag of any command is read from.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).expect("text");
            let named = text.split("env = \"").skip(1);
            names.extend(named.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    assert!(names.len() > 40, "{names:?}");
    names
}

/// All of them, empty; but those that whoever runs the tests has set to say
/// where the Temporal CLI is.
fn all_empty() -> Vec<(String, String)> {
    let libraries = OF_LIBRARIES.map(str::to_owned);
    let names = declared().into_iter().chain(libraries);
    let is_kept = |name: &String| {
        ["PIZZA_TEMPORAL_CLI", "PIZZA_CACHE_DIR", "XDG_CACHE_HOME"].contains(&name.as_str())
            && std::env::var_os(name).is_some()
    };
    names
        .filter(|name| !is_kept(name))
        .map(|name| (name, String::new()))
        .collect()
}

#[tokio::test]
async fn an_empty_variable_is_as_one_that_is_not_set() {
    let cli = Cli {
        folder: folder::new("empty-variables"),
        variables: all_empty(),
    };
    let arguments = ["dev", "--json", "--port", "0", "--temporal-port", "0"];
    let arguments = [&arguments[..], &["--ui-port", "0"]].concat();
    let mut process = Process::pizza(&cli.folder, "dev", &arguments, &cli.variables);
    let announced = process.announcement().await;
    let url = announced["gateway"].as_str().expect("a URL");
    let gateway = Gateway::new(url);
    let id = gateway.place(json!({ "flavour": "plain" })).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    // `RUST_LOG` did not silence it, and the log has its usual form.
    eventually(SOON, "a line of the log", async || {
        let log = process.stderr();
        let line = log.lines().next()?;
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["level"].is_string().then_some(())
    })
    .await;

    // The keys are those in the folder `.pizza`, which is where `dev` keeps
    // its things.
    for command in [
        &["status", &id][..],
        &["tickets"],
        &["failures", "queues"],
        &["orders"],
        &["menu"],
    ] {
        cli.ok(&[command, &["--gateway", url]].concat()).await;
    }
    process.interrupt();
    assert_eq!(process.wait(SOON).await.code(), Some(0));

    // Each role starts as far as it does without.
    let bare = Cli {
        folder: cli.folder.clone(),
        variables: Vec::new(),
    };
    for role in ["audit --store-only", "codec-server", "deploy promote"] {
        let words: Vec<&str> = role.split(' ').collect();
        let (with, without) = (cli.pizza(&words).await, bare.pizza(&words).await);
        assert_eq!(with.code, without.code, "{role}: {with:?} {without:?}");
        assert_eq!(with.stdout, without.stdout, "{role}");
    }
}
