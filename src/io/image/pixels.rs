//! A decoded picture, and how large one may be.

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
