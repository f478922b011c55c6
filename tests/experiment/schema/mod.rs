//! The schema of the experiment file: what it accepts, what it refuses, and the files that are made from it.

mod accepted;
mod bounds;
mod committed;
mod refused;

use jsonschema::Validator;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn validator() -> Validator {
    let schema = fidrunner::experiment::schema::whole::schema();
    jsonschema::draft7::new(&schema).expect("a schema")
}

/// An experiment file's text as a validator sees it.
pub fn as_json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    serde_json::to_value(table).expect("a value")
}

/// What is wrong with the text by the schema, with the place.
pub fn faults(validator: &Validator, text: &str) -> Vec<String> {
    let value = as_json(text);
    let errors = validator.iter_errors(&value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every TOML file that ships and is an experiment.
pub fn shipped() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["experiments", "examples", "benches"] {
        let files = walkdir(&root().join(folder));
        found.extend(
            files
                .into_iter()
                .filter(|file| file.extension().is_some_and(|e| e == "toml")),
        );
    }
    found.sort();
    assert!(found.len() > 30, "{found:?}");
    found
}

fn walkdir(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walkdir(&path));
        } else {
            found.push(path);
        }
    }
    found
}
