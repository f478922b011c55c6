//! Torch's zip container (torch 1.6 and later, TorchScript too): `NAME/data.pkl` and one stored entry a storage.

use crate::io::numpy::npz::MOST_DEFLATED;
use crate::io::stored::Span;
use crate::io::torch::opened::{Opened, PICKLE_LIMIT, Storage};
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read};
use zip::{CompressionMethod, ZipArchive};

const BROKEN: &str = "its zip archive is broken\nhint: the file may be truncated";

type Zip = ZipArchive<BufReader<File>>;

/// Reads the pickle; the storages are looked up when a tensor asks. Code that TorchScript keeps is never looked at.
pub fn open(file: &File) -> Result<Opened> {
    let length = file.metadata()?.len();
    let mut zip = ZipArchive::new(BufReader::new(file.try_clone()?)).context(BROKEN)?;
    let root = root(&zip)?;
    let container = match zip.index_for_name(&format!("{root}constants.pkl")) {
        Some(_) => "TorchScript",
        None => "torch zip",
    };
    let order = read(&mut zip, &format!("{root}byteorder"), 16)?;
    ensure!(
        order.is_none_or(|order| order == b"little"),
        "its numbers are big-endian, which is not read"
    );
    let source = read(&mut zip, &format!("{root}data.pkl"), PICKLE_LIMIT)?;
    let source = source.context("it has no data.pkl")?;
    let place = move |storage: &Storage| entry(&mut zip, &root, storage, length);
    Ok(Opened {
        container,
        source,
        place: Box::new(place),
    })
}

/// What a zip archive can be by the names in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// It has a `data.pkl`.
    Torch,
    /// NumPy arrays.
    Arrays,
    Neither,
}

/// Looks at the names in the zip archive.
pub fn contents(file: &File) -> Result<Contents> {
    let zip = ZipArchive::new(BufReader::new(file.try_clone()?)).context(BROKEN)?;
    Ok(named(&zip)?.0)
}

/// The folder of `data.pkl`, with its slash.
fn root(zip: &Zip) -> Result<String> {
    match named(zip)? {
        (Contents::Torch, root) => Ok(root),
        (Contents::Arrays, _) => bail!("it is an npz archive of arrays, not a checkpoint"),
        (Contents::Neither, _) => bail!("it is a zip archive without data.pkl, not a checkpoint"),
    }
}

/// What is in it, and the folder of `data.pkl`: whatever name the file had when it was written.
fn named(zip: &Zip) -> Result<(Contents, String)> {
    let mut contents = Contents::Neither;
    for name in zip.file_names() {
        let name = name?;
        if name.ends_with(".npy") {
            contents = Contents::Arrays;
        }
        match name.strip_suffix("data.pkl") {
            Some(root) if root.is_empty() || root.find('/') == Some(root.len() - 1) => {
                return Ok((Contents::Torch, root.to_string()));
            }
            _ => {}
        }
    }
    Ok((contents, String::new()))
}

/// A whole entry of at most `limit` bytes; none where it is not there.
fn read(zip: &mut Zip, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(index) = zip.index_for_name(name) else {
        return Ok(None);
    };
    let entry = zip.by_index(index).with_context(|| name.to_string())?;
    let (size, packed) = (entry.size(), entry.compressed_size());
    ensure!(
        size <= limit && size <= packed.saturating_mul(MOST_DEFLATED) + 1024,
        "{name} claims {size} bytes in {packed}, at most {limit} are read"
    );
    let mut bytes = Vec::new();
    entry
        .take(limit)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{name} is broken\nhint: the file may be damaged"))?;
    Ok(Some(bytes))
}

/// Where a storage lies in the file.
fn entry(zip: &mut Zip, root: &str, storage: &Storage, length: u64) -> Result<Span> {
    let name = format!("{root}data/{}", storage.key);
    let index = zip.index_for_name(&name);
    let index = index.with_context(|| format!("{name} is not in the file"))?;
    let entry = zip.by_index_raw(index).with_context(|| name.clone())?;
    ensure!(
        entry.compression() == CompressionMethod::Stored && !entry.encrypted(),
        "{name} is packed, which tensors are not\nhint: write the file again with torch.save"
    );
    let start = entry.data_start();
    let start = start.with_context(|| format!("{name} has no place in the file"))?;
    let (size, claimed) = (entry.size(), storage.bytes()?);
    let end = start.checked_add(size).filter(|&end| end <= length);
    let end = end.with_context(|| {
        format!("{name} reaches beyond the end\nhint: the file may be truncated")
    })?;
    ensure!(
        claimed <= size,
        "{name} has {size} bytes, {claimed} are claimed"
    );
    // Torch writes 0 where it was told to compute none.
    let checksum = Some(entry.crc32()).filter(|&sum| sum != 0);
    Ok(Span {
        start,
        end,
        checksum,
    })
}
