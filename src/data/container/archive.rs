//! Pictures in a folder, a tar or a zip: listed once in sorted order, then read one by one from any thread.

use crate::data::container::in_folder::{self, unopened};
use crate::data::container::listing::{Listing, Spot};
use crate::data::container::store::{Store, Window};
use crate::data::container::{in_tar, in_zip};
use crate::data::left_out::{LeftOut, Reason};
use crate::io::image::file::{self, Decoded};
use crate::io::image::kind::{HEAD, READ_KINDS, recognise, unread_kind};
use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Endings that the published evaluators and guided-diffusion take for pictures, in kinds that are not read here as well
/// (GIF, TIFF, PNM): a file that has one and cannot be read would be missing in the numbers, so it is an error.
const ENDINGS: [&str; 10] = [
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
];
/// A picture file larger than this is refused, not read.
const LIMIT: u64 = 512 << 20;
/// Unreadable files that the error's text names; the error itself has all.
const NAMED: usize = 20;
/// The file of labels that EDM and StyleGAN put beside the images.
pub(crate) const LABELS: &str = "dataset.json";
/// The largest file of labels that is read.
const LABELS_LIMIT: u64 = 256 << 20;

/// Files with a picture's ending that cannot be read, all of them; found before the first is decoded.
#[derive(Debug)]
pub struct Unreadable {
    /// Paths in the collection, with the reason where the file itself could not be opened.
    pub files: Vec<String>,
    /// Pictures, and files that should be.
    pub of: usize,
    /// Those that are pictures of kinds that are not read.
    pub unread: LeftOut,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (count, of) = (self.files.len(), self.of);
        let named = self.files[..count.min(NAMED)].join(", ");
        write!(
            f,
            "{count} of {of} files are no pictures that are read: {named}"
        )?;
        if count > NAMED {
            write!(f, " and {} more", count - NAMED)?;
        }
        if !self.unread.is_empty() {
            write!(f, "; among them {}", self.unread)?;
        }
        let unread: usize = self.unread.reasons().map(|(_, named)| named.count).sum();
        if unread > 0 {
            write!(
                f,
                "\nhint: {READ_KINDS} are read; convert the others, to PNG so that no pixel changes, or move them away"
            )?;
        }
        if unread < count {
            f.write_str("\nhint: what is damaged has to be made or fetched again, or moved away")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unreadable {}

/// A listed collection of picture files.
pub(crate) struct Archive {
    /// Paths within the collection, `/` between parts, sorted.
    pub paths: Vec<String>,
    /// What else it holds.
    pub left_out: LeftOut,
    spots: Vec<Spot>,
    store: Store,
    /// Where EDM's file of labels is.
    labels: Option<Spot>,
    origin: PathBuf,
}

/// Whether a path in a collection has the ending of a picture, and is not hidden (macOS archives have `._` twins).
pub(crate) fn is_picture(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !name.starts_with('.') && has_ending(name)
}

fn has_ending(path: &str) -> bool {
    ENDINGS.iter().any(|ending| {
        let start = path.len().saturating_sub(ending.len());
        let end = path.as_bytes().get(start..).unwrap_or_default();
        end.eq_ignore_ascii_case(ending.as_bytes())
    })
}

/// What the first bytes of a file tell.
enum Seen {
    Picture,
    /// A file with a picture's ending that cannot be read as one, and why it cannot be opened.
    Unreadable(Option<String>, Option<&'static str>),
    Out(Reason),
}

impl Archive {
    pub fn folder(root: &Path) -> Result<Archive> {
        let listing = in_folder::list(root)?;
        Archive::looked_at(root, listing, Store::Folder(root.to_path_buf()))
    }

    pub fn tar(path: &Path, file: File) -> Result<Archive> {
        let whole = Window::new(file)?;
        let listing = in_tar::list(&whole)?;
        Archive::looked_at(path, listing, Store::Tar(whole.file))
    }

    pub fn zip(path: &Path, file: File) -> Result<Archive> {
        let mut archive = ZipArchive::new(Window::new(file)?)
            .context("the zip archive is broken\nhint: it may be truncated")?;
        let listing = in_zip::list(&mut archive)?;
        Archive::looked_at(path, listing, Store::Zip(Box::new(archive)))
    }

    /// Looks at the first bytes of every file: what is a picture is told by them, and all that cannot be read is told at
    /// once.
    fn looked_at(origin: &Path, listing: Listing, store: Store) -> Result<Archive> {
        let (mut files, mut left_out) = listing.without_hidden();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let labels = files.iter().position(|(path, _)| path == LABELS);
        let labels = labels.map(|at| files.remove(at).1);
        let seen: Vec<Seen> = files
            .par_iter()
            .map(|(path, spot)| look(&store, path, spot))
            .collect();
        let mut wrong = Unreadable {
            files: Vec::new(),
            of: 0,
            unread: LeftOut::default(),
        };
        let (mut paths, mut spots) = (Vec::new(), Vec::new());
        for ((path, spot), seen) in files.into_iter().zip(seen) {
            match seen {
                Seen::Picture => {
                    paths.push(path);
                    spots.push(spot);
                }
                Seen::Unreadable(why, kind) => {
                    if let Some(kind) = kind {
                        wrong.unread.add(Reason::Unread(kind), &path);
                    }
                    wrong
                        .files
                        .push(why.map_or(path.clone(), |why| format!("{path} ({why})")));
                }
                Seen::Out(reason) => left_out.add(reason, &path),
            }
        }
        wrong.of = paths.len() + wrong.files.len();
        if !wrong.files.is_empty() {
            return Err(wrong.into());
        }
        if paths.is_empty() {
            bail!("{}", without_pictures(&left_out));
        }
        Ok(Archive {
            paths,
            left_out,
            spots,
            store,
            labels,
            origin: origin.to_path_buf(),
        })
    }

    /// Picture i, decoded.
    pub fn read(&self, i: usize) -> Result<Decoded> {
        file::decode_noted(&self.stored(i)?).with_context(|| self.reading(i))
    }

    /// The bytes of file i.
    pub fn stored(&self, i: usize) -> Result<Vec<u8>> {
        let (path, spot) = (&self.paths[i], &self.spots[i]);
        // One more tells that there are more.
        let bytes = self.store.read(path, spot, LIMIT + 1);
        let bytes = bytes.with_context(|| self.reading(i))?;
        ensure!(bytes.len() as u64 <= LIMIT, "{path} is too large");
        Ok(bytes)
    }

    /// EDM's file of labels, where one lies at the top of the collection.
    pub fn labels(&self) -> Result<Option<Vec<u8>>> {
        let Some(spot) = &self.labels else {
            return Ok(None);
        };
        let bytes = self.store.read(LABELS, spot, LABELS_LIMIT + 1);
        let bytes = bytes.with_context(|| format!("reading {LABELS}"))?;
        ensure!(
            bytes.len() as u64 <= LABELS_LIMIT,
            "{LABELS} is larger than the {LABELS_LIMIT} bytes that are read"
        );
        Ok(Some(bytes))
    }

    fn reading(&self, i: usize) -> String {
        format!("reading {} of {}", self.paths[i], self.origin.display())
    }
}

fn look(store: &Store, path: &str, spot: &Spot) -> Seen {
    let head = match store.read(path, spot, HEAD as u64) {
        Ok(head) => head,
        Err(why) => {
            let system = why.downcast_ref::<io::Error>();
            // A link to nothing is not listed.
            return match system.and_then(|error| unopened(error, || false)) {
                Some(reason) => Seen::Out(reason),
                None => Seen::Unreadable(Some(format!("{why:#}")), None),
            };
        }
    };
    let ending = has_ending(path);
    if recognise(&head) && (ending || !head.starts_with(b"BM") || is_bitmap(&head)) {
        return Seen::Picture;
    }
    match (ending, unread_kind(&head)) {
        (true, kind) => Seen::Unreadable(None, kind),
        (false, Some(kind)) => Seen::Out(Reason::Unread(kind)),
        (false, None) => Seen::Out(Reason::NoPicture),
    }
}

/// Whether a file that begins with the letters BM goes on as a bitmap does, and not as a text: the size of its header is
/// one of those that there are.
fn is_bitmap(head: &[u8]) -> bool {
    let size = head.get(14..18).and_then(|size| size.try_into().ok());
    let size = size.map(u32::from_le_bytes);
    matches!(size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// What a collection holds that has no pictures, and where they may be.
fn without_pictures(found: &LeftOut) -> String {
    if found.is_empty() {
        return "it holds no pictures: it is empty".to_string();
    }
    let mut text = format!("it holds no pictures that are read; it holds {found}");
    let packed = |name: &String| {
        let packed = [".npz", ".npy", ".tar", ".zip"];
        packed.iter().any(|ending| name.ends_with(ending))
    };
    let mut cures = found.cures();
    for (reason, named) in found.reasons() {
        match reason {
            Reason::NoPicture if named.first.iter().any(packed) => cures.push(
                "an archive or an array within a folder is not opened: name it itself".to_string(),
            ),
            Reason::Hidden => {
                cures.push("what begins with a dot is read where it is named itself".to_string());
            }
            Reason::Dangling => {
                cures
                    .push("bring back what the links lead to, or copy it with `cp -L`".to_string());
            }
            _ => {}
        }
    }
    if cures.is_empty() {
        cures.push(format!("{READ_KINDS} files are pictures"));
    }
    for cure in cures {
        text += &format!("\nhint: {cure}");
    }
    text
}
