//! Pictures: PNG, JPEG, WebP and BMP to RGB bytes within bounds, and RGB bytes to PNG.

use crate::io::disk::write_atomic;
use crate::io::image::pixels::{MEMORY_LIMIT, SIDE_LIMIT};
use crate::io::image::{bmp, jpeg, png, webp};
use anyhow::{Context, Result, bail, ensure};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    DynamicImage, ExtendedColorType, ImageBuffer, ImageEncoder, ImageReader, Limits, Luma,
};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use crate::io::image::kind::{READ_KINDS, read_kind, recognise, unread_kind};
pub use crate::io::image::pixels::{Decoded, Rgb8};

const FILE_LIMIT: u64 = 512 << 20;

/// Decodes a picture, told apart by its content, to the bytes of Pillow 13's `convert("RGB")`: grey, of any depth and with
/// a palette, becomes RGB; alpha and transparent colours are dropped, not blended; of 16 bits a channel the upper 8 are
/// kept, but 16-bit grey is cut off at 255 (nearly all of it turns white there); rotation tags are ignored.
///
/// # Errors
/// Where the file is no picture of a kind that is read, or Pillow refuses it, or it is larger than is read.
pub fn decode(bytes: &[u8]) -> Result<Rgb8> {
    Ok(decode_noted(bytes)?.image)
}

/// As `decode`, and whether 16-bit grey was cut off.
///
/// # Errors
/// As `decode`.
pub fn decode_noted(bytes: &[u8]) -> Result<Decoded> {
    if !recognise(bytes) {
        match unread_kind(bytes) {
            Some(kind) => bail!(
                "it is a picture of kind {kind}, and {READ_KINDS} are read\nhint: convert it to PNG"
            ),
            None => bail!("it is no picture: {READ_KINDS} are read"),
        }
    }
    match read_kind(bytes) {
        Some("JPEG") => Ok(jpeg::decode(bytes)?.into()),
        Some("PNG") => rgb(decode_within_limits(&png::pixels_alone(bytes)?)?),
        Some("WebP") => rgb(decode_within_limits(webp::whole(bytes)?)?),
        _ => {
            let tops = bmp::layout(bytes)?;
            let mut decoded = rgb(decode_within_limits(bytes)?)?;
            if let Some(tops) = tops {
                bmp::rounded_down(&mut decoded.image.data, tops);
            }
            Ok(decoded)
        }
    }
}

/// What a decoder trips over is an error of this file: hostile ones make image-webp 0.2.4 panic.
fn decode_within_limits(bytes: &[u8]) -> Result<DynamicImage> {
    match catch_unwind(AssertUnwindSafe(|| decode_unguarded(bytes))) {
        Ok(image) => image,
        Err(_) => bail!("the picture is broken: its decoder gave up"),
    }
}

fn decode_unguarded(bytes: &[u8]) -> Result<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_LIMIT);
    limits.max_image_height = Some(SIDE_LIMIT);
    limits.max_alloc = Some(MEMORY_LIMIT);
    reader.limits(limits);
    Ok(reader.decode()?)
}

fn rgb(image: DynamicImage) -> Result<Decoded> {
    let (w, h) = (image.width() as usize, image.height() as usize);
    ensure!(w > 0 && h > 0, "the picture is empty");
    let cut_off = |grey: &ImageBuffer<Luma<u16>, Vec<u16>>| grey.pixels().any(|p| p.0[0] > 255);
    let cut_off = matches!(&image, DynamicImage::ImageLuma16(grey) if cut_off(grey));
    let data = match image {
        DynamicImage::ImageLuma16(grey) => triple(grey.pixels().map(|p| cut(p.0[0]))),
        DynamicImage::ImageLumaA16(grey) => triple(grey.pixels().map(|p| upper(p.0[0]))),
        DynamicImage::ImageRgb16(rgb) => rgb.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageRgba16(rgba) => rgba
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2]].map(upper))
            .collect(),
        bytes => bytes.into_rgb8().into_raw(),
    };
    Ok(Decoded {
        image: Rgb8 { w, h, data },
        cut: cut_off,
    })
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

fn cut(value: u16) -> u8 {
    value.min(255) as u8
}

fn triple(grey: impl Iterator<Item = u8>) -> Vec<u8> {
    grey.flat_map(|v| [v; 3]).collect()
}

/// Reads and decodes a picture file.
pub fn read(path: &Path) -> Result<Rgb8> {
    let bytes = crate::io::disk::read_bounded(path, FILE_LIMIT)?;
    decode(&bytes).with_context(|| format!("reading {}", path.display()))
}

/// PNG bytes of `pixels`, [h, w, 3]; the same pixels give the same bytes.
pub fn encode_png(pixels: &[u8], w: usize, h: usize) -> Result<Vec<u8>> {
    ensure!(
        w.checked_mul(h).and_then(|n| n.checked_mul(3)) == Some(pixels.len()),
        "{} bytes are no picture of {w} by {h}",
        pixels.len()
    );
    let mut out = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut out, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(pixels, w as u32, h as u32, ExtendedColorType::Rgb8)?;
    Ok(out)
}

/// Writes `pixels`, [h, w, 3], as a PNG, atomically.
pub fn write_png(path: &Path, pixels: &[u8], w: usize, h: usize) -> Result<()> {
    let bytes = encode_png(pixels, w, h).with_context(|| format!("writing {}", path.display()))?;
    write_atomic(path, |out| Ok(out.write_all(&bytes)?))
}

impl Rgb8 {
    /// Writes the image as PNG, whole or not at all.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_png(path, &self.data, self.w, self.h)
    }
}
