//! Source files, what each imports, and the first circle among them.

use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// A source file: its module path below the crate, its path and its text without comment lines.
pub struct Source {
    pub module: Vec<String>,
    pub path: String,
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
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

    pub fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// The module whose children a path that begins with `super` or with a child's name is relative to.
    fn is_folder(&self) -> bool {
        self.path.ends_with("/mod.rs") || self.path == "src/lib.rs"
    }
}

pub fn sources() -> Vec<Source> {
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

    /// Who may see an item is not whom it imports.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}

    /// A unit test at a file's end may look at what stands above the file.
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// For every file, the files whose items it names; a name of a folder counts as its `mod.rs`.
pub fn imports(sources: &[Source]) -> Vec<BTreeSet<usize>> {
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
pub fn circle(sources: &[Source], imports: &[BTreeSet<usize>]) -> Option<Vec<String>> {
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
