//! Which build this is.

use std::sync::LazyLock;

use temporalio_common::worker::build_id_from_current_exe;

/// The version and the commit that the binary was built from, such as
/// `0.3.0-45ca2ea`; where no commit names it, the version and a checksum of
/// the executable. Two builds of different code have different ids.
pub(crate) fn build_id() -> &'static str {
    // The checksum takes a moment: found out when it is first asked for.
    static BUILD_ID: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        match option_env!("PIZZA_COMMIT") {
            Some(commit) => format!("{version}-{commit}"),
            None => format!("{version}-{}", build_id_from_current_exe()),
        }
    });
    &BUILD_ID
}
