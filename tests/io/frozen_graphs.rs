//! Weights in TensorFlow's frozen graphs: their constants of floats, and what is refused.

use crate::support::files::refusal;
use crate::support::golden::values;
use candle_core::Device;
use fidrunner::io::checkpoint::Checkpoint;
use std::fs;
use std::path::Path;

fn value(file: &Checkpoint, name: &str) -> Vec<f64> {
    values(&file.tensor(name, &Device::Cpu).unwrap())
}

/// A protocol buffer's field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

fn constant(name: &str, kind: u8, shape: &[u8], values: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|&d| field(2, &[8, d])).collect();
    let tensor = [&[8, kind][..], &field(2, &dims), values].concat();
    let attribute = [field(1, b"value"), field(2, &field(8, &tensor))].concat();
    let dtype = [field(1, b"dtype"), field(2, &[48, kind])].concat();
    let parts = [
        field(1, name.as_bytes()),
        field(2, b"Const"),
        field(5, &dtype),
        field(5, &attribute),
    ];
    field(1, &parts.concat())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A node that is no constant.
fn placeholder() -> Vec<u8> {
    field(1, &[field(1, b"x"), field(2, b"Placeholder")].concat())
}

/// Constants of every kind behind a node that is none.
fn graph() -> Vec<u8> {
    let single = [&[0x2d][..], &floats(&[0.25])].concat();
    [
        placeholder(),
        constant(
            "conv/weights",
            1,
            &[2, 3],
            &field(4, &floats(&[1., 2., 3., 4., 5., 6.])),
        ),
        constant("conv/beta", 1, &[2], &field(5, &floats(&[7., 8.]))),
        constant("conv/gamma", 1, &[3], &single),
        constant("axis", 3, &[1], &field(4, &[1, 0, 0, 0])),
        constant("eps", 1, &[], &single),
        constant("none", 1, &[0], &[]),
        field(4, &[]),
    ]
    .concat()
}

#[test]
fn a_graph_is_its_float_constants() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph.pb");
    fs::write(&path, graph()).unwrap();
    let file = Checkpoint::open(&path).unwrap();
    assert_eq!(file.container(), "TensorFlow graph");
    let names: Vec<&str> = file.names().collect();
    assert_eq!(
        names,
        ["conv/weights", "conv/beta", "conv/gamma", "eps", "none"]
    );
    assert_eq!(file.shapes()["conv/weights"], [2, 3]);
    assert_eq!(value(&file, "conv/weights"), [1., 2., 3., 4., 5., 6.]);
    assert_eq!(value(&file, "conv/beta"), [7., 8.]);
    assert_eq!(value(&file, "conv/gamma"), [0.25; 3]);
    assert_eq!(value(&file, "eps"), [0.25]);
    assert!(value(&file, "none").is_empty());
    let unread = file.unread();
    assert_eq!(unread.len(), 1);
    assert_eq!(
        (
            &unread[0].name[..],
            &unread[0].kind[..],
            &unread[0].shape[..]
        ),
        ("axis", "int32", &[1][..])
    );
    let why = refusal(file.tensor("axis", &Device::Cpu));
    assert!(
        why.contains("`axis` as int32, and constants of float are read"),
        "{why}"
    );
    broken_graphs_are_refused_and_never_panic(&path);
}

fn broken_graphs_are_refused_and_never_panic(path: &Path) {
    let graph = graph();
    for at in 0..graph.len() {
        fs::write(path, &graph[..at]).unwrap();
        let _ = Checkpoint::open(path).map(|f| f.tensors(&Device::Cpu));
        let mut bytes = graph.clone();
        bytes[at] ^= 0xff;
        fs::write(path, &bytes).unwrap();
        let _ = Checkpoint::open(path).map(|f| f.tensors(&Device::Cpu));
    }
    let broken = [
        (
            constant("w", 1, &[9], &field(4, &[0; 8])),
            "constant `w`: shape [9] takes 9 values",
        ),
        (placeholder(), "without float constants"),
        (
            constant("conv/weights", 19, &[2], &field(4, &[0; 4])),
            "without float constants, or none; it has `conv/weights` (half)",
        ),
        (
            graph[..graph.len() - 9].to_vec(),
            "hint: the file may be truncated",
        ),
        (
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "reaches beyond its message",
        ),
    ];
    for (bytes, expected) in broken {
        fs::write(path, bytes).unwrap();
        let why = refusal(Checkpoint::open(path));
        assert!(why.contains(expected), "{why}");
    }
}
