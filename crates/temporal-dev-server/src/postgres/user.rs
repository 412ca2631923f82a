//! Who the server runs as: PostgreSQL refuses to run as root.

use std::{fs, os::unix::fs::chown, path::Path};

use tokio::process::Command;

use super::error::PostgresError;
use crate::environment::clear_environment;

/// `nobody`, where the file of users does not say otherwise.
const NOBODY: u32 = 65_534;

/// The user and group to run as; none for whoever runs this.
pub(super) fn of_server() -> Option<(u32, u32)> {
    rustix::process::geteuid().is_root().then(|| {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        nobody_in(&users).unwrap_or((NOBODY, NOBODY))
    })
}

fn nobody_in(users: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.starts_with("nobody:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Has a command run as that user, in a folder that it can be in, and without our secrets.
pub(super) fn run_as(command: &mut Command, user: Option<(u32, u32)>, folder: &Path) {
    command.current_dir(folder);
    clear_environment(command.as_std_mut(), &[]);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

/// Gives a folder to that user.
pub(super) fn give(folder: &Path, user: Option<(u32, u32)>) -> Result<(), PostgresError> {
    match user {
        Some((uid, gid)) => {
            chown(folder, Some(uid), Some(gid)).map_err(PostgresError::system(folder))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_looked_up() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:x:99:98::/:/bin/false\n";
        assert_eq!(nobody_in(users), Some((99, 98)));
        assert_eq!(nobody_in("root:x:0:0::/root:/bin/sh\n"), None);
    }
}
