//! Picture files of every kind decode to the bytes that Pillow makes of them; broken ones are errors.

use crate::support::files::fnv1a;
use crate::support::program::repository;
use fidrunner::io::image::file;
use std::path::PathBuf;

/// File, width, height and the FNV-1a of `Image.open(..).convert("RGB").tobytes()` by Pillow 13.0.0 with
/// libjpeg-turbo 3.2.0 (`tests/pictures/make.py`).
const BY_PILLOW: [(&str, usize, usize, u64); 24] = [
    ("420.jpg", 75, 53, 0x39cc_d507_5f59_3522),
    ("422.jpg", 75, 53, 0x73f8_092e_05b4_1a65),
    ("444.jpg", 75, 53, 0xf5c0_9cb2_8c67_5748),
    ("odd.jpg", 17, 9, 0x6237_21e1_298d_37be),
    ("thin.jpg", 1, 40, 0x35f8_3b60_43cd_2aef),
    ("progressive.jpg", 75, 53, 0xaa51_2989_0545_41d3),
    ("restarts.jpg", 75, 53, 0xaa51_2989_0545_41d3),
    ("grey.jpg", 75, 53, 0x02fa_c34d_c167_bb90),
    ("cmyk.jpg", 75, 53, 0xfd4b_3149_dcda_d722),
    // Its tag asks for a quarter turn, which no evaluator makes.
    ("turned.jpg", 75, 53, 0xaa51_2989_0545_41d3),
    ("lossless.webp", 75, 53, 0xb477_2a66_dbd0_cf9c),
    ("lossy.webp", 75, 53, 0x6e96_7865_d3cd_8cec),
    ("rgb.bmp", 20, 20, 0xbe40_96a6_a0dd_32a8),
    ("grey16.png", 12, 3, 0xac74_e86d_b636_79df),
    ("grey16-transparent.png", 12, 3, 0xac74_e86d_b636_79df),
    ("grey-alpha16.png", 12, 3, 0xbef2_a2f0_b7ec_2852),
    ("rgb16.png", 12, 3, 0x8e10_ca33_0902_7315),
    ("rgba16.png", 12, 3, 0x8292_d5c1_3ad8_5519),
    ("grey-alpha.png", 9, 9, 0x4f55_22be_79dc_6db0),
    ("rgba.png", 9, 9, 0xbf3f_7f70_5f50_4eb3),
    ("palette.png", 75, 53, 0xe6d4_158f_4135_904f),
    ("bits.png", 19, 5, 0x884e_90f4_9741_7cc4),
    ("grey4.png", 4, 2, 0x0e29_f039_ab5d_4796),
    ("transparent.png", 2, 1, 0x7495_9fa6_2a06_5594),
];

fn path(name: &str) -> PathBuf {
    repository("tests/pictures").join(name)
}

#[test]
fn every_kind_of_picture_decodes_to_pillows_bytes() {
    let mut wrong = Vec::new();
    for (name, w, h, wanted) in BY_PILLOW {
        let image = file::read(&path(name)).unwrap();
        assert_eq!((image.w, image.h), (w, h), "{name}");
        if fnv1a(&image.data) != wanted {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} differ from Pillow's");
}

/// Small PNGs, of which seven eighths hold every row of pixels; Pillow reads them as if they were whole.
const WHOLE_AT_SEVEN_EIGHTHS: [&str; 5] = [
    "bits.png",
    "grey16-transparent.png",
    "grey16.png",
    "grey4.png",
    "transparent.png",
];

#[test]
fn a_picture_that_ends_early_is_an_error() {
    for (name, .., wanted) in BY_PILLOW {
        let whole = std::fs::read(path(name)).unwrap();
        for part in [2, 4, 7] {
            let cut = whole.len() * part / 8;
            let read = file::decode(&whole[..cut]);
            if part == 7 && WHOLE_AT_SEVEN_EIGHTHS.contains(&name) {
                assert_eq!(fnv1a(&read.unwrap().data), wanted, "{name}");
            } else {
                assert!(read.is_err(), "{name} to {cut}");
            }
        }
    }
}

#[test]
fn broken_pictures_never_panic_and_never_take_much_memory() {
    for (name, ..) in BY_PILLOW {
        let whole = std::fs::read(path(name)).unwrap();
        let step = (whole.len() / 60).max(1);
        for at in (0..whole.len()).step_by(step) {
            for flip in [0x01, 0x55, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                if let Ok(image) = file::decode(&bytes) {
                    assert_eq!(image.data.len(), 3 * image.w * image.h, "{name} {at}");
                }
            }
        }
    }
}

#[test]
fn a_jpeg_that_claims_a_huge_picture_is_refused() {
    let mut bytes = std::fs::read(path("420.jpg")).unwrap();
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let why = format!("{:#}", file::decode(&bytes).unwrap_err());
    assert!(why.contains("limit"), "{why}");
}
