//! A decoded picture, and how large one may be.

use anyhow::{Result, ensure};

/// The largest side, and the most bytes a decoder may take: larger claims are refused before they are allocated.
pub(crate) const SIDE_LIMIT: u32 = 20_000;
pub(crate) const MEMORY_LIMIT: u64 = 1 << 30;

/// An RGB picture of bytes, [h, w, 3].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb8 {
    pub w: usize,
    pub h: usize,
    pub data: Vec<u8>,
}

/// A decoded picture, and what its pixels no longer tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub image: Rgb8,
    /// It is 16-bit grey, and values above 255 were cut off there, in at least one pixel.
    pub cut: bool,
}

impl From<Rgb8> for Decoded {
    fn from(image: Rgb8) -> Decoded {
        Decoded { image, cut: false }
    }
}

/// Refuses a claimed size before memory is taken for it.
///
/// # Errors
/// Where a side is 0 or above `SIDE_LIMIT`, or the picture would take more than `MEMORY_LIMIT` bytes.
pub(crate) fn within_limits(w: usize, h: usize) -> Result<()> {
    ensure!(w > 0 && h > 0, "the picture is empty");
    let side = SIDE_LIMIT as usize;
    ensure!(
        w <= side && h <= side && 3 * (w * h) as u64 <= MEMORY_LIMIT,
        "the picture is {w} by {h}; the limit is {side} a side and {} million pixels",
        MEMORY_LIMIT / 3_000_000
    );
    Ok(())
}
