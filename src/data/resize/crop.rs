//! How pictures become squares. ADM's way: halve with BOX, shrink with BICUBIC, crop, mirror, random only by the number
//! handed in; and EDM's way: crop, then LANCZOS.

use crate::data::resize::antialias::{Filter, resize};
use crate::io::image::file::Rgb8;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Whose way of making a square: references made by different ones do not compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// guided-diffusion's, which EDM2 took over as `center-crop-dhariwal`.
    #[default]
    Adm,
    /// EDM's `dataset_tool.py --transform=center-crop`, which made its ImageNet-64 reference: the centre square, then
    /// Pillow's LANCZOS, up or down.
    Edm,
}

impl FromStr for Crop {
    type Err = String;

    fn from_str(name: &str) -> Result<Crop, String> {
        match name {
            "adm" => Ok(Crop::Adm),
            "edm" => Ok(Crop::Edm),
            _ => Err(format!("crop = {name:?} is not known, `adm` and `edm` are")),
        }
    }
}

impl Crop {
    /// The picture as [side, side, 3] bytes.
    pub fn square(self, image: Rgb8, side: usize) -> Vec<u8> {
        match self {
            Crop::Adm => prepare(image, side, Augment::default()),
            Crop::Edm => {
                let length = image.w.min(image.h);
                let (x, y) = ((image.w - length) / 2, (image.h - length) / 2);
                let square = Rgb8 {
                    w: length,
                    h: length,
                    data: cut(&image, x, y, length),
                };
                resize(&square, side, side, Filter::Lanczos).data
            }
        }
    }
}

/// How a picture is varied for training; the default is the centre crop as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Mirror left and right.
    pub flip: bool,
    /// A random number that decides size and place of the crop; none takes the centre.
    pub crop: Option<u64>,
}

/// Independent uniform choices out of one random number (SplitMix64).
pub(crate) struct Choices(pub u64);

impl Choices {
    /// One of low..=high.
    pub fn among(&mut self, low: usize, high: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + ((z as u128 * (high - low + 1) as u128) >> 64) as usize
    }
}

/// The length of the shorter side before a random crop to `side`: between it and a quarter more.
pub(crate) fn crop_length(choices: &mut Choices, side: usize) -> usize {
    choices.among(side, (5 * side).div_ceil(4))
}

/// The picture as [side, side, 3] bytes.
pub fn prepare(image: Rgb8, side: usize, augment: Augment) -> Vec<u8> {
    let mut pixels = match augment.crop {
        None => {
            let small = shrink(image, side);
            let (x, y) = ((small.w - side) / 2, (small.h - side) / 2);
            cut(&small, x, y, side)
        }
        Some(random) => {
            let mut choices = Choices(random);
            let small = shrink(image, crop_length(&mut choices, side));
            place(&small, side, &mut choices)
        }
    };
    if augment.flip {
        mirror(&mut pixels, side);
    }
    pixels
}

/// A square of `side` at a random place.
pub(crate) fn place(image: &Rgb8, side: usize, choices: &mut Choices) -> Vec<u8> {
    let y = choices.among(0, image.h - side);
    let x = choices.among(0, image.w - side);
    cut(image, x, y, side)
}

/// The picture whose shorter side is `length`.
fn shrink(mut image: Rgb8, length: usize) -> Rgb8 {
    while image.w.min(image.h) >= 2 * length {
        image = resize(&image, image.w / 2, image.h / 2, Filter::Box);
    }
    let scale = length as f64 / image.w.min(image.h) as f64;
    // Python's round: halves go to the even neighbour.
    let scaled = |n: usize| ((n as f64 * scale).round_ties_even() as usize).max(length);
    let (w, h) = (scaled(image.w), scaled(image.h));
    resize(&image, w, h, Filter::Bicubic)
}

fn cut(image: &Rgb8, x: usize, y: usize, side: usize) -> Vec<u8> {
    let rows = image.data.chunks_exact(3 * image.w).skip(y).take(side);
    rows.flat_map(|row| &row[3 * x..3 * (x + side)])
        .copied()
        .collect()
}

/// Mirrors [side, side, 3] left and right.
pub fn mirror(pixels: &mut [u8], side: usize) {
    for row in pixels.chunks_exact_mut(3 * side) {
        row.as_chunks_mut::<3>().0.reverse();
    }
}
