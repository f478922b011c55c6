//! BMP headers: which layouts are read, and how pixels of 16 bits become bytes.

use anyhow::{Context, Result, ensure};

const BITFIELDS: u32 = 3;

/// Masks of red, green, blue and alpha, of 32 bits a pixel, that Pillow reads.
const MASKS_32: [[u32; 4]; 7] = [
    [0xff_0000, 0xff00, 0xff, 0],
    [0xff00_0000, 0xff_0000, 0xff00, 0],
    [0xff00_0000, 0xff00, 0xff, 0],
    [0xff00_0000, 0xff_0000, 0xff00, 0xff],
    [0xff, 0xff00, 0xff_0000, 0xff00_0000],
    [0xff_0000, 0xff00, 0xff, 0xff00_0000],
    [0xff00_0000, 0xff00, 0xff, 0xff_0000],
];
const MASKS_24: [u32; 3] = [0xff_0000, 0xff00, 0xff];
const MASKS_565: [u32; 3] = [0xf800, 0x7e0, 0x1f];
const MASKS_555: [u32; 3] = [0x7c00, 0x3e0, 0x1f];

/// The largest value of each channel, where a pixel has 16 bits.
pub(crate) type Tops = [u32; 3];

/// Checks the layout.
///
/// # Errors
/// Where Pillow refuses it: other masks than the usual ones.
pub(crate) fn layout(bytes: &[u8]) -> Result<Option<Tops>> {
    let short = "the BMP ends within its header\nhint: it may be truncated";
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).context(short)?;
        anyhow::Ok(u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
    };
    let size = word(14)?;
    if size == 12 {
        let bits = word(22)? >> 16;
        return Ok((bits == 16).then_some([31; 3]));
    }
    let (bits, compression) = (word(26)? >> 16, word(30)?);
    if compression != BITFIELDS {
        return Ok((bits == 16).then_some([31; 3]));
    }
    let alpha = if size >= 56 { word(66)? } else { 0 };
    let [red, green, blue] = [word(54)?, word(58)?, word(62)?];
    let read = match bits {
        32 => MASKS_32.contains(&[red, green, blue, alpha]),
        24 => [red, green, blue] == MASKS_24,
        16 => [MASKS_565, MASKS_555].contains(&[red, green, blue]),
        _ => false,
    };
    ensure!(
        read,
        "the BMP's masks {red:#x}, {green:#x}, {blue:#x}, {alpha:#x} of {bits} bits are none that are read\nhint: convert it to PNG"
    );
    Ok((bits == 16).then(|| {
        if green == MASKS_565[1] {
            [31, 63, 31]
        } else {
            [31; 3]
        }
    }))
}

/// Bytes that were rounded from values of 0 to `top` become the bytes that Pillow rounds down to.
pub(crate) fn rounded_down(data: &mut [u8], tops: Tops) {
    for (byte, top) in data.iter_mut().zip(tops.into_iter().cycle()) {
        let value = (u32::from(*byte) * top + 127) / 255;
        *byte = (value * 255 / top) as u8;
    }
}
