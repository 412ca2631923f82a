//! Keeps what reads a history of the Temporal API's descriptor set.
//!
//! `temporalio-protos` compiles the API and tells dependent build scripts where it left the
//! descriptor set. Only the file that defines a workflow history, and what it imports, is kept:
//! about a tenth of the whole.

use std::{collections::HashSet, env, error::Error, fs, path::PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

/// Set by the `links` key of `temporalio-protos`: the path of its compiled descriptor set.
const DESCRIPTOR_SET: &str = "DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH";
/// Defines `temporal.api.history.v1.History`.
const ROOT: &str = "temporal/api/history/v1/message.proto";
/// The file in `OUT_DIR` that `history_json` includes.
const OUTPUT: &str = "history_descriptors.bin";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={DESCRIPTOR_SET}");
    let source = env::var(DESCRIPTOR_SET)
        .map_err(|error| format!("temporalio-protos did not export {DESCRIPTOR_SET}: {error}"))?;
    println!("cargo::rerun-if-changed={source}");
    let all = FileDescriptorSet::decode(fs::read(&source)?.as_slice())?;
    let kept = closure(all, ROOT)?;
    let target = PathBuf::from(env::var("OUT_DIR")?).join(OUTPUT);
    fs::write(target, kept.encode_to_vec())?;
    Ok(())
}

/// The file `root` and everything it imports, directly or not, in the order of `all`, where each
/// file follows its imports. Comments and positions in the sources are dropped.
fn closure(all: FileDescriptorSet, root: &str) -> Result<FileDescriptorSet, String> {
    let mut wanted = HashSet::new();
    let mut queue = vec![root.to_owned()];
    while let Some(name) = queue.pop() {
        let file = all
            .file
            .iter()
            .find(|file| file.name() == name)
            .ok_or_else(|| format!("the descriptor set lacks {name}"))?;
        if wanted.insert(name) {
            queue.extend(file.dependency.iter().cloned());
        }
    }
    let mut file = all.file;
    file.retain(|file| wanted.contains(file.name()));
    for kept in &mut file {
        kept.source_code_info = None;
    }
    Ok(FileDescriptorSet { file })
}
