//! The safetensors container: its header, read and written; eight bytes of length, JSON, then the tensors end to end.

use crate::io::stored::{Kind, Stored, row_major};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The format's own bound on a header.
const HEADER_LIMIT: u64 = 100_000_000;

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// True where a file of `length` bytes that begins with `head` can only be a safetensors file.
pub fn recognise(head: &[u8]) -> bool {
    head.len() >= 9 && head[8] == b'{'
}

/// What the header of `file` names, in the order of the data, and its metadata.
pub fn read(file: &File) -> Result<(Vec<Stored>, BTreeMap<String, String>)> {
    let length = file.metadata()?.len();
    let mut size = [0u8; 8];
    file.read_exact_at(&mut size, 0)
        .context("the file is too short for a safetensors header")?;
    let size = u64::from_le_bytes(size);
    ensure!(
        size <= HEADER_LIMIT && size + 8 <= length,
        "its header claims {size} bytes, the file has {length}\nhint: the file may be truncated or no safetensors file"
    );
    let mut header = vec![0u8; size as usize];
    file.read_exact_at(&mut header, 8)?;
    let header: Map<String, Value> =
        serde_json::from_slice(&header).context("its safetensors header is not JSON")?;
    let start = 8 + size;
    let mut metadata = BTreeMap::new();
    let mut tensors = Vec::new();
    for (name, value) in header {
        if name == "__metadata__" {
            metadata = serde_json::from_value(value)
                .context("its safetensors metadata is not text by name")?;
        } else {
            tensors.push(tensor(name, value, start, length)?);
        }
    }
    tensors.sort_by_key(|t| t.offset);
    Ok((tensors, metadata))
}

fn tensor(name: String, value: Value, start: u64, length: u64) -> Result<Stored> {
    let info: Info = serde_json::from_value(value)
        .with_context(|| format!("tensor `{name}` is described wrongly"))?;
    let Some(kind) = Kind::named(&info.dtype) else {
        bail!("tensor `{name}` has type {}, which is not read", info.dtype);
    };
    let (begin, end) = info.data_offsets;
    let place = |at: u64| start.checked_add(at).filter(|&p| p <= length);
    let (Some(begin), Some(end)) = (place(begin), place(end)) else {
        bail!(
            "tensor `{name}` ends at byte {end} of {}\nhint: the file may be truncated",
            length - start
        );
    };
    let stored = Stored {
        strides: row_major(&info.shape),
        name,
        kind,
        shape: info.shape,
        offset: begin,
        checksum: None,
    };
    ensure!(
        begin <= end,
        "tensor `{}` ends before it begins",
        stored.name
    );
    stored.check(begin, end)?;
    Ok(stored)
}

/// The header for tensors of these names, types and shapes that follow in this order, with its length, padded to 8.
pub fn header(
    tensors: &[(&str, Kind, &[usize])],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), json!(metadata));
    }
    let mut at = 0;
    for (name, kind, shape) in tensors {
        let end = at + shape.iter().product::<usize>() * kind.size();
        let info = json!({"dtype": kind.name(), "shape": shape, "data_offsets": [at, end]});
        ensure!(
            header.insert(name.to_string(), info).is_none(),
            "tensor `{name}` is there twice"
        );
        at = end;
    }
    let mut text = serde_json::to_vec(&header)?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    Ok(bytes)
}
