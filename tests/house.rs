//! The house's rules: rooms import downward, no files import each other in a circle, a folder holds one concept, crates
//! and powers stay in their rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::{self, Visit};

/// Each room and the rooms it may import; the ground floor first.
const ROOMS: &[(&str, &[&str])] = &[
    ("experiment", &[]),
    ("machine", &[]),
    ("metrics", &[]),
    ("io", &["machine"]),
    ("kernels", &["machine"]),
    ("data", &["experiment", "io", "machine"]),
    ("nets", &["experiment", "kernels"]),
    ("diffusion", &["experiment"]),
    // data: the names of ImageNet's classes; diffusion: which steps a schedule keeps
    ("jobs", &["experiment", "io", "data", "diffusion"]),
    (
        "stages",
        // kernels: the optimizer's update, and which nets may round to TF32
        &[
            "experiment",
            "machine",
            "metrics",
            "io",
            "kernels",
            "data",
            "nets",
            "diffusion",
            "jobs",
        ],
    ),
    ("run", &["experiment", "metrics", "io", "jobs"]),
    ("report", &["experiment", "io", "run"]),
    (
        "cli",
        &[
            "experiment",
            "io",
            "data",
            "jobs",
            "stages",
            "run",
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
        ],
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
    ("set_var", &["machine"]),
];

/// Words of tensors, which a plan has no need of.
const TENSORS: [&str; 4] = ["Tensor", "VarBuilder", "candle_nn", "Module"];

/// Pairs of folders of `stages`, of which the first may import the second.
const STAGE_PAIRS: [(&str, &str); 1] = [("score", "describe")];

const LONGEST: usize = 400;
const FULLEST: usize = 12;

/// A source file: its module path below the crate, its path and its text without comment lines.
struct Source {
    module: Vec<String>,
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let below = path.strip_prefix("src/").unwrap_or(path);
        let below = below.strip_suffix(".rs").unwrap_or(below);
        let mut module: Vec<String> = below.split('/').map(String::from).collect();
        if module
            .last()
            .is_some_and(|last| last == "mod" || last == "lib")
        {
            module.pop();
        }
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        Source {
            module,
            path: path.to_string(),
            code: code.collect::<Vec<_>>().join("\n"),
        }
    }

    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// The module whose children a path that begins with `super` or with a child's name is relative to.
    fn is_folder(&self) -> bool {
        self.path.ends_with("/mod.rs") || self.path == "src/lib.rs"
    }
}

fn sources() -> Vec<Source> {
    let all = walkdir::WalkDir::new("src")
        .sort_by_file_name()
        .into_iter()
        .flatten();
    let files = all.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "rs"));
    files
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            Source::new(&entry.path().display().to_string(), &text)
        })
        .collect()
}

/// Every path that a file names, in `use` items and elsewhere, segment by segment.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl Paths {
    fn of(code: &str) -> Vec<Vec<String>> {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(code).unwrap());
        paths.found
    }

    fn tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&path.tree, &with(path.ident.to_string())),
            syn::UseTree::Name(name) if name.ident == "self" => self.found.push(before.to_vec()),
            syn::UseTree::Name(name) => self.found.push(with(name.ident.to_string())),
            syn::UseTree::Rename(name) => self.found.push(with(name.ident.to_string())),
            syn::UseTree::Glob(_) => self.found.push(before.to_vec()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before);
                }
            }
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.found.push(segments.collect());
        visit::visit_path(self, path);
    }

    /// A unit test at a file's end may look at what stands above the file.
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// For every file, the files whose items it names; a name of a folder counts as its `mod.rs`.
fn imports(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let place: BTreeMap<&[String], usize> = sources
        .iter()
        .enumerate()
        .map(|(n, source)| (source.module.as_slice(), n))
        .collect();
    let all = sources.iter().enumerate().map(|(n, source)| {
        let paths = Paths::of(&source.code).into_iter();
        let mut found: BTreeSet<usize> = paths
            .filter_map(|path| {
                let above = if source.is_folder() {
                    source.module.as_slice()
                } else {
                    &source.module[..source.module.len().saturating_sub(1)]
                };
                let (first, rest) = path.split_first()?;
                let whole = match first.as_str() {
                    "crate" => rest.to_vec(),
                    "super" if source.is_folder() => {
                        [&above[..above.len().saturating_sub(1)], rest].concat()
                    }
                    "super" => [above, rest].concat(),
                    "self" => [source.module.as_slice(), rest].concat(),
                    _ => [source.module.as_slice(), path.as_slice()].concat(),
                };
                let file = (1..=whole.len()).rev().find_map(|n| place.get(&whole[..n]));
                file.copied()
            })
            .collect();
        found.remove(&n);
        found
    });
    all.collect()
}

/// The first circle of files that import each other, as their paths.
fn circle(sources: &[Source], imports: &[BTreeSet<usize>]) -> Option<Vec<String>> {
    /// Depth first; `way` is how this file was reached.
    fn walk(
        n: usize,
        imports: &[BTreeSet<usize>],
        way: &mut Vec<usize>,
        done: &mut [bool],
    ) -> Option<Vec<usize>> {
        if let Some(at) = way.iter().position(|&before| before == n) {
            return Some(way[at..].to_vec());
        }
        if done[n] {
            return None;
        }
        way.push(n);
        let found = imports[n]
            .iter()
            .find_map(|&next| walk(next, imports, way, done));
        way.pop();
        done[n] = true;
        found
    }
    let mut done = vec![false; sources.len()];
    let found = (0..sources.len()).find_map(|n| walk(n, imports, &mut Vec::new(), &mut done));
    found.map(|circle| circle.iter().map(|&n| sources[n].path.clone()).collect())
}

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
        if source.path != "src/main.rs" {
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
