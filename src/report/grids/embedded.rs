//! Overviews small enough to be part of a page: images in their own pixels, lossless, each once.

use crate::report::chart::canvas;
use crate::report::grids::enlarged::factor;
use crate::report::grids::overview::{Labelled, Overview};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::webp::WebPEncoder;

/// Images of a cell that a page shows at most.
const COLUMNS: usize = 6;
/// Pixels of all images of a page together, beyond which fewer columns are shown.
const PIXELS: usize = 100_000;
/// Pixels a side beyond which an image is averaged down.
const SIDE: usize = 64;

/// A row of an overview: the first images of a cell beside each other.
pub struct Strip {
    /// The labels of all cells that have these images.
    pub label: String,
    /// A `data:` address.
    pub source: String,
    /// Width in pixels of the page.
    pub width: usize,
}

/// An overview as a page shows it.
pub struct Strips {
    pub title: String,
    pub strips: Vec<Strip>,
}

/// The overviews of one page.
///
/// # Errors
/// Where an image cannot be encoded.
pub fn embedded(overviews: &[Overview]) -> Result<Vec<Strips>> {
    let rows = overviews.iter().flat_map(|overview| &overview.rows);
    let column: usize = rows.map(|row| Small::size(row).pixels()).sum();
    let columns = (PIXELS / column.max(1)).clamp(1, COLUMNS);
    overviews.iter().map(|o| strips(o, columns)).collect()
}

fn strips(overview: &Overview, columns: usize) -> Result<Strips> {
    let mut strips: Vec<Strip> = Vec::new();
    let mut title = overview.title.clone();
    let by = overview.rows.iter().map(|row| Small::size(row).by).max();
    if let Some(by) = by.filter(|by| *by > 1) {
        title.push_str(&format!("; shown at 1/{by} of their size"));
    }
    for row in &overview.rows {
        let strip = strip(row, columns)?;
        match strips.iter_mut().find(|s| s.source == strip.source) {
            Some(same) => same.label = format!("{}; {}", same.label, strip.label),
            None => strips.push(strip),
        }
    }
    Ok(Strips { title, strips })
}

/// The size at which a page holds the images of a cell.
struct Small {
    height: usize,
    width: usize,
    /// How many pixels of the image are one of the page, to each side.
    by: usize,
}

impl Small {
    fn size(row: &Labelled) -> Self {
        let (height, width) = row.images.size();
        let by = height.max(width).div_ceil(SIDE).max(1);
        Self {
            height: height / by,
            width: width / by,
            by,
        }
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }
}

/// One pixel of white stands between two images.
fn strip(row: &Labelled, columns: usize) -> Result<Strip> {
    let small = Small::size(row);
    let columns = columns.min(row.images.count);
    let width = (columns * (small.width + 1)).saturating_sub(1);
    let mut pixels = vec![255; width * small.height * 3];
    for c in 0..columns {
        let image = canvas::shrink(row.images.image(c), row.images.width, small.by);
        for (y, line) in image.chunks_exact(small.width * 3).enumerate() {
            let to = (y * width + c * (small.width + 1)) * 3;
            pixels[to..to + line.len()].copy_from_slice(line);
        }
    }
    Ok(Strip {
        label: row.label.clone(),
        source: address(&pixels, width, small.height)?,
        width: width * factor(small.width),
    })
}

/// 8-bit RGB [height, width, 3] as a `data:` address: WebP or PNG, whichever is smaller. Both give back every bit.
fn address(pixels: &[u8], width: usize, height: usize) -> Result<String> {
    let png = canvas::encode(pixels, width, height)?;
    let mut webp = Vec::new();
    WebPEncoder::new_lossless(&mut webp)
        .encode(
            pixels,
            width as u32,
            height as u32,
            image::ExtendedColorType::Rgb8,
        )
        .context("encoding a webp")?;
    let (kind, bytes) = if webp.len() < png.len() {
        ("webp", webp)
    } else {
        ("png", png)
    };
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(bytes)
    ))
}
