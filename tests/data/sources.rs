//! Every kind of data set gives the same pictures and labels; ADM's crop equals Pillow's; what is broken says so.

use crate::support::files::{fnv1a, refusal, tar_of, zip_of};
use fidrunner::data::resize::crop::{Augment, prepare};
use fidrunner::data::shapes::{CLASSES, Scene, Stream};
use fidrunner::data::source::Source;
use fidrunner::io::image::file::{Rgb8, encode_png};
use fidrunner::io::numpy::npz::{self, Array};
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use zip::CompressionMethod;

const PLAIN: Augment = Augment {
    flip: false,
    crop: None,
};

fn open(path: &Path, side: usize) -> anyhow::Result<Source> {
    Source::open(path.to_str().unwrap(), Stream::Train, side)
}

/// Six small pictures in two class folders, as (path, PNG bytes), not sorted.
fn pictures() -> Vec<(String, Vec<u8>)> {
    let named = |k: u64| {
        let scene = Scene::of(Stream::Validation, k);
        let name = format!("train/{}/{k}.png", ["dog", "cat"][k as usize % 2]);
        (name, encode_png(&scene.render(20), 20, 20).unwrap())
    };
    (0..6).rev().map(named).collect()
}

fn write_folder(root: &Path) {
    for (name, bytes) in pictures() {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(root.join("train/list.txt"), "not a picture").unwrap();
}

#[test]
fn folder_tar_and_zip_are_one_data_set() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_folder(&at("folder"));
    tar_of(&at("a.bin"), pictures());
    zip_of(&at("stored.bin"), CompressionMethod::Stored, pictures());
    zip_of(&at("packed.bin"), CompressionMethod::Deflated, pictures());
    let first = open(&at("folder"), 16).unwrap();
    assert_eq!(first.len(), Some(6));
    assert_eq!(first.classes(), ["cat", "dog"]);
    for name in ["folder", "a.bin", "stored.bin", "packed.bin"] {
        let other = open(&at(name), 16).unwrap();
        assert_eq!(other.classes(), first.classes(), "{name}");
        (0..6u64).into_par_iter().for_each(|i| {
            let example = other.get(i, PLAIN).unwrap();
            assert_eq!(example, first.get(i, PLAIN).unwrap(), "{name} {i}");
            assert_eq!(example.label, Some((i >= 3) as u32));
            assert_eq!(example.pixels.len(), 16 * 16 * 3);
        });
        assert!(refusal(other.get(6, PLAIN)).contains("picture 6"));
    }
}

#[test]
fn an_npz_batch_is_a_data_set_with_numbered_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("batch.npz");
    let pixels: Vec<u8> = (0..3)
        .flat_map(|k| Scene::of(Stream::Train, k).render(8))
        .collect();
    let images = || ("arr_0", Array::u8(&[3, 8, 8, 3], pixels.clone()));
    npz::write(
        &path,
        &[images(), ("arr_1", Array::i64(&[3], vec![2, 0, 1]))],
    )
    .unwrap();
    let source = open(&path, 8).unwrap();
    assert_eq!((source.len(), source.classes().len()), (Some(3), 3));
    let example = source.get(1, PLAIN).unwrap();
    assert_eq!(example.pixels, Scene::of(Stream::Train, 1).render(8));
    assert_eq!(example.label, Some(0));
    npz::write(&path, &[images()]).unwrap();
    assert_eq!(open(&path, 8).unwrap().get(0, PLAIN).unwrap().label, None);
    npz::write(&path, &[images(), ("arr_1", Array::i64(&[2], vec![0, 1]))]).unwrap();
    assert!(refusal(open(&path, 8)).contains("2 labels for 3 pictures"));
    npz::write(
        &path,
        &[images(), ("arr_1", Array::i64(&[3], vec![0, -1, 1]))],
    )
    .unwrap();
    assert!(refusal(open(&path, 8)).contains("-1"));
    npz::write(
        &path,
        &[("arr_0", Array::f32(&[1, 8, 8, 3], vec![0.0; 192]))],
    )
    .unwrap();
    assert!(refusal(open(&path, 8)).contains("float32"));
}

#[test]
fn shapes_have_no_end_and_follow_their_stream() {
    let source = Source::open("shapes", Stream::Reference, 16).unwrap();
    assert_eq!(source.len(), None);
    assert_eq!(source.classes(), CLASSES);
    let far = 1 << 40;
    let scene = Scene::of(Stream::Reference, far);
    let example = source.get(far, PLAIN).unwrap();
    assert_eq!(example.pixels, scene.render(16));
    assert_eq!(example.label, Some(scene.class as u32));
}

#[test]
fn flips_and_crops_depend_on_the_given_number_only() {
    let source = Source::open("shapes", Stream::Train, 16).unwrap();
    let get = |flip, crop| source.get(5, Augment { flip, crop }).unwrap().pixels;
    assert_eq!(get(true, Some(9)), get(true, Some(9)));
    assert_ne!(get(false, Some(9)), get(false, Some(10)));
    let (plain, mirrored) = (get(false, None), get(true, None));
    for (row, other) in plain.chunks(48).zip(mirrored.chunks(48)) {
        let back: Vec<u8> = other.chunks(3).rev().flatten().copied().collect();
        assert_eq!(row, back);
    }
    for random in 0..200 {
        assert_eq!(get(false, Some(random)).len(), 16 * 16 * 3);
        let wide = Rgb8 {
            w: 41,
            h: 17,
            data: vec![7; 41 * 17 * 3],
        };
        let crop = Some(random);
        assert_eq!(prepare(wide, 16, Augment { flip: false, crop }), [7; 768]);
    }
}

/// A picture of noise by a formula that NumPy follows as well.
fn formula(w: usize, h: usize) -> Rgb8 {
    let value = |i: usize| {
        let mut z = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z ^= z >> 29;
        z = z.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 32)) as u8
    };
    Rgb8 {
        w,
        h,
        data: (0..w * h * 3).map(value).collect(),
    }
}

/// Width, height, side and the FNV-1a of ADM's `center_crop_arr` by Pillow 13.0 on that picture.
const BY_PILLOW: [(usize, usize, usize, u64); 7] = [
    (100, 75, 32, 0x34c9_e39c_bbbd_7960),
    (33, 47, 32, 0x1ffc_39a3_880e_00e5),
    (32, 32, 32, 0x617f_1714_d141_9aba),
    (20, 17, 32, 0x3286_a857_e7a6_c2f8),
    (301, 130, 16, 0x1275_7847_cc96_0b98),
    (64, 65, 64, 0x3ef0_e35e_605d_0c74),
    (129, 257, 64, 0x2fb6_1421_241b_9b18),
];

#[test]
fn the_centre_crop_equals_pillows_to_the_bit() {
    for (w, h, side, digest) in BY_PILLOW {
        let pixels = prepare(formula(w, h), side, PLAIN);
        assert_eq!(fnv1a(&pixels), digest, "{w} by {h} to {side}");
    }
}

#[test]
fn unreadable_files_are_listed_in_one_error() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    fs::write(dir.path().join("train/cat/bad.jpg"), "no").unwrap();
    fs::write(dir.path().join("train/cat/moving.gif"), "GIF89a").unwrap();
    let why = refusal(open(dir.path(), 16));
    assert!(
        why.contains("2 of 8 files") && why.contains("bad.jpg"),
        "{why}"
    );
    assert!(why.contains("moving.gif"), "{why}");
}

#[test]
fn broken_and_foreign_data_are_errors_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    assert!(refusal(open(&at("empty"), 16)).contains("no pictures"));
    assert!(refusal(open(&at("none"), 16)).contains("`shapes`"));
    fs::write(at("x"), b"\x1f\x8b\x08").unwrap();
    assert!(refusal(open(&at("x"), 16)).contains("gunzip"));
    assert!(Source::open("shapes", Stream::Train, 0).is_err());
    assert!(Source::open("shapes", Stream::Train, usize::MAX).is_err());
    tar_of(&at("a.tar"), pictures());
    zip_of(&at("a.zip"), CompressionMethod::Deflated, pictures());
    for name in ["a.tar", "a.zip"] {
        let whole = fs::read(at(name)).unwrap();
        for cut in (0..whole.len()).step_by(97) {
            let mut bytes = whole.clone();
            bytes[cut] ^= 0x55;
            for bytes in [&whole[..cut], &bytes[..]] {
                fs::write(at("bad"), bytes).unwrap();
                if let Ok(source) = open(&at("bad"), 16) {
                    for i in 0..source.len().unwrap() {
                        let _ = source.get(i, PLAIN);
                    }
                }
            }
        }
    }
}
