//! Torch files in whichever container, and their tensors: views of storages.

use crate::io::pickle::values::{Id, Node, Pickle};
use crate::io::stored::{Kind, Stored};
use crate::io::torch::opened::{Opened, Place, storage};
use crate::io::torch::{legacy, zip};
use anyhow::{Context, Result, bail};
use std::fs::File;

const TENSOR: [&str; 3] = [
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
];

/// Opens either container; none where `head` begins neither.
pub fn open(file: &File, head: &[u8]) -> Result<Option<Opened>> {
    if head.starts_with(b"PK\x03\x04") {
        return zip::open(file).map(Some);
    }
    if legacy::recognise(head) {
        return legacy::open(file).map(Some);
    }
    Ok(None)
}

fn dtype_kind(name: &str) -> Option<Kind> {
    Some(match name {
        "torch.float64" => Kind::F64,
        "torch.float32" => Kind::F32,
        "torch.float16" => Kind::F16,
        "torch.bfloat16" => Kind::BF16,
        "torch.int64" => Kind::I64,
        "torch.int32" => Kind::I32,
        "torch.int16" => Kind::I16,
        "torch.int8" => Kind::I8,
        "torch.uint32" => Kind::U32,
        "torch.uint8" => Kind::U8,
        "torch.bool" => Kind::Bool,
        _ => return None,
    })
}

/// The arguments of a tensor; none where the value is none. A parameter is its tensor.
pub fn tensor_arguments<'p>(pickle: &'p Pickle, mut id: Id) -> Option<&'p [Id]> {
    // A parameter of a parameter of ... is no parameter.
    for _ in 0..4 {
        let Node::Made { what, with, .. } = pickle.node(id) else {
            return None;
        };
        let arguments = pickle.sequence(*with)?;
        if TENSOR.contains(what) {
            return Some(arguments);
        }
        if !what.starts_with("torch._utils._rebuild_parameter") {
            return None;
        }
        id = *arguments.first()?;
    }
    None
}

/// The tensor that these arguments make: storage, offset, shape and strides in elements.
pub fn tensor(pickle: &Pickle, name: &str, arguments: &[Id], place: &mut Place) -> Result<Stored> {
    view(pickle, name, arguments, place).with_context(|| format!("tensor `{name}`"))
}

fn view(pickle: &Pickle, name: &str, arguments: &[Id], place: &mut Place) -> Result<Stored> {
    let [of, offset, shape, strides, ..] = arguments else {
        bail!("it is made of {} values, not 4 or more", arguments.len());
    };
    let Node::Persistent(described) = pickle.node(*of) else {
        bail!("it has no storage");
    };
    let storage = storage(pickle, *described)?;
    let kind = match (storage.kind, arguments.get(6).map(|&id| pickle.node(id))) {
        (Some(kind), _) => kind,
        (None, Some(Node::Global(name))) => {
            dtype_kind(name).with_context(|| format!("type {name} is not read"))?
        }
        _ => bail!("it has no type"),
    };
    let span = place(&storage)?;
    let offset = size(pickle, *offset).context("its offset is wrong")? as u64;
    let offset = offset
        .checked_mul(kind.size() as u64)
        .and_then(|bytes| bytes.checked_add(span.start))
        .context("its offset is too large")?;
    let stored = Stored {
        name: name.to_string(),
        kind,
        shape: sizes(pickle, *shape).context("its shape is wrong")?,
        strides: sizes(pickle, *strides).context("its strides are wrong")?,
        offset,
        checksum: None,
    };
    stored.check(span.start, span.end)?;
    Ok(stored.whole_of(span))
}

fn sizes(pickle: &Pickle, id: Id) -> Result<Vec<usize>> {
    let items = pickle.sequence(id).context("it is no tuple")?;
    items.iter().map(|&id| size(pickle, id)).collect()
}

fn size(pickle: &Pickle, id: Id) -> Result<usize> {
    let value = pickle.int(id).context("it is no integer")?;
    usize::try_from(value).with_context(|| format!("{value} is below 0"))
}
