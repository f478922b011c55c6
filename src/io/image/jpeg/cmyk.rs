//! CMYK to RGB.

/// Inverted CMYK, as Adobe stores it, to RGB in Pillow's rounding.
pub(super) fn mix(cmyk: &[u8; 4]) -> [u8; 3] {
    let light = u32::from(cmyk[3]);
    std::array::from_fn(|c| {
        let product = (255 - u32::from(cmyk[c])) * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}
