//! Ports of this machine.

use std::net::{Ipv4Addr, TcpListener};

/// A port that was free a moment ago.
pub(crate) fn free() -> u16 {
    taken().1
}

/// A port that is taken as long as the listener lives.
pub(crate) fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Whether nobody listens on a port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
