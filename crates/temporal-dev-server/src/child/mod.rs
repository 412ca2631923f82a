//! What both servers need of a child process: a free port, a log, and an end with this process.

mod guard;
mod log;

use std::{
    fs::File,
    io,
    net::{IpAddr, TcpListener},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::Duration,
};

pub(crate) use guard::Guard;
pub(crate) use log::Log;

/// How often is looked whether something has come about.
pub(crate) const STEP: Duration = Duration::from_millis(20);

/// How often a start is tried anew when a port that was free is taken at the bind.
pub(crate) const PORT_ATTEMPTS: u32 = 5;

/// Takes a port, 0 being any free one. It is free again when the listener is dropped.
pub(crate) fn take_port(ip: IpAddr, port: u16) -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((ip, port))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Has a command write to `output`, and run in a process group of its own, so that a Ctrl-C on
/// the terminal does not reach it.
pub(crate) fn detach(command: &mut Command, output: File) -> io::Result<()> {
    let errors = output.try_clone()?;
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    Ok(())
}
