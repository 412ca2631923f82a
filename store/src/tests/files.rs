//! The file that SQLite's store is kept in: wherever it lies, it is its
//! owner's alone, and nothing is written to one that was removed.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::Executor;

use super::super::test_databases::{TestEngine, database, on_each_engine, server};
use super::*;

/// Some other user, `nobody` mostly.
const OTHER: u32 = 65_534;

async fn opened(file: &Path) -> Store {
    Store::open(StoreOptions::in_file(file))
        .await
        .expect("a store")
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn a_store_that_takes_orders_is_proven_and_nothing_is_left_of_it(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    for _ in 0..3 {
        store.prove().await.expect("proven");
    }
    let keys = "SELECT COUNT(*) FROM idempotency_keys";
    assert_eq!(count(store, keys).await, 0);
    // Beside those who write.
    let created = order();
    let (proven, created) = tokio::join!(store.prove(), store.create_order(&created));
    proven.expect("proven");
    created.expect("created");
}

async fn a_store_that_lost_its_schema_is_not_proven(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let forget = "DELETE FROM _sqlx_migrations WHERE version = 5";
    store.pool.execute(forget).await.expect("deleted");
    let older = store.prove().await;
    assert!(
        matches!(older, Err(StoreError::Outdated { .. })),
        "{older:?}"
    );
    store
        .pool
        .execute("DROP TABLE _sqlx_migrations")
        .await
        .expect("dropped");
    let foreign = store.prove().await;
    let is_outdated = matches!(foreign, Err(StoreError::Outdated { .. }));
    assert!(is_outdated, "{foreign:?}");
}

async fn a_store_that_lost_a_table_is_not_proven(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    store.prove().await.expect("proven");
    let dropped = store.pool.execute("DROP TABLE kitchen_reports").await;
    dropped.expect("dropped");
    let refused = store.prove().await;
    assert!(
        matches!(refused, Err(StoreError::Outdated { .. })),
        "{refused:?}"
    );
}

on_each_engine!(
    a_store_that_takes_orders_is_proven_and_nothing_is_left_of_it,
    a_store_that_lost_its_schema_is_not_proven,
    a_store_that_lost_a_table_is_not_proven,
);

#[tokio::test]
async fn every_table_of_the_schema_is_looked_for() {
    let Database { store, .. } = &database(TestEngine::Sqlite).await;
    let list = "SELECT name FROM sqlite_master WHERE type = 'table' \
                AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(list)
        .fetch_all(&store.pool)
        .await
        .expect("tables");
    let mut looked_for = crate::tables_since(1);
    looked_for.sort_unstable();
    assert_eq!(tables, looked_for);
}

#[tokio::test]
async fn a_postgresql_that_can_be_read_and_not_written_is_not_proven() {
    let database = database(TestEngine::Postgres).await;
    let (_, name) = database.url.rsplit_once('/').expect("a database");
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    server().await.execute(&read_only).await.expect("altered");
    let store = database.impatient(|_| {}).await;
    assert_eq!(count(&store, "SELECT COUNT(*) FROM orders").await, 0);
    let refused = store.prove().await.expect_err("refused");
    assert!(refused.may_pass(), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_not_proven_in_time() {
    let database = database(TestEngine::Sqlite).await;
    let store = database.impatient(|_| {}).await;
    let lock = database.store.begin(order().order_id).await.expect("begun");
    let refused = store.prove().await.expect_err("refused");
    assert!(refused.may_pass(), "{refused:?}");
    drop(lock);
    store.prove().await.expect("proven");
}

#[tokio::test]
async fn what_is_tried_out_reaches_the_disk() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    let store = opened(&file).await;
    let truncated = store.pool.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    truncated.expect("truncated");
    let log = beside(&file, "-wal");
    let size = || std::fs::metadata(&log).expect("there").len();
    assert_eq!(size(), 0);
    store.prove().await.expect("proven");
    assert!(size() > 50_000, "{} bytes", size());
}

/// A file system of two megabytes, while it lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where this user may not mount one; the test says so.
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn mount() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("SKIPPED: a full disk needs the right to mount a file system");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_not_proven_until_there_is_room_again() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let folder = disk.0.path();
    let store = opened(&folder.join("pizza.db")).await;
    store.prove().await.expect("proven");
    // What the log has taken of the disk already would be room enough.
    let truncated = store.pool.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    truncated.expect("truncated");
    let filler = folder.join("filler");
    let filled = std::fs::write(&filler, vec![0_u8; 4 << 20]);
    filled.expect_err("the disk is full");
    assert_eq!(count(&store, "SELECT COUNT(*) FROM orders").await, 0);
    let full = store.prove().await.expect_err("full");
    assert!(full.may_pass(), "{full:?}");
    assert!(format!("{full:?}").contains("full"), "{full:?}");
    std::fs::remove_file(&filler).expect("removed");
    store.prove().await.expect("proven");
    store.create_order(&order()).await.expect("created");
    store.close().await;
}

#[tokio::test]
async fn no_file_is_made_beside_the_changes_of_one_that_was_taken_away() {
    let folder = TempDir::new().expect("a folder");
    let (file, kept) = (folder.path().join("pizza.db"), folder.path().join("kept"));
    let store = opened(&file).await;
    let order = order();
    store.create_order(&order).await.expect("created");
    std::fs::rename(&file, &kept).expect("moved");
    let again = Store::open(StoreOptions::in_file(&file)).await;
    let told = format!("{:?}", again.map(drop).expect_err("refused"));
    assert!(told.contains("pizza.db-wal"), "{told}");
    assert!(!file.exists());
    std::fs::rename(&kept, &file).expect("moved");
    let again = opened(&file).await;
    let found = again.order(order.order_id).await.expect("answered");
    assert!(found.is_some());
}

#[tokio::test]
async fn a_file_that_was_removed_or_replaced_is_never_used_again() {
    for victim in ["", "-wal", "-shm"] {
        for replaced in [false, true] {
            let folder = TempDir::new().expect("a folder");
            let file = folder.path().join("pizza.db");
            let store = opened(&file).await;
            store.create_order(&order()).await.expect("created");
            let victim = beside(&file, victim);
            let moved = folder.path().join("moved");
            std::fs::rename(&victim, &moved).expect("moved");
            if replaced {
                std::fs::copy(&moved, &victim).expect("copied");
            }
            let refused = store.create_order(&order()).await.expect_err("refused");
            let is_replaced = matches!(&refused, StoreError::Replaced { path } if *path == victim);
            assert!(is_replaced, "{victim:?}: {refused:?}");
            assert!(refused.may_pass(), "another process does what was asked");
            assert!(store.prove().await.is_err());
            let lost = tokio::time::timeout(Duration::from_secs(30), store.lost()).await;
            let lost = lost.expect("noticed").to_string();
            assert!(lost.contains("pizza.db"), "{lost}");
            assert!(store.pool.is_closed());
        }
    }
}

#[tokio::test]
async fn a_store_lies_where_its_path_says_whatever_is_in_the_path() {
    let folder = TempDir::new().expect("a folder");
    for name in [
        "C#",
        "100%",
        "%41%2F",
        "what?",
        "a?mode=memory&b=c",
        "a b",
        "'\"`",
        "back\\slash",
        "new\nline\ttab",
        "пицца 🍕",
        "sqlite:",
        "...",
    ] {
        let shop = folder.path().join(name);
        let file = shop.join("pizza.db");
        let store = opened(&file).await;
        store.create_order(&order()).await.expect("created");
        let expected = ["pizza.db", "pizza.db-shm", "pizza.db-wal"];
        assert_eq!(names(&shop), expected, "{name:?}");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(&shop), 0o700, "{name:?}");
        for file in expected {
            assert_eq!(mode(&shop.join(file)), 0o600, "{name:?} {file}");
        }
        store.close().await;
        let again = opened(&file).await;
        assert_eq!(count(&again, "SELECT COUNT(*) FROM orders").await, 1);
        // By a link, and by way of a folder's link and of the one above it.
        let link = folder.path().join("link");
        symlink(&file, &link).expect("a link");
        let by_link = opened(&link).await;
        assert_eq!(count(&by_link, "SELECT COUNT(*) FROM orders").await, 1);
        std::fs::remove_file(&link).expect("removed");
        again.close().await;
        by_link.close().await;
        std::fs::remove_dir_all(&shop).expect("removed");
        assert!(names(folder.path()).is_empty(), "{name:?}");
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_hidden_from_them() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    opened(&file).await.close().await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("allowed");
    let _store = opened(&file).await;
    let mode = std::fs::metadata(&file).expect("there").mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_in_which_others_can_replace_the_file_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let shop = folder.path().join("shop");
    std::fs::create_dir(&shop).expect("made");
    let file = shop.join("pizza.db");
    let above = folder.path();
    for (part, mode, taken) in [
        (&*shop, 0o777, false),
        (&*shop, 0o770, false),
        (&*shop, 0o1777, true),
        (above, 0o777, false),
        (above, 0o1777, true),
    ] {
        std::fs::set_permissions(part, std::fs::Permissions::from_mode(mode)).expect("allowed");
        let made = names(&shop);
        let opened = Store::open(StoreOptions::in_file(&file)).await;
        std::fs::set_permissions(part, std::fs::Permissions::from_mode(0o700)).expect("allowed");
        assert_eq!(opened.is_ok(), taken, "{part:?} {mode:o}: {opened:?}");
        if let Err(error) = opened {
            assert!(!error.may_pass(), "{error:?}");
            let reason = std::error::Error::source(&error)
                .expect("a reason")
                .to_string();
            assert!(reason.contains("others may write"), "{reason}");
            assert_eq!(names(&shop), made, "nothing is written");
        }
    }
}

#[tokio::test]
async fn a_link_is_followed_where_it_is_ones_own_and_leads_to_a_file() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    let link = folder.path().join("link");
    symlink(&file, &link).expect("a link");
    let nowhere = Store::open(StoreOptions::in_file(&link)).await;
    let nowhere = nowhere.expect_err("it leads nowhere");
    let told = format!("{nowhere:?}");
    assert!(told.contains(&*link.to_string_lossy()), "{told}");
    assert!(!nowhere.may_pass(), "it is not tried again: {told}");
    assert_eq!(names(folder.path()), ["link"], "nothing is made");
    opened(&file).await.close().await;
    opened(&link).await.close().await;
    if std::os::unix::fs::lchown(&link, Some(OTHER), None).is_ok() {
        let refused = Store::open(StoreOptions::in_file(&link)).await;
        let told = format!("{:?}", refused.expect_err("refused"));
        assert!(told.contains("65534"), "{told}");
    }
}

/// Whoever looks at the books of another user would leave files behind that
/// the owner cannot write to.
#[tokio::test]
#[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
async fn the_store_of_another_user_is_refused_and_nothing_is_left_beside_it() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    opened(&file).await.close().await;
    assert_eq!(names(folder.path()), ["pizza.db"]);
    if chown(&file, Some(OTHER), None).is_err() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    let options = StoreOptions::in_file(&file);
    let audit = Store::open_existing_read_only(options.clone()).await;
    let worker = Store::open(options.clone()).await;
    for refused in [audit, worker] {
        let refused = refused.expect_err("refused");
        let told = format!("{refused:?}");
        assert!(told.contains("65534") && !refused.may_pass(), "{told}");
    }
    assert_eq!(names(folder.path()), ["pizza.db"], "nothing is left");

    chown(&file, Some(0), None).expect("taken back");
    let left = beside(&file, "-shm");
    std::fs::write(&left, "").expect("written");
    chown(&left, Some(OTHER), None).expect("given away");
    let refused = Store::open(options).await.expect_err("refused");
    assert!(format!("{refused:?}").contains("65534"), "{refused:?}");
}
