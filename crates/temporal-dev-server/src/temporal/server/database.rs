//! The dev server's database file, and who may use it.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use trusted_files::{FileId, open_own, own_folder};

use super::{error::DevServerError, orphans::end_orphans};
use crate::child::STEP;

/// How long a lock that was let go may seem to be held: a process that is just being started has
/// a copy of every open file until it becomes its own program.
const COPIES_LIVE: Duration = Duration::from_millis(500);

/// What SQLite appends to a file's name for those that it keeps beside it, and nothing for the file
/// itself.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// How often is looked whether the file is still the one that the server has opened.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The database file, locked against other instances.
#[derive(Debug)]
pub(super) struct Database {
    /// Absolute, so that the process list tells which server has it.
    pub(super) path: PathBuf,
    /// Next to the file, as the server's own locks on it must not meet ours. The system drops it
    /// with our process, however that ends.
    pub(super) lock: Arc<File>,
    /// What sets the data folder.
    setting: &'static str,
}

impl Database {
    /// Makes the file ours alone: no other instance, no orphan, nothing half made.
    pub(super) async fn claim(path: &Path, setting: &'static str) -> Result<Self, DevServerError> {
        let path = absolute(path, setting)?;
        let lock = Arc::new(lock(&path, setting).await?);
        end_orphans(&path).await?;
        let database = Self {
            path,
            lock,
            setting,
        };
        database.prepare()?;
        Ok(database)
    }

    /// Checks that the file can be written. Removes it when its first start never ended well:
    /// the server makes its tables in many steps, and does not start on half of them. Nothing is
    /// lost, as nobody was told of that server.
    fn prepare(&self) -> Result<(), DevServerError> {
        let unfinished = self.unfinished();
        if unfinished.exists() {
            for suffix in SUFFIXES {
                remove_if_there(&with_suffix(&self.path, suffix), self.setting)?;
            }
        }
        // A link, also one that leads nowhere, is there and is refused: the server follows it.
        let mut is_new = false;
        for path in SUFFIXES.map(|suffix| with_suffix(&self.path, suffix)) {
            match open_own(&path, OpenOptions::new().append(true)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    is_new |= path == self.path;
                }
                Err(error) => return Err(not_writable(&path, self.setting)(error)),
            }
        }
        if is_new {
            let made = open_own(&unfinished, OpenOptions::new().create(true).append(true));
            made.map_err(not_writable(&unfinished, self.setting))?;
        }
        Ok(())
    }

    /// The server has answered: its tables are complete, and the file is the one that it opened.
    pub(super) fn settle(self) -> Result<OpenFile, DevServerError> {
        remove_if_there(&self.unfinished(), self.setting)?;
        match FileId::of(&self.path) {
            Ok(id) => Ok(OpenFile {
                path: self.path,
                id,
            }),
            Err(error) => Err(not_writable(&self.path, self.setting)(error)),
        }
    }

    fn unfinished(&self) -> PathBuf {
        with_suffix(&self.path, ".unfinished")
    }
}

/// The database file that a server has open. Those beside it are not looked at: the server may make
/// them anew with a new connection.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    path: PathBuf,
    id: FileId,
}

impl OpenFile {
    /// Waits until the file was removed, or another one was put in its place.
    pub(super) async fn lost(&self) -> DevServerError {
        while self.id.is_still_at(&self.path) {
            sleep(LOOK_EVERY).await;
        }
        let path = self.path.clone();
        DevServerError::DatabaseReplaced { path }
    }
}

pub(super) fn absolute(path: &Path, setting: &'static str) -> Result<PathBuf, DevServerError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = own_folder(folder, 0o700)
        .and_then(|()| folder.canonicalize())
        .map_err(not_writable(folder, setting))?;
    // The server makes a URL of what it is told.
    let is_plain = |name: &&OsStr| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        name.as_bytes().iter().all(plain)
    };
    match path.file_name().filter(is_plain) {
        Some(name) => Ok(folder.join(name)),
        None => Err(not_writable(path, setting)(
            io::ErrorKind::InvalidFilename.into(),
        )),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path, setting: &'static str) -> Result<(), DevServerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(not_writable(path, setting)(error))
        }
        _ => Ok(()),
    }
}

fn not_writable(path: &Path, setting: &'static str) -> impl Fn(io::Error) -> DevServerError {
    move |source| DevServerError::DatabaseNotWritable {
        path: path.to_owned(),
        setting,
        source,
    }
}

async fn lock(database: &Path, setting: &'static str) -> Result<File, DevServerError> {
    let path = with_suffix(database, ".lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = open_own(&path, &mut options).map_err(not_writable(&path, setting))?;
    let until = Instant::now() + COPIES_LIVE;
    let locked = loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(STEP).await,
            locked => break locked,
        }
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let read = file.read_to_string(&mut owner);
            return Err(DevServerError::DatabaseInUse {
                path: database.to_owned(),
                owner: read.ok().map(|_| owner).filter(|owner| !owner.is_empty()),
                setting,
            });
        }
        Err(TryLockError::Error(error)) => return Err(not_writable(&path, setting)(error)),
    }
    // For the message of the next who comes.
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(not_writable(&path, setting))?;
    Ok(file)
}
