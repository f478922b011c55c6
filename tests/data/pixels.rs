//! Images resized for the Inception network equal what the evaluators' own code makes of them.

use crate::support::files::sha256;
use crate::support::golden::{cases, close, golden, values};
use crate::support::program::repository;
use fidrunner::data::resize::crop::Crop;
use fidrunner::data::resize::input;
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::file::{self, Rgb8};

/// Height and width of Inception's input.
const SIDE: usize = Preprocessing::Tf1.side();
/// Numbers in one image's input for Inception.
const INPUT: usize = Preprocessing::Tf1.input_len();

/// Every how many rows and columns a pixel is stored.
const ROWS: usize = 37;
const COLUMNS: usize = 41;

/// The stored pixels of an input, as [9, 8, 3], undone to 0..255.
fn stored_part(input: &[f32], how: Preprocessing) -> Vec<f64> {
    let byte = |v: f32| match how {
        Preprocessing::Tf1 | Preprocessing::Clean => f64::from(v) * 128.0 + 128.0,
        Preprocessing::Torch | Preprocessing::TorchBytes => (f64::from(v) + 1.0) * 127.5,
    };
    let mut part = Vec::new();
    for y in (0..SIDE).step_by(ROWS) {
        for x in (0..SIDE).step_by(COLUMNS) {
            part.extend((0..3).map(|c| byte(input[(c * SIDE + y) * SIDE + x])));
        }
    }
    part
}

fn filled(image: &Rgb8, how: Preprocessing) -> Vec<f32> {
    let mut out = vec![f32::NAN; INPUT];
    input::fill(image, how, &mut out).unwrap();
    out
}

#[test]
fn resized_pixels_equal_the_evaluators() {
    let case = &cases("eval", "inception")[0];
    let arrays = case.arrays();
    let images = case.images();
    assert!(!images.is_empty());
    for name in images {
        let image = file::read(&golden(&format!("eval/images/{name}.png"))).unwrap();
        for (how, key, tolerance) in [
            (Preprocessing::Tf1, "tf1", 1e-6),
            (Preprocessing::Torch, "torch", 1e-6),
            (Preprocessing::TorchBytes, "torch", 1e-6),
            (Preprocessing::Clean, "clean", 1e-6),
        ] {
            let theirs = values(&arrays[&format!("{name}/resized_{key}_sub")]);
            let ours = stored_part(&filled(&image, how), how);
            close(&ours, &theirs, tolerance)
                .unwrap_or_else(|why| panic!("{name} {}: {why}", how.name()));
        }
    }
}

/// Image and the first 16 digits of the SHA-256 of its input's f32 bits by torch-fidelity 0.4.0 and by clean-fid 0.1.35 on
/// Pillow 13 (`tests/pictures/inputs.py`). PyTorch's own resize has other last bits on other processors; the stored pixels
/// above hold it to 1e-6.
const BY_THE_TOOLS: [(&str, [&str; 2]); 6] = [
    (
        "golden/eval/images/cifar_cat_0.png",
        ["1dbce56b80ab15a0", "e55e35a254ecf709"],
    ),
    (
        "golden/eval/images/blob_48x80.png",
        ["c1ab29857ba03049", "0f13a9737286ac38"],
    ),
    (
        "golden/eval/images/blob_299x299.png",
        ["df0573baa744feb4", "df0573baa744feb4"],
    ),
    (
        "golden/eval/images/blob_512x512.png",
        ["4b453f77e02947eb", "2e595ec49587ea52"],
    ),
    ("pictures/420.jpg", ["8ee62b4851dc041f", "1bbedcf45c8ddb77"]),
    (
        "pictures/thin.jpg",
        ["d4dcd0285380c672", "399e5f4f835e9f53"],
    ),
];

#[test]
fn whole_inputs_equal_the_tools_to_the_bit() {
    for (name, digests) in BY_THE_TOOLS {
        let image = file::read(&repository("tests").join(name)).unwrap();
        for (how, wanted) in [Preprocessing::Tf1, Preprocessing::Clean]
            .into_iter()
            .zip(digests)
        {
            let input = filled(&image, how);
            let bytes: Vec<u8> = input.iter().flat_map(|v| v.to_le_bytes()).collect();
            assert_eq!(sha256(&bytes)[..16], *wanted, "{name} {}", how.name());
        }
    }
}

fn sample(w: usize, h: usize) -> Rgb8 {
    let byte = |i: usize| ((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8;
    let data = (0..w * h * 3).map(byte).collect();
    Rgb8 { w, h, data }
}

#[test]
fn an_image_of_the_networks_size_is_only_normalised() {
    let image = sample(SIDE, SIDE);
    for how in Preprocessing::ALL {
        let out = filled(&image, how);
        for (p, pixel) in image.data.chunks(3).enumerate() {
            for c in 0..3 {
                let v = f32::from(pixel[c]);
                let wanted = match how {
                    Preprocessing::Tf1 | Preprocessing::Clean => (v - 128.0) / 128.0,
                    Preprocessing::Torch | Preprocessing::TorchBytes => 2.0 * (v / 255.0) - 1.0,
                };
                assert_eq!(out[c * SIDE * SIDE + p], wanted, "{} {p}", how.name());
            }
        }
    }
}

#[test]
fn one_colour_stays_one_colour_at_any_size() {
    for (w, h) in [(1, 1), (2, 1), (1, 7), (299, 5), (32, 299), (777, 613)] {
        let data = [255, 0, 128].repeat(w * h);
        let image = Rgb8 { w, h, data };
        for how in Preprocessing::ALL {
            let out = filled(&image, how);
            for (c, high) in [(0, 1.0), (1, -1.0)] {
                let top = match how {
                    Preprocessing::Tf1 | Preprocessing::Clean if c == 0 => 127.0 / 128.0,
                    _ => high,
                };
                let plane = &out[c * SIDE * SIDE..(c + 1) * SIDE * SIDE];
                let off = plane.iter().fold(0f32, |m, v| m.max((v - top).abs()));
                // PyTorch's products of shares sum to 1 within an eighth of a millionth, which 2 x - 1 doubles.
                assert!(off <= 2.5e-7, "{} {w}x{h}: off by {off}", how.name());
            }
        }
    }
}

#[test]
fn the_two_orders_of_pytorchs_resize_differ_by_rounding_only() {
    let image = sample(57, 400);
    let (a, b) = (
        filled(&image, Preprocessing::Torch),
        filled(&image, Preprocessing::TorchBytes),
    );
    let off = a
        .iter()
        .zip(&b)
        .fold(0f32, |m, (x, y)| m.max((x - y).abs()));
    assert!(off > 0.0 && off < 1e-6, "off by {off}");
}

#[test]
fn pictures_and_inputs_that_do_not_fit_are_refused() {
    let image = sample(3, 3);
    let mut short = vec![0f32; INPUT - 1];
    assert!(input::fill(&image, Preprocessing::Tf1, &mut short).is_err());
    let mut out = vec![0f32; INPUT];
    for (w, h) in [(0, 0), (3, 4), (usize::MAX, 1)] {
        let data = image.data.clone();
        let broken = Rgb8 { w, h, data };
        assert!(input::fill(&broken, Preprocessing::Clean, &mut out).is_err());
    }
}

/// Image of the repository, pixels a side, and the first 16 digits of the SHA-256 of the bytes that `center_crop` of EDM's dataset_tool.py
/// (at 0a2ff34) makes of it with Pillow 13.
const BY_EDM: [(&str, usize, &str); 8] = [
    ("cifar_cat_0", 64, "9e3343aba859fdbb"),
    ("cifar_cat_0", 299, "79c8ce2d98d0ddde"),
    ("blob_48x80", 64, "32a41728b26ab215"),
    ("blob_48x80", 299, "2d5cc82c634a8a32"),
    ("blob_299x299", 64, "0b90bd7df31f0be3"),
    ("blob_299x299", 299, "0312671decf4feeb"),
    ("blob_512x512", 64, "17a04115312dd256"),
    ("blob_512x512", 299, "dac046e4dac39916"),
];

#[test]
fn edms_crop_equals_its_tools_to_the_bit() {
    for (name, side, expected) in BY_EDM {
        let image = format!("tests/golden/eval/images/{name}.png");
        let image = file::read(&repository(&image)).unwrap();
        let square = Crop::Edm.square(image, side);
        assert_eq!(sha256(&square)[..16], *expected, "{name} at {side}");
    }
}
