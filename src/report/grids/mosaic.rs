//! Sample grids: the first images of a cell, and cells under each other so that only one axis differs.

use crate::report::chart::picture::{Anchor, Picture};
use crate::report::chart::series::{self, distinct};
use crate::report::chart::{canvas, palette};
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::table::sheet;
use crate::run::results::Row;
use anyhow::Result;
use rayon::prelude::*;

/// Columns of every grid: with balanced labels over ten classes, a column a class.
const COLUMNS: usize = 10;
const ROWS: usize = 6;
/// Pixels a side that an image is enlarged to at least, by a whole number.
const SIDE: usize = 96;
const GAP: usize = 4;

pub struct Mosaic {
    /// The file's name without its ending: `mosaic-3`, `overview-resolution-16`.
    pub name: String,
    pub title: String,
    pub overview: bool,
    pub png: Vec<u8>,
}

/// 8-bit RGB images [count, height, width, 3].
pub struct Images {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub pixels: Vec<u8>,
}

/// Images of a cell that the grids show at most.
pub const MOST: usize = COLUMNS * ROWS;

/// The overviews, then every cell that has samples.
pub fn mosaics(report: &Report, images: &[(&Row, Images)]) -> Result<Vec<Mosaic>> {
    let mut mosaics = overviews(report.rows, images)?;
    let cells = images.par_iter().map(|(row, images)| {
        Ok(Mosaic {
            name: format!("mosaic-{}", row.cell),
            title: title(report.rows, row, images.count),
            overview: false,
            png: grid(images)?,
        })
    });
    mosaics.extend(cells.collect::<Result<Vec<_>>>()?);
    Ok(mosaics)
}

fn grid(images: &Images) -> Result<Vec<u8>> {
    in_rows(images, COLUMNS.min(images.count))
}

/// Images in reading order as a PNG, `columns` a row, each enlarged by a whole number without smoothing.
pub fn in_rows(images: &Images, columns: usize) -> Result<Vec<u8>> {
    let rows = images.count.div_ceil(columns.max(1));
    let mut sheet = Sheet::new(images, rows, columns, 0, 0);
    for i in 0..images.count {
        sheet.put(images, i, i / columns, i % columns);
    }
    sheet.png()
}

/// One overview for each combination of the axes but the swept one: a row a value of it, a column an image index.
/// Where cells are no full grid, one overview with a row a cell.
fn overviews(rows: &[Row], images: &[(&Row, Images)]) -> Result<Vec<Mosaic>> {
    let axis = series::swept(rows);
    let name = |row: &Row| match &axis {
        Some(axis) => series::place(rows, row, Some(axis)),
        None => String::new(),
    };
    let label = |row: &Row| match &axis {
        Some(axis) => names::at(row, axis).map(|v| series::label(rows, axis, v)),
        None => Some(series::place(rows, row, None)),
    };
    let mut groups: Vec<String> = Vec::new();
    for (row, _) in images {
        if !groups.contains(&name(row)) {
            groups.push(name(row));
        }
    }
    let order = axis.as_ref().map(|axis| distinct(rows, axis));
    let place = |row: &Row| {
        let value = names::at(row, axis.as_ref()?)?;
        order.as_ref()?.iter().position(|v| v == value)
    };
    let same = match axis.as_deref() == Some("guidance.scale") {
        true => " (the same noise and class)",
        false => "",
    };
    let down = axis
        .as_ref()
        .map_or_else(|| "cells".to_string(), |axis| series::short(rows, axis));
    let mut mosaics = Vec::new();
    for group in groups {
        let mut own: Vec<&(&Row, Images)> =
            images.iter().filter(|(r, _)| name(r) == group).collect();
        own.sort_by_key(|(row, _)| place(row));
        let size = |i: &Images| (i.height, i.width);
        if own.len() < 2 || own.iter().any(|(_, i)| size(i) != size(&own[0].1)) {
            continue;
        }
        let labels = own.iter().map(|(row, _)| label(row).unwrap_or_default());
        let labels: Vec<String> = labels.collect();
        let of = if group.is_empty() {
            String::new()
        } else {
            format!("{group}: ")
        };
        mosaics.push(Mosaic {
            name: names::slug(&format!("overview-{group}")),
            title: format!("{of}one image index a column{same}, {down} downward"),
            overview: true,
            png: overview(&own, &labels)?,
        });
    }
    Ok(mosaics)
}

fn overview(own: &[&(&Row, Images)], labels: &[String]) -> Result<Vec<u8>> {
    let columns = own
        .iter()
        .map(|(_, i)| i.count)
        .min()
        .unwrap_or(0)
        .min(COLUMNS);
    let widths = labels.iter().map(|l| canvas::text_width(l, 15.0));
    let left = widths.fold(0.0, f64::max).ceil() as usize + 20;
    let top = 26;
    let mut sheet = Sheet::new(&own[0].1, own.len(), columns, left, top);
    sheet.write(labels)?;
    for (r, (_, images)) in own.iter().enumerate() {
        for c in 0..columns {
            sheet.put(images, c, r, c);
        }
    }
    sheet.png()
}

fn title(rows: &[Row], row: &Row, count: usize) -> String {
    let axes = sheet::axes(rows);
    let parts = axes
        .iter()
        .filter_map(|k| Some(series::label(rows, k, names::at(row, k)?)));
    let at = parts.collect::<Vec<_>>().join(", ");
    format!(
        "cell {}: {at}; images 0 to {}",
        row.cell,
        count.saturating_sub(1)
    )
}

/// White 8-bit RGB with a grid of image places.
struct Sheet {
    width: usize,
    height: usize,
    left: usize,
    top: usize,
    factor: usize,
    /// An enlarged image, height and width.
    tile: (usize, usize),
    grid: (usize, usize),
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(images: &Images, rows: usize, columns: usize, left: usize, top: usize) -> Self {
        let factor = SIDE.div_ceil(images.width.max(1)).max(1);
        let tile = (images.height * factor, images.width * factor);
        let width = left + columns * (tile.1 + GAP) + GAP;
        let height = top + rows * (tile.0 + GAP) + GAP;
        Self {
            width,
            height,
            left,
            top,
            factor,
            tile,
            grid: (rows, columns),
            pixels: vec![255; width * height * 3],
        }
    }

    fn corner(&self, row: usize, column: usize) -> (usize, usize) {
        let y = self.top + GAP + row * (self.tile.0 + GAP);
        (y, self.left + GAP + column * (self.tile.1 + GAP))
    }

    /// Labels left of the rows, image indices above the columns.
    fn write(&mut self, labels: &[String]) -> Result<()> {
        let title = "labels".to_string();
        let mut picture = Picture::new(self.width as f64, self.height as f64, title);
        for (r, label) in labels.iter().enumerate() {
            let (y, _) = self.corner(r, 0);
            let at = (self.left as f64 - 8.0, (y + self.tile.0 / 2) as f64);
            picture.text(at, label, 15.0, palette::INK, Anchor::Right);
        }
        for c in 0..self.grid.1 {
            let (_, x) = self.corner(0, c);
            let at = ((x + self.tile.1 / 2) as f64, self.top as f64 - 10.0);
            picture.text(
                at,
                &format!("image {c}"),
                12.5,
                palette::QUIET,
                Anchor::Centre,
            );
        }
        self.pixels = canvas::raster(&picture, 1)?;
        Ok(())
    }

    fn put(&mut self, images: &Images, index: usize, row: usize, column: usize) {
        let (top, left) = self.corner(row, column);
        let image = &images.pixels[index * images.height * images.width * 3..];
        for y in 0..self.tile.0 {
            for x in 0..self.tile.1 {
                let from = (y / self.factor * images.width + x / self.factor) * 3;
                let to = ((top + y) * self.width + left + x) * 3;
                self.pixels[to..to + 3].copy_from_slice(&image[from..from + 3]);
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>> {
        canvas::encode(&self.pixels, self.width, self.height)
    }
}
