//! Described samples and a reference to every number that a set of rules asks for, each with its interval.

use crate::experiment::scoring::metric::{Method, Metric};
use crate::experiment::scoring::rules::{FEWEST, InceptionScore, Kid, Rules, Splits as SplitRule};
use crate::machine::profile::{Operation, span};
use crate::metrics::agreement::{Share, agreeing};
use crate::metrics::inception_score::{
    InceptionScore as SplitScore, Probabilities, Splits, inception_score,
};
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::paired;
use crate::metrics::kernel::interval::mmd2_interval;
use crate::metrics::kernel::mmd::{KernelDistance, KidRule, kid};
use crate::metrics::rows::Rows;
use crate::metrics::score::Score;
use crate::stages::describe::described::{Described, Kind};
use crate::stages::score::frechet::{Distances, once};
use crate::stages::score::measured::{Measured, Number, Unmeasured};
use crate::stages::score::neighbours::NeighbourScores;
use crate::stages::score::reference::Real;
use anyhow::{Context, Result, bail, ensure};

/// Seed of KID's subsets where the evaluator has no seed of its own.
const SEED: u32 = 0;

/// The kernel distance by an evaluator's subsets, with the interval and the samples' influences of that of all images.
struct Kernel {
    distance: KernelDistance,
    interval: (f64, f64),
    influence: Vec<f64>,
}

/// The Inception Score by one rule.
struct ByRule {
    rule: InceptionScore,
    score: SplitScore,
    /// What leaving out each sample does to the score of all; none of so few that there is no interval.
    left_out: Option<Jackknife>,
}

/// What one evaluator's metrics share.
#[derive(Default)]
struct Shared {
    neighbours: Option<NeighbourScores>,
    kernel: Option<Kernel>,
}

/// The two sides, and what is already known of them: evaluators share what they share.
pub struct Scorer<'a> {
    samples: &'a Described,
    real: &'a Real,
    /// Whether what SciPy's path prints of singular covariances is told too.
    pub compat: bool,
    distances: Distances<'a>,
    /// The samples' pooled features [n, d].
    pool: Option<Vec<f32>>,
    /// The Inception Score by the last rule. The probabilities themselves (400 MB of 50,000 samples) are made again for
    /// another rule.
    inception: Option<ByRule>,
}

impl<'a> Scorer<'a> {
    pub fn new(samples: &'a Described, real: &'a Real) -> Scorer<'a> {
        Scorer {
            samples,
            real,
            compat: false,
            distances: Distances::new(samples, real),
            pool: None,
            inception: None,
        }
    }

    /// Every metric of `rules`, in their order; `tell` hears which is at work.
    ///
    /// # Errors
    /// Files that are not read, and features that are not of the reference's network; what only some metrics lack stands
    /// in their place in the answer.
    pub fn measure(&mut self, rules: &Rules, tell: &dyn Fn(&str)) -> Result<Vec<Measured>> {
        let mut shared = Shared::default();
        let mut all = Vec::new();
        for &(metric, name) in rules.metrics {
            tell(name);
            let number = match self.number(rules, metric, &mut shared) {
                Ok(number) => Ok(number),
                Err(error) => Err(error.downcast::<Unmeasured>()?),
            };
            all.push(Measured {
                metric,
                name,
                number,
            });
        }
        Ok(all)
    }

    fn number(&mut self, rules: &Rules, metric: Metric, shared: &mut Shared) -> Result<Number> {
        let no_rule = || format!("the rules measure {} and do not say how", metric.id());
        match metric.row().method {
            Method::Frechet => {
                let scipy = Some(rules.trace).filter(|_| self.compat);
                self.distances.distance(metric, scipy)
            }
            Method::Extrapolation => {
                let rule = rules.infinity.with_context(no_rule)?;
                self.distances.infinity(metric, rule)
            }
            Method::InceptionScore => {
                let rule = rules.inception_score.with_context(no_rule)?;
                let number = self.inception_score(rule, metric);
                number.map_err(|error| Unmeasured::failed(&error).into())
            }
            Method::Kernel => {
                let rule = rules.kid.with_context(no_rule)?;
                let kernel = once(&mut shared.kernel, || self.kernel(&rule))?;
                let (id, n) = (metric.id(), self.samples.len());
                Ok(if metric == Metric::KidStd {
                    Number::alone(Score::bare(id, kernel.distance.std, n))
                } else {
                    let score = Score::new(id, kernel.distance.mean, kernel.interval, n);
                    Number::with_influence(score, Some(kernel.influence.clone()))
                })
            }
            Method::Neighbours => {
                let rule = rules.neighbours.with_context(no_rule)?;
                let neighbours = once(&mut shared.neighbours, || {
                    let (pool, real, d) = self.both_pools()?;
                    let _span = span(Operation::Neighbours);
                    NeighbourScores::of(pool, real, d, &rule)
                })?;
                neighbours.number(metric)
            }
            Method::Classifier => self.agreement(metric),
            Method::PixelGaussian => self.distances.baseline(metric),
            Method::Clock => bail!("{} is no metric of images", metric.id()),
        }
    }

    fn inception_score(&mut self, rule: InceptionScore, metric: Metric) -> Result<Number> {
        let (id, n) = (metric.id(), self.samples.len());
        let found = match &mut self.inception {
            Some(found) if found.rule == rule => found,
            slot => {
                let _span = span(Operation::InceptionScore);
                let probabilities = Probabilities::of_rows(&mut self.samples.logits()?)?;
                let score = inception_score(&probabilities, splits(&rule)?)?;
                let left_out = match slot.take().and_then(|known| known.left_out) {
                    None if n >= FEWEST => Some(probabilities.left_out()?),
                    known => known,
                };
                slot.insert(ByRule {
                    rule,
                    score,
                    left_out,
                })
            }
        };
        if metric == Metric::IsStd {
            return Ok(Number::alone(Score::bare(id, found.score.std, n)));
        }
        let mean = found.score.mean;
        let Some(left_out) = &found.left_out else {
            return Ok(Number::alone(Score::bare(id, mean, n)));
        };
        // The splits' mean moves with other images as the score of all does.
        let (low, high) = left_out.interval(1.0);
        let shift = mean - left_out.value();
        let score = Score::new(id, mean, (low + shift, high + shift), n);
        Ok(Number::with_influence(score, Some(left_out.influences())))
    }

    fn kernel(&mut self, rule: &Kid) -> Result<Kernel> {
        let (pool, real, d) = self.both_pools()?;
        let (n, m) = (pool.len() / d, real.len() / d);
        let (size, subsets) = (rule.subset_size, rule.subsets);
        if rule.strict_size && n.min(m) < size {
            return Err(Unmeasured::FewerThanASubset {
                size,
                samples: n,
                real: m,
            }
            .into());
        }
        let seed = rule.seed.unwrap_or(SEED);
        let draw = if rule.strict_size {
            KidRule::TorchFidelity {
                subsets,
                size,
                seed,
            }
        } else {
            KidRule::CleanFid {
                subsets,
                size,
                seed,
            }
        };
        let _span = span(Operation::KernelDistance);
        let distance = kid(pool, real, d, draw)?;
        let whole = mmd2_interval(pool, real, d)?;
        let shift = distance.mean - whole.left_out.value();
        Ok(Kernel {
            distance,
            interval: (whole.low + shift, whole.high + shift),
            influence: whole.left_out.influences(),
        })
    }

    /// The share of samples in which the feature net sees the class that they were asked for.
    fn agreement(&self, metric: Metric) -> Result<Number> {
        let mut logits = self.samples.logits()?;
        let k = logits.dim();
        let hits = agreeing(&logits.all()?, k, &self.samples.labels()?)?;
        let share = Share::of(&hits);
        let score = Score::new(
            metric.id(),
            share.value,
            (share.low, share.high),
            share.count,
        );
        let influence = paired::of_hits(hits.iter().copied());
        Ok(Number::with_influence(score, Some(influence)))
    }

    /// Pooled features of the samples and of the real images, row by row, and how many a row has.
    fn both_pools(&mut self) -> Result<(&[f32], &'a [f32], usize)> {
        let real = self.real.features.as_ref();
        let real = real.ok_or(Unmeasured::NoRealFeatures)?;
        let d = self.real.pool.dim();
        let pool = once(&mut self.pool, || {
            let mut rows = self.samples.rows(Kind::Pool)?;
            ensure!(
                rows.dim() == d,
                "the reference has {d} features and the samples have {}\nhint: both must come from one feature network",
                rows.dim()
            );
            rows.all()
        })?;
        Ok((pool, real, d))
    }
}

fn splits(rule: &InceptionScore) -> Result<Splits> {
    Ok(match (rule.splits, rule.shuffle) {
        (SplitRule::Every(size), None) => Splits::Of(size),
        (SplitRule::Into(count), None) => Splits::Into(count),
        (SplitRule::Into(count), Some(seed)) => Splits::ShuffledInto(count, seed),
        (SplitRule::Whole(count), Some(seed)) => Splits::ShuffledTruncated(count, seed),
        other => bail!("no evaluator splits by {other:?}"),
    })
}
