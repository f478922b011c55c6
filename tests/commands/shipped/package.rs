//! The Python package and the containers: their descriptions name what is there.

use super::{share, studies, text};
use crate::support::program::repository;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn table(file: &str) -> toml::Table {
    toml::from_str(&text(&repository(file))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn the_python_package_is_the_crate() {
    let (cargo, python) = (table("Cargo.toml"), table("pyproject.toml"));
    let (package, project) = (&cargo["package"], &python["project"]);
    for key in ["name", "description", "license"] {
        assert_eq!(package[key], project[key], "{key}");
    }
    // maturin takes the version from Cargo.toml.
    let dynamic = project["dynamic"].as_array().unwrap();
    assert_eq!(dynamic, &[toml::Value::from("version")]);
    assert!(project.get("version").is_none());
    for file in project["license-files"].as_array().unwrap() {
        assert!(repository(file.as_str().unwrap()).is_file(), "{file}");
    }
    assert!(repository(project["readme"].as_str().unwrap()).is_file());
    let maturin = &python["tool"]["maturin"];
    assert_eq!(maturin["data"].as_str(), Some("wheel"));
    // The line is cargo's configuration, for x86-64 alone.
    let line = maturin["config"][0].as_str().expect("a line");
    let config: toml::Table = toml::from_str(line).expect("TOML");
    let flags = &config["target"]["cfg(target_arch = \"x86_64\")"]["rustflags"];
    assert_eq!(flags[0].as_str(), Some("-Ctarget-cpu=x86-64-v2"));
    assert_eq!(cargo["bin"][0]["name"].as_str(), Some("runner"));
}

/// Files below a folder with their ways from there; links are not followed.
fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let all = walkdir::WalkDir::new(folder).into_iter();
    let all = all.map(|entry| entry.expect("an entry"));
    let files = all.filter(|entry| !entry.file_type().is_dir());
    let ways = files.map(|entry| {
        entry
            .path()
            .strip_prefix(folder)
            .expect("below")
            .to_path_buf()
    });
    ways.collect()
}

#[test]
fn the_wheel_holds_a_link_to_each_file_that_ships() {
    let kinds = ["md", "npz", "py", "safetensors", "toml"];
    let mut want = BTreeSet::new();
    for folder in ["examples/any_model", "experiments", "reference_stats"] {
        let files = below(&repository(folder)).into_iter();
        let kept = files.filter(|file| {
            let ending = file.extension().unwrap_or_default();
            kinds.iter().any(|kind| ending == *kind)
        });
        want.extend(kept.map(|file| Path::new(folder).join(file)));
    }
    let links = below(&share());
    let missing: Vec<_> = want.difference(&links).collect();
    assert!(
        missing.is_empty(),
        "make a relative link to each of these below wheel/data/share/fidrunner: {missing:?}"
    );
    assert_eq!(links, want);
    for link in &links {
        let here = share().join(link);
        let to = std::fs::read_link(&here).unwrap_or_else(|_| panic!("{link:?} is no link"));
        assert!(to.is_relative(), "{link:?}");
        let file = repository("").canonicalize().unwrap().join(link);
        assert_eq!(here.canonicalize().unwrap(), file);
    }
    let others = below(&repository("wheel"));
    assert_eq!(others.len(), links.len(), "{others:?}");
}

/// Every text of a file's values.
fn texts(value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => found.push(text.clone()),
        toml::Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        toml::Value::Table(table) => table.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn every_file_that_a_study_names_is_in_the_wheel() {
    let mut seen = 0;
    for (name, path) in studies() {
        let file: toml::Table = toml::from_str(&text(&path)).unwrap();
        let mut named = Vec::new();
        texts(&toml::Value::Table(file), &mut named);
        named.retain(|text| {
            text.starts_with("experiments/") || text.starts_with("reference_stats/")
        });
        seen += named.len();
        for file in named {
            assert!(share().join(&file).is_file(), "{name} names {file}");
        }
    }
    assert!(seen > 50, "{seen}");
}
