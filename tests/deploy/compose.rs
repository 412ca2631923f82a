//! `docker-compose.yml`, read as compose reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use crate::harness::process::{PIZZA, foreign_variables};

/// What runs our binary.
const IMAGE: &str = "cloud-pizza:";

/// Services that may be reached, and from this machine alone: the gateways,
/// and what people look at.
const PUBLISHED: [&str; 5] = [
    "gateway",
    "temporal-ui",
    "codec-server",
    "prometheus",
    "grafana",
];

/// Services that have nothing to be asked with, or nobody to ask.
const NOT_ASKED: [&str; 2] = ["kitchen", "tempo"];

/// The task queues, and so the workers that there have to be.
const QUEUES: [&str; 5] = [
    "orders",
    "loyalty",
    "fulfilment",
    "failures",
    "reconciliation",
];

/// Variables of other standards than ours: those of Temporal's tools and of
/// OpenTelemetry.
const STANDARD: [&str; 6] = [
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_DEPLOYMENT_NAME",
    "TEMPORAL_WORKER_BUILD_ID",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
];

#[test]
fn every_version_and_port_stands_in_one_file() {
    let settings = settings();
    let text = file("docker-compose.yml");
    for (name, value) in &settings {
        assert!(
            text.contains(&format!("${{{name}}}")),
            "nothing uses {name}"
        );
        assert!(!value.is_empty() && value != "latest", "{name}={value}");
    }
    let raw: Value = serde_saphyr::from_str(&text).expect("YAML");
    for (name, service) in object(&raw["services"]) {
        let image = text_of(service, "image");
        let (_, version) = image.rsplit_once(':').expect("a version");
        assert!(version.starts_with("${"), "{name}: {image}");
    }
    let package = env!("CARGO_PKG_VERSION");
    assert_eq!(settings["PIZZA_VERSION"], package);
}

#[test]
fn the_temporal_server_is_the_version_that_the_tests_run() {
    // "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)"
    let version = pizza(&["temporal".to_owned()], "--version");
    let settings = settings();
    let (server, ui) = (
        &settings["TEMPORAL_VERSION"],
        &settings["TEMPORAL_UI_VERSION"],
    );
    assert!(
        version.contains(&format!("(Server {server}, UI {ui})")),
        "the tests run {version}"
    );
}

#[test]
fn every_command_flag_and_variable_of_ours_exists() {
    let ours: Vec<_> = services()
        .into_iter()
        .filter(|(_, service)| text_of(service, "image").starts_with(IMAGE))
        .collect();
    assert!(ours.len() >= 9, "{ours:?}");
    for (name, service) in &ours {
        let command = texts(&service["command"]);
        // Help comes once everything before it was understood.
        let help = pizza(&command, "--help");
        for variable in object(&service["environment"]).keys() {
            let is_known = STANDARD.contains(&variable.as_str())
                || help.contains(&format!("[env: {variable}"));
            assert!(
                is_known,
                "{name}: `{command:?}` knows no {variable}:\n{help}"
            );
        }
    }
}

#[test]
fn a_flag_that_does_not_exist_would_be_found() {
    let refused = run(&["worker", "--quue", "orders"], "--help");
    assert!(!refused.status.success());
    assert!(!pizza(&["worker"].map(str::to_owned), "--help").contains("[env: PIZZA_NONE"));
}

#[test]
fn every_task_queue_has_its_workers_and_the_gateway_is_there_twice() {
    let services = services();
    for queue in QUEUES {
        let worker = &services[&format!("worker-{queue}")];
        assert_eq!(texts(&worker["command"]), ["worker", "--queue", queue]);
        assert_eq!(worker["deploy"]["replicas"], 2, "{queue}");
    }
    assert_eq!(services["gateway"]["deploy"]["replicas"], 2);
    let help = pizza(&["worker".to_owned()], "--help");
    let listed = help.split("possible values: ").nth(1).expect("the queues");
    let listed = listed.split(']').next().expect("a list");
    let listed: BTreeSet<_> = listed.split(", ").map(str::trim).collect();
    assert_eq!(listed, BTreeSet::from(QUEUES));
}

#[test]
fn nothing_starts_before_what_it_needs_and_each_is_held_to_its_limits() {
    let services = services();
    for (name, service) in &services {
        let runs_once = text_of(service, "restart").starts_with("on-failure");
        for (needed, how) in object_or_empty(&service["depends_on"]) {
            let other = services
                .get(&needed)
                .unwrap_or_else(|| panic!("{name} needs {needed}, which is not there"));
            let once = text_of(other, "restart").starts_with("on-failure");
            let condition = if once {
                "service_completed_successfully"
            } else {
                "service_healthy"
            };
            assert_eq!(how["condition"], condition, "{name} needs {needed}");
            assert!(once || other["healthcheck"].is_object(), "{needed}");
        }
        let limits = &service["deploy"]["resources"]["limits"];
        assert!(
            limits["memory"].is_string() && limits["cpus"].is_string(),
            "{name}"
        );
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        let is_asked = service["healthcheck"]["test"].is_array();
        assert_eq!(
            is_asked,
            !runs_once && !NOT_ASKED.contains(&name.as_str()),
            "{name}"
        );
        if text_of(service, "image").starts_with(IMAGE) {
            assert_eq!(service["read_only"], true, "{name}");
        }
    }
}

#[test]
fn somebody_waits_for_the_end_of_each_that_runs_once() {
    // `docker compose up --wait` fails for a container that ends, otherwise.
    let services = services();
    for (name, service) in &services {
        if text_of(service, "restart").starts_with("on-failure") {
            let is_waited_for = services
                .values()
                .any(|other| object_or_empty(&other["depends_on"]).contains_key(name));
            assert!(is_waited_for, "{name}");
        }
    }
}

#[test]
fn only_the_gateway_and_what_people_look_at_is_published_and_only_here() {
    for (name, service) in services() {
        let ports = texts_or_empty(&service["ports"]);
        assert_eq!(
            !ports.is_empty(),
            PUBLISHED.contains(&name.as_str()),
            "{name}"
        );
        for port in ports {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        let networks = texts(&service["networks"]);
        assert!(networks.contains(&"inside".to_owned()), "{name}");
    }
}

#[test]
fn every_secret_is_declared_and_none_stands_in_the_file() {
    let compose = compose();
    let declared: BTreeSet<_> = object(&compose["secrets"]).keys().cloned().collect();
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        let given: BTreeSet<_> = texts_or_empty(&service["secrets"]).into_iter().collect();
        for (variable, value) in object_or_empty(&service["environment"]) {
            let value = value.as_str().expect("a text");
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(given.contains(secret), "{name}: {variable}={value}");
            } else {
                let is_secret = ["PASSWORD", "SECRET", "_KEY"]
                    .iter()
                    .any(|word| variable.contains(word));
                assert!(!is_secret, "{name}: {variable} stands in the file");
            }
        }
        used.extend(given);
    }
    assert_eq!(used, declared);
}

#[test]
fn every_file_that_is_mounted_is_there() {
    for (name, service) in services() {
        for volume in texts_or_empty(&service["volumes"]) {
            if let Some(path) = volume.strip_prefix("./") {
                let (path, _) = path.split_once(':').expect("a place to mount");
                assert!(root().join(path).exists(), "{name}: {path}");
                assert!(volume.ends_with(":ro"), "{name}: {volume}");
            }
        }
    }
}

#[test]
fn the_image_is_made_with_a_toolchain_that_is_new_enough_and_runs_as_nobody() {
    let text = file("Dockerfile");
    let manifest = file("Cargo.toml");
    let needed = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .expect("a version")
        .trim_matches('"');
    assert!(text.contains(&format!("FROM rust:{needed}-")), "{needed}");
    let last = text
        .lines()
        .rfind(|line| line.starts_with("FROM "))
        .expect("a stage");
    assert!(
        last.contains("distroless") && last.ends_with(":nonroot"),
        "{last}"
    );
    let ignored = file(".dockerignore");
    for path in ["/target", "/.git", "/deploy/secrets"] {
        assert!(ignored.lines().any(|line| line == path), "{path}");
    }
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// What `.env` says.
fn settings() -> BTreeMap<String, String> {
    file(".env")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').expect("NAME=VALUE"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The file, with the variables that `.env` sets in their places.
pub(super) fn compose() -> Value {
    let mut text = file("docker-compose.yml");
    for (name, value) in settings() {
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    assert!(!text.contains("${"), "a variable that .env does not set");
    serde_saphyr::from_str(&text).expect("YAML")
}

fn services() -> BTreeMap<String, Value> {
    object(&compose()["services"]).clone().into_iter().collect()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("a mapping")
}

fn object_or_empty(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    let text = |item: &Value| item.as_str().expect("a text").to_owned();
    list.iter().map(text).collect()
}

fn texts_or_empty(value: &Value) -> Vec<String> {
    if value.is_null() {
        Vec::new()
    } else {
        texts(value)
    }
}

/// What the binary says to a command, which it has to understand.
fn pizza(command: &[String], last: &str) -> String {
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let output = run(&command, last);
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn run(command: &[&str], last: &str) -> std::process::Output {
    let mut pizza = Command::new(PIZZA);
    for foreign in foreign_variables() {
        pizza.env_remove(foreign);
    }
    pizza.args(command).arg(last).output().expect("pizza runs")
}
