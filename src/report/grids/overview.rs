//! Cells under each other so that only one axis differs: a row a cell, a column an image index.

use crate::report::grids::enlarged::{COLUMNS, Enlarged, Grid, Margin};
use crate::report::grids::mosaic::Mosaic;
use crate::report::grids::samples::Images;
use crate::report::rows::axes::GUIDANCE;
use crate::report::rows::input::Report;
use crate::report::rows::{names, seeds, values};
use crate::run::results::Row;
use anyhow::Result;
use std::collections::{HashMap, HashSet};

/// The images of some cells, in the order in which they stand under each other.
pub struct Overview<'a> {
    /// `resolution 16`: what the cells share; empty where all cells are shown.
    pub group: String,
    pub title: String,
    pub rows: Vec<Labelled<'a>>,
}

/// A cell's images, called by the value that tells it from the other rows.
pub struct Labelled<'a> {
    pub label: String,
    pub images: &'a Images,
}

/// One overview for each combination of the axes but the swept one: a row a value of it. Where cells are no full grid,
/// one overview with a row a cell. Of cells that differ in their seeds alone the first is shown.
pub fn overviews<'a>(report: &Report, images: &'a [(&Row, Images)]) -> Vec<Overview<'a>> {
    let axis = report.axes.swept();
    let swept = axis.map(|axis| axis.key.as_str());
    let keys = || report.axes.changing().map(|axis| axis.key.as_str());
    let group = |row: &Row| {
        let shared = keys().filter(|key| swept.is_some() && Some(*key) != swept);
        report.axes.place(row, shared)
    };
    let label = |row: &Row| {
        let own = keys().filter(|key| swept.is_none() || Some(*key) == swept);
        report.axes.place(row, own)
    };
    let place = |row: &Row| swept.and_then(|key| values::at(row, key).cloned());
    let mut known: HashSet<String> = HashSet::new();
    let first = |shown: &&(&Row, Images)| known.insert(seeds::variant_key(shown.0));
    let mut firsts: Vec<&(&Row, Images)> = images.iter().filter(first).collect();
    firsts.sort_by(|a, b| values::compare(place(a.0).as_ref(), place(b.0).as_ref()));
    let mut groups: HashMap<String, Vec<Labelled>> = HashMap::new();
    for (row, images) in firsts {
        let label = label(row);
        let own = groups.entry(group(row)).or_default();
        own.push(Labelled { label, images });
    }
    let mut overviews: Vec<Overview> = Vec::new();
    for row in report.rows {
        let group = group(row);
        if let Some(rows) = groups.remove(&group) {
            let title = title(report, &group);
            overviews.push(Overview { group, title, rows });
        }
    }
    overviews
}

fn title(report: &Report, group: &str) -> String {
    let axis = report.axes.swept();
    let of = if group.is_empty() {
        String::new()
    } else {
        format!("{group}: ")
    };
    // What a program draws its images from is not known here.
    let mut cells = report.sweep.cells.iter();
    let by_nets = cells.all(|cell| cell.spec.net_sample().is_some());
    let same = if by_nets && axis.is_some_and(|axis| axis.key == GUIDANCE) {
        " (the same noise and class)"
    } else {
        ""
    };
    let down = axis.map_or("cells", |axis| &axis.name);
    let seeds = match seeds::count(report.rows) {
        0 | 1 => String::new(),
        n => format!("; the first of {n} seeds"),
    };
    format!("{of}one image index a column{same}, {down} downward{seeds}")
}

impl Overview<'_> {
    /// The overview as a file, with labels and enlarged images; none where there is one row, or images differ in size.
    ///
    /// # Errors
    /// Where the PNG cannot be encoded.
    pub fn mosaic(&self) -> Result<Option<Mosaic>> {
        let Some((first, others)) = self.rows.split_first() else {
            return Ok(None);
        };
        let size = first.images.size();
        if others.is_empty() || others.iter().any(|row| row.images.size() != size) {
            return Ok(None);
        }
        let counts = self.rows.iter().map(|row| row.images.count);
        let grid = Grid {
            rows: self.rows.len(),
            columns: counts.min().unwrap_or(0).min(COLUMNS),
        };
        let labels: Vec<String> = self.rows.iter().map(|row| row.label.clone()).collect();
        let mut enlarged = Enlarged::new(size, grid, Margin::labelled(&labels));
        enlarged.write(&labels)?;
        for (r, row) in self.rows.iter().enumerate() {
            for c in 0..grid.columns {
                enlarged.put(row.images.image(c), r, c);
            }
        }
        let name = names::slug(&format!("overview-{}", self.group));
        Ok(Some(enlarged.mosaic(name)?))
    }
}
