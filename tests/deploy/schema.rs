//! The published schema of compose files.

use std::fs;

use serde_json::Value;
use temporal_dev_server::pinned_wheel::{FetchOptions, Wheel, cache_dir, fetch};

use super::compose::compose;

/// A checker of JSON schemas that carries those of well-known files, that of
/// the Compose Specification among them. Only the schema is used.
const SCHEMAS: Wheel = Wheel {
    name: "check-jsonschema-0.39.0",
    requirements: "check-jsonschema==0.39.0 \
--hash=sha256:14ce5c94871c551268ea948ffe21e9f1464dc48fb20bf9a4c13deeaaf756cf9b",
    built_for: None,
    megabytes: 1,
    programs: &[],
};

const COMPOSE: &str = "check_jsonschema/builtin_schemas/vendor/compose-spec.json";

/// Says where the cache is, as it does for the Temporal CLI.
const CACHE: &str = "PIZZA_CACHE_DIR";

#[tokio::test]
async fn the_compose_file_keeps_to_the_published_schema() {
    let cache = cache_dir(CACHE, "cloud-pizza");
    let folder = fetch(&SCHEMAS, &FetchOptions::new(cache, CACHE))
        .await
        .expect("the schema");
    let schema = fs::read_to_string(folder.join(COMPOSE)).expect("a file");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");

    let mut file = compose();
    let errors: Vec<_> = schema.iter_errors(&file).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    file["services"]["gateway"]["prots"] = file["services"]["gateway"]["ports"].take();
    assert!(!schema.is_valid(&file), "a typing error passes");
}
