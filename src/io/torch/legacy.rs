//! Torch's container from before 1.6: five pickles (magic, protocol, system, object, keys), then the storages end to end.

use crate::io::pickle::values::{Ended, Node, Pickle};
use crate::io::stored::Span;
use crate::io::torch::opened::{Opened, PICKLE_LIMIT, Storage, storage};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The integer 0x1950a86a20f9469cfc6c, as a pickle of protocol 2 and later writes it, and the pickle's end.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const PROTOCOL: i64 = 1001;
/// How much of the file is taken for the pickles at first, and how many times more where they are longer.
const WINDOW: u64 = 1 << 20;
const GROWTH: u64 = 16;

/// True where `head` begins a legacy file.
pub fn recognise(head: &[u8]) -> bool {
    head.len() >= 2 + MAGIC.len() && head[0] == 0x80 && head[2..].starts_with(MAGIC)
}

/// Reads the pickles and the storages' lengths.
pub fn open(file: &File) -> Result<Opened> {
    let length = file.metadata()?.len();
    let mut window = WINDOW;
    let head = loop {
        let mut source = vec![0; window.min(length) as usize];
        file.read_exact_at(&mut source, 0)?;
        match pickles(source) {
            Err(e) if e.is::<Ended>() && window < length => {
                ensure!(
                    window < PICKLE_LIMIT,
                    "its pickles are longer than the {PICKLE_LIMIT} bytes that are read"
                );
                window *= GROWTH;
            }
            head => break head?,
        }
    };
    let mut places = HashMap::new();
    let mut at = head.data;
    for key in head.keys {
        let bytes = head.lengths.get(&key);
        // A storage that no tensor uses has no type, and so no length.
        let (count, bytes) = *bytes.with_context(|| format!("storage `{key}` has no tensor"))?;
        let start = at + 8;
        let end = start.checked_add(bytes).filter(|&end| end <= length);
        let Some(end) = end else {
            bail!(
                "storage `{key}` of {bytes} bytes reaches beyond the end\nhint: the file may be truncated"
            );
        };
        let mut stated = [0u8; 8];
        file.read_exact_at(&mut stated, at)?;
        ensure!(
            u64::from_le_bytes(stated) == count,
            "storage `{key}` has {} elements, {count} are claimed",
            u64::from_le_bytes(stated)
        );
        let span = Span {
            start,
            end,
            checksum: None,
        };
        let twice = places.insert(key.clone(), span).is_some();
        ensure!(!twice, "storage `{key}` is there twice");
        at = end;
    }
    let place = move |storage: &Storage| {
        let place = places.get(storage.key).copied();
        place.with_context(|| format!("storage `{}` is not in the file", storage.key))
    };
    Ok(Opened {
        container: "torch legacy",
        source: head.object,
        place: Box::new(place),
    })
}

struct Head {
    object: Vec<u8>,
    /// Storages in the order of the file.
    keys: Vec<String>,
    /// Elements and bytes of each storage.
    lengths: HashMap<String, (u64, u64)>,
    /// Where the storages begin.
    data: u64,
}

fn pickles(mut source: Vec<u8>) -> Result<Head> {
    let mut at = 2 + MAGIC.len();
    let protocol = Pickle::read(&source[at..])?;
    at += protocol.length();
    ensure!(
        protocol.int(protocol.root()) == Some(PROTOCOL),
        "its protocol is not {PROTOCOL}"
    );
    let system = Pickle::read(&source[at..])?;
    at += system.length();
    let little = system.get(system.root(), "little_endian");
    ensure!(
        little.is_none_or(|id| !matches!(system.node(id), Node::Bool(false))),
        "its numbers are big-endian, which is not read"
    );
    let object = Pickle::read(&source[at..])?;
    let (start, end) = (at, at + object.length());
    let lengths = lengths(&object)?;
    let keys = Pickle::read(&source[end..])?;
    let data = (end + keys.length()) as u64;
    let items = keys.sequence(keys.root()).context("its keys are no list")?;
    let text = |&id| keys.text(id).map(str::to_string);
    let keys = items.iter().map(text).collect::<Option<Vec<String>>>();
    let keys = keys.context("a storage's key is no text")?;
    source.truncate(end);
    source.drain(..start);
    Ok(Head {
        object: source,
        keys,
        lengths,
        data,
    })
}

fn lengths(object: &Pickle) -> Result<HashMap<String, (u64, u64)>> {
    let mut lengths = HashMap::new();
    for node in object.nodes() {
        if let Node::Persistent(described) = node {
            let storage = storage(object, *described)?;
            let length = (storage.count, storage.bytes()?);
            let other = lengths.insert(storage.key.to_string(), length);
            ensure!(
                other.is_none_or(|other| other == length),
                "storage `{}` is described twice, differently",
                storage.key
            );
        }
    }
    Ok(lengths)
}
