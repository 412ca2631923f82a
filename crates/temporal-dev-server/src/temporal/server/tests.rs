//! The dev server's promises, on the real one.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use temporalio_client::tonic::Request;
use temporalio_common::protos::temporal::api::{
    common::v1::{WorkflowExecution, WorkflowType},
    operatorservice::v1::ListSearchAttributesRequest,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::OnceCell,
};

use super::command::{MARK, is_ours};
use super::database::{absolute, with_suffix};
use super::orphans::parse_ps;
use super::ports::hold;
use super::*;
use crate::{LocateOptions, SettingNames, locate};

/// The folder, when this test binary runs as a parent that is to be killed.
const PARENT: &str = "DEV_SERVER_TEST_PARENT";

/// The names of a program with flags.
const NAMES: SettingNames = SettingNames {
    cli: "--cli",
    cache: "CACHE",
    data: "--data",
    port: "--port",
    ui_port: "--ui-port",
};

async fn cli() -> PathBuf {
    static CLI: OnceCell<PathBuf> = OnceCell::const_new();
    let options = LocateOptions {
        quiet: true,
        ..LocateOptions::default()
    };
    let find = || async { locate(&options).await.unwrap().path };
    CLI.get_or_init(find).await.clone()
}

async fn config(folder: &Path) -> DevServerConfig {
    DevServerConfig {
        cli: cli().await,
        database: Some(folder.join("temporal.db")),
        ip: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        ui_port: None,
        search_attributes: vec![("OrderId".to_owned(), "Keyword".to_owned())],
        log_file: folder.join("temporal.log"),
        names: NAMES,
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn runs(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid).is_ok()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(STEP).await;
        }
    };
    let waited = timeout(Duration::from_secs(30), wait).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

/// A script, written by a process of its own: a file that this one has open for writing
/// cannot be run while a child forked meanwhile still holds it.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script");
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#,
        ])
        .args(["write", text])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    path
}

async fn connection(server: &DevServer) -> Connection {
    let target = Url::parse(&format!("http://{}", server.address())).unwrap();
    Connection::connect(ConnectionOptions::new(target).build())
        .await
        .unwrap()
}

async fn start_workflow(server: &DevServer, id: &str) {
    let request = StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "Nothing".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "nobody".to_owned(),
            ..Default::default()
        }),
        request_id: id.to_owned(),
        ..Default::default()
    };
    let mut service = connection(server).await.workflow_service();
    service
        .start_workflow_execution(Request::new(request))
        .await
        .unwrap();
}

async fn has_workflow(server: &DevServer, id: &str) -> bool {
    let request = DescribeWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            ..Default::default()
        }),
    };
    let mut service = connection(server).await.workflow_service();
    service
        .describe_workflow_execution(Request::new(request))
        .await
        .is_ok()
}

async fn has_search_attribute(server: &DevServer) -> bool {
    let request = ListSearchAttributesRequest {
        namespace: "default".to_owned(),
    };
    let mut service = connection(server).await.operator_service();
    let answer = service.list_search_attributes(Request::new(request)).await;
    let attributes = answer.unwrap().into_inner().custom_attributes;
    attributes.contains_key("OrderId")
}

#[tokio::test]
async fn a_start_in_memory_answers_at_once_and_a_stop_leaves_nothing() {
    let folder = folder();
    let config = DevServerConfig {
        database: None,
        ui_port: Some(0),
        ..config(folder.path()).await
    };
    let server = DevServer::start(config.clone()).await.unwrap();
    start_workflow(&server, "first").await;
    assert!(has_search_attribute(&server).await);
    let ui = server.ui_url().unwrap();
    let ui: SocketAddr = ui.strip_prefix("http://").unwrap().parse().unwrap();
    assert!(listens(ui).await, "the UI at {ui}");

    let (pid, port) = (server.pid, server.address.port());
    server.stop().await;
    assert!(!runs(pid));
    let again = DevServerConfig { port, ..config };
    Ports::choose(&again).unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag() {
    let folder = folder();
    let (_taken, port) = hold(Ipv4Addr::LOCALHOST.into(), 0, "").unwrap();
    let free = config(folder.path()).await;
    let grpc = DevServerConfig {
        port,
        ..free.clone()
    };
    let ui = DevServerConfig {
        ui_port: Some(port),
        ..free
    };
    for (config, flag) in [(grpc, "--port"), (ui, "--ui-port")] {
        let text = DevServer::start(config).await.unwrap_err().to_string();
        assert!(text.contains(&format!("port {port}")), "{text}");
        assert!(text.contains(flag), "{text}");
    }
}

#[tokio::test]
async fn what_was_started_survives_a_kill_of_the_server() {
    let folder = folder();
    let config = config(folder.path()).await;
    let server = DevServer::start(config.clone()).await.unwrap();
    start_workflow(&server, "order").await;

    kill_process(server.pid, Signal::KILL).unwrap();
    let error = timeout(READY_DEADLINE, server.exited()).await.unwrap();
    assert!(error.to_string().contains("signal: 9"), "{error}");

    let again = DevServer::start(config).await.unwrap();
    assert!(has_workflow(&again, "order").await);
    assert!(has_search_attribute(&again).await);
    again.stop().await;
}

#[tokio::test]
async fn a_database_lies_where_its_path_says_whatever_is_in_the_path() {
    use std::os::unix::ffi::OsStrExt;

    let folder = folder();
    for name in [
        &b"C#"[..],
        b"100%41",
        b"what?mode=memory&x",
        b"a b'\"\n",
        b"\xff\xfe",
    ] {
        let data = folder.path().join(std::ffi::OsStr::from_bytes(name));
        let config = config(&data).await;
        let server = DevServer::start(config.clone()).await.unwrap();
        start_workflow(&server, "order").await;
        server.stop().await;
        assert!(data.join("temporal.db").exists(), "{name:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name:?}");

        let again = DevServer::start(config).await.unwrap();
        assert!(has_workflow(&again, "order").await, "{name:?}");
        again.stop().await;
        fs::remove_dir_all(&data).unwrap();
    }
    let refused = DevServerConfig {
        database: Some(folder.path().join("a#b.db")),
        ..config(folder.path()).await
    };
    let text = DevServer::start(refused).await.unwrap_err().to_string();
    assert!(text.contains("a#b.db") && text.contains("--data"), "{text}");
}

#[tokio::test]
async fn a_lock_and_a_log_are_no_links_to_the_files_of_others() {
    for name in ["temporal.db.lock", "temporal.log", "temporal.db.unfinished"] {
        let folder = folder();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
        let config = config(folder.path()).await;
        let outcome = DevServer::start(config).await;
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
        if name != "temporal.db.unfinished" {
            let text = format!("{:?}", outcome.unwrap_err());
            assert!(text.contains("Link"), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn a_database_is_no_link_whether_it_leads_somewhere_or_not() {
    for name in [
        "temporal.db",
        "temporal.db-wal",
        "temporal.db-shm",
        "temporal.db-journal",
    ] {
        for there in [true, false] {
            let folder = folder();
            let target = folder.path().join("target");
            if there {
                fs::write(&target, "").unwrap();
            }
            std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
            let config = config(folder.path()).await;
            let error = DevServer::start(config).await.unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains("Link") && text.contains(name), "{text}");
            assert_eq!(target.exists(), there, "{name}: nothing is made");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_removed_or_replaced_is_noticed() {
    for replaced in [false, true] {
        let folder = folder();
        let config = config(folder.path()).await;
        let database = config.database.clone().unwrap();
        let server = DevServer::start(config).await.unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&database, &moved).unwrap();
        if replaced {
            fs::copy(&moved, &database).unwrap();
        }
        let error = timeout(READY_DEADLINE, server.database_lost())
            .await
            .unwrap();
        let text = error.to_string();
        assert!(text.contains("is not the file that was opened"), "{text}");
        assert!(text.contains("temporal.db"), "{text}");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_orphan_on_the_same_port_and_database_is_replaced() {
    let folder = folder();
    let mut config = config(folder.path()).await;
    let database = absolute(config.database.as_ref().unwrap(), "").unwrap();
    config.database = Some(database);
    let ports = Ports::choose(&config).unwrap();
    config.port = ports.grpc;
    let mut orphan = server_command(&config, ports)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = SocketAddr::new(config.ip, ports.grpc);
    timeout(READY_DEADLINE, answers(address)).await.unwrap();

    let server = DevServer::start(config).await.unwrap();
    assert_eq!(server.address, address);
    let ended = orphan.try_wait().unwrap();
    assert!(ended.is_some(), "the orphan runs on");
    start_workflow(&server, "order").await;
    server.stop().await;
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn a_parent_to_be_killed() {
    let Some(folder) = env::var_os(PARENT) else {
        return;
    };
    let config = config(Path::new(&folder)).await;
    let server = DevServer::start(config).await.unwrap();
    start_workflow(&server, "order").await;
    let pid = server.pid.as_raw_nonzero();
    println!("\nserver {pid} {}", server.address.port());
    pending::<()>().await;
}

#[tokio::test]
async fn the_server_does_not_outlive_its_killed_parent_and_a_new_start_goes_on() {
    let folder = folder();
    // Fetched here, where no one is killed meanwhile.
    let mut config = config(folder.path()).await;
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "temporal::server::tests::a_parent_to_be_killed"])
        .arg("--nocapture")
        .env(PARENT, folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let (pid, port) = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(rest) = line.strip_prefix("server ") {
            let (pid, port) = rest.split_once(' ').unwrap();
            break (pid.parse().unwrap(), port.parse().unwrap());
        }
    };
    parent.kill().await.unwrap();

    config.port = port;
    let server = DevServer::start(config).await.unwrap();
    assert!(has_workflow(&server, "order").await);
    let old = Pid::from_raw(pid).unwrap();
    until("the first server's end", || !runs(old)).await;
    server.stop().await;
}

#[tokio::test]
async fn the_guard_alone_ends_the_server_of_a_killed_parent() {
    let mut server = Command::new("sleep").arg("600").spawn().unwrap();
    let mut guard = guard(id_of(&server).unwrap()).unwrap();
    assert!(server.try_wait().unwrap().is_none());
    // What the system does with a killed process's pipes.
    drop(guard.0.stdin.take());
    let status = timeout(READY_DEADLINE, server.wait()).await;
    assert!(!status.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_second_instance_on_the_same_database_is_refused_and_harms_nothing() {
    let folder = folder();
    let config = config(folder.path()).await;
    let server = DevServer::start(config.clone()).await.unwrap();
    let text = DevServer::start(config).await.unwrap_err().to_string();
    let owner = format!("(process {})", std::process::id());
    assert!(text.contains(&owner), "{text}");
    assert!(text.contains("--data"), "{text}");
    start_workflow(&server, "order").await;
    server.stop().await;
}

#[tokio::test]
async fn a_database_whose_first_start_was_killed_is_made_anew() {
    let folder = folder();
    let config = config(folder.path()).await;
    let database = config.database.clone().unwrap();
    fs::write(&database, "half a database").unwrap();
    fs::write(with_suffix(&database, ".unfinished"), "").unwrap();
    let server = DevServer::start(config.clone()).await.unwrap();
    start_workflow(&server, "order").await;
    server.stop().await;

    let again = DevServer::start(config).await.unwrap();
    assert!(has_workflow(&again, "order").await, "and only once");
    again.stop().await;
}

#[tokio::test]
async fn an_early_end_shows_the_end_of_the_log() {
    let folder = folder();
    let config = DevServerConfig {
        search_attributes: vec![("OrderId".to_owned(), "Dough".to_owned())],
        ..config(folder.path()).await
    };
    fs::write(&config.log_file, "of an earlier run\n").unwrap();
    let error = DevServer::start(config).await.unwrap_err();
    let DevServerError::Exited { how, tail, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(how, "exit status: 1");
    assert!(tail.contains("Dough"), "{tail}");
    assert!(!tail.contains("earlier"), "{tail}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_ended() {
    let folder = folder();
    let config = DevServerConfig {
        cli: script(folder.path(), "echo $$; exec sleep 600"),
        ..config(folder.path()).await
    };
    let start = DevServer::start_within(config, Duration::from_secs(1));
    let error = start.await.unwrap_err();
    let DevServerError::NotReady { tail, .. } = error else {
        panic!("{error}");
    };
    let pid = Pid::from_raw(tail.parse().unwrap()).unwrap();
    assert!(!runs(pid));
}

#[tokio::test]
async fn what_cannot_be_run_or_written_is_named_with_what_to_do() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let good = config(folder.path()).await;
    let cli = DevServerConfig {
        cli: file.clone(),
        ..good.clone()
    };
    let database = DevServerConfig {
        database: Some(file.join("temporal.db")),
        ..good.clone()
    };
    let log = DevServerConfig {
        log_file: file.join("temporal.log"),
        ..good
    };
    for (config, advice) in [(cli, "--cli"), (database, "--data"), (log, "writable")] {
        let text = DevServer::start(config).await.unwrap_err().to_string();
        assert!(text.contains(file.to_str().unwrap()), "{text}");
        assert!(text.contains(advice), "{text}");
    }
}

#[tokio::test]
async fn a_dropped_server_is_killed() {
    let folder = folder();
    let server = DevServer::start(config(folder.path()).await).await.unwrap();
    let pid = server.pid;
    drop(server);
    until("the server's end", || !runs(pid)).await;
}

#[test]
fn only_our_own_server_with_this_database_counts_as_an_orphan() {
    let command = |arguments: &str, mark| format!("/bin/temporal {arguments} -x {mark} ");
    let ours = "server start-dev --db-filename /data/t.db --db-filename t.db";
    let other = "server start-dev --db-filename /data/t.db.old --db-filename t.db.old";
    let database = Path::new("/data/t.db");
    assert!(is_ours(&command(ours, MARK), database));
    assert!(!is_ours(&command(ours, "by hand"), database));
    assert!(!is_ours(&command(other, MARK), database));
}

#[test]
fn a_process_list_is_read() {
    let list = parse_ps("    1 /sbin/init\n 4711 temporal server start-dev\nodd\n");
    let expected = [(1, "/sbin/init"), (4711, "temporal server start-dev")];
    assert_eq!(
        list,
        expected.map(|(pid, command)| (pid, command.to_owned()))
    );
}
