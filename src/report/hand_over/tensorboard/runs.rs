//! The folders of runs, named so that TensorBoard's list of runs says which cell is which.

use crate::report::rows::axes::Axes;
use crate::report::rows::values::{at, text};
use crate::run::results::Row;

/// The longest name of a folder in bytes; file systems take 255.
const LONGEST: usize = 120;

/// Digits of the largest number of a cell.
pub fn width(rows: &[Row]) -> usize {
    let most = rows.iter().map(|row| row.cell).max().unwrap_or(0);
    most.to_string().len()
}

/// `cell03_resolution=16_scale=0.5`: the cell's number in `width` digits, by which names differ whatever follows, and its
/// values on the axes that vary, as far as there is room. The plugin has every value in full.
pub fn folder(axes: &Axes, width: usize, row: &Row) -> String {
    let mut name = format!("cell{:0width$}", row.cell);
    for axis in axes.varying() {
        let Some(value) = at(row, &axis.key) else {
            continue;
        };
        for c in format!("_{}={}", axis.name, text(value)).chars() {
            let plain = c.is_alphanumeric() || matches!(c, '.' | '_' | '=' | '+' | '-');
            let c = if plain { c } else { '-' };
            if name.len() + c.len_utf8() > LONGEST {
                return name;
            }
            name.push(c);
        }
    }
    name
}
