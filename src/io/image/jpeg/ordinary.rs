//! The fast decoder, for ordinary files.

use crate::io::image::jpeg::tables::SCAN_LIMIT;
use crate::io::image::pixels::{MEMORY_LIMIT, Rgb8, SIDE_LIMIT};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The picture, or nothing where the decoder finds any fault with the file, however small, or panics: libjpeg then says
/// what the picture is, or what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Option<Rgb8> {
    catch_unwind(AssertUnwindSafe(|| without_fault(bytes))).unwrap_or_default()
}

fn without_fault(bytes: &[u8]) -> Option<Rgb8> {
    let limits = DecodeLimits {
        max_width: SIDE_LIMIT as usize,
        max_height: SIDE_LIMIT as usize,
        max_scans: SCAN_LIMIT,
        max_memory: Some(MEMORY_LIMIT),
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).ok()?;
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_stop_on_warning(true);
    let image = decoder.decode_image().ok()?;
    let (w, h, data) = (image.width, image.height, image.data);
    let faultless = image.warnings.is_empty() && data.len() == 3 * w * h;
    faultless.then_some(Rgb8 { w, h, data })
}
