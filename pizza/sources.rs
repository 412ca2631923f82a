// What the product is made of, for the build script and for the test of it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What the crates are made of beside their own folders. A test holds it
/// against the compiler's list.
const BESIDE: [&str; 4] = [".cargo", "Cargo.lock", "Cargo.toml", "docs/errors"];

/// The folders and files that the product is made of: every crate of the
/// workspace at `root`, and what they share.
///
/// # Errors
/// When the workspace cannot be read, or a crate is not there.
pub(crate) fn sources(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let manifest: toml::Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let members = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("members")?.as_array())
        .ok_or("Cargo.toml names no members")?;
    let members = members.iter().filter_map(toml::Value::as_str);
    let members: Vec<PathBuf> = members.map(|name| root.join(name)).collect();
    // A pattern among the members would be no path.
    if let Some(missing) = members.iter().find(|member| !member.exists()) {
        return Err(format!("{} is not there", missing.display()).into());
    }
    let beside = BESIDE.iter().map(|name| root.join(name));
    let beside = beside.filter(|path| path.exists());
    Ok(members.into_iter().chain(beside).collect())
}
