//! Files as other programs write them are read right; hostile, truncated and broken ones are errors, never panics.

use crate::support::files::{npy_of_header, refusal, zip_of};
use crate::support::golden::golden;
use candle_core::Device;
use fidrunner::io::checkpoint::Checkpoint;
use fidrunner::io::image::file;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use std::fs;
use std::path::{Path, PathBuf};

fn checkpoint(name: &str) -> PathBuf {
    golden("checkpoints").join(name)
}

fn npz(name: &str) -> Npz {
    Npz::open(&checkpoint(name)).unwrap()
}

#[test]
fn adm_batches_are_read() {
    let mut file = npz("adm_samples.npz");
    let (images, labels) = (file.u8("arr_0").unwrap(), file.i64("arr_1").unwrap());
    let n = images.shape[0];
    assert_eq!(images.shape.len(), 4);
    assert_eq!(images.data.len(), images.shape.iter().product::<usize>());
    assert_eq!(labels.shape, [n]);
    let mut reference = npz("adm_reference.npz");
    let (mu, sigma) = reference.moments("mu", "sigma").unwrap();
    assert_eq!(sigma.len(), mu.len() * mu.len());
    assert!(reference.moments("mu_s", "sigma_s").is_ok());
    assert_eq!(reference.u8("arr_0").unwrap(), images);
}

#[test]
fn deflated_fortran_ordered_and_big_endian_moments_agree() {
    let (mu, sigma) = npz("pytorch_fid_stats.npz").moments("mu", "sigma").unwrap();
    let fortran = npz("fortran_order.npz").moments("mu", "sigma").unwrap();
    assert_eq!((&mu, &sigma), (&fortran.0, &fortran.1));
    let (big_mu, big_sigma) = npz("big_endian.npz").moments("mu", "sigma").unwrap();
    assert_eq!(mu, big_mu);
    for (a, b) in sigma.iter().zip(&big_sigma) {
        assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn broken_archives_are_refused() {
    let shape = refusal(npz("bad_shape.npz").moments("mu", "sigma"));
    assert!(shape.contains("moments are [d] and [d, d]"), "{shape}");
    let nan = refusal(npz("has_nan.npz").moments("mu", "sigma"));
    assert!(nan.contains("NaN"), "{nan}");
    let object = refusal(npz("object_array.npz").f64("mu"));
    assert!(object.contains("Python objects"), "{object}");
    let missing = refusal(npz("adm_samples.npz").f64("sigma"));
    assert!(missing.contains("`arr_0`, `arr_1`"), "{missing}");
    assert!(refusal(npz("adm_samples.npz").u8("arr_1")).contains("int64"));
}

#[test]
fn archives_come_back_as_they_were_written_and_equal_arrays_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let arrays = || {
        [
            ("arr_0", Array::u8(&[2, 3], (0..6).collect())),
            ("mu", Array::f64(&[2], vec![0.1, -1e300])),
            ("features", Array::f32(&[1, 2], vec![0.5, f32::MIN])),
            ("labels", Array::i64(&[3], vec![i64::MIN, 0, 7])),
            ("count", Array::i64(&[], vec![5])),
            ("none", Array::f32(&[0, 4], vec![])),
        ]
    };
    npz::write(&path, &arrays()).unwrap();
    let mut file = Npz::open(&path).unwrap();
    assert_eq!(
        file.names(),
        ["arr_0", "mu", "features", "labels", "count", "none"]
    );
    assert_eq!(file.u8("arr_0").unwrap().data, [0, 1, 2, 3, 4, 5]);
    assert_eq!(file.f64("mu").unwrap().data, [0.1, -1e300]);
    assert_eq!(file.f32("features").unwrap().shape, [1, 2]);
    assert_eq!(file.i64("labels").unwrap().data, [i64::MIN, 0, 7]);
    assert_eq!(file.i64("count").unwrap().shape, [0usize; 0]);
    assert_eq!(file.f32("none").unwrap().shape, [0, 4]);
    let again = folder.path().join("b.npz");
    npz::write(&again, &arrays()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    let wrong = npz::write(&path, &[("x", Array::u8(&[2, 2], vec![1]))]);
    assert!(refusal(wrong).contains("`x`"));
}

/// An archive of one array `x` whose npy file is `bytes`.
fn archive(path: &Path, bytes: Vec<u8>) {
    let method = zip::CompressionMethod::Deflated;
    zip_of(path, method, [("x.npy", bytes)]);
}

#[test]
fn hostile_headers_are_errors_before_anything_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let headers = [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'shape': ((((((((",
        "{\u{e9}: 3}",
        "",
    ];
    for header in headers {
        archive(&path, npy_of_header(header, &[0; 16]));
        let mut file = Npz::open(&path).unwrap();
        assert!(file.f64("x").is_err(), "{header}");
    }
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    archive(&path, long);
    assert!(Npz::open(&path).unwrap().f64("x").is_err());
}

#[test]
fn cut_and_flipped_archives_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.npz");
    for name in ["adm_samples.npz", "pytorch_fid_stats.npz"] {
        let whole = fs::read(checkpoint(name)).unwrap();
        for at in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..at]).unwrap();
            assert!(Npz::open(&path).is_err(), "{name} cut at {at}");
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            fs::write(&path, &bytes).unwrap();
            if let Ok(mut file) = Npz::open(&path) {
                for array in file.names() {
                    let _ = (file.f64(&array), file.u8(&array), file.i64(&array));
                }
            }
        }
    }
}

#[test]
fn a_safetensors_state_is_read_with_its_types() {
    let file = Checkpoint::open(&checkpoint("state.safetensors")).unwrap();
    assert_eq!(file.shapes()["a.weight"], [4, 3, 3, 3]);
    assert_eq!(file.kind("bf16"), Some("BF16"));
    let tensors = file.tensors(&Device::Cpu).unwrap();
    assert_eq!(tensors.len(), file.shapes().len());
    for (name, tensor) in tensors {
        assert_eq!(tensor.dims(), file.shapes()[&name], "{name}");
    }
}

#[test]
fn what_is_no_checkpoint_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for bytes in [&b""[..], b"{}", b"hello, world, I am a text", &[0; 64]] {
        fs::write(&path, bytes).unwrap();
        assert!(Checkpoint::open(&path).is_err());
    }
    assert!(Checkpoint::open(folder.path()).is_err());
    assert!(refusal(Checkpoint::open(&folder.path().join("none"))).contains("No such file"));
}

#[test]
fn pictures_survive_png_and_bad_ones_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let pixels: Vec<u8> = (0..5 * 4 * 3).collect();
    file::write_png(&path, &pixels, 5, 4).unwrap();
    let read = file::read(&path).unwrap();
    assert_eq!((read.w, read.h, &read.data), (5, 4, &pixels));
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = file::decode(&bytes);
        let _ = file::decode(&whole[..at]);
    }
    assert!(file::write_png(&path, &pixels, 5, 5).is_err());
    assert!(file::decode(b"GIF89a").is_err());
}

#[test]
fn grey_and_alpha_become_rgb() {
    use ::image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgba, RgbaImage};
    let png = |image: DynamicImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        file::decode(&bytes.into_inner()).unwrap().data
    };
    let grey = DynamicImage::ImageLuma8(GrayImage::from_pixel(1, 1, Luma([9])));
    assert_eq!(png(grey), [9, 9, 9]);
    let clear = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 0]));
    assert_eq!(png(DynamicImage::ImageRgba8(clear)), [1, 2, 3]);
}
