//! Described samples and a reference to every number that one evaluator prints, by its rules, each with its interval.

use crate::experiment::scoring::rules::{
    Edge, InceptionScore, Kid, Neighbours, Precision, Quantity, Rules, Splits as SplitRule, Trace,
    metric,
};
use crate::metrics::frechet::distance::{Reference, compat};
use crate::metrics::frechet::extrapolate::{Extrapolation, Points, extrapolate};
use crate::metrics::inception_score::{
    InceptionScore as SplitScore, Probabilities, Splits, inception_score,
};
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::kernel::interval::mmd2_interval;
use crate::metrics::kernel::mmd::{KernelDistance, KidRule, kid};
use crate::metrics::neighbours::adm_manifold::adm_precision_recall;
use crate::metrics::neighbours::manifold::{Border, Manifold};
use crate::metrics::rows::Rows;
use crate::metrics::score::Score;
use crate::stages::describe::described::{Described, Kind};
use crate::stages::score::neighbours::{NeighbourScores, chosen};
use crate::stages::score::reference::Real;
use anyhow::{Context, Result, bail, ensure};

/// Images that precision and recall draw, and the start of FID∞'s line, where the evaluator has no seed of its own.
const SEED: u64 = 0;
/// The 97.5 % point of the standard normal distribution.
const TWO_SIDED: f64 = 1.96;

/// One number, or why there is none.
pub struct Measured {
    pub quantity: Quantity,
    /// The evaluator's own name for it.
    pub name: &'static str,
    pub score: std::result::Result<Score, String>,
    /// For FID and sFID: how much of the value comes from the samples being few (leave-one-out, first order in 1/n).
    pub bias: Option<f64>,
    /// What SciPy's path prints where it cannot print the value itself (singular covariances).
    pub compat: Option<f64>,
    /// What each sample adds to the value, times their number: [n], mean 0; none for what is no
    /// sum over samples to first order (recall is the real images').
    pub influence: Option<Vec<f64>>,
}

/// KID with its interval and its samples' influences.
#[derive(Clone)]
struct Kernel {
    distance: KernelDistance,
    interval: (f64, f64),
    influence: Vec<f64>,
}

/// The two sides, and what is already known of them: presets share what they share.
pub struct Scorer<'a> {
    samples: &'a Described,
    real: &'a Real,
    /// Whether SciPy's path is followed too.
    pub compat: bool,
    reference: [Option<Reference>; 2],
    distance: [Option<(Jackknife, Option<f64>)>; 2],
    pool: Option<Vec<f32>>,
    /// The Inception Score by the last rule, and what leaving out each sample does to that of all. The
    /// probabilities themselves (400 MB of 50,000 samples) are made again for another rule.
    inception: Option<(InceptionScore, SplitScore, Jackknife)>,
}

impl<'a> Scorer<'a> {
    pub fn new(samples: &'a Described, real: &'a Real, compat: bool) -> Scorer<'a> {
        Scorer {
            samples,
            real,
            compat,
            reference: [None, None],
            distance: [None, None],
            pool: None,
            inception: None,
        }
    }

    /// Every quantity of `rules`, in their order; `tell` hears which is at work.
    pub fn measure(&mut self, rules: &Rules, tell: &dyn Fn(&str)) -> Result<Vec<Measured>> {
        let mut all = Vec::new();
        let mut balls = None;
        let mut kernel = None;
        for &(quantity, name) in rules.quantities {
            tell(name);
            all.push(self.one(rules, quantity, name, &mut balls, &mut kernel)?);
        }
        Ok(all)
    }

    fn one(
        &mut self,
        rules: &Rules,
        quantity: Quantity,
        name: &'static str,
        balls: &mut Option<NeighbourScores>,
        kernel: &mut Option<Kernel>,
    ) -> Result<Measured> {
        let n = self.samples.len();
        let id = metric(quantity);
        let (mut bias, mut printed, mut influence) = (None, None, None);
        let score = match quantity {
            Quantity::Fid | Quantity::Sfid => {
                let kind = match quantity {
                    Quantity::Fid => Kind::Pool,
                    _ => Kind::Spatial,
                };
                let scipy = self.compat && matches!(rules.frechet.trace, Trace::Sqrtm { .. });
                match self.distance(kind, scipy)? {
                    None => Err("the reference has no spatial statistics".to_string()),
                    Some((left_out, with_eps)) => {
                        bias = Some(left_out.bias());
                        printed = with_eps;
                        influence = Some(left_out.influences());
                        let interval = left_out.square_interval(0.0);
                        Ok(Score::new(id, left_out.value(), interval, n))
                    }
                }
            }
            Quantity::FidInfinity => {
                // The line's own error: how straight it is, not how much other images would move it.
                let line = self.infinity(rules).map_err(|error| format!("{error:#}"));
                line.map(|line| {
                    let half = TWO_SIDED * line.error;
                    Score::new(id, line.value, (line.value - half, line.value + half), n)
                })
            }
            Quantity::InceptionScore | Quantity::InceptionScoreStd => {
                let rule = rules
                    .inception_score
                    .context("a rule of the Inception Score")?;
                let score = self.inception_score(&rule, quantity);
                if let (Quantity::InceptionScore, Some((_, _, of))) = (quantity, &self.inception) {
                    influence = Some(of.influences());
                }
                score
            }
            Quantity::Kid | Quantity::KidStd => {
                let rule = rules.kid.context("a rule of KID")?;
                match self.kid(&rule, kernel)? {
                    Err(why) => Err(why),
                    Ok(found) => Ok(match quantity {
                        Quantity::Kid => {
                            influence = Some(found.influence);
                            Score::new(id, found.distance.mean, found.interval, n)
                        }
                        _ => Score::bare(id, found.distance.std, n),
                    }),
                }
            }
            Quantity::Precision
            | Quantity::Recall
            | Quantity::FScore
            | Quantity::Density
            | Quantity::Coverage => {
                let rule = rules.neighbours.context("a rule of neighbours")?;
                let score = self.ball_score(&rule, quantity, balls)?;
                influence = balls.as_ref().and_then(|balls| balls.influence(quantity));
                score
            }
        };
        let influence = influence.filter(|_| score.is_ok());
        Ok(Measured {
            quantity,
            name,
            score,
            bias,
            compat: printed,
            influence,
        })
    }

    /// The Fréchet distance and what SciPy's path would print instead; None where the reference lacks the features.
    fn distance(&mut self, kind: Kind, scipy: bool) -> Result<Option<(Jackknife, Option<f64>)>> {
        let at = kind as usize;
        let real = match kind {
            Kind::Pool => Some(&self.real.pool),
            Kind::Spatial => self.real.spatial.as_ref(),
        };
        let Some(real) = real else {
            return Ok(None);
        };
        if self.distance[at].is_none() {
            let moments = self.samples.moments(kind)?;
            if self.reference[at].is_none() {
                self.reference[at] = Some(Reference::new(real)?);
            }
            let reference = self.reference[at].as_ref().context("it was just made")?;
            let left_out = reference.left_out(&moments, &mut self.samples.rows(kind)?)?;
            let printed = match scipy {
                true => {
                    let both = compat(&moments, real)?;
                    both.singular.then_some(both.with_eps)
                }
                false => None,
            };
            self.distance[at] = Some((left_out, printed));
        }
        Ok(self.distance[at].clone())
    }

    fn infinity(&mut self, rules: &Rules) -> Result<Extrapolation> {
        let rule = rules.infinity.context("a rule of FID∞")?;
        let n = self.samples.len();
        if self.reference[0].is_none() {
            self.reference[0] = Some(Reference::new(&self.real.pool)?);
        }
        let reference = self.reference[0].as_ref().context("it was just made")?;
        let points = Points {
            first: rule.from.min(n / 10).max(2),
            count: rule.points,
            seed: SEED,
        };
        extrapolate(reference, &mut self.samples.rows(Kind::Pool)?, points)
    }

    fn inception_score(
        &mut self,
        rule: &InceptionScore,
        quantity: Quantity,
    ) -> std::result::Result<Score, String> {
        let measure = |scorer: &mut Self| -> Result<Score> {
            if scorer.inception.as_ref().is_none_or(|(of, ..)| of != rule) {
                let probabilities = Probabilities::of_rows(&mut scorer.samples.logits()?)?;
                let found = inception_score(&probabilities, splits(rule)?)?;
                let left_out = match scorer.inception.take() {
                    Some((.., left_out)) => left_out,
                    None => probabilities.left_out()?,
                };
                scorer.inception = Some((*rule, found, left_out));
            }
            let (_, found, left_out) = scorer.inception.as_ref().context("it was just made")?;
            let n = scorer.samples.len();
            let id = metric(quantity);
            Ok(match quantity {
                Quantity::InceptionScore => {
                    // The splits' mean moves with other images as the score of all does.
                    let (low, high) = left_out.interval(1.0);
                    let shift = found.mean - left_out.value();
                    Score::new(id, found.mean, (low + shift, high + shift), n)
                }
                _ => Score::bare(id, found.std, n),
            })
        };
        measure(self).map_err(|error| format!("{error:#}"))
    }

    fn kid(
        &mut self,
        rule: &Kid,
        known: &mut Option<Kernel>,
    ) -> Result<std::result::Result<Kernel, String>> {
        let Some(real) = &self.real.features else {
            return Ok(Err("the reference holds no images' features".to_string()));
        };
        if let Some(known) = known {
            return Ok(Ok(known.clone()));
        }
        let d = self.real.pool.dim();
        let (n, m) = (self.samples.len(), real.len() / d);
        let size = rule.subset_size;
        if rule.strict_size && n.min(m) < size {
            let why = format!(
                "it draws subsets of {size} images, there are {n} samples and {m} real ones"
            );
            return Ok(Err(why));
        }
        let seed = rule.seed.unwrap_or(SEED as u32);
        let subsets = rule.subsets;
        let rule = match rule.strict_size {
            true => KidRule::TorchFidelity {
                subsets,
                size,
                seed,
            },
            false => KidRule::CleanFid {
                subsets,
                size,
                seed,
            },
        };
        self.load_pool()?;
        let pool = self.pool.as_deref().context("it was just read")?;
        let distance = kid(pool, real, d, rule)?;
        let whole = mmd2_interval(pool, real, d)?;
        let shift = distance.mean - whole.left_out.value();
        let found = Kernel {
            distance,
            interval: (whole.low + shift, whole.high + shift),
            influence: whole.left_out.influences(),
        };
        *known = Some(found.clone());
        Ok(Ok(found))
    }

    fn ball_score(
        &mut self,
        rule: &Neighbours,
        quantity: Quantity,
        balls: &mut Option<NeighbourScores>,
    ) -> Result<std::result::Result<Score, String>> {
        if balls.is_none() {
            match self.balls(rule)? {
                Ok(found) => *balls = Some(found),
                Err(why) => return Ok(Err(why)),
            }
        }
        let balls = balls.as_ref().context("they were just made")?;
        balls.score(quantity).map(Ok)
    }

    /// How samples and reference lie in each other's balls, by `rule`.
    fn balls(&mut self, rule: &Neighbours) -> Result<std::result::Result<NeighbourScores, String>> {
        let Some(real) = &self.real.features else {
            return Ok(Err("the reference holds no images' features".to_string()));
        };
        let d = self.real.pool.dim();
        self.load_pool()?;
        let pool = self.pool.as_deref().context("it was just read")?;
        let (m, n) = (real.len() / d, pool.len() / d);
        if m.min(n) <= rule.k {
            let why = format!(
                "balls of {} neighbours need more images than {m} and {n}",
                rule.k
            );
            return Ok(Err(why));
        }
        let (real, pool) = (
            chosen(real, d, rule, rule.reference, n, 1),
            chosen(pool, d, rule, rule.samples, m, 2),
        );
        if rule.distance == Precision::F16 {
            return Ok(Ok(NeighbourScores::Adm(adm_precision_recall(
                &real, &pool, d,
            )?)));
        }
        let border = match rule.edge {
            Edge::Inside => Border::Inside,
            Edge::Outside => Border::Outside,
        };
        let real = Manifold::of(&real, d, rule.k)?;
        Ok(Ok(NeighbourScores::Exact(
            real.overlap(&Manifold::of(&pool, d, rule.k)?, border)?,
        )))
    }

    fn load_pool(&mut self) -> Result<()> {
        if self.pool.is_none() {
            let mut rows = self.samples.rows(Kind::Pool)?;
            let (n, d) = (rows.count(), rows.dim());
            ensure!(
                d == self.real.pool.dim(),
                "the reference has {} features and the samples have {d}\nhint: both must come from one feature network",
                self.real.pool.dim()
            );
            self.pool = Some(rows.read(0..n)?.into_owned());
        }
        Ok(())
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
