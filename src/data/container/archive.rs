//! Pictures in a folder, a tar or a zip: listed once in sorted order, then read one by one from any thread.

use crate::io::image::file::{self, Decoded};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::WalkDir;
use zip::ZipArchive;

/// Endings that pictures have, in kinds that are not read as well (GIF, TIFF, PNM), so that none is left out unsaid;
/// what else lies about (texts, lists) is passed over.
const ENDINGS: [&str; 10] = [
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
];
/// A picture file larger than this is refused, not read.
const LIMIT: u64 = 512 << 20;
/// Unreadable files that the error's text names; the error itself has all.
const NAMED: usize = 20;

/// Files with a picture's ending that cannot be read, all of them; found before the first is decoded.
#[derive(Debug)]
pub struct Unreadable {
    /// Paths in the collection, with the reason where the file itself could not be opened.
    pub files: Vec<String>,
    /// Files looked at.
    pub of: usize,
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
        f.write_str(
            "\nhint: PNG, JPEG, WebP and BMP are read; convert the others or move them away",
        )
    }
}

impl std::error::Error for Unreadable {}

/// A file whose clones read independently of each other.
#[derive(Clone)]
struct Shared {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl Shared {
    fn new(file: File) -> io::Result<Shared> {
        let length = file.metadata()?.len();
        let file = Arc::new(file);
        Ok(Shared {
            file,
            at: 0,
            length,
        })
    }
}

impl Read for Shared {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(into, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Where the bytes of picture i are.
enum Place {
    Folder(PathBuf),
    /// Offset and length of each.
    Tar(Arc<File>, Vec<(u64, u64)>),
    /// Entry number of each.
    Zip(Box<ZipArchive<Shared>>, Vec<usize>),
}

/// A listed collection of picture files.
pub(crate) struct Archive {
    /// Paths within the collection, `/` between parts, sorted.
    pub paths: Vec<String>,
    place: Place,
    origin: PathBuf,
}

/// Whether a path in a collection names a picture; hidden files do not (macOS archives have `._` twins).
pub(crate) fn is_picture(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    !name.starts_with('.') && ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

impl Archive {
    pub fn folder(root: &Path) -> Result<Archive> {
        let mut paths = Vec::new();
        for entry in WalkDir::new(root).follow_links(true) {
            let entry = entry.context("listing the folder")?;
            let inside = entry.path().strip_prefix(root)?.to_string_lossy();
            if entry.file_type().is_file() && is_picture(&inside) {
                paths.push(inside.into_owned());
            }
        }
        paths.sort();
        Archive::checked(root, paths, Place::Folder(root.to_path_buf()))
    }

    pub fn tar(path: &Path, file: File) -> Result<Archive> {
        let mut found: Vec<(String, (u64, u64))> = Vec::new();
        let shared = Shared::new(file)?;
        let mut archive = tar::Archive::new(shared.clone());
        let broken = "the tar archive is broken\nhint: it may be truncated";
        for entry in archive.entries_with_seek().context(broken)? {
            let entry = entry.context(broken)?;
            let inside = entry.path().context(broken)?;
            let inside = inside
                .to_string_lossy()
                .trim_start_matches("./")
                .to_string();
            if !entry.header().entry_type().is_file() || !is_picture(&inside) {
                continue;
            }
            let (start, size) = (entry.raw_file_position(), entry.size());
            ensure!(
                start
                    .checked_add(size)
                    .is_some_and(|end| end <= shared.length),
                "{inside} reaches beyond the end of the archive\nhint: it may be truncated"
            );
            found.push((inside, (start, size)));
        }
        found.sort();
        let (paths, places) = found.into_iter().unzip();
        Archive::checked(path, paths, Place::Tar(shared.file, places))
    }

    pub fn zip(path: &Path, file: File) -> Result<Archive> {
        let archive = ZipArchive::new(Shared::new(file)?)
            .context("the zip archive is broken\nhint: it may be truncated")?;
        let mut found: Vec<(String, usize)> = Vec::new();
        for (i, name) in archive.file_names().enumerate() {
            let name = name?.into_owned();
            if is_picture(&name) {
                found.push((name, i));
            }
        }
        found.sort();
        let (paths, places) = found.into_iter().unzip();
        Archive::checked(path, paths, Place::Zip(Box::new(archive), places))
    }

    /// Looks at the first bytes of every file, so that all that cannot be read is told at once.
    fn checked(origin: &Path, paths: Vec<String>, place: Place) -> Result<Archive> {
        let archive = Archive {
            paths,
            place,
            origin: origin.to_path_buf(),
        };
        ensure!(!archive.paths.is_empty(), "it holds no pictures");
        let wrong = |i: usize| match archive.head(i) {
            Ok(head) if file::recognise(&head) => None,
            Ok(_) => Some(archive.paths[i].clone()),
            Err(why) => Some(format!("{} ({why})", archive.paths[i])),
        };
        let of = archive.paths.len();
        let files: Vec<String> = (0..of).into_par_iter().filter_map(wrong).collect();
        if !files.is_empty() {
            return Err(Unreadable { files, of }.into());
        }
        Ok(archive)
    }

    /// Picture i, decoded.
    pub fn read(&self, i: usize) -> Result<Decoded> {
        file::decode_noted(&self.stored(i)?).with_context(|| self.reading(i))
    }

    /// The bytes of file i.
    pub fn stored(&self, i: usize) -> Result<Vec<u8>> {
        let bytes = self.bytes(i, LIMIT).with_context(|| self.reading(i))?;
        ensure!(
            bytes.len() as u64 <= LIMIT,
            "{} is too large",
            self.paths[i]
        );
        Ok(bytes)
    }

    fn reading(&self, i: usize) -> String {
        format!("reading {} of {}", self.paths[i], self.origin.display())
    }

    fn head(&self, i: usize) -> Result<Vec<u8>> {
        self.bytes(i, 16)
    }

    /// The first `limit` bytes of file i (one more tells that there are more, where `limit` is `LIMIT`).
    fn bytes(&self, i: usize, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &self.place {
            Place::Folder(root) => {
                let file = File::open(root.join(&self.paths[i]))?;
                file.take(limit + 1).read_to_end(&mut bytes)?;
            }
            Place::Tar(file, places) => {
                let (start, size) = places[i];
                bytes = vec![0; size.min(limit + 1) as usize];
                file.read_exact_at(&mut bytes, start)?;
            }
            Place::Zip(archive, places) => {
                // A clone shares the table of contents and has a place of its own in the file.
                let mut archive = archive.clone();
                let entry = archive.by_index(places[i])?;
                entry.take(limit + 1).read_to_end(&mut bytes)?;
            }
        }
        Ok(bytes)
    }
}
