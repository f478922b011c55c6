//! Fréchet distances of samples and reference, each made once however many evaluators ask for it.

use crate::experiment::scoring::metric::{Metric, Need};
use crate::experiment::scoring::rules::{FEWEST, Infinity, Trace};
use crate::machine::profile::{Operation, span};
use crate::metrics::frechet::distance::{Reference, compat, frechet};
use crate::metrics::frechet::extrapolate::{Points, extrapolate};
use crate::metrics::frechet::left_out;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::normal::Z;
use crate::metrics::score::Score;
use crate::stages::describe::described::{Described, Kind};
use crate::stages::score::measured::{Number, Unmeasured};
use crate::stages::score::reference::Real;
use anyhow::Result;

// Fewer images than a distance's interval is calculated from have none.
const _: () = assert!(FEWEST == left_out::FEWEST);

/// Seed of the subsets of FID∞'s line, which no tool fixes.
const SEED: u64 = 0;

/// What is known of the distances of one kind of features.
#[derive(Default)]
struct Known {
    reference: Option<Reference>,
    left_out: Option<Jackknife>,
    /// What SciPy's path prints; the inner None where it prints the distance itself.
    retried: Option<Option<f64>>,
}

/// The distances between two sides.
pub struct Distances<'a> {
    samples: &'a Described,
    real: &'a Real,
    pool: Known,
    spatial: Known,
}

impl<'a> Distances<'a> {
    pub fn new(samples: &'a Described, real: &'a Real) -> Distances<'a> {
        Distances {
            samples,
            real,
            pool: Known::default(),
            spatial: Known::default(),
        }
    }

    /// The distance of the features that `metric` is of, with its interval where there are images enough for one. Where
    /// `scipy` names the way that a tool takes the trace, what the tool prints of singular covariances stands beside it.
    pub fn distance(&mut self, metric: Metric, scipy: Option<Trace>) -> Result<Number> {
        let (kind, known, real) = if metric.needs(Need::Spatial) {
            let real = self.real.spatial.as_ref();
            let real = real.ok_or(Unmeasured::NoSpatialStatistics)?;
            (Kind::Spatial, &mut self.spatial, real)
        } else {
            (Kind::Pool, &mut self.pool, &self.real.pool)
        };
        let _span = span(Operation::Frechet);
        let n = self.samples.len();
        let reference = once(&mut known.reference, || Reference::new(real))?;
        if n < FEWEST {
            let value = reference.distance(&self.samples.moments(kind)?)?;
            return Ok(Number::alone(Score::bare(metric.id(), value, n)));
        }
        let left_out = once(&mut known.left_out, || {
            let moments = self.samples.moments(kind)?;
            let _span = span(Operation::FrechetIntervals);
            reference.left_out(&moments, &mut self.samples.rows(kind)?)
        })?;
        let printed = if scipy == Some(Trace::SqrtmRetried) {
            *once(&mut known.retried, || {
                let both = compat(&self.samples.moments(kind)?, real)?;
                Ok(both.singular.then_some(both.with_eps))
            })?
        } else {
            None
        };
        let interval = left_out.square_interval(0.0);
        Ok(Number {
            score: Score::new(metric.id(), left_out.value(), interval, n),
            bias: Some(left_out.bias()),
            compat: printed,
            influence: Some(left_out.influences()),
        })
    }

    /// The distance of endlessly many samples. Its interval is the line's own error: how straight the line is, not how
    /// much other images would move it.
    pub fn infinity(&mut self, metric: Metric, rule: Infinity) -> Result<Number> {
        let _span = span(Operation::Frechet);
        let n = self.samples.len();
        let reference = once(&mut self.pool.reference, || Reference::new(&self.real.pool))?;
        let points = Points {
            first: rule.from.min(n / 10).max(2),
            count: rule.points,
            seed: SEED,
        };
        let line = extrapolate(reference, &mut self.samples.rows(Kind::Pool)?, points)
            .map_err(|error| Unmeasured::failed(&error))?;
        let half = Z * line.error;
        let interval = (line.value - half, line.value + half);
        Ok(Number::alone(Score::new(
            metric.id(),
            line.value,
            interval,
            n,
        )))
    }

    /// The distance of images that were drawn from the Gaussian fitted to the reference's pixels: what samples have to be
    /// better than.
    pub fn baseline(&mut self, metric: Metric) -> Result<Number> {
        let _span = span(Operation::Frechet);
        let gaussian = self.real.gaussian.as_ref().ok_or(Unmeasured::NoBaseline)?;
        let value = frechet(gaussian, &self.real.pool)?;
        Ok(Number::alone(Score::new(
            metric.id(),
            value,
            (value, value),
            gaussian.n,
        )))
    }
}

/// What stands in `slot`, made first where it is empty.
pub fn once<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match slot {
        Some(made) => Ok(made),
        None => Ok(slot.insert(make()?)),
    }
}
