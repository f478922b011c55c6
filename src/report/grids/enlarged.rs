//! A white picture with places for images, each enlarged by a whole number without smoothing.

use crate::report::chart::picture::{Anchor, Picture};
use crate::report::chart::{canvas, palette};
use anyhow::Result;

/// Columns of every grid: with balanced labels over ten classes, a column a class.
pub const COLUMNS: usize = 10;
/// Pixels a side that an image is enlarged to at least.
const SIDE: usize = 96;
/// Pixels between enlarged images.
const GAP: usize = 4;
/// The size of a row's label in pixels.
const LABEL: f64 = 15.0;

/// How many times an image of a width in pixels is enlarged.
pub fn factor(width: usize) -> usize {
    SIDE.div_ceil(width.max(1)).max(1)
}

/// A grid as a file.
pub struct Mosaic {
    /// The file's name without its ending: `mosaic-3`, `overview-resolution-16`.
    pub name: String,
    /// Pixels.
    pub height: usize,
    pub width: usize,
    pub png: Vec<u8>,
}

/// Places for images.
#[derive(Clone, Copy)]
pub struct Grid {
    pub rows: usize,
    pub columns: usize,
}

/// Pixels left of and above the places.
#[derive(Clone, Copy, Default)]
pub struct Margin {
    pub left: usize,
    pub top: usize,
}

impl Margin {
    /// Room for the rows' labels and for the columns' numbers.
    pub fn labelled(labels: &[String]) -> Self {
        let widths = labels.iter().map(|l| canvas::text_width(l, LABEL));
        Self {
            left: widths.fold(0.0, f64::max).ceil() as usize + 20,
            top: 26,
        }
    }
}

/// 8-bit RGB [height, width, 3], white where no image is.
pub struct Enlarged {
    width: usize,
    height: usize,
    margin: Margin,
    factor: usize,
    /// Height and width of an image before it is enlarged.
    image: (usize, usize),
    grid: Grid,
    pixels: Vec<u8>,
}

impl Enlarged {
    /// For images of one height and width.
    pub fn new(image: (usize, usize), grid: Grid, margin: Margin) -> Self {
        let factor = factor(image.1);
        let width = margin.left + grid.columns * (image.1 * factor + GAP) + GAP;
        let height = margin.top + grid.rows * (image.0 * factor + GAP) + GAP;
        Self {
            width,
            height,
            margin,
            factor,
            image,
            grid,
            pixels: vec![255; width * height * 3],
        }
    }

    /// An enlarged image, height and width.
    fn tile(&self) -> (usize, usize) {
        (self.image.0 * self.factor, self.image.1 * self.factor)
    }

    fn corner(&self, row: usize, column: usize) -> (usize, usize) {
        let (height, width) = self.tile();
        let y = self.margin.top + GAP + row * (height + GAP);
        (y, self.margin.left + GAP + column * (width + GAP))
    }

    /// Labels left of the rows, image indices above the columns; before any image is put.
    ///
    /// # Errors
    /// Where the text cannot be drawn.
    pub fn write(&mut self, labels: &[String]) -> Result<()> {
        let title = "labels".to_string();
        let mut picture = Picture::new(self.width as f64, self.height as f64, title);
        let (height, width) = self.tile();
        for (r, label) in labels.iter().enumerate() {
            let (y, _) = self.corner(r, 0);
            let at = (self.margin.left as f64 - 8.0, (y + height / 2) as f64);
            picture.text(at, label, LABEL, palette::INK, Anchor::Right);
        }
        for c in 0..self.grid.columns {
            let (_, x) = self.corner(0, c);
            let at = ((x + width / 2) as f64, self.margin.top as f64 - 10.0);
            let text = format!("image {c}");
            picture.text(at, &text, 12.5, palette::QUIET, Anchor::Centre);
        }
        self.pixels = canvas::raster(&picture, 1)?;
        Ok(())
    }

    /// `image` is [height, width, 3] of the size that this was made for.
    pub fn put(&mut self, image: &[u8], row: usize, column: usize) {
        let (top, left) = self.corner(row, column);
        let (height, width) = self.tile();
        for y in 0..height {
            for x in 0..width {
                let from = (y / self.factor * self.image.1 + x / self.factor) * 3;
                let to = ((top + y) * self.width + left + x) * 3;
                self.pixels[to..to + 3].copy_from_slice(&image[from..from + 3]);
            }
        }
    }

    /// As a file of this name.
    ///
    /// # Errors
    /// Where the PNG cannot be encoded.
    pub fn mosaic(&self, name: String) -> Result<Mosaic> {
        Ok(Mosaic {
            name,
            height: self.height,
            width: self.width,
            png: self.png()?,
        })
    }

    /// # Errors
    /// Where the PNG cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>> {
        canvas::encode(&self.pixels, self.width, self.height)
    }
}
