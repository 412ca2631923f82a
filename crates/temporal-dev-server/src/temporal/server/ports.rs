//! The ports that the dev server listens on.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
};

use super::{config::DevServerConfig, error::DevServerError};
use crate::child::take_port;

/// The address at which a server that listens on `ip` can be reached from this machine.
pub(super) fn connectable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The ports of one start, free when they were chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) grpc: u16,
    pub(super) ui: Option<u16>,
}

impl Ports {
    pub(super) fn choose(config: &DevServerConfig) -> Result<Self, DevServerError> {
        // Both are held until both are known: two free ones have to differ.
        let grpc = hold(config.ip, config.port, config.names.port)?;
        let ui = config
            .ui_port
            .map(|port| hold(config.ip, port, config.names.ui_port))
            .transpose()?;
        Ok(Self {
            grpc: grpc.1,
            ui: ui.map(|ui| ui.1),
        })
    }
}

pub(super) fn hold(
    ip: IpAddr,
    port: u16,
    setting: &'static str,
) -> Result<(TcpListener, u16), DevServerError> {
    take_port(ip, port).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => DevServerError::PortTaken { ip, port, setting },
        _ => DevServerError::PortUnusable {
            ip,
            port,
            setting,
            source,
        },
    })
}
