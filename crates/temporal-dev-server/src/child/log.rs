//! What a server writes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use trusted_files::open_own;

use crate::program::last_lines;

/// The log's size, in bytes, from which a start sets it aside as `<log>.old`.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// How much of a line of its end an error shows, in characters.
const LOG_TAIL_COLUMNS: usize = 300;

/// How much of the log is read for that.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// The server's log, from where this start began to write.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    /// In bytes.
    start: u64,
}

impl Log {
    /// The log under this name, and the file to write to. What was there stays, before it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, File)> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
            fs::rename(path, path.with_added_extension("old"))?;
        }
        let file = open_own(path, OpenOptions::new().create(true).append(true))?;
        let start = file.metadata()?.len();
        let path = path.to_owned();
        Ok((Self { path, start }, file))
    }

    /// The last lines since this start, at most so many, each cut to a readable length.
    pub(crate) fn tail(&self, most: usize) -> String {
        let read = || -> io::Result<String> {
            let mut file = open_own(&self.path, OpenOptions::new().read(true))?;
            let from = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
            file.seek(SeekFrom::Start(from.max(self.start)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let cut = |line: &str| line.chars().take(LOG_TAIL_COLUMNS).collect();
        let lines: Vec<String> = last_lines(&text, most).into_iter().map(cut).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_large_log_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        File::create(&path)
            .and_then(|file| file.set_len(LOG_LIMIT + 1))
            .unwrap();
        let (log, mut file) = Log::open(&path).unwrap();
        writeln!(file, "new").unwrap();
        assert_eq!(log.tail(8), "new");
        assert!(folder.path().join("log.old").exists());
    }
}
