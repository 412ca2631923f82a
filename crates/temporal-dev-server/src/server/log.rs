//! What the dev server writes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use trusted_files::open_own;

use super::{DevServerError, database::with_suffix};

/// The log's size, in bytes, from which a start sets it aside as `<log>.old`.
pub(super) const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// How much of the log's end an error shows.
const LOG_TAIL_LINES: usize = 8;

/// How much of a line of it, in characters.
const LOG_TAIL_COLUMNS: usize = 300;

/// How much of the log is read for that.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// The server's log, from where this start began to write.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// In bytes.
    start: u64,
}

impl Log {
    pub(super) fn open(path: &Path) -> Result<(Self, File), DevServerError> {
        let open = || -> io::Result<(u64, File)> {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
                fs::rename(path, with_suffix(path, ".old"))?;
            }
            let file = open_own(path, OpenOptions::new().create(true).append(true))?;
            Ok((file.metadata()?.len(), file))
        };
        let (start, file) = open().map_err(|source| DevServerError::LogNotWritable {
            path: path.to_owned(),
            source,
        })?;
        let path = path.to_owned();
        Ok((Self { path, start }, file))
    }

    /// The last lines since this start, each cut to a readable length.
    pub(super) fn tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = open_own(&self.path, OpenOptions::new().read(true))?;
            let from = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
            file.seek(SeekFrom::Start(from.max(self.start)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.chars().take(LOG_TAIL_COLUMNS).collect())
            .collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}
