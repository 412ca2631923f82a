//! Programs of this machine: finding them, and running them with a deadline.

use std::{
    env,
    ffi::OsStr,
    fmt::Write,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use ring::digest::{Context, SHA256};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// How long a fetch of some 50 MB may take over a slow line.
pub(crate) const FETCH_DEADLINE: Duration = Duration::from_secs(600);

/// How long a program may take to say what it is: the first start of a large binary from a cold
/// disk takes seconds.
pub(crate) const PROBE_DEADLINE: Duration = Duration::from_secs(30);

/// The program of this name on a search path like `PATH`.
#[must_use]
pub fn find_program(name: &str, search_path: &OsStr) -> Option<PathBuf> {
    env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| fs::metadata(path).is_ok_and(|metadata| is_executable(&metadata)))
}

/// Whether this is a file that somebody may execute.
pub(crate) fn is_executable(metadata: &fs::Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

/// The SHA-256 of a file, in hexadecimal digits. A program of 150 MB takes a tenth of a second.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn hash_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let mut digits = String::with_capacity(64);
    for byte in hash.finish().as_ref() {
        // Writing to a text does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}

/// Runs a command to its end, or kills it at the deadline. Its stderr is kept, its stdout where
/// the caller piped it.
///
/// A binary that another process still holds open for writing is "busy" for a moment; that can
/// be any child just forked from here that has not yet run its own program.
///
/// # Errors
/// A line that says why it did not run to its end. How it ended is in the output.
pub(crate) async fn output_of(mut command: Command, deadline: Duration) -> Result<Output, String> {
    command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let run = async {
        let child = loop {
            match command.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    sleep(Duration::from_millis(20)).await;
                }
                result => break result?,
            }
        };
        child.wait_with_output().await
    };
    match timeout(deadline, run).await {
        Ok(result) => result.map_err(|error| format!("it does not run: {error}")),
        Err(_) => Err(format!("not done after {} s", deadline.as_secs())),
    }
}

/// The last lines of a text that are not empty, at most so many.
pub(crate) fn last_lines(text: &str, most: usize) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}
