//! Where the shop keeps its files, who else may touch them, and what becomes
//! of a shop whose store is taken away.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures::StreamExt;
use serde_json::json;

use crate::harness::gateway::Gateway;
use crate::harness::process::{PIZZA, Process, foreign_variables};
use crate::harness::world::{KITCHEN_KEY, OPERATOR_KEY};
use crate::harness::{Engine, LATER, SOON, Setup, World, eventually, folder};

const PORTS: [&str; 6] = ["--port", "0", "--temporal-port", "0", "--ui-port", "0"];

/// Starts `pizza dev` in `place`, on its default folder.
fn dev_in(place: &Path, variables: &[(String, String)]) -> Process {
    let arguments = [&["dev", "--json"], &PORTS[..]].concat();
    Process::pizza(place, "dev", &arguments, variables)
}

async fn order_is_delivered(dev: &mut Process, deadline: std::time::Duration) {
    let what = "pizza dev says that it is ready";
    let announced = eventually(deadline, what, async || {
        let text = dev.stdout();
        let (line, _) = text.split_once('\n')?;
        serde_json::from_str::<serde_json::Value>(line).ok()
    })
    .await;
    let gateway = Gateway::new(announced["gateway"].as_str().expect("a URL"));
    let id = gateway.place(json!({})).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let ready = gateway.get("/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
}

#[tokio::test]
async fn a_store_that_is_removed_ends_every_process_that_has_it_open() {
    let mut world = World::start(Setup {
        kitchen: false,
        ..Setup::default()
    })
    .await;
    let id = world.handed_over().await;
    let store = world.cli().folder.join("pizza.db");
    std::fs::rename(&store, store.with_extension("away")).expect("moved");
    let processes = [world.worker.take(), world.gateway.take()];
    for mut process in processes.into_iter().flatten() {
        let ended = process.wait(SOON).await;
        let told = process.stderr();
        assert_eq!(ended.code(), Some(1), "{told}");
        assert!(told.contains("is not the file that was opened"), "{told}");
    }
    // Put back, the shop goes on with it.
    std::fs::rename(store.with_extension("away"), &store).expect("moved back");
    world.start_all().await;
    assert_eq!(world.gateway().order(&id).await["orderId"], id);
    let ready = world.gateway().get("/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
}

#[tokio::test]
async fn a_database_of_temporal_that_is_removed_or_replaced_ends_pizza_dev() {
    for is_replaced in [false, true] {
        let place = folder::new("lost");
        let mut dev = dev_in(&place, &[]);
        order_is_delivered(&mut dev, SOON).await;
        let database = place.join(".pizza/temporal.db");
        let moved = database.with_extension("away");
        std::fs::rename(&database, &moved).expect("moved");
        if is_replaced {
            std::fs::copy(&moved, &database).expect("copied");
        }
        let ended = dev.wait(SOON).await;
        let told = dev.stderr();
        assert_eq!(ended.code(), Some(1), "{told}");
        let expected = "temporal.db is not the file that was opened";
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn a_shop_lies_in_the_folder_that_it_is_started_in_whatever_that_is_called() {
    for name in ["C#", "100%41 what?", "a b'\"\n&mode=memory"] {
        let above = folder::new("named");
        let place = above.join(name);
        std::fs::create_dir(&place).expect("made");
        for _ in 0..2 {
            let mut dev = dev_in(&place, &[]);
            order_is_delivered(&mut dev, SOON).await;
            dev.interrupt();
            assert_eq!(dev.wait(SOON).await.code(), Some(0), "{}", dev.stderr());
        }
        let data = place.join(".pizza");
        let mode = |path: PathBuf| std::fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(data.clone()), 0o700);
        for file in ["pizza.db", "temporal.db", "temporal.log", "operator.key"] {
            assert_eq!(mode(data.join(file)), 0o600, "{name:?} {file}");
        }
        let beside: Vec<_> = std::fs::read_dir(&above).expect("a folder").collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
    }
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_or_is_not_ones_own_is_refused_before_anything_is_written() {
    let place = folder::new("refused");
    let public = place.join("public");
    std::fs::create_dir(&public).expect("made");
    std::fs::set_permissions(&public, std::fs::Permissions::from_mode(0o777)).expect("allowed");
    let long = place.join("a".repeat(200)).join("b".repeat(250)).join("c");
    let odd = place.join(OsStr::from_bytes(b"\xff"));
    let below = public.join("below");
    std::fs::create_dir(&odd).expect("made");
    let relative = PathBuf::from("data");
    for (data, reason) in [
        (&public, "others may write to it"),
        (&below, "the folder"),
        (&long, "500 bytes"),
        (&odd, "Unicode"),
        (&relative, "Unicode"),
    ] {
        let mut command = Command::new(PIZZA);
        for foreign in foreign_variables() {
            command.env_remove(foreign);
        }
        let refused = command
            .args([&["dev"], &PORTS[..]].concat())
            .arg("--data")
            .arg(data)
            .current_dir(&odd)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        assert!(told.contains("--data") && told.contains(reason), "{told}");
    }
    for folder in [&public, &odd] {
        let written: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
        assert!(written.is_empty(), "{written:?}");
    }
    let beside: Vec<_> = std::fs::read_dir(&place).expect("a folder").collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
}

#[tokio::test]
async fn everything_starts_for_a_user_with_an_empty_home() {
    let home = folder::new("home");
    let variables = [
        ("HOME", home.display().to_string()),
        ("XDG_CACHE_HOME", String::new()),
        ("PIZZA_CACHE_DIR", String::new()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let mut dev = dev_in(&home, &variables);
    order_is_delivered(&mut dev, LATER).await;
    dev.interrupt();
    assert_eq!(dev.wait(SOON).await.code(), Some(0), "{}", dev.stderr());
}

/// What must never be told.
const SECRET: &str = "tell-tale-77";

/// Commands that read each kind of setting, with arguments that are right.
const STORE: [&[&str]; 5] = [
    &["worker"],
    &["gateway", "--listen", "127.0.0.1:0"],
    &["migrate", "--wait-seconds", "0"],
    &["audit"],
    &["reconcile"],
];
const SERVERS: [&[&str]; 2] = [STORE[0], STORE[1]];
const CLIENTS: [&[&str]; 6] = [
    &["menu"],
    &["order"],
    &["status", "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11"],
    &["failures", "queues"],
    &["tickets"],
    &["kitchen-simulation"],
];
const TEMPORAL: [&[&str]; 3] = [STORE[1], &["deploy", "status"], &["reconcile"]];
const KEYS: [&[&str]; 2] = [
    STORE[1],
    &["codec-server", "--ui-origin", "http://127.0.0.1:1"],
];
const HEALTH: [&[&str]; 5] = [
    &["healthcheck", "http://u:tell-tale-77@127.0.0.1:9/"],
    &["healthcheck", "http://u:tell-tale-77@h:port/"],
    &["healthcheck", "http://127.0.0.1:9/?key=tell-tale-77"],
    &["healthcheck", "http://h:port/?key=tell-tale-77"],
    &["healthcheck", "u:tell-tale-77@h"],
];
const DEV: [&[&str]; 2] = [
    &[
        "dev",
        "--port",
        "0",
        "--temporal-address",
        "u:tell-tale-77@h:1",
    ],
    &[
        "dev",
        "--port",
        "0",
        "--temporal-address",
        "127.0.0.1:9/?key=tell-tale-77",
    ],
];
const PROXIED: [&[&str]; 2] = [
    &["menu", "--gateway", "https://127.0.0.1:9"],
    &["tickets", "--gateway", "https://127.0.0.1:9"],
];

#[tokio::test]
async fn no_command_tells_a_secret_that_it_was_given() {
    let folder = folder::new("secrets");
    let toml = folder.join("broken.toml");
    std::fs::write(&toml, format!("[profile.default]\napi_key = {SECRET}\n")).expect("written");
    let keys = folder.join("broken.keys");
    std::fs::write(&keys, format!("a:{SECRET}\n")).expect("written");
    let wrong: [(&str, String, &[&[&str]]); 37] = [
        ("DATABASE_URL", format!("postgres:/u:{SECRET}@h/d"), &STORE),
        (
            "DATABASE_URL",
            format!("postgres:///u:{SECRET}@h/d"),
            &STORE,
        ),
        (
            "DATABASE_URL",
            format!("postgres://u%3A{SECRET}@127.0.0.1:9/d"),
            &STORE,
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:{SECRET}@127.0.0.1:9/d"),
            &STORE,
        ),
        (
            "DATABASE_URL",
            format!("postgres://127.0.0.1:9/d?pass={SECRET}"),
            &STORE,
        ),
        ("DATABASE_URL", format!("host=h password={SECRET}"), &STORE),
        ("DATABASE_URL", format!("{SECRET}:x"), &STORE),
        ("DATABASE_URL", format!("sqlite://u:{SECRET}@h/d"), &STORE),
        ("DATABASE_URL", format!("sqlite:a.db?key={SECRET}"), &STORE),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://u:{SECRET}@h:1"),
            &SERVERS,
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://h:1/?key={SECRET}"),
            &SERVERS,
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", SECRET.to_owned(), &SERVERS),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("key={SECRET}\u{1}"),
            &SERVERS,
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("authorization={SECRET}"),
            &SERVERS,
        ),
        (
            "PIZZA_GATEWAY",
            format!("http://u:{SECRET}@127.0.0.1:9"),
            &CLIENTS,
        ),
        (
            "PIZZA_GATEWAY",
            format!("http://u:{SECRET}@h:port"),
            &CLIENTS,
        ),
        ("PIZZA_GATEWAY", format!("u:{SECRET}@h"), &CLIENTS),
        (
            "PIZZA_GATEWAY",
            format!("http://127.0.0.1:9/?key={SECRET}"),
            &CLIENTS,
        ),
        (
            "PIZZA_GATEWAY",
            format!("http://h:port/?key={SECRET}"),
            &CLIENTS,
        ),
        ("PIZZA_GATEWAY", format!("h:1/#{SECRET}"), &CLIENTS),
        (
            "PIZZA_PUBLIC_URL",
            format!("http://u:{SECRET}@h:port"),
            &KEYS[..1],
        ),
        (
            "PIZZA_TEMPORAL_UI",
            format!("http://u:{SECRET}@h:port"),
            &KEYS[..1],
        ),
        (
            "PIZZA_TEMPORAL_UI",
            format!("http://127.0.0.1:9/?key={SECRET}"),
            &KEYS[..1],
        ),
        (
            "TEMPORAL_ADDRESS",
            format!("u:{SECRET}@127.0.0.1:9"),
            &TEMPORAL,
        ),
        (
            "TEMPORAL_ADDRESS",
            format!("127.0.0.1:9/?key={SECRET}"),
            &TEMPORAL,
        ),
        (
            "HTTPS_PROXY",
            format!("http://u:{SECRET}@127.0.0.1:9"),
            &PROXIED,
        ),
        ("HTTPS_PROXY", format!("u:{SECRET}@h:port"), &PROXIED),
        ("TEMPORAL_API_KEY", format!("{SECRET}\n"), &TEMPORAL),
        ("TEMPORAL_API_KEY", SECRET.to_owned(), &TEMPORAL),
        (
            "TEMPORAL_CONFIG_FILE",
            toml.display().to_string(),
            &TEMPORAL,
        ),
        ("PIZZA_OPERATOR_KEYS", format!("ann:{SECRET}"), &KEYS),
        ("PIZZA_CODEC_KEYS", keys.display().to_string(), &TEMPORAL),
        (
            "PIZZA_OPERATOR_KEY",
            format!("pizza_op {SECRET}"),
            &CLIENTS[3..4],
        ),
        (
            "PIZZA_KITCHEN_KEY",
            format!("pizza_ki {SECRET}"),
            &CLIENTS[4..5],
        ),
        ("PIZZA_KEY", SECRET.to_owned(), &CLIENTS[..3]),
        ("PIZZA_KEY", String::new(), &HEALTH),
        ("PIZZA_KEY", String::new(), &DEV),
    ];
    let around = [
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "0"),
        ("DATABASE_URL", "postgres://127.0.0.1:9/d"),
        ("PIZZA_STORE_TIMEOUT_SECONDS", "0.2"),
        ("TEMPORAL_ADDRESS", "127.0.0.1:9"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("PIZZA_GATEWAY", "http://127.0.0.1:9"),
    ];
    let (folder, around) = (&folder, &around);
    let runs = wrong.iter().flat_map(|(variable, value, commands)| {
        commands.iter().map(move |arguments| async move {
            let mut command = tokio::process::Command::new(PIZZA);
            for foreign in foreign_variables() {
                command.env_remove(foreign);
            }
            command
                .args(*arguments)
                .envs(*around)
                .env(variable, value)
                .current_dir(folder)
                .kill_on_drop(true);
            let output = tokio::time::timeout(LATER, command.output()).await;
            let output = output
                .unwrap_or_else(|_| panic!("{arguments:?} with {variable} does not end"))
                .expect("it runs");
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8_lossy(&told);
            assert_ne!(output.status.code(), Some(0), "{arguments:?}: {told}");
            assert!(
                !told.contains(SECRET),
                "{arguments:?} with {variable}={value}: {told}"
            );
        })
    });
    let runs = futures::stream::iter(runs.collect::<Vec<_>>());
    runs.buffer_unordered(6).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn no_process_at_work_logs_a_secret_at_any_level() {
    let variables =
        [("RUST_LOG", "trace")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let world = World::start(Setup {
        engine: Engine::Postgres,
        variables: variables.to_vec(),
        ..Setup::default()
    })
    .await;
    let id = world.gateway().place(json!({})).await;
    world.gateway().until(&id, "DeliveryConfirmed").await;
    world.operator().get("/failure-queues").await;
    let variables = world.cli().variables;
    let (_, url) = variables
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .expect("a store");
    let (_, rest) = url.split_once("://").expect("a URL");
    let password = rest.split(['@', ':']).nth(1).expect("a password");
    let audit = world.cli().pizza(&["audit"]).await;
    let processes = [&world.worker, &world.gateway, &world.kitchen];
    let logs = processes.into_iter().flatten().map(Process::stderr);
    for told in logs.chain([audit.stderr]) {
        assert!(told.contains("TRACE"), "{told:.200}");
        for secret in [password, OPERATOR_KEY, KITCHEN_KEY] {
            let lines: Vec<_> = told.lines().filter(|line| line.contains(secret)).collect();
            assert!(lines.is_empty(), "{lines:?}");
        }
    }
}
