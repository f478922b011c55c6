//! Arrays of images and labels as strangers save them: read where they hold pictures, else refused with a line that helps.

use crate::support::files::{npy, npy_of_header, refusal, zip_of};
use fidrunner::data::gallery::Gallery;
use fidrunner::data::shapes::Stream;
use fidrunner::data::source::Source;
use fidrunner::io::numpy::labels::Labels;
use fidrunner::io::numpy::npz::Npz;
use std::fs;
use std::path::Path;
use zip::CompressionMethod;

fn spec(path: &Path) -> String {
    path.display().to_string()
}

/// The images of a gallery of one file.
fn images(path: &Path) -> Vec<Vec<u8>> {
    let gallery = Gallery::open(&[spec(path)]).unwrap_or_else(|e| panic!("{e:#}"));
    (0..gallery.len())
        .map(|i| gallery.read(i).unwrap().data)
        .collect()
}

/// Bytes of [2, 5, 4, 3] in row-major order, and first index fastest.
fn both_orders() -> (Vec<u8>, Vec<u8>) {
    let at = |n: usize, h: usize, w: usize, c: usize| (n * 97 + h * 31 + w * 7 + c * 3) as u8;
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for n in 0..2 {
        for h in 0..5 {
            for w in 0..4 {
                rows.extend((0..3).map(|c| at(n, h, w, c)));
            }
        }
    }
    for c in 0..3 {
        for w in 0..4 {
            for h in 0..5 {
                columns.extend((0..2).map(|n| at(n, h, w, c)));
            }
        }
    }
    (rows, columns)
}

#[test]
fn npy_files_of_every_version_and_order_are_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let (rows, columns) = both_orders();
    let wanted: Vec<Vec<u8>> = rows.chunks(60).map(<[u8]>::to_vec).collect();
    let header = |order: &str| {
        format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (2, 5, 4, 3), }}\n")
    };
    // Versions 2 and 3 have four bytes of length.
    let wide = |version: u8, order: &str, data: &[u8]| {
        let header = header(order);
        let length = (header.len() as u32).to_le_bytes();
        [
            b"\x93NUMPY",
            &[version, 0][..],
            &length,
            header.as_bytes(),
            data,
        ]
        .concat()
    };
    for bytes in [
        npy_of_header(&header("False"), &rows),
        npy_of_header(&header("True"), &columns),
        wide(2, "True", &columns),
        wide(3, "False", &rows),
        npy("<u1", false, "(2, 5, 4, 3)", &rows),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(images(&path), wanted);
        let packed = folder.path().join("x.npz");
        zip_of(
            &packed,
            CompressionMethod::Deflated,
            [("arr_0.npy", &bytes)],
        );
        assert_eq!(images(&packed), wanted);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(refusal(Gallery::open(&[spec(&path)])).contains("truncated"));
    }
    let single = npy("|u1", true, "(5, 4, 3)", &{
        let pixels: Vec<u8> = columns.iter().step_by(2).copied().collect();
        pixels
    });
    fs::write(&path, single).unwrap();
    assert_eq!(images(&path), wanted[..1]);
    fs::write(&path, npy("|u1", false, "()", &[7])).unwrap();
    let why = refusal(Gallery::open(&[spec(&path)]));
    assert!(
        why.contains("the array is [], pictures are [n, height, width, 3]"),
        "{why}"
    );
}

/// Type, shape, elements, and the line that makes pictures of it.
const CURES: [(&str, &str, usize, &str); 22] = [
    ("|u1", "(2, 3, 8, 8)", 384, "x.transpose(0, 2, 3, 1)"),
    ("|u1", "(2, 8, 9)", 144, "x[..., None].repeat(3, axis=-1)"),
    ("|u1", "(8, 9)", 72, "x[..., None].repeat(3, axis=-1)"),
    ("|u1", "(2, 8, 9, 1)", 144, "x.repeat(3, axis=-1)"),
    (
        "|u1",
        "(2, 1, 8, 9)",
        144,
        "x.transpose(0, 2, 3, 1).repeat(3, axis=-1)",
    ),
    ("|u1", "(2, 8, 9, 4)", 576, "x[..., :3]"),
    ("|u1", "(2, 4, 8, 9)", 576, "x[:, :3].transpose(0, 2, 3, 1)"),
    ("|u1", "(3, 8, 9)", 216, "x.transpose(1, 2, 0)"),
    ("|u1", "(8, 9, 4)", 288, "x[..., :3]"),
    ("|u1", "(8, 9, 1)", 72, "x.repeat(3, axis=-1)"),
    (
        "|u1",
        "(2, 192)",
        384,
        "x.reshape(-1, 3, 8, 8).transpose(0, 2, 3, 1)",
    ),
    (
        "|u1",
        "(2, 64)",
        128,
        "x.reshape(-1, 8, 8, 1).repeat(3, axis=-1)",
    ),
    ("|u1", "(2, 2, 8, 9, 3)", 864, "x.reshape(-1, 8, 9, 3)"),
    (
        "|u1",
        "(2, 2, 3, 8, 9)",
        864,
        "x.reshape(-1, 3, 8, 9).transpose(0, 2, 3, 1)",
    ),
    ("<i8", "(2, 8, 9, 3)", 432, "x.astype(\"uint8\")"),
    (">i8", "(2, 8, 9, 3)", 432, "x.astype(\"uint8\")"),
    ("|b1", "(2, 8, 9, 3)", 432, "x.astype(\"uint8\") * 255"),
    (
        "<f4",
        "(2, 8, 9, 3)",
        432,
        "(x * 127.5 + 127.5).round().clip(0, 255).astype(\"uint8\")",
    ),
    (
        ">f4",
        "(2, 8, 9, 3)",
        432,
        "(x * 127.5 + 127.5).round().clip(0, 255).astype(\"uint8\")",
    ),
    (
        "<f8",
        "(2, 3, 8, 9)",
        432,
        "(x.transpose(0, 2, 3, 1) * 127.5 + 127.5).round().clip(0, 255).astype(\"uint8\")",
    ),
    (
        "<f2",
        "(2, 8, 9)",
        144,
        "(x[..., None].repeat(3, axis=-1) * 127.5 + 127.5).round().clip(0, 255).astype(\"uint8\")",
    ),
    (
        "|i1",
        "(2, 8, 9, 3)",
        432,
        "(x.astype(\"int16\") + 128).astype(\"uint8\")",
    ),
];

/// Elements in the middle of what the type is meant for: -1, 1, -1, ... of floats and small signed numbers.
fn elements(descr: &str, count: usize) -> Vec<u8> {
    let one = |k: usize| -> Vec<u8> {
        let sign = if k.is_multiple_of(2) { -1.0 } else { 1.0 };
        match descr {
            "<i8" => (k as i64 % 256).to_le_bytes().to_vec(),
            ">i8" => (k as i64 % 256).to_be_bytes().to_vec(),
            "<f4" => (sign as f32).to_le_bytes().to_vec(),
            ">f4" => (sign as f32).to_be_bytes().to_vec(),
            "<f8" => f64::to_le_bytes(sign).to_vec(),
            "<f2" => half::f16::from_f64(sign).to_le_bytes().to_vec(),
            "|i1" => (if k.is_multiple_of(2) { -100i8 } else { 100 })
                .to_le_bytes()
                .to_vec(),
            _ => vec![(k % 2) as u8],
        }
    };
    (0..count).flat_map(one).collect()
}

#[test]
fn what_holds_no_pictures_is_refused_with_a_line_for_this_very_array() {
    let folder = tempfile::tempdir().unwrap();
    let (path, packed) = (folder.path().join("x.npy"), folder.path().join("x.npz"));
    for (descr, shape, count, cure) in CURES {
        let bytes = npy(descr, false, shape, &elements(descr, count));
        fs::write(&path, &bytes).unwrap();
        zip_of(
            &packed,
            CompressionMethod::Deflated,
            [("arr_0.npy", &bytes)],
        );
        for path in [&path, &packed] {
            let why = refusal(Gallery::open(&[spec(path)]));
            let hint = format!("\nhint: save `{cure}`");
            assert!(why.contains(&hint), "{descr} {shape}: {why}");
        }
    }
    for (shape, count) in [("(2, 8, 9, 2)", 288), ("(6,)", 6), ("(2, 3, 4, 5, 6)", 720)] {
        fs::write(&path, npy("|u1", false, shape, &vec![0; count])).unwrap();
        let why = refusal(Gallery::open(&[spec(&path)]));
        assert!(why.contains("pictures are [n, height, width, 3]"), "{why}");
        assert!(!why.contains("hint"), "{why}");
    }
    fs::write(&path, npy("|u1", false, "(0, 8, 8, 3)", &[])).unwrap();
    assert!(refusal(Gallery::open(&[spec(&path)])).contains("is empty"));
}

#[test]
fn an_npz_without_arr_0_says_how_its_images_get_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let array = npy("|u1", false, "(1, 2, 2, 3)", &[0; 12]);
    let write = |names: &[&str]| {
        let files = names.iter().map(|name| (format!("{name}.npy"), &array));
        zip_of(&path, CompressionMethod::Stored, files);
        refusal(Gallery::open(&[spec(&path)]))
    };
    let line = |name: &str| {
        format!(
            "`np.savez(\"new.npz\", arr_0=np.load(\"{}\")[\"{name}\"])`",
            path.display()
        )
    };
    assert!(write(&["pixels"]).contains(&line("pixels")));
    assert!(write(&["labels", "samples"]).contains(&line("samples")));
    let named = [("images.npy".to_string(), &array)];
    zip_of(&path, CompressionMethod::Stored, named);
    assert_eq!(Gallery::open(&[spec(&path)]).unwrap().len(), 1);
    let why = write(&["mu", "sigma"]);
    assert!(why.contains("can be a reference but not samples"), "{why}");
    let why = write(&["a", "b"]);
    assert!(
        why.contains("it has `a`, `b`") && !why.contains("hint"),
        "{why}"
    );
}

/// What is read of an `arr_1` beside four pictures, and what training says of it.
fn labels(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> (Labels, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let files = [
        ("arr_0.npy", npy("|u1", false, "(4, 2, 2, 3)", &[9; 48])),
        ("arr_1.npy", npy(descr, fortran, shape, data)),
    ];
    zip_of(&path, CompressionMethod::Deflated, files);
    assert_eq!(images(&path).len(), 4);
    assert!(Source::pictures(&spec(&path), Stream::Train, 2).is_ok());
    let source = Source::open(&spec(&path), Stream::Train, 2);
    let why = source.err().map(|why| format!("{why:#}"));
    (
        Labels::read(&mut Npz::open(&path).unwrap(), "arr_1", 4),
        why,
    )
}

fn read(values: &[u32], classes: Option<usize>) -> (Labels, Option<String>) {
    let labels = values.to_vec();
    (Labels::Read { labels, classes }, None)
}

#[test]
fn labels_are_whole_numbers_or_one_hot_rows_of_any_type() {
    let f4 = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let f8 = |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_be_bytes()).collect() };
    assert_eq!(
        labels("|u1", false, "(4,)", &[3, 0, 1, 3]),
        read(&[3, 0, 1, 3], None)
    );
    assert_eq!(
        labels("|u1", false, "(4, 1)", &[3, 0, 1, 3]),
        read(&[3, 0, 1, 3], None)
    );
    assert_eq!(
        labels("<f4", false, "(4,)", &f4(&[3.0, 0.0, 1.0, 3.0])),
        read(&[3, 0, 1, 3], None)
    );
    let hot = [0., 1., 0., 1., 0., 0., 0., 0., 1., 0., 1., 0.];
    let columns = [0., 1., 0., 0., 1., 0., 0., 1., 0., 0., 1., 0.];
    assert_eq!(
        labels("<f4", false, "(4, 3)", &f4(&hot.map(|v: f64| v as f32))),
        read(&[1, 0, 2, 1], Some(3))
    );
    assert_eq!(
        labels(">f8", true, "(4, 3)", &f8(&columns)),
        read(&[1, 0, 2, 1], Some(3))
    );
    let bools = hot.map(|v| v as u8);
    assert_eq!(
        labels("|b1", false, "(4, 3)", &bools),
        read(&[1, 0, 2, 1], Some(3))
    );
}

/// Type, shape, elements, and what is said of them.
type Other = (&'static str, &'static str, Vec<u8>, &'static str);

fn others() -> Vec<Other> {
    let half: Vec<u8> = [0.5f64, 1., 2., 3.]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let text = b"c\0\0\0a\0\0\0t\0\0\0".repeat(4);
    let below: Vec<u8> = [0i32, -1, 2, 3]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    vec![
        ("<U3", "(4,)", text, "it holds text (\"<U3\")"),
        ("|S3", "(4,)", vec![b'a'; 12], "it holds text (\"|S3\")"),
        ("|O", "(4,)", vec![0x80, 4, b'.'], "it holds Python objects"),
        (
            "<f8",
            "(4,)",
            half,
            "`arr_1` holds 0.5, labels are whole numbers",
        ),
        (
            "<i4",
            "(4,)",
            below,
            "`arr_1` holds -1, labels are whole numbers",
        ),
        (
            "|u1",
            "(3,)",
            vec![0; 3],
            "`arr_1` has 3 labels for 4 pictures",
        ),
        (
            "|u1",
            "(4, 2)",
            vec![1, 0, 0, 0, 1, 0, 1, 0],
            "row 1 of `arr_1` has not one value",
        ),
        (
            "|u1",
            "(4, 2)",
            vec![1, 0, 1, 0, 1, 1, 1, 0],
            "row 2 of `arr_1` has not one value",
        ),
        (
            "|u1",
            "(2, 2, 2)",
            vec![0; 8],
            "`arr_1` is [2, 2, 2], labels are [n] or one-hot",
        ),
        (
            "|u1",
            "()",
            vec![0],
            "`arr_1` is [], labels are [n] or one-hot",
        ),
        ("<i8", "(4,)", vec![0; 31], "`arr_1` is not read: "),
    ]
}

#[test]
fn other_labels_are_refused_by_those_who_need_them_alone() {
    for (descr, shape, data, part) in others() {
        let (found, refused) = labels(descr, false, shape, &data);
        let Labels::Unread(why) = found else {
            panic!("{descr} {shape} is read")
        };
        assert!(why.contains(part), "{why}");
        assert!(!why.contains('\n'), "{why}");
        let refused = refused.expect("a refusal");
        assert!(refused.contains(part), "{refused}");
        assert!(
            refused.contains("\nhint: save labels as whole numbers from 0 up"),
            "{refused}"
        );
    }
}
