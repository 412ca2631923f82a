//! Where a run keeps its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, test_kill_process};

/// What the folders of all runs begin with; the process id follows.
const PREFIX: &str = "journeys-";

/// The folder of this run. It stays for whoever looks into the logs; the next
/// run removes it.
static RUN: LazyLock<PathBuf> = LazyLock::new(|| {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    remove_earlier(parent);
    let run = parent.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir_all(&run).expect("a folder for this run");
    run
});

/// A new folder, whose name begins with `name`.
pub(crate) fn new(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = RUN.join(format!("{name}-{number}"));
    // For this user alone, whatever the umask: the product refuses any other.
    trusted_files::own_folder(&folder, 0o700).expect("a folder");
    folder
}

/// Removes what runs left behind that are over.
fn remove_earlier(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some(pid) = run.and_then(|pid| Pid::from_raw(pid.parse().ok()?)) else {
            continue;
        };
        if test_kill_process(pid).is_err() {
            // What cannot be removed only takes room.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
