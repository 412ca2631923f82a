//! Ends a server when this process was killed.

use std::{
    ffi::OsStr,
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use crate::environment::clear_environment;

/// A shell that does nothing but wait for our end of a pipe to close, and then runs its script.
/// Dropped, it ends without that.
#[derive(Debug)]
pub(crate) struct Guard(pub(crate) Child);

impl Guard {
    /// Starts it. In the script `$0` is the name, for a process list, and `$1` the first of the
    /// arguments.
    pub(crate) fn start(name: &str, script: &str, arguments: &[&OsStr]) -> io::Result<Self> {
        let mut command = Command::new("sh");
        clear_environment(&mut command, &[]);
        command
            .args(["-c", &format!("read -r line; {script}"), name])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
