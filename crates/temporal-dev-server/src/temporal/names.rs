//! What the caller calls its settings.

/// Says where the default cache is.
pub(super) const CACHE_VARIABLE: &str = "TEMPORAL_DEV_SERVER_CACHE";

/// What the caller calls the settings from which it makes [`LocateOptions`] and
/// [`DevServerConfig`]: the errors say what to do, and name them.
///
/// The default names the fields and the variable of this crate; a program with
/// flags gives those, like `--port`.
///
/// [`LocateOptions`]: crate::LocateOptions
/// [`DevServerConfig`]: crate::DevServerConfig
#[derive(Debug, Clone, Copy)]
pub struct SettingNames {
    /// Sets the path of the Temporal CLI.
    pub cli: &'static str,
    /// Sets the folder for what is fetched.
    pub cache: &'static str,
    /// Sets the folder of the database.
    pub data: &'static str,
    /// Sets the gRPC port.
    pub port: &'static str,
    /// Sets the port of the web UI.
    pub ui_port: &'static str,
}

impl Default for SettingNames {
    fn default() -> Self {
        Self {
            cli: "LocateOptions::explicit",
            cache: CACHE_VARIABLE,
            data: "DevServerConfig::database",
            port: "DevServerConfig::port",
            ui_port: "DevServerConfig::ui_port",
        }
    }
}
