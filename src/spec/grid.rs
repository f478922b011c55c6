//! One experiment file → its cells: the grid's every combination, in mixed radix, the last axis fastest.

use crate::spec::experiment::Experiment;

/// One grid point: the experiment with its grid resolved, and where it stands.
#[derive(Clone, Debug)]
pub struct Cell {
    /// n in the whole grid, whatever `--only` keeps.
    pub index: usize,
    /// Every axis and every list of a zip, by full dotted key, in file order.
    pub at: Vec<(String, toml::Value)>,
    /// Full keys of `at` that label the cell: each grid key and the first key of each zip.
    pub axes: Vec<String>,
    /// Without `grid`, `zip` and `chart`.
    pub spec: Experiment,
}
