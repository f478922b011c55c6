//! What a folder or an archive lists, before it is known which of its files are pictures.

use crate::data::left_out::{LeftOut, Reason};
use std::collections::BTreeSet;
use std::path::Path;

/// Where the bytes of a listed file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// At its path below the folder.
    Path,
    /// At this path below the folder, which is not UTF-8 and so not the path that is shown.
    Raw(Box<Path>),
    /// In the archive's file, from `start` on.
    Stretch { start: u64, size: u64 },
    /// The zip archive's entry of this number.
    Entry(usize),
}

/// Files by their paths, with `/` between the parts, in no order; and what was left out already.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub files: Vec<(String, Spot)>,
    pub left_out: LeftOut,
    /// Hidden files, and hidden folders in the place of all that is in them.
    hidden: BTreeSet<String>,
}

impl Listing {
    /// Whether the path leads to or through a name that begins with a dot, which is then left out.
    pub fn hides(&mut self, path: &str) -> bool {
        let Some(hidden) = hidden_part(path) else {
            return false;
        };
        if !self.hidden.contains(hidden) {
            self.hidden.insert(hidden.to_string());
        }
        true
    }

    /// Leaves out what lies at `path` for this reason, unless it is hidden.
    pub fn leave_out(&mut self, reason: Reason, path: &str) {
        if !self.hides(path) {
            self.left_out.add(reason, path);
        }
    }

    /// All files of another collection, which lies below `folder` of this one.
    pub fn extend(&mut self, folder: &str, other: Listing) {
        let below = |path: &str| format!("{folder}/{path}");
        let files = other.files.into_iter();
        self.files
            .extend(files.map(|(path, spot)| (below(&path), spot)));
        self.hidden
            .extend(other.hidden.iter().map(|path| below(path)));
        self.left_out.extend(folder, &other.left_out);
    }

    /// Leaves out the hidden files, and tells of them.
    pub fn without_hidden(mut self) -> (Vec<(String, Spot)>, LeftOut) {
        let mut files = std::mem::take(&mut self.files);
        files.retain(|(path, _)| !self.hides(path));
        for path in &self.hidden {
            self.left_out.add(Reason::Hidden, path);
        }
        (files, self.left_out)
    }
}

/// The path up to its first part that begins with a dot and is not `.` or `..`; a folder's ends with `/`.
fn hidden_part(path: &str) -> Option<&str> {
    let mut end = 0;
    for part in path.split_inclusive('/') {
        end += part.len();
        let name = part.trim_end_matches('/');
        if name.starts_with('.') && name != "." && name != ".." {
            return Some(&path[..end]);
        }
    }
    None
}

/// A name as it is shown: bytes that are not UTF-8 become `\xff`, so that names that differ still do.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text += chunk.valid();
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_folder_stands_for_all_that_is_in_it() {
        for (path, hidden) in [
            ("a/b.png", None),
            ("../a/./b.png", None),
            ("a..b/c.png", None),
            (".b.png", Some(".b.png")),
            ("a/.b/c/.d.png", Some("a/.b/")),
            ("...", Some("...")),
        ] {
            assert_eq!(hidden_part(path), hidden, "{path}");
        }
        let mut listing = Listing::default();
        assert!(!listing.hides("a/b.png"));
        for path in ["a/.b/c.png", "a/.b/d.png", ".e"] {
            assert!(listing.hides(path), "{path}");
        }
        let (_, left_out) = listing.without_hidden();
        assert_eq!(left_out.count(Reason::Hidden), 2);
        assert_eq!(
            left_out.to_string(),
            "2 hidden files and folders (.e, a/.b/)"
        );
    }

    #[test]
    fn names_that_differ_are_shown_differently() {
        assert_eq!(shown("ä/b.png".as_bytes()), "ä/b.png");
        assert_eq!(shown(b"\xe4/b.png"), "\\xe4/b.png");
        assert_ne!(shown(b"\xe4.png"), shown(b"\xe5.png"));
    }
}
