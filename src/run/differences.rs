//! How far one cell's score lies from another's, and how sure that is.

use crate::io::npz::Npz;
use crate::metrics::paired;
use crate::run::results::{Row, Score};
use anyhow::{Context, Result};

pub use crate::metrics::resample::RESAMPLES;

/// Axes that change which images are drawn: over them, image i of two cells is no pair.
const DRAWS: [&str; 3] = ["sample.seed", "sample.classes", "model.resolution"];

/// Score of one cell minus that of another.
pub struct Difference {
    pub value: f64,
    /// 95 %, by a paired bootstrap over images; none where the cells drew different images, or where the metric says
    /// nothing of single images (recall).
    pub interval: Option<(f64, f64)>,
}

/// The metric of `to` minus that of `from`; none where one of them has no score.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn difference(from: &Row, to: &Row, metric: &str) -> Result<Option<Difference>> {
    let (Some(a), Some(b)) = (score(from, metric), score(to, metric)) else {
        return Ok(None);
    };
    let value = b.value - a.value;
    let interval = match (influence(from, metric)?, influence(to, metric)?) {
        (Some(a), Some(b)) if a.len() == b.len() && drawn(from) == drawn(to) => {
            Some(paired::interval(value, &a, &b)?)
        }
        _ => None,
    };
    Ok(Some(Difference { value, interval }))
}

fn score<'a>(row: &'a Row, metric: &str) -> Option<&'a Score> {
    row.scores.iter().find(|score| score.metric == metric)
}

fn drawn(row: &Row) -> [Option<&toml::Value>; 3] {
    DRAWS.map(|key| row.at.iter().find(|(name, _)| name == key).map(|(_, v)| v))
}

/// What each image adds to a row's metric; none where the stage left nothing of it.
fn influence(row: &Row, metric: &str) -> Result<Option<Vec<f64>>> {
    let Some(path) = &row.influences else {
        return Ok(None);
    };
    let reading = || format!("reading {}", path.display());
    let mut file = Npz::open(path).with_context(reading)?;
    match file.has(metric) {
        true => Ok(Some(file.f64(metric).with_context(reading)?.data)),
        false => Ok(None),
    }
}
