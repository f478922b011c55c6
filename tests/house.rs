//! The house's rules: floors import downward, crates stay in their rooms, files have one purpose.

use std::path::Path;

/// Each room and the rooms it may import; the ground floor first.
const ROOMS: [(&str, &[&str]); 11] = [
    ("spec", &[]),
    ("io", &[]),
    ("metrics", &[]),
    ("kernels", &[]),
    ("data", &["io", "spec"]),
    ("nets", &["kernels", "spec"]),
    ("diffusion", &["spec"]),
    (
        "stages",
        // kernels: the optimizer's update, and which nets may round to TF32
        &[
            "spec",
            "io",
            "data",
            "metrics",
            "kernels",
            "nets",
            "diffusion",
        ],
    ),
    ("run", &["spec", "io", "metrics", "stages"]),
    ("report", &["spec", "io", "run"]),
    ("cli", &["spec", "io", "data", "stages", "run", "report"]),
];

/// Words that name a crate or a power, and the rooms they are at home in.
const HOMES: [(&str, &[&str]); 10] = [
    (
        "candle_",
        &["io", "nets", "kernels", "diffusion", "stages", "run"],
    ),
    ("polars::", &["report"]),
    ("plotters::", &["report"]),
    ("maud::", &["report"]),
    ("indicatif::", &["cli"]),
    ("ureq::", &["io"]),
    ("clap::", &["cli"]),
    ("println!", &["cli"]),
    ("process::exit", &["cli"]),
    ("env::var", &["cli"]),
];

const LONGEST: usize = 400;

/// Every file of a room with its text, comments left out.
fn files(room: &str) -> Vec<(String, String)> {
    let all = walkdir::WalkDir::new(Path::new("src").join(room))
        .into_iter()
        .flatten();
    let sources = all.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "rs"));
    sources
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            (
                entry.path().display().to_string(),
                code.collect::<Vec<_>>().join("\n"),
            )
        })
        .collect()
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut broken = Vec::new();
    for (room, allowed) in ROOMS {
        for (path, code) in files(room) {
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room) {
                let named = code.contains(&format!("crate::{other}::"))
                    || code.contains(&format!("crate::{{{other}"));
                if named && !allowed.contains(other) {
                    broken.push(format!("{path} imports {other}"));
                }
            }
            if code.contains("super::super") {
                broken.push(format!("{path} climbs by super::super"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn crates_and_powers_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for (room, _) in ROOMS {
        for (path, code) in files(room) {
            let strays = HOMES
                .iter()
                .filter(|(word, homes)| !homes.contains(&room) && code.contains(word));
            broken.extend(strays.map(|(word, _)| format!("{path} names {word}")));
            if path.ends_with("stages/job.rs") && code.contains("candle_") {
                broken.push(format!(
                    "{path} names candle_: keys must be computable anywhere"
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_file_is_short_and_says_what_it_is_for() {
    let mut broken = Vec::new();
    for entry in walkdir::WalkDir::new("src").into_iter().flatten() {
        if entry.path().extension().is_some_and(|ext| ext == "rs") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let (path, lines) = (entry.path().display(), text.lines().count());
            if lines > LONGEST {
                broken.push(format!("{path} has {lines} lines, more than {LONGEST}"));
            }
            if !text.starts_with("//!") {
                broken.push(format!("{path} does not say what it is for"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
