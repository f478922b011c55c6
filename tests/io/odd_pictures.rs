//! Pictures of unusual kinds, and damaged ones: Pillow's pixels where it reads them, an error where it does not.

use crate::support::files::fnv1a;
use crate::support::program::repository;
use fidrunner::io::image::file;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    repository("tests/pictures").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    let read = file::decode(bytes).map(|image| (image.w, image.h));
    format!("{:#}", read.unwrap_err())
}

/// JFIF's marker beside Adobe's; components named R, G and B without markers; CMYK whose first component is sampled
/// most; YCCK in 4:4:0; bytes like a scan's behind the end marker.
const UNUSUAL: [&str; 5] = [
    "jfif-adobe0-444",
    "RGB-ids-bare",
    "cmyk-c-large",
    "ycck-440",
    "trailer-has-ffda",
];

#[test]
fn unusual_jpegs_have_the_pixels_of_the_png_beside_them() {
    for name in UNUSUAL {
        let ours = file::read(&path(&format!("strangers/{name}.jpg"))).unwrap();
        let wanted = file::read(&path(&format!("strangers/{name}.png"))).unwrap();
        assert!(ours == wanted, "{name}");
    }
}

/// The FNV-1a of what Pillow reads of half the file with an end marker behind it.
const HALVES: [(&str, u64); 5] = [
    ("420.jpg", 0x0d52_d8ae_4f7c_69f9),
    ("progressive.jpg", 0x728e_b908_88c4_0c26),
    ("restarts.jpg", 0x2192_a9b5_d956_34cb),
    ("grey.jpg", 0x6964_79bd_bb5d_2e03),
    ("cmyk.jpg", 0x266a_848f_529d_6400),
];

#[test]
fn a_cut_jpeg_with_an_end_marker_is_grey_where_data_lack() {
    for (name, wanted) in HALVES {
        let whole = bytes(name);
        let cut = [&whole[..whole.len() / 2], b"\xff\xd9"].concat();
        assert_eq!(fnv1a(&file::decode(&cut).unwrap().data), wanted, "{name}");
    }
}

#[test]
fn a_jpeg_without_end_marker_is_read_where_other_bytes_follow() {
    let other: Vec<u8> = (0..200).collect();
    for name in ["420.jpg", "restarts.jpg", "grey.jpg", "cmyk.jpg", "odd.jpg"] {
        let whole = bytes(name);
        let open = &whole[..whole.len() - 2];
        assert!(refused(open).contains("ends early"), "{name}");
        let followed = file::decode(&[open, &other].concat()).unwrap();
        assert!(followed == file::decode(&whole).unwrap(), "{name}");
    }
    // More scans might follow, so that Pillow waits for the end.
    let progressive = bytes("progressive.jpg");
    let followed = [&progressive[..progressive.len() - 2], &other].concat();
    assert!(refused(&followed).contains("ends early"));
}

#[test]
fn what_follows_the_end_of_a_picture_is_no_part_of_it() {
    let noise: Vec<u8> = (0..2000u32).map(|i| (i * i / 7) as u8).collect();
    for name in [
        "420.jpg",
        "progressive.jpg",
        "rgba.png",
        "rgb.bmp",
        "lossy.webp",
    ] {
        let whole = bytes(name);
        let followed = file::decode(&[&whole[..], b"\xff\xda\0\x0c", &noise].concat()).unwrap();
        assert!(followed == file::decode(&whole).unwrap(), "{name}");
    }
}

fn place(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}

#[test]
fn checksums_of_a_png_count_before_the_data_and_in_it() {
    let whole = bytes("rgba.png");
    let data = place(&whole, b"IDAT");
    let length = u32::from_be_bytes(whole[data - 4..data].try_into().unwrap()) as usize;
    let mut of_chunk = whole.clone();
    of_chunk[data + 4 + length] ^= 1;
    assert!(file::decode(&of_chunk).unwrap() == file::decode(&whole).unwrap());
    let mut of_pixels = whole.clone();
    of_pixels[data + 3 + length] ^= 1;
    assert!(refused(&of_pixels).contains("do not decompress"));
    let mut of_header = whole.clone();
    of_header[place(&whole, b"IHDR") + 4 + 13] ^= 1;
    assert!(refused(&of_header).contains("the checksum of its chunk IHDR"));
}

#[test]
fn a_webp_is_as_long_as_it_says() {
    for name in ["lossless.webp", "lossy.webp"] {
        let whole = bytes(name);
        assert!(refused(&whole[..whole.len() - 1]).contains("ends early"));
    }
}

/// A BMP of one row of six 16-bit pixels with these masks.
fn bmp16(masks: [u32; 3]) -> Vec<u8> {
    let pixels = [0x1234u16, 0xffff, 0x0000, 0x8410, 0x7bef, 0xabcd];
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut file = b"BM".to_vec();
    file.extend(words(&[14 + 52 + 12, 0, 14 + 52]));
    file.extend(words(&[40, 6, 1, 1 | 16 << 16, 3, 12, 0, 0, 0, 0]));
    file.extend(words(&masks));
    file.extend(pixels.iter().flat_map(|p| p.to_le_bytes()));
    file
}

#[test]
fn sixteen_bit_bmps_are_rounded_down() {
    let of_565 = [
        16, 68, 164, 255, 255, 255, 0, 0, 0, 131, 129, 131, 123, 125, 123, 172, 121, 106,
    ];
    let of_555 = [
        32, 139, 164, 255, 255, 255, 0, 0, 0, 8, 0, 131, 246, 255, 123, 82, 246, 106,
    ];
    let read = |masks| file::decode(&bmp16(masks)).unwrap().data;
    assert_eq!(read([0xf800, 0x07e0, 0x001f]), of_565);
    assert_eq!(read([0x7c00, 0x03e0, 0x001f]), of_555);
    assert!(refused(&bmp16([0x001f, 0x07e0, 0xf800])).contains("masks 0x1f, 0x7e0, 0xf800"));
}

#[test]
fn broken_jpegs_of_unusual_kinds_never_panic() {
    for name in UNUSUAL {
        let whole = bytes(&format!("strangers/{name}.jpg"));
        for at in (2..whole.len()).step_by(7) {
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

/// A frame of every kind claims 19,000 by 19,000 pixels, more than a gibibyte.
#[test]
fn jpegs_of_every_kind_that_claim_a_huge_picture_are_refused() {
    let kinds = [
        ("420.jpg", 0xc0),
        ("progressive.jpg", 0xc2),
        ("cmyk.jpg", 0xc0),
    ];
    for (name, marker) in kinds {
        let mut bytes = bytes(name);
        let frame = place(&bytes, &[0xff, marker]);
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x4a, 0x38, 0x4a, 0x38]);
        assert!(refused(&bytes).contains("the limit is"), "{name}");
    }
}

/// A progressive picture whose coefficients alone would take more than a gibibyte: 18,000 by 18,000 by three, of two
/// bytes.
#[test]
fn coefficients_that_do_not_fit_are_refused() {
    let mut bytes = bytes("progressive.jpg");
    let frame = place(&bytes, &[0xff, 0xc2]);
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x46, 0x50, 0x46, 0x50]);
    // Full chroma.
    bytes[frame + 11] = 0x11;
    let why = refused(&bytes);
    assert!(why.contains("the JPEG is broken"), "{why}");
}

#[test]
fn a_jpeg_with_very_many_scans_is_refused() {
    let whole = bytes("progressive.jpg");
    let scans: Vec<usize> = whole
        .windows(2)
        .enumerate()
        .filter(|(_, w)| *w == [0xff, 0xda])
        .map(|(at, _)| at)
        .collect();
    let last = &whole[scans[scans.len() - 1]..whole.len() - 2];
    let many = [&whole[..whole.len() - 2], &last.repeat(300), b"\xff\xd9"].concat();
    assert!(refused(&many).contains("more than 200 scans"));
}
