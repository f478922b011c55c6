//! The house's rules: rooms import downward, no files import each other in a circle, a folder holds one concept, crates
//! and powers stay in their rooms.

mod sources;

use sources::{Source, circle, imports, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each room and the rooms it may import; the ground floor first.
const ROOMS: &[(&str, &[&str])] = &[
    ("experiment", &[]),
    ("machine", &[]),
    ("random", &[]),
    ("metrics", &["random"]),
    ("io", &["machine"]),
    ("process", &["io"]),
    ("kernels", &["machine"]),
    ("data", &["experiment", "io", "machine", "random"]),
    // machine, in many rooms: the spans of a profile
    ("nets", &["experiment", "kernels", "machine", "random"]),
    // kernels: gradients of what a net did
    ("diffusion", &["experiment", "kernels", "machine", "random"]),
    // data: the names of ImageNet's classes; diffusion: which steps a schedule keeps
    (
        "jobs",
        &[
            "experiment",
            "machine",
            "io",
            "process",
            "data",
            "diffusion",
        ],
    ),
    (
        "stages",
        // kernels: the optimizer's update, and which nets may round to TF32
        &[
            "experiment",
            "machine",
            "random",
            "metrics",
            "io",
            "process",
            "kernels",
            "data",
            "nets",
            "diffusion",
            "jobs",
        ],
    ),
    (
        "run",
        &["experiment", "machine", "metrics", "io", "process", "jobs"],
    ),
    ("cluster", &["experiment", "io", "process", "jobs", "run"]),
    ("report", &["experiment", "io", "run"]),
    (
        "api",
        &[
            "experiment",
            "io",
            "metrics",
            "data",
            "diffusion",
            "nets",
            "jobs",
            "stages",
        ],
    ),
    (
        "cli",
        &[
            "experiment",
            "machine",
            "io",
            "data",
            "jobs",
            "stages",
            "run",
            "cluster",
            "report",
        ],
    ),
];

/// Words that name a crate or a power, and the rooms they are at home in.
const HOMES: &[(&str, &[&str])] = &[
    (
        "candle_",
        &[
            "io",
            "machine",
            "nets",
            "kernels",
            "diffusion",
            "jobs",
            "stages",
            "run",
            "api",
        ],
    ),
    ("polars::", &["report"]),
    ("pdf_writer::", &["report"]),
    ("plotters::", &["report"]),
    ("maud::", &["report", "cli"]),
    ("indicatif::", &["cli"]),
    ("ureq::", &["io"]),
    ("clap::", &["cli"]),
    ("println!", &["cli"]),
    ("process::exit", &["cli"]),
    ("env::var", &["cli", "process"]),
    ("set_var", &["machine"]),
];

/// Words of tensors, which a plan has no need of.
const TENSORS: [&str; 4] = ["Tensor", "VarBuilder", "candle_nn", "Module"];

/// Pairs of folders of `stages`, of which the first may import the second.
const STAGE_PAIRS: [(&str, &str); 2] = [("score", "describe"), ("train", "describe")];

const LONGEST: usize = 400;
const FULLEST: usize = 12;

fn broken_arrows(sources: &[Source], imports: &[BTreeSet<usize>]) -> Vec<String> {
    let mut broken = Vec::new();
    for (source, imports) in sources.iter().zip(imports) {
        for other in imports.iter().map(|&n| &sources[n]) {
            let arrow = format!("{} imports {}", source.path, other.path);
            let allowed = ROOMS.iter().find(|(room, _)| *room == source.room());
            if other.room() != source.room()
                && allowed.is_some_and(|(_, rooms)| !rooms.contains(&other.room()))
            {
                broken.push(arrow.clone());
            }
            let folder = |source: &Source| match source.module.as_slice() {
                [room, folder, _, ..] if room == "stages" => Some(folder.clone()),
                _ => None,
            };
            if let (Some(from), Some(to)) = (folder(source), folder(other))
                && from != to
                && !STAGE_PAIRS.contains(&(from.as_str(), to.as_str()))
            {
                broken.push(arrow);
            }
        }
    }
    broken
}

#[test]
fn rooms_and_stages_import_only_what_lies_below_them() {
    let sources = sources();
    let broken = broken_arrows(&sources, &imports(&sources));
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    for source in &sources {
        assert!(
            source.module.is_empty()
                || source.path == "src/main.rs"
                || ROOMS.iter().any(|(room, _)| *room == source.room()),
            "{} is in no room that ROOMS names",
            source.path
        );
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = sources();
    let imports = imports(&sources);
    assert!(
        imports.iter().map(BTreeSet::len).sum::<usize>() > 500,
        "the imports were not found"
    );
    assert_eq!(circle(&sources, &imports), None);
}

#[test]
fn a_planted_circle_is_found() {
    let planted = [
        ("src/room/mod.rs", "pub mod a; pub mod b; pub mod c;"),
        ("src/room/a.rs", "use crate::room::b::B; pub struct A(B);"),
        (
            "src/room/b.rs",
            "use super::{c::{self, C}}; pub struct B(C);",
        ),
        (
            "src/room/c.rs",
            "pub struct C(Option<Box<crate::room::a::A>>);",
        ),
    ];
    let sources = planted.map(|(path, text)| Source::new(path, text));
    let found = circle(&sources, &imports(&sources)).unwrap();
    assert_eq!(found, ["src/room/a.rs", "src/room/b.rs", "src/room/c.rs"]);
    let straight = circle(&sources[..3], &imports(&sources[..3]));
    assert_eq!(straight, None);
}

#[test]
fn planted_arrows_upward_are_found() {
    let planted = [
        ("src/io/a.rs", "use crate::cli::b::C;"),
        ("src/cli/b.rs", "pub struct C;"),
        ("src/stages/train/a.rs", "use crate::stages::draw::b::C;"),
        ("src/stages/draw/b.rs", "pub struct C;"),
    ];
    let sources = planted.map(|(path, text)| Source::new(path, text));
    let broken = broken_arrows(&sources, &imports(&sources));
    assert_eq!(
        broken,
        [
            "src/io/a.rs imports src/cli/b.rs",
            "src/stages/train/a.rs imports src/stages/draw/b.rs"
        ]
    );
}

#[test]
fn crates_and_powers_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for source in sources() {
        let strays = HOMES
            .iter()
            .filter(|(word, homes)| !homes.contains(&source.room()) && source.code.contains(word));
        if !["src/main.rs", "src/lib.rs"].contains(&source.path.as_str()) {
            broken.extend(strays.map(|(word, _)| format!("{} names {word}", source.path)));
        }
        if source.room() == "jobs" {
            let tensors = TENSORS.iter().filter(|word| source.code.contains(*word));
            broken.extend(tensors.map(|word| format!("{} names {word}", source.path)));
        }
        if source.code.contains("super::super") {
            broken.push(format!("{} climbs by super::super", source.path));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_is_short_and_says_what_it_is_for_and_no_folder_is_a_heap() {
    let mut broken = Vec::new();
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for top in ["src", "tests", "benches", "examples"] {
        for entry in walkdir::WalkDir::new(top).into_iter().flatten() {
            if entry.path().extension().is_none_or(|ext| ext != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let (path, lines) = (entry.path().display(), text.lines().count());
            if lines > LONGEST {
                broken.push(format!("{path} has {lines} lines, more than {LONGEST}"));
            }
            if !text.starts_with("//!") {
                broken.push(format!("{path} does not say what it is for"));
            }
            let folder = entry
                .path()
                .parent()
                .map(Path::display)
                .map(|f| f.to_string());
            *folders.entry(folder.unwrap_or_default()).or_default() += 1;
        }
    }
    let full = folders.iter().filter(|(_, files)| **files > FULLEST);
    broken.extend(full.map(|(folder, files)| {
        format!("{folder} holds {files} files, more than {FULLEST}: is it one concept?")
    }));
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
