//! How far a variant's scores lie from another's, over one cell or one a seed, and how sure that is.

use crate::io::numpy::npz::Npz;
use crate::metrics::intervals::paired;
use crate::metrics::intervals::resample::percentiles;
use crate::run::results::{Row, Score};
use anyhow::{Context, Result};

pub use crate::metrics::intervals::resample::RESAMPLES;

/// Axes that change which images are drawn: over them, image i of two cells is no pair.
const DRAWS: [&str; 3] = ["sample.seed", "sample.classes", "model.resolution"];

/// A metric of one variant minus that of another.
pub struct Difference {
    /// The mean over the pairs of cells.
    pub value: f64,
    /// One a pair, in their order.
    pub each: Vec<f64>,
    /// 95 %, by a paired bootstrap over images; none where two cells drew different images, or where the metric says
    /// nothing of single images (recall). It knows nothing of what other seeds of training would give: that shows in
    /// `each`.
    pub interval: Option<(f64, f64)>,
}

impl Difference {
    /// Whether the interval does not hold 0 and every pair moved to the same side.
    pub fn stands(&self) -> bool {
        self.interval.is_some_and(|(low, high)| {
            (low > 0.0 && self.each.iter().all(|d| *d > 0.0))
                || (high < 0.0 && self.each.iter().all(|d| *d < 0.0))
        })
    }
}

/// The metric of the second cell of each pair minus that of the first, over the pairs where both have it; none where
/// no pair has.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn difference(pairs: &[(&Row, &Row)], metric: &str) -> Result<Option<Difference>> {
    let scored =
        |(from, to): &(&Row, &Row)| Some(score(to, metric)?.value - score(from, metric)?.value);
    let pairs: Vec<_> = pairs.iter().filter(|pair| scored(pair).is_some()).collect();
    let each: Vec<f64> = pairs.iter().filter_map(|pair| scored(pair)).collect();
    if each.is_empty() {
        return Ok(None);
    }
    let value = each.iter().sum::<f64>() / each.len() as f64;
    let mut draws: Vec<Draw> = Vec::new();
    for (from, to) in pairs {
        let (a, b) = (influence(from, metric)?, influence(to, metric)?);
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(Some(Difference {
                value,
                each,
                interval: None,
            }));
        };
        if a.len() != b.len() || drawn(from) != drawn(to) {
            return Ok(Some(Difference {
                value,
                each,
                interval: None,
            }));
        }
        let moved = paired::difference(&a, &b)?;
        let known = |draw: &&mut Draw| draw.of == drawn(from) && draw.moved.len() == moved.len();
        match draws.iter_mut().find(known) {
            Some(draw) => draw.add(&moved),
            None => draws.push(Draw {
                of: drawn(from),
                pairs: 1.0,
                moved,
            }),
        }
    }
    // The same images of several trainings are drawn again together, other images by themselves.
    let moved: Vec<f64> = draws.iter().flat_map(Draw::mean).collect();
    let (low, high) = percentiles(&moved);
    Ok(Some(Difference {
        value,
        each,
        interval: Some((value + low, value + high)),
    }))
}

/// What each image of one draw adds to the difference, summed over the pairs of cells that drew it.
struct Draw<'a> {
    of: [Option<&'a toml::Value>; 3],
    pairs: f64,
    moved: Vec<f64>,
}

impl Draw<'_> {
    fn add(&mut self, moved: &[f64]) {
        self.pairs += 1.0;
        self.moved
            .iter_mut()
            .zip(moved)
            .for_each(|(sum, m)| *sum += m);
    }

    fn mean(&self) -> impl Iterator<Item = f64> {
        self.moved.iter().map(|sum| sum / self.pairs)
    }
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
    if file.has(metric) {
        Ok(Some(file.f64(metric).with_context(reading)?.data))
    } else {
        Ok(None)
    }
}
