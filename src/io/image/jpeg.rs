//! JPEG to RGB bytes as Pillow decodes it, to the bit: the same integer arithmetic as its libjpeg-turbo.

use crate::io::image::pixels::{MEMORY_LIMIT, Rgb8, SIDE_LIMIT};
use anyhow::{Result, bail, ensure};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Scans of a progressive file: encoders write about ten, and each costs a pass over the picture.
const SCAN_LIMIT: usize = 200;

/// Decodes a JPEG to RGB: accurate integer DCT, triangle-filtered chroma, no orientation applied. CMYK is inverted and
/// mixed as Pillow does it (Adobe's convention). A file that ends early or is broken inside is an error, as in Pillow.
pub(crate) fn decode(bytes: &[u8]) -> Result<Rgb8> {
    ensure!(
        is_whole(bytes),
        "the JPEG ends early\nhint: it may be truncated"
    );
    // The decoder is fuzzed, but hostile files are many: whatever it trips over is an error of this file.
    match catch_unwind(AssertUnwindSafe(|| decode_within_limits(bytes))) {
        Ok(image) => image,
        Err(_) => bail!("the JPEG is broken: its decoder gave up"),
    }
}

/// Whether the end marker follows the last scan; a thumbnail's lies before the first.
fn is_whole(bytes: &[u8]) -> bool {
    let end = bytes.windows(2).rposition(|pair| pair == b"\xff\xd9");
    end.is_some_and(|end| !bytes[end..].windows(2).any(|pair| pair == b"\xff\xda"))
}

fn decode_within_limits(bytes: &[u8]) -> Result<Rgb8> {
    let limits = DecodeLimits {
        max_width: SIDE_LIMIT as usize,
        max_height: SIDE_LIMIT as usize,
        max_scans: SCAN_LIMIT,
        max_memory: Some(MEMORY_LIMIT),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits)?;
    let header = decoder.header();
    ensure!(
        header.precision == 8,
        "the JPEG has {} bits a sample, 8 are read",
        header.precision
    );
    let four = header.components.len() == 4;
    decoder.set_output_format(match four {
        true => PixelFormat::Cmyk,
        false => PixelFormat::Rgb,
    });
    let image = decoder.decode_image()?;
    let (w, h) = (image.width, image.height);
    let data = match four {
        true => image.data.as_chunks::<4>().0.iter().flat_map(mix).collect(),
        false => image.data,
    };
    ensure!(
        w > 0 && h > 0 && data.len() == 3 * w * h,
        "the JPEG is broken: {} bytes are no picture of {w} by {h}",
        data.len()
    );
    Ok(Rgb8 { w, h, data })
}

/// Inverted CMYK, as Adobe stores it, to RGB in Pillow's rounding.
fn mix(cmyk: &[u8; 4]) -> [u8; 3] {
    let light = cmyk[3] as u32;
    std::array::from_fn(|c| {
        let product = (255 - cmyk[c] as u32) * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}
