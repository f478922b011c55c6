//! A metric that was measured, or why it could not be.

use crate::experiment::scoring::metric::Metric;
use crate::metrics::score::Score;
use std::fmt;

/// One metric of an evaluator.
pub struct Measured {
    pub metric: Metric,
    /// The evaluator's own name for it.
    pub name: &'static str,
    pub number: Result<Number, Unmeasured>,
}

impl Measured {
    /// The number, where there is one.
    pub fn number(&self) -> Option<&Number> {
        self.number.as_ref().ok()
    }
}

/// A score, and what else its images tell.
pub struct Number {
    pub score: Score,
    /// For Fréchet distances: how much of the value comes from the samples being few (leave-one-out, first order in
    /// 1/n).
    pub bias: Option<f64>,
    /// What SciPy's path prints where it cannot print the value itself (singular covariances).
    pub compat: Option<f64>,
    /// What each sample adds to the value, times their number: `[n]`, mean 0; none for what is no sum over samples to first
    /// order (recall is the real images').
    pub influence: Option<Vec<f64>>,
}

impl Number {
    /// A score that is known by itself.
    pub fn alone(score: Score) -> Number {
        Number {
            score,
            bias: None,
            compat: None,
            influence: None,
        }
    }

    pub fn with_influence(score: Score, influence: Option<Vec<f64>>) -> Number {
        Number {
            influence,
            ..Number::alone(score)
        }
    }
}

/// Why these samples and this reference do not give a number, while they may give others.
#[derive(Debug)]
pub enum Unmeasured {
    NoSpatialStatistics,
    NoRealFeatures,
    NoBaseline,
    /// The tool refuses sets that are smaller than one of its subsets.
    FewerThanASubset {
        size: usize,
        samples: usize,
        real: usize,
    },
    FewerThanNeighbours {
        k: usize,
        samples: usize,
        real: usize,
    },
    /// The calculation failed, with the reason.
    Failed(String),
}

impl Unmeasured {
    /// What gives the number, in words that fit every command; none where it takes more images.
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Unmeasured::NoSpatialStatistics => Some(
                "give the reference's images, a reference batch of the ADM evaluator, or a file that `runner reference` makes of the images",
            ),
            Unmeasured::NoRealFeatures => Some(
                "give the reference's images (a folder, an archive, an npz), a reference batch of the ADM evaluator, or a file that `runner reference` makes of the images without --statistics-only",
            ),
            _ => None,
        }
    }

    /// A failed calculation that leaves other numbers as they are.
    pub fn failed(error: &anyhow::Error) -> Unmeasured {
        Unmeasured::Failed(format!("{error:#}"))
    }
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmeasured::NoSpatialStatistics => {
                f.write_str("the reference has no spatial statistics, mu_s and sigma_s")
            }
            Unmeasured::NoRealFeatures => f.write_str(
                "the reference holds statistics alone, and samples are compared with its images",
            ),
            Unmeasured::NoBaseline => {
                f.write_str("the reference has no statistics of the pixel Gaussian")
            }
            Unmeasured::FewerThanASubset {
                size,
                samples,
                real,
            } => write!(
                f,
                "it draws subsets of {size} images, there are {samples} samples and {real} real ones"
            ),
            Unmeasured::FewerThanNeighbours { k, samples, real } => write!(
                f,
                "hyperspheres to {k} neighbours need more images than {real} and {samples}"
            ),
            Unmeasured::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unmeasured {}
