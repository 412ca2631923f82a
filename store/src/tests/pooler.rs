//! PostgreSQL behind PgBouncer, as the runbook says how to set it up.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::test_databases::{TestEngine, database};
use super::*;

/// Who PgBouncer runs as where this is root, which it refuses to be.
const NOBODY: u32 = 65_534;

/// Prepared statements outlive a transaction from this version on.
const PREPARES: (u32, u32) = (1, 21);

/// A PgBouncer before one database, while it lives.
struct Pooler {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The version that is at hand; none says so.
#[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
fn version() -> Option<(u32, u32)> {
    let output = Command::new("pgbouncer").arg("--version").output().ok();
    let version = output.and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.strip_prefix("PgBouncer ")?.lines().next()?.to_owned();
        let mut parts = number.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    if version.is_none() {
        eprintln!("SKIPPED: there is no pgbouncer on PATH");
    }
    version
}

/// Starts one that ignores these parameters at the start of a connection.
fn start(database: &str, version: (u32, u32), ignored: &str) -> Pooler {
    let (user, place) = database
        .strip_prefix("postgres://")
        .and_then(|rest| rest.split_once('@'))
        .expect("a URL");
    let (user, password) = user.split_once(':').expect("a password");
    let (host, name) = place.split_once('/').expect("a database");
    let (host, port) = host.split_once(':').expect("a port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let own = listener.local_addr().expect("its number").port();
    drop(listener);
    let (mode, prepared) = if version >= PREPARES {
        ("transaction", "max_prepared_statements = 100")
    } else {
        ("session", "")
    };
    let folder = TempDir::new().expect("a folder");
    let settings = folder.path().join("pgbouncer.ini");
    let text = format!(
        "[databases]\n{name} = host={host} port={port} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = {mode}\n{prepared}\nignore_startup_parameters = {ignored}\n"
    );
    std::fs::write(&settings, text).expect("written");
    let mut command = Command::new("pgbouncer");
    command
        .arg(&settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_ours = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).is_ok();
    if is_ours(folder.path()) && is_ours(&settings) {
        command.uid(NOBODY).gid(NOBODY);
    }
    Pooler {
        process: command.spawn().expect("it starts"),
        url: format!("postgres://{user}@127.0.0.1:{own}/{name}"),
        _folder: folder,
    }
}

/// Opens the store once the pooler listens.
async fn opened(pooler: &Pooler) -> Result<Store, StoreError> {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        match Store::open(&pooler.url).await {
            Err(StoreError::Open { source, .. })
                if matches!(source, sqlx::Error::Io(_)) && std::time::Instant::now() < until => {}
            opened => return opened,
        }
    }
}

#[tokio::test]
async fn behind_pgbouncer_the_store_works_with_what_the_runbook_says() {
    let Some(version) = version() else {
        return;
    };
    let database = database(TestEngine::Postgres).await;
    let refused = opened(&start(&database.url, version, "options")).await;
    let told = format!("{:?}", refused.map(drop).expect_err("refused"));
    assert!(told.contains("extra_float_digits"), "{told}");

    let pooler = start(&database.url, version, "options,extra_float_digits");
    let store = opened(&pooler).await.expect("a store");
    store.prove().await.expect("proven");
    let order = order();
    store.create_order(&order).await.expect("created");
    let mut charges = JoinSet::new();
    for _ in 0..16 {
        let (store, payment) = (store.clone(), payment(&order, Step::ProcessPayment));
        charges.spawn(async move { store.give(&PAYMENTS, &payment).await });
    }
    while let Some(charge) = charges.join_next().await {
        assert_eq!(charge.expect("a task").expect("booked"), Given::Stands);
    }
    let charged = "SELECT COUNT(*) FROM payments";
    assert_eq!(count(&database.store, charged).await, 1);
    store.close().await;
}
