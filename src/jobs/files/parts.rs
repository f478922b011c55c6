//! The parts of a stored batch, `KIND-AAAAAA-BBBBBB.npz` for images A..B: what is missing is the complement.

use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A part that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub range: Range<u64>,
    pub path: PathBuf,
}

/// The name of the part `range` of `kind` (`images`, `features`), without an ending.
pub fn name(kind: &str, range: &Range<u64>) -> String {
    format!("{kind}-{:06}-{:06}", range.start, range.end)
}

/// The path of the part `range` of `kind`.
pub fn path(folder: &Path, kind: &str, range: &Range<u64>) -> PathBuf {
    folder.join(format!("{}{PART}", name(kind, range)))
}

const PART: &str = ".npz";
/// What the name of a part ends with while somebody makes it.
pub const LEASE: &str = ".lease";

/// What a folder holds of one kind.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// First image first.
    pub parts: Vec<Part>,
    /// Those that somebody makes, or made when he was killed.
    pub leased: HashSet<Range<u64>>,
}

/// The parts in `folder`, and those that are being made; other names are passed over.
pub fn list(folder: &Path, kind: &str) -> Result<Listing> {
    let mut found = Listing::default();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if let Some(range) = range_of(name, kind) {
            found.parts.push(Part { range, path });
        } else if let Some(range) = range_before(name, kind, LEASE) {
            found.leased.insert(range);
        }
    }
    (found.parts).sort_by_key(|p| (p.range.start, p.range.end));
    Ok(found)
}

/// The parts in `folder`, first image first.
pub fn present(folder: &Path, kind: &str) -> Result<Vec<Part>> {
    Ok(list(folder, kind)?.parts)
}

/// What of 0..count no part covers, in pieces of at most `size`.
pub fn missing(parts: &[Part], count: u64, size: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    let ends = parts
        .iter()
        .map(|p| p.range.clone())
        .chain(std::iter::once(count..count));
    for range in ends {
        while at < range.start.min(count) {
            // Pieces end on multiples of the size, so that a longer batch goes on where a shorter one ended.
            let end = ((at / size + 1) * size).min(range.start).min(count);
            gaps.push(at..end);
            at = end;
        }
        at = at.max(range.end);
    }
    gaps
}

/// The parts that make up 0..count, in order, each with the images to take from it.
pub fn covering(parts: &[Part], count: u64) -> Result<Vec<(Part, Range<usize>)>> {
    let mut chosen = Vec::new();
    let mut at = 0;
    for part in parts {
        if part.range.start > at || at >= count {
            break;
        }
        if part.range.end > at {
            let from = (at - part.range.start) as usize;
            let to = (part.range.end.min(count) - part.range.start) as usize;
            chosen.push((part.clone(), from..to));
            at = part.range.end;
        }
    }
    if at < count {
        bail!("the stored parts end at image {at} of {count}");
    }
    Ok(chosen)
}

/// The images of a part of `kind` by the name of its file; None for names that are no part's.
pub fn range_of(name: &str, kind: &str) -> Option<Range<u64>> {
    range_before(name, kind, PART)
}

fn range_before(name: &str, kind: &str, ending: &str) -> Option<Range<u64>> {
    let (start, end) = name
        .strip_prefix(kind)?
        .strip_prefix('-')?
        .strip_suffix(ending)?
        .split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: Range<u64>) -> Part {
        Part {
            path: path(Path::new(""), "images", &range),
            range,
        }
    }

    #[test]
    fn a_raised_count_makes_only_the_missing_images() {
        let parts = [part(0..100), part(100..150)];
        assert_eq!(missing(&parts, 150, 100), vec![]);
        assert_eq!(
            missing(&parts, 320, 100),
            vec![150..200, 200..300, 300..320]
        );
        assert_eq!(missing(&[], 5, 2), vec![0..2, 2..4, 4..5]);
        assert_eq!(missing(&[part(3..5)], 6, 10), vec![0..3, 5..6]);
    }

    #[test]
    fn a_lowered_count_takes_the_first_images() {
        let parts = [part(0..100), part(50..150)];
        let chosen = covering(&parts, 120).unwrap();
        assert_eq!(chosen[0].1, 0..100);
        assert_eq!(chosen[1].1, 50..70);
        assert!(covering(&parts, 151).is_err());
        assert!(covering(&[part(1..5)], 3).is_err());
    }

    #[test]
    fn only_names_of_parts_are_parts() {
        assert_eq!(range_of("images-000000-000100.npz", "images"), Some(0..100));
        for name in [
            "images-000100-000100.npz",
            "images-1-2.npz.tmp",
            "features-000000-000100.npz",
            "images-a-b.npz",
        ] {
            assert_eq!(range_of(name, "images"), None, "{name}");
        }
    }
}
