//! JPEG to RGB bytes as Pillow decodes it, to the bit.
//!
//! Two decoders of the same integer arithmetic share the work: a fast one in Rust reads whole files of the ordinary kinds,
//! and libjpeg itself reads every other file, and every file that the fast one does not read without a warning.

mod libjpeg;
mod markers;
mod ordinary;
mod tables;

use crate::io::image::pixels::{Rgb8, within_limits};
use anyhow::{Result, ensure};
use markers::Frame;

/// Decodes a JPEG to RGB: accurate integer DCT, triangle-filtered chroma, no orientation applied. CMYK is inverted and
/// mixed as Pillow does it (Adobe's convention).
///
/// # Errors
/// As in Pillow: where the data end before the last row of pixels, and where libjpeg gives up. What libjpeg only warns of
/// is no error (bytes too many, a broken block, an end marker that comes early): the pixels are those that it makes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Rgb8> {
    let frame = Frame::find(bytes)?;
    ensure!(
        frame.precision == 8,
        "the JPEG has {} bits a sample, 8 are read",
        frame.precision
    );
    ensure!(
        matches!(frame.components.len(), 1 | 3 | 4),
        "the JPEG has {} components, 1, 3 and 4 are read",
        frame.components.len()
    );
    within_limits(frame.w, frame.h)?;
    if let Some(whole) = frame.ordinary(bytes)
        && let Some(image) = ordinary::decode(whole)
    {
        return Ok(image);
    }
    libjpeg::decode(bytes)
}
