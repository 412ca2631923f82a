//! How the dev server is to be run.

use std::{net::IpAddr, path::PathBuf};

use crate::temporal::names::SettingNames;

/// How to run the dev server.
#[derive(Debug, Clone)]
pub struct DevServerConfig {
    /// The Temporal CLI.
    pub cli: PathBuf,
    /// The database file; its folder is made, for this user alone, and may be called anything, the
    /// file only by letters, digits, `.`, `_` and `-`. `None` is a database in memory.
    pub database: Option<PathBuf>,
    /// Where the server listens, the UI too.
    pub ip: IpAddr,
    /// The gRPC port; 0 is any free one.
    pub port: u16,
    /// The port of the web UI; 0 is any free one, `None` is no UI.
    pub ui_port: Option<u16>,
    /// Search attributes, name and type (`Keyword`, `Int`, ...). The server registers them when
    /// it *creates* its database; for a file made earlier with others it ignores them silently.
    pub search_attributes: Vec<(String, String)>,
    /// The file to which the server's output is appended.
    pub log_file: PathBuf,
    /// What the caller calls these settings.
    pub names: SettingNames,
}
