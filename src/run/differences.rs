//! How far a variant's scores lie from another's, over cells that differ in nothing else, and how sure that is over other
//! images and other seeds.

use crate::io::numpy::npz::Npz;
use crate::metrics::intervals::repeats::{Spread, visible};
use crate::metrics::intervals::resample::percentiles;
use crate::run::results::{Row, Score};
use anyhow::{Context, Result};

pub use crate::metrics::intervals::resample::RESAMPLES;

/// Axes that change which images are drawn: over them, image i of two cells is no pair.
const DRAWS: [&str; 3] = ["sample.seed", "sample.classes", "model.resolution"];
/// Axes that repeat a training, of the net and of its guide. Where both vary, trainings of the net are told apart.
const TRAININGS: [&str; 2] = ["train.seed", "guidance.train.seed"];
/// Repetitions and multiples of the images up to which a larger study is looked for.
const MOST_REPEATS: usize = 20;
const MULTIPLES: [usize; 5] = [1, 2, 4, 8, 16];

/// A metric of one variant minus that of another.
pub struct Difference {
    /// The mean over the trainings that it was repeated with, and over all pairs of cells of each.
    pub value: f64,
    /// One a training, or one a pair of cells where there is one training; in the cells' order.
    pub each: Vec<f64>,
    /// None where the metric says nothing of single images.
    pub evidence: Option<Evidence>,
}

/// How sure a difference is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// 95 %: over other seeds and images where trainings were repeated, else over images alone.
    pub interval: (f64, f64),
    /// Images of each cell.
    pub images: usize,
    basis: Basis,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Basis {
    /// One training, or nothing trained: the standard error over images.
    Images(f64),
    Repeats(Spread),
}

/// The size of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub trainings: usize,
    /// Images a cell.
    pub images: usize,
}

impl Difference {
    /// The 95 % interval, where there is one.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.evidence.map(|evidence| evidence.interval)
    }

    /// Whether the interval does not hold 0.
    pub fn stands(&self) -> bool {
        self.interval()
            .is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

impl Evidence {
    /// Trainings that the difference was repeated with; 1 where it was not.
    pub fn trainings(&self) -> usize {
        match self.basis {
            Basis::Images(_) => 1,
            Basis::Repeats(spread) => spread.repeats,
        }
    }

    /// The smallest difference that such a study tells from 0 in four of five cases.
    pub fn smallest(&self) -> f64 {
        match self.basis {
            Basis::Images(error) => visible(error, f64::INFINITY),
            Basis::Repeats(spread) => spread.smallest(),
        }
    }

    /// The cheapest larger study whose smallest visible difference is `target` or less, as far as images and trainings of
    /// this one tell; none within 20 trainings and 16 times as many images. Of one training it is counted in images alone.
    /// Images are rounded up to two digits: a pilot tells no more.
    pub fn enough(&self, target: f64) -> Option<Size> {
        match self.basis {
            Basis::Images(_) => {
                let times = (self.smallest() / target).powi(2).max(1.0);
                let images = (self.images as f64 * times).ceil();
                let most = (self.images * MULTIPLES[MULTIPLES.len() - 1]) as f64;
                (images <= most).then_some(Size {
                    trainings: 1,
                    images: two_digits(images as usize),
                })
            }
            Basis::Repeats(spread) => {
                let sizes = MULTIPLES.into_iter().filter_map(|times| {
                    let trainings = (spread.repeats..=MOST_REPEATS)
                        .find(|k| spread.planned(*k, times as f64) <= target)?;
                    let images = two_digits(self.images * times);
                    Some(Size { trainings, images })
                });
                sizes.min_by_key(|size| size.trainings * size.images)
            }
        }
    }
}

/// The next number from `count` up that has two digits and then zeros.
fn two_digits(count: usize) -> usize {
    let unit = 10usize.pow(count.max(1).ilog10().saturating_sub(1));
    count.div_ceil(unit) * unit
}

/// The metric of the second cell of each pair minus that of the first, over the pairs where both have it; none where
/// no pair has.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn difference(pairs: &[(&Row, &Row)], metric: &str) -> Result<Option<Difference>> {
    let mut trainings: Vec<Training> = Vec::new();
    let mut each = Vec::new();
    for (from, to) in pairs {
        let (Some(a), Some(b)) = (score(from, metric), score(to, metric)) else {
            continue;
        };
        let by = b.value - a.value;
        each.push(by);
        let of = training(to);
        let known = trainings.iter().position(|training| training.of == of);
        let place = known.unwrap_or(trainings.len());
        if known.is_none() {
            trainings.push(Training::new(of));
        }
        trainings[place].differences.push(by);
        for (row, sign) in [(from, -1.0), (to, 1.0)] {
            trainings[place].add(drawn(row), influence(row, metric)?, sign);
        }
    }
    if trainings.is_empty() {
        return Ok(None);
    }
    let means: Vec<f64> = trainings.iter().map(Training::mean).collect();
    let value = means.iter().sum::<f64>() / means.len() as f64;
    Ok(Some(Difference {
        value,
        evidence: evidence(value, &means, &trainings),
        each: if means.len() > 1 { means } else { each },
    }))
}

fn evidence(value: f64, means: &[f64], trainings: &[Training]) -> Option<Evidence> {
    if trainings.iter().any(|training| !training.known) {
        return None;
    }
    let images = trainings.iter().flat_map(|t| &t.draws);
    let images = images.map(|draw| draw.moved.len()).min()?;
    if let [only] = trainings {
        let (low, high) = percentiles(&only.together());
        return Some(Evidence {
            interval: (value + low, value + high),
            images,
            basis: Basis::Images(only.covariance(only).sqrt()),
        });
    }
    let row = |a: &Training| trainings.iter().map(|b| a.covariance(b)).collect();
    let covariances: Vec<Vec<f64>> = trainings.iter().map(row).collect();
    let spread = Spread::of(means, &covariances);
    let half = spread.half();
    Some(Evidence {
        interval: (value - half, value + half),
        images,
        basis: Basis::Repeats(spread),
    })
}

/// The pairs of cells of one training.
struct Training<'a> {
    of: Option<&'a toml::Value>,
    differences: Vec<f64>,
    draws: Vec<Draw<'a>>,
    /// Whether every cell told what its images add.
    known: bool,
}

/// What each image of one draw adds to the sum of the differences.
struct Draw<'a> {
    of: [Option<&'a toml::Value>; 3],
    moved: Vec<f64>,
}

impl<'a> Training<'a> {
    fn new(of: Option<&'a toml::Value>) -> Self {
        Training {
            of,
            differences: Vec::new(),
            draws: Vec::new(),
            known: true,
        }
    }

    /// Adds what a cell's images add. Cells that drew the same images are drawn again together, others by themselves.
    fn add(&mut self, of: [Option<&'a toml::Value>; 3], images: Option<Vec<f64>>, sign: f64) {
        let Some(images) = images.filter(|images| !images.is_empty()) else {
            self.known = false;
            return;
        };
        let moved = images.into_iter().map(|moved| sign * moved);
        let same = |draw: &&mut Draw| draw.of == of && draw.moved.len() == moved.len();
        match self.draws.iter_mut().find(same) {
            Some(draw) => draw
                .moved
                .iter_mut()
                .zip(moved)
                .for_each(|(sum, m)| *sum += m),
            None => self.draws.push(Draw {
                of,
                moved: moved.collect(),
            }),
        }
    }

    fn mean(&self) -> f64 {
        self.differences.iter().sum::<f64>() / self.differences.len() as f64
    }

    /// What drawing images again gives the two means in common.
    fn covariance(&self, other: &Training) -> f64 {
        let partner = |draw: &Draw| {
            let same = |o: &&Draw| o.of == draw.of && o.moved.len() == draw.moved.len();
            other.draws.iter().find(same)
        };
        let both = self
            .draws
            .iter()
            .filter_map(|draw| Some((draw, partner(draw)?)));
        let sums = both.map(|(a, b)| {
            let products = a.moved.iter().zip(&b.moved).map(|(a, b)| a * b);
            products.sum::<f64>() / (a.moved.len() as f64).powi(2)
        });
        let pairs = self.differences.len() * other.differences.len();
        sums.sum::<f64>() / pairs as f64
    }

    /// What each image of all draws adds to the mean, times the number of all images.
    fn together(&self) -> Vec<f64> {
        let all: usize = self.draws.iter().map(|draw| draw.moved.len()).sum();
        let draws = self.draws.iter().flat_map(|draw| {
            let scale = all as f64 / (draw.moved.len() * self.differences.len()) as f64;
            draw.moved.iter().map(move |moved| moved * scale)
        });
        draws.collect()
    }
}

fn score<'a>(row: &'a Row, metric: &str) -> Option<&'a Score> {
    row.scores.iter().find(|score| score.metric == metric)
}

fn at<'a>(row: &'a Row, key: &str) -> Option<&'a toml::Value> {
    row.at.iter().find(|(name, _)| name == key).map(|(_, v)| v)
}

fn drawn(row: &Row) -> [Option<&toml::Value>; 3] {
    DRAWS.map(|key| at(row, key))
}

fn training(row: &Row) -> Option<&toml::Value> {
    TRAININGS.iter().find_map(|key| at(row, key))
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

#[cfg(test)]
mod tests {
    use super::two_digits;

    #[test]
    fn a_count_is_rounded_up_to_two_digits() {
        let rounded = [1, 12, 100, 101, 2_000, 13_401].map(two_digits);
        assert_eq!(rounded, [1, 12, 100, 110, 2_000, 14_000]);
    }
}
