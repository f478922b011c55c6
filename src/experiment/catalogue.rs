//! What others have published and experiments name: weights, reference statistics and sample batches, by address.

use anyhow::{Result, bail};
use std::path::Path;
use std::sync::OnceLock;

const TABLE: &str = include_str!("catalogue.tsv");

/// `fetch:imagenet64` in an experiment file stands for the fetched file of that name.
pub const SCHEME: &str = "fetch:";

/// One published file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As one asks for it: `imagenet64`, which is also the preset of these weights.
    pub name: &'static str,
    pub url: &'static str,
    /// Bytes; exact where somebody has published them, else counted from what is in the file.
    pub bytes: u64,
    pub exact: bool,
    /// Lower-case hex, where one is published.
    pub sha256: Option<&'static str>,
    pub what: &'static str,
}

impl Entry {
    /// The last part of the address, which names the file in the cache.
    pub fn file(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}

/// Every entry, in the order in which they are listed.
pub fn all() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    let entry = |line: &'static str| {
        let mut parts = line.split('\t');
        let (name, bytes, sha256) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Entry {
            name,
            url: parts.next()?,
            bytes: bytes.trim_start_matches('~').parse().ok()?,
            exact: !bytes.starts_with('~'),
            sha256: Some(sha256).filter(|digest| *digest != "-"),
            what: parts.next()?,
        })
    };
    let lines = || TABLE.lines().filter(|line| !line.starts_with('#'));
    ENTRIES.get_or_init(|| lines().filter_map(entry).collect())
}

/// The entry of this name, or of this file name.
pub fn find(name: &str) -> Result<&'static Entry> {
    let found = all().iter().find(|e| e.name == name || e.file() == name);
    match found {
        Some(entry) => Ok(entry),
        None => bail!(
            "there is nothing to fetch by the name `{name}`\nhint: {}`runner fetch --list` tells all",
            nearest(name)
        ),
    }
}

/// The entry that is published under this path's file name.
pub fn of_path(path: &Path) -> Option<&'static Entry> {
    let file = path.file_name()?.to_str()?;
    all().iter().find(|entry| entry.file() == file)
}

/// `perhaps imagenet64, imagenet64-classifier; `: the names that share the longest beginning with what was asked.
fn nearest(name: &str) -> String {
    let shared = |entry: &Entry| {
        let pairs = entry.name.chars().zip(name.chars());
        pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    let most = all().iter().map(shared).max().unwrap_or(0);
    let names: Vec<&str> = all()
        .iter()
        .filter(|entry| shared(entry) == most)
        .map(|entry| entry.name)
        .take(4)
        .collect();
    match most {
        0..3 => String::new(),
        _ => format!("perhaps {}; ", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_entry_of_its_own() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(all().len(), lines);
        for (n, entry) in all().iter().enumerate() {
            assert!(entry.url.starts_with("https://"), "{entry:?}");
            assert!(entry.sha256.is_none_or(|digest| digest.len() == 64));
            let others = || all()[..n].iter();
            assert!(others().all(|o| o.name != entry.name && o.file() != entry.file()));
        }
    }

    #[test]
    fn entries_are_found_by_name_and_by_file() {
        let weights = find("imagenet256-uncond").unwrap();
        assert_eq!(weights.file(), "256x256_diffusion_uncond.pt");
        assert!(weights.exact && weights.sha256.is_some());
        assert_eq!(
            find("64x64_classifier.pt").unwrap().name,
            "imagenet64-classifier"
        );
        assert_eq!(
            of_path(Path::new("a/64x64_classifier.pt")).unwrap().name,
            "imagenet64-classifier"
        );
        let message = find("imagenet65").unwrap_err().to_string();
        assert!(
            message
                .contains("hint: perhaps imagenet64, imagenet64-to-256, imagenet64-classifier, "),
            "{message}"
        );
    }
}
