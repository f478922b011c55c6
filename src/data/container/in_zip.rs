//! The files of a zip archive, and whether all of them can be unpacked.

use crate::data::container::links::{LONGEST, Link, follow};
use crate::data::container::listing::{Listing, Spot, shown};
use crate::data::container::store::Window;
use crate::data::left_out::Reason;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::Read;
use zip::{CompressionMethod, ZipArchive};

/// What a file is, among the bits of its Unix mode.
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// Lists the files of a zip.
pub(crate) fn list(archive: &mut ZipArchive<Window>) -> Result<Listing> {
    let mut listing = Listing::default();
    let (mut folders, mut links) = (Vec::new(), Vec::new());
    let mut packed: BTreeMap<String, usize> = BTreeMap::new();
    for i in 0..archive.len() {
        let entry = archive.by_index_data(i)?;
        // A name that claims to be UTF-8 and is not is shown byte by byte.
        let path = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => shown(entry.name_raw()),
        };
        let kind = entry.unix_mode().map_or(0, |mode| mode & KIND);
        if entry.is_dir() || kind == FOLDER {
            folders.push(path);
            continue;
        }
        if !matches!(kind, 0 | FILE | LINK) {
            listing.leave_out(Reason::Special, &path);
            continue;
        }
        if let Some(how) = unread(entry.compression(), entry.encrypted()) {
            *packed.entry(how).or_default() += 1;
        } else if kind == LINK {
            let mut target = Vec::new();
            let reading = || format!("reading the link {path}");
            let entry = archive.by_index(i).with_context(reading)?;
            let entry = entry.take(LONGEST as u64 + 1).read_to_end(&mut target);
            entry.with_context(reading)?;
            let target = shown(&target);
            links.push(Link { path, target });
        } else {
            listing.files.push((path, Spot::Entry(i)));
        }
    }
    refuse(&packed, archive.len())?;
    follow(&mut listing, &folders, links)?;
    Ok(listing)
}

/// Fails where some entries are packed in ways that are not read; the files in them may be read as well as any.
fn refuse(packed: &BTreeMap<String, usize>, of: usize) -> Result<()> {
    if packed.is_empty() {
        return Ok(());
    }
    let ways: Vec<String> = packed
        .iter()
        .map(|(how, count)| format!("{count} of its {of} entries are {how}"))
        .collect();
    bail!(
        "{}, which is not read\nhint: unpack it with a program that does (`7z x`), and name the folder, or pack it again with `zip -r`",
        ways.join(", ")
    )
}

/// How an entry is packed, where that is not read. The numbers are those of the zip format (APPNOTE.TXT 6.3.10, 4.4.5).
fn unread(method: CompressionMethod, encrypted: bool) -> Option<String> {
    if encrypted {
        return Some("encrypted".to_string());
    }
    let number = match method {
        CompressionMethod::Stored
        | CompressionMethod::Deflated
        | CompressionMethod::Deflate64
        | CompressionMethod::Bzip2 => return None,
        #[allow(deprecated, reason = "there is no other way to the number")]
        CompressionMethod::Unsupported(number) => number,
        other => return Some(format!("packed by {other}")),
    };
    let name = match number {
        1 => "Shrink",
        2..=5 => "Reduce",
        6 => "Implode",
        14 => "LZMA",
        93 => "Zstandard",
        94 => "MP3",
        95 => "XZ",
        96 => "JPEG's own method",
        97 => "WavPack",
        98 => "PPMd",
        99 => "AES, encrypted",
        _ => return Some(format!("packed by method {number}")),
    };
    Some(format!("packed by {name}"))
}
