//! Writes histories to a folder of `tests/histories`, when asked to.

use std::path::Path;

use super::history::History;
use super::world::World;

/// Writes the history of a workflow as it stands to `<name>.json` in the
/// folder that `RECORD_HISTORIES` names, if it names one.
pub(crate) async fn record_if_wanted(world: &World, name: &str, workflow_id: &str) {
    if std::env::var_os("RECORD_HISTORIES").is_some() {
        write_if_wanted(name, &world.history(workflow_id).await);
    }
}

/// The same, of a history that was read already.
pub(crate) fn write_if_wanted(name: &str, history: &History) {
    let Some(build) = std::env::var_os("RECORD_HISTORIES") else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/histories")
        .join(build);
    std::fs::create_dir_all(&folder).expect("a folder for this build's histories");
    let text = serde_json::to_string_pretty(&history.printed).expect("JSON");
    std::fs::write(folder.join(format!("{name}.json")), text + "\n").expect("a history is written");
}
