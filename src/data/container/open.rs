//! What a path holds, told apart by content: pictures in a folder, tar or zip, or arrays of pictures in an npz or npy.

use crate::data::container::archive::{Archive, is_picture};
use crate::data::container::batch::Batch;
use crate::data::container::in_tar::is_tar;
use crate::data::left_out::LeftOut;
use crate::io::image::file::Decoded;
use crate::io::image::kind::{read_kind, unread_kind};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// An open collection of pictures; reading is by index, from any thread.
pub(crate) enum Container {
    Archive(Archive),
    Batch(Box<Batch>),
}

impl Container {
    pub fn open(path: &Path) -> Result<Container> {
        if path.is_dir() {
            return Ok(Container::Archive(Archive::folder(path)?));
        }
        let file =
            File::open(path).context("a folder, a tar, a zip, an npz or an npy is needed")?;
        let mut head = Vec::new();
        (&file).take(512).read_to_end(&mut head)?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return zip(path);
        }
        if head.starts_with(b"\x93NUMPY") {
            return Ok(Container::Batch(Box::new(Batch::npy(path)?)));
        }
        if is_tar(&head) {
            return Ok(Container::Archive(Archive::tar(path, File::open(path)?)?));
        }
        bail!(refusal(&head))
    }

    /// Pictures; at least one.
    pub fn len(&self) -> usize {
        match self {
            Container::Archive(archive) => archive.paths.len(),
            Container::Batch(batch) => batch.len(),
        }
    }

    /// What else it holds; an array holds nothing else.
    pub fn left_out(&self) -> LeftOut {
        match self {
            Container::Archive(archive) => archive.left_out.clone(),
            Container::Batch(_) => LeftOut::default(),
        }
    }

    /// Picture `i` in sorted order, as it was stored.
    pub fn read(&self, i: usize) -> Result<Decoded> {
        match self {
            Container::Archive(archive) => archive.read(i),
            Container::Batch(batch) => Ok(batch.read(i)?.into()),
        }
    }

    /// sha256 of picture `i` as it is stored: of the file's bytes, or of the pixels in an array.
    pub fn digest(&self, i: usize) -> Result<[u8; 32]> {
        let bytes = match self {
            Container::Archive(archive) => archive.stored(i)?,
            Container::Batch(batch) => batch.read(i)?.data,
        };
        Ok(Sha256::digest(bytes).into())
    }

    /// Where picture `i` of the collection at `path` lies: `path/inside.png` or `path[i]`.
    pub fn name(&self, path: &str, i: usize) -> String {
        match self {
            Container::Archive(archive) => format!("{path}/{}", archive.paths[i]),
            Container::Batch(_) => format!("{path}[{i}]"),
        }
    }
}

/// How packed files begin, what they are, and what unpacks them.
const PACKED: [(&[u8], &str, &str); 6] = [
    (
        b"\x1f\x8b",
        "gzipped, which cannot be read at random",
        "unpack it with `gunzip`",
    ),
    (
        b"BZh",
        "packed by bzip2, which cannot be read at random",
        "unpack it with `bunzip2`",
    ),
    (
        b"\xfd7zXZ\0",
        "packed by xz, which cannot be read at random",
        "unpack it with `unxz`",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "packed by zstd, which cannot be read at random",
        "unpack it with `unzstd`",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive, which is not read",
        "unpack it with `7z x` and name the folder",
    ),
    (
        b"Rar!\x1a\x07",
        "a RAR archive, which is not read",
        "unpack it with `unrar x` and name the folder",
    ),
];

/// What a file that begins so is, since it is no data.
fn refusal(head: &[u8]) -> String {
    if let Some((_, what, cure)) = PACKED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return format!("it is {what}\nhint: {cure}");
    }
    if let Some(kind) = read_kind(head).or_else(|| unread_kind(head)) {
        return format!(
            "it is one picture ({kind}), and a set of them is needed\nhint: name the folder that it lies in"
        );
    }
    "it is no data that is read: a folder, a tar, a zip, an npz or an npy of pictures is"
        .to_string()
}

/// A zip is an npz when it holds npy arrays and no pictures.
fn zip(path: &Path) -> Result<Container> {
    let archive = ZipArchive::new(std::io::BufReader::new(File::open(path)?))
        .context("the zip archive is broken\nhint: it may be truncated")?;
    let mut pictures = false;
    let mut arrays = false;
    for name in archive.file_names().flatten() {
        pictures |= is_picture(&name);
        arrays |= name.ends_with(".npy");
    }
    if pictures || !arrays {
        return Ok(Container::Archive(Archive::zip(path, File::open(path)?)?));
    }
    Ok(Container::Batch(Box::new(Batch::npz(path)?)))
}
