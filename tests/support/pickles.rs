//! Pickles written by hand, an instruction at a time, the legacy torch file around them, and torch's zip of tensors that
//! share their bytes.

use super::files::zip_of;
use fidrunner::experiment::nets::presets;
use fidrunner::nets::inventory;
use std::path::Path;
use zip::CompressionMethod;

pub fn unicode(value: &str) -> Vec<u8> {
    let length = (value.len() as u32).to_le_bytes();
    [b"X", &length[..], value.as_bytes()].concat()
}

/// Eight bytes long, whatever its value.
pub fn int(value: i64) -> Vec<u8> {
    [&[0x8a, 8][..], &value.to_le_bytes()].concat()
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(", &items.concat()[..], b"t"].concat()
}

pub fn ints(values: &[i64]) -> Vec<u8> {
    tuple(&values.iter().map(|&v| int(v)).collect::<Vec<_>>())
}

pub fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items
        .iter()
        .map(|(key, value)| [unicode(key), value.clone()].concat())
        .collect();
    [b"}(", &items.concat()[..], b"u"].concat()
}

pub fn call(what: Vec<u8>, with: Vec<u8>) -> Vec<u8> {
    [what, with, b"R".to_vec()].concat()
}

/// A view of storage `key` of type `torch.KIND` with `count` elements.
pub fn tensor(
    kind: &str,
    key: &str,
    count: i64,
    offset: i64,
    shape: &[i64],
    strides: &[i64],
) -> Vec<u8> {
    let parts = [
        unicode("storage"),
        global("torch", kind),
        unicode(key),
        unicode("cpu"),
        int(count),
    ];
    let storage = [tuple(&parts), b"Q".to_vec()].concat();
    let rest = [
        storage,
        int(offset),
        ints(shape),
        ints(strides),
        vec![0x89],
        b"}".to_vec(),
    ];
    call(global("torch._utils", "_rebuild_tensor_v2"), tuple(&rest))
}

/// A whole pickle.
pub fn object(body: &[u8]) -> Vec<u8> {
    [&[0x80, 2], body, b"."].concat()
}

/// A legacy torch file of this object up to its storages, which are to follow as a count of eight bytes and the data.
pub fn legacy(body: &[u8], keys: &[&str]) -> Vec<u8> {
    let magic = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let keys: Vec<u8> = keys.iter().flat_map(|key| unicode(key)).collect();
    let keys = [b"](", &keys[..], b"e"].concat();
    let parts: [&[u8]; 5] = [magic, &int(1001), b"}", body, &keys];
    parts.iter().flat_map(|part| object(part)).collect()
}

/// A tensor's name and shape.
pub type Named = (String, Vec<usize>);

/// The tensors of a preset's net, each name with `prefix` before it.
pub fn tensors_of_preset(preset: &str, prefix: &str) -> Vec<Named> {
    let (arch, _) = presets::arch(preset).expect("a preset");
    let entries = inventory::tensors(&arch).expect("a possible net");
    let named = |entry: inventory::Entry| (format!("{prefix}{}", entry.name), entry.shape);
    entries.into_iter().map(named).collect()
}

/// A torch file of these tensors, of bytes: the first has a storage of its own, the others share one.
pub fn write_torch(path: &Path, tensors: &[Named]) {
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let own = count(&tensors[0].1);
    let shared = tensors
        .iter()
        .map(|(_, shape)| count(shape))
        .max()
        .unwrap_or(0);
    let viewed = tensors.iter().enumerate().map(|(k, (name, shape))| {
        let (key, size) = if k == 0 { ("0", own) } else { ("1", shared) };
        let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let strides: Vec<i64> = (0..dims.len())
            .map(|k| dims[k + 1..].iter().product())
            .collect();
        (
            name.as_str(),
            tensor("CharStorage", key, size as i64, 0, &dims, &strides),
        )
    });
    let viewed: Vec<(&str, Vec<u8>)> = viewed.collect();
    let files = [
        ("x/data.pkl", object(&dict(&viewed))),
        ("x/data/0", vec![MARK; own]),
        ("x/data/1", vec![0; shared]),
    ];
    zip_of(path, CompressionMethod::Stored, files);
}

/// What the first tensor is filled with.
const MARK: u8 = 0xa5;

/// The same, whose first tensor is damaged: its names and shapes are right, and it cannot be read.
pub fn write_damaged_torch(path: &Path, tensors: &[Named]) {
    write_torch(path, tensors);
    let mut bytes = std::fs::read(path).expect("the file");
    let run = bytes.windows(8).position(|eight| eight == [MARK; 8]);
    bytes[run.expect("the first tensor")] ^= 1;
    std::fs::write(path, bytes).expect("the file");
}
