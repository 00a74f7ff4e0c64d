//! The files in `schemas/` are what the types say. With `UPDATE_SCHEMAS=1` they are written anew.

use std::path::Path;

use ado_vault::domain::{ApprovalPolicy, GatePolicy, Routing, Settings};
use ado_vault::note::{schemas, validate};

#[test]
fn the_schema_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some_and(|value| value == "1");
    if update {
        std::fs::create_dir_all(&folder).unwrap();
    }
    for (name, schema) in schemas() {
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let file = folder.join(name);
        if update {
            std::fs::write(&file, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == wanted,
            "`schemas/{name}` is stale: run `UPDATE_SCHEMAS=1 cargo test --test schemas`"
        );
    }
    let known = schemas().len();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), known, "`schemas/` holds files of no type");
}

#[test]
fn the_defaults_are_valid_by_their_schemas() {
    let values = [
        ("settings", serde_json::to_value(Settings::default()).unwrap()),
        ("routing", serde_json::to_value(Routing::default()).unwrap()),
        ("approvals", serde_json::to_value(ApprovalPolicy::default()).unwrap()),
        ("gates", serde_json::to_value(GatePolicy::default()).unwrap()),
    ];
    for (name, value) in values {
        assert_eq!(validate(name, &value), [], "{name}");
    }
}
