//! Precision, recall, density and coverage by an evaluator's rule: which rows are compared, and what their overlap tells.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::{Distances, Edge, Neighbours};
use crate::metrics::agreement::Share;
use crate::metrics::intervals::draws::subset;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::paired;
use crate::metrics::neighbours::adm_manifold::{PrecisionRecall, adm_precision_recall};
use crate::metrics::neighbours::manifold::{Border, Manifold, Overlap};
use crate::metrics::score::Score;
use crate::stages::score::measured::{Number, Unmeasured};
use anyhow::{Result, bail};
use std::borrow::Cow;

/// Seed of the images that are drawn where the evaluator draws without a seed of its own.
const SEED: u64 = 0;

/// Precision, recall and what else neighbours tell.
pub enum NeighbourScores {
    Adm(PrecisionRecall),
    Exact(Overlap),
}

/// Features [n, d] of one side, and which of them a rule compares.
struct Side<'r> {
    rows: &'r [f32],
    d: usize,
    /// Images at most.
    most: Option<usize>,
    /// Stream of the random draw.
    stream: u64,
}

impl NeighbourScores {
    /// How samples [n, d] and real images [m, d] lie in each other's hyperspheres, by `rule`.
    ///
    /// # Errors
    /// [`Unmeasured`] where a side has too few images.
    pub fn of(samples: &[f32], real: &[f32], d: usize, rule: &Neighbours) -> Result<Self> {
        let (n, m) = (samples.len() / d, real.len() / d);
        if m.min(n) <= rule.k {
            return Err(Unmeasured::FewerThanNeighbours {
                k: rule.k,
                samples: n,
                real: m,
            }
            .into());
        }
        let side = |rows, most, stream| Side {
            rows,
            d,
            most,
            stream,
        };
        let real = side(real, rule.reference, 1).chosen(rule, n);
        let samples = side(samples, rule.samples, 2).chosen(rule, m);
        if rule.distances == Distances::Half {
            let both = adm_precision_recall(&real, &samples, d)?;
            return Ok(NeighbourScores::Adm(both));
        }
        let border = match rule.edge {
            Edge::Inside => Border::Inside,
            Edge::Outside => Border::Outside,
        };
        let samples = Manifold::of(&samples, d, rule.k)?;
        let overlap = Manifold::of(&real, d, rule.k)?.overlap(&samples, border)?;
        Ok(NeighbourScores::Exact(overlap))
    }

    /// One of the metrics that neighbours tell; an error for what the rule has not.
    pub fn number(&self, metric: Metric) -> Result<Number> {
        let id = metric.id();
        let share =
            |share: Share| Score::new(id, share.value, (share.low, share.high), share.count);
        let left_out = |of: Jackknife| {
            let score = Score::new(id, of.value(), of.interval(0.0), of.gaps().len());
            Number::with_influence(score, Some(of.influences()))
        };
        Ok(match (metric, self) {
            (Metric::Precision, _) => {
                Number::with_influence(share(self.precision()), Some(self.hits()))
            }
            (Metric::Recall, NeighbourScores::Exact(overlap)) => {
                let influences = overlap.recall_left_out().spread_influences();
                Number::with_influence(share(overlap.recall()), Some(influences))
            }
            (Metric::Recall, _) => Number::alone(share(self.recall())),
            (Metric::FScore, _) => {
                let precision = self.precision();
                let (p, r) = (precision.value, self.recall().value);
                let f = if p + r > 0.0 {
                    2.0 * p * r / (p + r)
                } else {
                    0.0
                };
                Number::alone(Score::bare(id, f, precision.count))
            }
            (Metric::Density, NeighbourScores::Exact(overlap)) => left_out(overlap.density()),
            (Metric::Coverage, NeighbourScores::Exact(overlap)) => left_out(overlap.coverage()),
            _ => bail!("the rule has no {id}"),
        })
    }

    fn precision(&self) -> Share {
        match self {
            NeighbourScores::Adm(both) => both.precision(),
            NeighbourScores::Exact(overlap) => overlap.precision(),
        }
    }

    fn recall(&self) -> Share {
        match self {
            NeighbourScores::Adm(both) => both.recall(),
            NeighbourScores::Exact(overlap) => overlap.recall(),
        }
    }

    /// What each sample that was compared adds to precision, times their number: [n], mean 0.
    fn hits(&self) -> Vec<f64> {
        match self {
            NeighbourScores::Adm(both) => paired::of_hits(both.inside.iter().copied()),
            NeighbourScores::Exact(overlap) => {
                paired::of_hits(overlap.counts().iter().map(|&count| count > 0))
            }
        }
    }
}

impl<'r> Side<'r> {
    /// The rows that the rule compares beside `others` of the other side: the first, or drawn by a seed of ours where the
    /// evaluator draws without one.
    fn chosen(&self, rule: &Neighbours, others: usize) -> Cow<'r, [f32]> {
        let (rows, d) = (self.rows, self.d);
        let n = rows.len() / d;
        let count = match self.most {
            None => n,
            Some(most) if rule.random => most.min(n).min(others),
            Some(most) => most.min(n),
        };
        if !rule.random || count == n {
            return rows[..count * d].into();
        }
        let drawn = subset(SEED, self.stream, n, count).into_iter();
        let drawn = drawn.flat_map(|i| rows[i * d..(i + 1) * d].iter().copied());
        drawn.collect::<Vec<f32>>().into()
    }
}
