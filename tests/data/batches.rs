//! Batches of pictures larger than the memory they are given: read row by row, in any order, from any thread.

use crate::support::files::{npy, refusal, zip_in_parts};
use crate::support::process::{is_alone, passes_alone, peak_memory};
use fidrunner::data::shapes::Stream;
use fidrunner::data::source::{Augment, Source};
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::io::numpy::rows::Rows;
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use zip::CompressionMethod;

/// An npz of one `arr_0` whose npy file is `parts`, one behind the other.
fn archive(path: &Path, method: CompressionMethod, parts: impl IntoIterator<Item = Vec<u8>>) {
    zip_in_parts(path, method, "arr_0.npy", parts);
}

const N: usize = 700;
const SIZE: usize = 32 * 24 * 3;
const SHAPE: &str = "(700, 32, 24, 3)";

fn pixel(i: usize, k: usize) -> u8 {
    (i * 31 + k * 7 + (i * k) / 5) as u8
}

fn row(i: usize) -> Vec<u8> {
    (0..SIZE).map(|k| pixel(i, k)).collect()
}

/// Element k of a row lies at [y, x, c]; in Fortran order c is slowest.
fn fortran() -> Vec<u8> {
    let mut data = vec![0; N * SIZE];
    for i in 0..N {
        for k in 0..SIZE {
            let (y, x, c) = (k / 72, k / 3 % 24, k % 3);
            data[i + N * (y + 32 * (x + 24 * c))] = pixel(i, k);
        }
    }
    data
}

#[test]
fn rows_are_the_same_however_they_lie_and_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let plain: Vec<u8> = (0..N).flat_map(row).collect();
    let mut all = Vec::new();
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        for (descr, order, data) in [
            ("|u1", false, &plain),
            (">u1", false, &plain),
            ("|u1", true, &fortran()),
        ] {
            let path = folder.path().join(format!("{}.npz", all.len()));
            archive(&path, method, [npy(descr, order, SHAPE, data)]);
            all.push(Rows::npz(&path, "arr_0").unwrap());
        }
    }
    for columns_first in [false, true] {
        let data = if columns_first { &fortran() } else { &plain };
        let path = folder.path().join(format!("{columns_first}.npy"));
        fs::write(&path, npy("|u1", columns_first, SHAPE, data)).unwrap();
        all.push(Rows::npy(&path).unwrap());
    }
    for (which, rows) in all.iter().enumerate() {
        assert_eq!(rows.shape(), [N, 32, 24, 3]);
        for i in [N - 1, 0, 350, 351, 1, N - 1] {
            assert_eq!(rows.read(i).unwrap(), row(i), "{which}: {i}");
        }
        (0..N)
            .into_par_iter()
            .for_each(|i| assert_eq!(rows.read(i).unwrap(), row(i), "{which}: {i}"));
        assert!(refusal(rows.read(N)).contains("reading row 700"));
    }
}

#[test]
fn a_packed_batch_does_not_need_the_memory_of_its_pictures() {
    // The other tests of this program take memory too.
    let name = "a_packed_batch_does_not_need_the_memory_of_its_pictures";
    if !is_alone(name) {
        return passes_alone(module_path!(), name);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.npz");
    let (n, size) = (4000, 256 * 256 * 3);
    let picture = |i: usize| vec![(i % 251) as u8; size];
    let head = npy("|u1", false, &format!("({n}, 256, 256, 3)"), &[]);
    let parts = std::iter::once(head).chain((0..n).map(picture));
    archive(&path, CompressionMethod::Deflated, parts);
    let before = peak_memory();
    let rows = Rows::npz(&path, "arr_0").unwrap();
    for i in [n - 1, 0, 1, n / 2, n / 2 + 1, 3, n - 2] {
        assert_eq!(rows.read(i).unwrap(), picture(i), "{i}");
    }
    let (grown, all) = (peak_memory() - before, (n * size) as u64 >> 20);
    assert!(grown < all / 4, "{grown} MiB for a batch of {all} MiB");
}

#[test]
fn npy_files_and_packed_archives_are_data_sets() {
    let folder = tempfile::tempdir().unwrap();
    let pictures: Vec<u8> = (0..2 * 8 * 8 * 3).map(|k| pixel(3, k)).collect();
    let bytes = npy("|u1", false, "(2, 8, 8, 3)", &pictures);
    let (plain, packed) = (folder.path().join("x.npy"), folder.path().join("x.npz"));
    fs::write(&plain, &bytes).unwrap();
    archive(&packed, CompressionMethod::Deflated, [bytes.clone()]);
    for path in [&plain, &packed] {
        let source = Source::open(path.to_str().unwrap(), Stream::Train, 8).unwrap();
        assert_eq!((source.len(), source.classes().len()), (Some(2), 0));
        let example = source.get(1, Augment::default()).unwrap();
        assert_eq!(
            (&example.pixels[..], example.label),
            (&pictures[192..], None)
        );
    }
    fs::write(&plain, &bytes[..bytes.len() - 1]).unwrap();
    let why = refusal(Source::open(plain.to_str().unwrap(), Stream::Train, 8));
    assert!(
        why.contains("it has 383\nhint: the file may be truncated"),
        "{why}"
    );
    fs::write(&plain, npy("<f4", false, "(1, 1, 1, 3)", &[0; 12])).unwrap();
    let why = refusal(Source::open(plain.to_str().unwrap(), Stream::Train, 8));
    assert!(why.contains("the array holds float32"), "{why}");
    fs::write(&plain, npy("|u1", false, "(4, 3)", &[0; 12])).unwrap();
    let why = refusal(Source::open(plain.to_str().unwrap(), Stream::Train, 8));
    assert!(why.contains("pictures are [n, height, width, 3]"), "{why}");
}

#[test]
fn broken_streams_are_errors_where_they_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let data: Vec<u8> = (0..64 * 48).map(|k| (k * k / 7) as u8).collect();
    let bytes = npy("|u1", false, "(64, 4, 4, 3)", &data);
    archive(&path, CompressionMethod::Deflated, [bytes]);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x2a;
        fs::write(&path, &bytes).unwrap();
        if let Ok(rows) = Rows::npz(&path, "arr_0") {
            for i in [63, 0] {
                let _ = rows.read(i);
            }
        }
    }
    npz::write(&path, &[("arr_0", Array::u8(&[], vec![1]))]).unwrap();
    assert!(refusal(Rows::npz(&path, "arr_0")).contains("it is a single number, not rows"));
    assert!(refusal(Rows::npz(&path, "arr_9")).contains("has no array `arr_9`"));
}
