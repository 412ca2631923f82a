//! Opens files and makes folders only where no other user can have put them there.
//!
//! A program that opens a file by its name trusts everybody who may write to the folder: they
//! can put a file of their own under that name, or a symbolic link to a file of somebody else.
//! - [`open_own`] opens a file that the program itself keeps: a lock, a log, a key it made.
//! - [`open_given`] opens a file that a person has named: a key that an orchestrator mounted.
//! - [`own_folder`] makes a folder for this user alone; [`check_own_folder`] checks one.
//! - [`check_folder_of_files`] checks a folder that others may use too, `/tmp` for example.
//! - [`check_owner`] and [`check_own_file`] check a file that is opened elsewhere: a database, a
//!   program that is run.
//! - [`FileId`] says whether a name still stands for the file that was opened.
//!
//! Whoever may write to a folder above can put another one in its place, so the folders above are
//! checked as well, up to the root. Root counts as this user: root can do everything anyway.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{OFlags, StatVfsMountFlags, fstatvfs},
    io::Errno,
    process::{getegid, geteuid},
};

/// The bits of a mode that let others than the owner write.
const OTHERS_WRITE: u32 = 0o022;
/// The bits of a mode that let others than the owner read.
const OTHERS_READ: u32 = 0o044;
/// The bit of a mode that lets a group write.
const GROUP_WRITES: u32 = 0o020;
/// The bit of a mode that lets everybody write.
const EVERYBODY_WRITES: u32 = 0o002;
/// In a folder with this bit, only its owner removes or renames a file.
const STICKY: u32 = 0o1000;

/// Why a file or a folder is not used. It comes inside of an [`io::Error`] of the kind
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied), see [`is_untrusted`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Somebody else owns it.
    #[error("it belongs to user {owner}, and this runs as user {user}")]
    Owner {
        /// The owner's user id.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// Others may write to it.
    #[error("others may write to it (mode {mode:03o}); `chmod go-w` keeps them out")]
    Writable {
        /// The bits of its mode.
        mode: u32,
    },
    /// The name is a symbolic link.
    #[error("it is a symbolic link, which is not followed here")]
    Link,
    /// The name is not a file's.
    #[error("it is not a file")]
    NotAFile,
    /// The name is not a folder's.
    #[error("it is not a folder")]
    NotAFolder,
    /// A folder above it is not to be trusted.
    #[error("the folder {} above it: {reason}", path.display())]
    Above {
        /// That folder, or the link to it.
        path: PathBuf,
        /// Why not.
        reason: Box<Untrusted>,
    },
}

impl From<Untrusted> for io::Error {
    fn from(reason: Untrusted) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, reason)
    }
}

/// Whether an error is one of [`Untrusted`].
#[must_use]
pub fn is_untrusted(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|reason| reason.is::<Untrusted>())
}

/// Opens a file that this program keeps for itself, with `options`; one that is made is for this
/// user alone (mode 600). No symbolic link is followed, and the file of another user is refused.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Without waiting: a pipe under that name has nobody at its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = options
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Untrusted::Link.into(),
        _ => error,
    })?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(Untrusted::NotAFile.into());
    }
    if about.uid() != geteuid().as_raw() {
        return Err(foreign(&about).into());
    }
    Ok(file)
}

/// A file that was opened by [`open_given`].
#[derive(Debug)]
pub struct Given {
    /// The file, to be read.
    pub file: File,
    /// The bits of its mode, where they let others than its owner read it.
    pub read_by_others: Option<u32>,
}

/// Opens a file for reading that a person has named. It and, where it is one, the symbolic link
/// to it belong to this user or to root, and not everybody may write to the file. On a file system
/// that is mounted read-only, as orchestrators mount secrets, nobody here can have put it there,
/// and its owner may be any user. A pipe will do.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn open_given(path: &Path) -> io::Result<Given> {
    check_link(path)?;
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(Untrusted::NotAFile.into());
    }
    let is_mounted_read_only =
        fstatvfs(&file).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    if !is_mounted_read_only {
        if !is_owner_trusted(&about) {
            return Err(foreign(&about).into());
        }
        // A group may be the user's own; that everybody may write is never meant.
        let mode = about.mode() & 0o777;
        if about.is_file() && mode & EVERYBODY_WRITES != 0 {
            return Err(Untrusted::Writable { mode }.into());
        }
    }
    let mode = about.mode() & 0o777;
    let read_by_others = about.is_file() && mode & OTHERS_READ != 0;
    Ok(Given {
        file,
        read_by_others: read_by_others.then_some(mode),
    })
}

/// Makes a folder with this mode, and those above it, where there is none. One that is there has
/// to belong to this user, and nobody else may write to it.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn own_folder(path: &Path, mode: u32) -> io::Result<()> {
    let named = std::path::absolute(path)?;
    let there = named.ancestors().find(|folder| folder.exists());
    if let Some(above) = there.filter(|there| *there != named) {
        // Before anything is made.
        let real = above.canonicalize()?;
        check_folders(above.ancestors().chain(real.ancestors()))?;
    }
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    // What stands there says best why it was not made.
    check_own_folder(path).map_err(|error| match made {
        Err(made) if !is_untrusted(&error) => made,
        _ => error,
    })
}

/// Checks a folder that is to belong to this user alone: nobody else may write to it, or put
/// another one in its place.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn check_own_folder(path: &Path) -> io::Result<()> {
    let about = fs::metadata(path)?;
    if !about.is_dir() {
        return Err(Untrusted::NotAFolder.into());
    }
    if about.uid() != geteuid().as_raw() {
        return Err(foreign(&about).into());
    }
    refuse_writable(&about)?;
    check_folders_above(path)
}

/// Checks a folder in which others may make files of their own, but neither remove nor rename
/// those of this user, nor put another folder in its place.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn check_folder_of_files(path: &Path) -> io::Result<()> {
    let about = fs::metadata(path)?;
    if !is_owner_trusted(&about) {
        return Err(foreign(&about).into());
    }
    if about.mode() & STICKY == 0 {
        refuse_writable(&about)?;
    }
    check_folders_above(path)
}

/// Checks that a file belongs to this user, and that nobody else may write to it: a program that
/// is run.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn check_own_file(path: &Path) -> io::Result<()> {
    refuse_writable(&own_file(path)?)
}

/// Checks that a file, which is not opened for it, belongs to this user.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn check_owner(path: &Path) -> io::Result<()> {
    own_file(path).map(drop)
}

fn own_file(path: &Path) -> io::Result<Metadata> {
    let about = fs::symlink_metadata(path)?;
    if about.is_symlink() {
        return Err(Untrusted::Link.into());
    }
    if !about.is_file() {
        return Err(Untrusted::NotAFile.into());
    }
    if about.uid() != geteuid().as_raw() {
        return Err(foreign(&about).into());
    }
    Ok(about)
}

/// Checks that a symbolic link, where the name is one, was made by this user or by root.
///
/// # Errors
/// [`Untrusted`], and what the system says.
pub fn check_link(path: &Path) -> io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    if about.is_symlink() && !is_owner_trusted(&about) {
        return Err(foreign(&about).into());
    }
    Ok(())
}

/// Checks the folders above a path, as it is named and as it really is, and the links among them.
fn check_folders_above(path: &Path) -> io::Result<()> {
    let (named, real) = (std::path::absolute(path)?, path.canonicalize()?);
    check_link(&named)?;
    check_folders(named.ancestors().skip(1).chain(real.ancestors().skip(1)))
}

fn check_folders<'a>(folders: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    for folder in folders {
        check_folder_above(folder).map_err(|error| {
            match error
                .get_ref()
                .and_then(|it| it.downcast_ref::<Untrusted>())
            {
                Some(reason) => Untrusted::Above {
                    path: folder.to_owned(),
                    reason: Box::new(reason.clone()),
                }
                .into(),
                None => error,
            }
        })?;
    }
    Ok(())
}

fn check_folder_above(folder: &Path) -> io::Result<()> {
    check_link(folder)?;
    let about = fs::metadata(folder)?;
    if !is_owner_trusted(&about) {
        return Err(foreign(&about).into());
    }
    if about.mode() & STICKY != 0 || is_private_group(&about) {
        return Ok(());
    }
    refuse_writable(&about)
}

/// Whether nobody but the owner and a group that is this user's alone may write. Many systems give
/// each user a group of the same number, and let it write to the folders that the user makes.
fn is_private_group(about: &Metadata) -> bool {
    let user = geteuid();
    let is_own = about.gid() == user.as_raw() && getegid().as_raw() == user.as_raw();
    about.mode() & OTHERS_WRITE == GROUP_WRITES && is_own && !user.is_root()
}

/// Which file stands under a name, by its device and its number there (inode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that stands under this name now.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&fs::metadata(path)?))
    }

    /// Whether the same file stands under this name. What is written to one that was removed or
    /// replaced is lost. A name that cannot be looked at counts as the same.
    #[must_use]
    pub fn is_still_at(self, path: &Path) -> bool {
        match Self::of(path) {
            Ok(now) => now == self,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

impl From<&Metadata> for FileId {
    fn from(about: &Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
        }
    }
}

fn is_owner_trusted(about: &Metadata) -> bool {
    [0, geteuid().as_raw()].contains(&about.uid())
}

fn foreign(about: &Metadata) -> Untrusted {
    Untrusted::Owner {
        owner: about.uid(),
        user: geteuid().as_raw(),
    }
}

fn refuse_writable(about: &Metadata) -> io::Result<()> {
    let mode = about.mode() & 0o777;
    if mode & OTHERS_WRITE == 0 {
        Ok(())
    } else {
        Err(Untrusted::Writable { mode }.into())
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// Some other user, `nobody` mostly.
    const OTHER: u32 = 65_534;

    fn reason<T: std::fmt::Debug>(outcome: io::Result<T>) -> Untrusted {
        let error = outcome.unwrap_err();
        assert!(is_untrusted(&error), "{error}");
        let reason: &Untrusted = error.get_ref().unwrap().downcast_ref().unwrap();
        reason.clone()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Gives a file away, which only root can. Whether it did.
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn give_away(path: &Path) -> bool {
        if !geteuid().is_root() {
            eprintln!("SKIPPED: only root can give a file to another user");
            return false;
        }
        chown(path, Some(OTHER), None).unwrap();
        true
    }

    fn append(path: &Path) -> io::Result<File> {
        open_own(path, OpenOptions::new().create(true).append(true))
    }

    #[test]
    fn a_file_of_ones_own_is_private_and_no_link_to_another_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        append(&path).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(reason(append(&link)), Untrusted::Link);
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let read = open_own(&pipe, OpenOptions::new().read(true));
        assert_eq!(reason(read), Untrusted::NotAFile);
        if give_away(&path) {
            let foreign = reason(append(&path));
            assert_eq!(
                foreign,
                Untrusted::Owner {
                    owner: OTHER,
                    user: 0
                }
            );
        }
    }

    #[test]
    fn a_file_that_was_named_is_ones_own_and_so_is_the_link_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "key").unwrap();
        set_mode(&path, 0o600);
        assert_eq!(open_given(&path).unwrap().read_by_others, None);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        set_mode(&path, 0o644);
        assert_eq!(open_given(&link).unwrap().read_by_others, Some(0o644));
        set_mode(&path, 0o602);
        let writable = reason(open_given(&link));
        assert_eq!(writable, Untrusted::Writable { mode: 0o602 });
        assert_eq!(reason(open_given(folder.path())), Untrusted::NotAFile);
        set_mode(&path, 0o600);
        if give_away(&path) {
            let owner = Untrusted::Owner {
                owner: OTHER,
                user: 0,
            };
            assert_eq!(reason(open_given(&path)), owner);
            chown(&path, Some(0), None).unwrap();
            std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
            assert_eq!(reason(open_given(&link)), owner);
        }
    }

    #[test]
    fn a_folder_is_made_private_and_one_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        own_folder(&inner, 0o700).unwrap();
        let mode = fs::metadata(&inner).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700);
        set_mode(&inner, 0o755);
        own_folder(&inner, 0o700).unwrap();
        check_folder_of_files(&inner).unwrap();
        for mode in [0o775, 0o757] {
            set_mode(&inner, mode);
            let writable = Untrusted::Writable { mode };
            assert_eq!(reason(own_folder(&inner, 0o700)), writable);
            assert_eq!(reason(check_folder_of_files(&inner)), writable);
        }
        set_mode(&inner, 0o1777);
        check_folder_of_files(&inner).unwrap();
        assert!(own_folder(&inner, 0o700).is_err());
        set_mode(&inner, 0o700);
        if give_away(&inner) {
            let owner = Untrusted::Owner {
                owner: OTHER,
                user: 0,
            };
            assert_eq!(reason(own_folder(&inner, 0o700)), owner);
            assert_eq!(reason(check_folder_of_files(&inner)), owner);
        }
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(reason(own_folder(&file, 0o700)), Untrusted::NotAFolder);
        assert!(own_folder(&file.join("below"), 0o700).is_err());
    }

    #[test]
    fn a_folder_below_one_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let inner = above.join("a/b");
        own_folder(&inner, 0o700).unwrap();
        let refused = |reason| Untrusted::Above {
            path: above.clone(),
            reason: Box::new(reason),
        };
        for mode in [0o777, 0o757] {
            set_mode(&above, mode);
            let writable = refused(Untrusted::Writable { mode });
            let new = above.join("new/folder");
            assert_eq!(reason(own_folder(&new, 0o700)), writable);
            assert!(!above.join("new").exists(), "nothing is made");
            assert_eq!(reason(own_folder(&inner, 0o700)), writable);
            assert_eq!(reason(check_folder_of_files(&inner)), writable);
        }
        // As `/tmp` is.
        set_mode(&above, 0o1777);
        own_folder(&inner, 0o700).unwrap();
        check_folder_of_files(&inner).unwrap();
        set_mode(&above, 0o755);
        let link = folder.path().join("link");
        symlink(&above, &link).unwrap();
        own_folder(&link.join("a/b"), 0o700).unwrap();
        if give_away(&above) {
            let owner = Untrusted::Owner {
                owner: OTHER,
                user: 0,
            };
            assert_eq!(reason(own_folder(&inner, 0o700)), refused(owner.clone()));
            chown(&above, Some(0), None).unwrap();
            set_mode(&above, 0o775);
            chown(&above, None, Some(OTHER)).unwrap();
            let writable = refused(Untrusted::Writable { mode: 0o775 });
            assert_eq!(reason(own_folder(&inner, 0o700)), writable);
            set_mode(&above, 0o755);
            std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
            let by_link = Untrusted::Above {
                path: link.clone(),
                reason: Box::new(owner),
            };
            assert_eq!(reason(own_folder(&link.join("a/b"), 0o700)), by_link);
        }
    }

    #[test]
    fn a_file_of_another_or_one_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "").unwrap();
        set_mode(&path, 0o755);
        check_own_file(&path).unwrap();
        for mode in [0o775, 0o757] {
            set_mode(&path, mode);
            let writable = Untrusted::Writable { mode };
            assert_eq!(reason(check_own_file(&path)), writable);
        }
        set_mode(&path, 0o755);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(reason(check_own_file(&link)), Untrusted::Link);
        assert_eq!(reason(check_own_file(folder.path())), Untrusted::NotAFile);
        if give_away(&path) {
            let owner = Untrusted::Owner {
                owner: OTHER,
                user: 0,
            };
            assert_eq!(reason(check_own_file(&path)), owner);
        }
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let opened = FileId::of(&path).unwrap();
        fs::write(&path, "more").unwrap();
        assert!(opened.is_still_at(&path));
        let moved = folder.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        assert!(!opened.is_still_at(&path), "removed");
        fs::copy(&moved, &path).unwrap();
        assert!(!opened.is_still_at(&path), "replaced");
        assert!(opened.is_still_at(&moved));
    }
}
