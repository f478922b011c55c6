//! Precision, recall, density and coverage by an evaluator's rule: which rows meet, and what their overlap tells.

use crate::experiment::scoring::rules::{Neighbours, Quantity, metric};
use crate::metrics::agreement::Share;
use crate::metrics::intervals::draws::subset;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::intervals::paired;
use crate::metrics::neighbours::adm_manifold::PrecisionRecall;
use crate::metrics::neighbours::manifold::Overlap;
use crate::metrics::score::Score;
use anyhow::{Result, bail};
use std::borrow::Cow;

/// Images that are drawn where the evaluator draws without a seed of its own.
const SEED: u64 = 0;

/// Precision, recall and what else neighbours tell.
pub enum NeighbourScores {
    Adm(PrecisionRecall),
    Exact(Overlap),
}

impl NeighbourScores {
    /// One of the quantities that neighbours tell; an error for what the rule has not.
    pub fn score(&self, quantity: Quantity) -> Result<Score> {
        let id = metric(quantity);
        let (precision, recall) = match self {
            NeighbourScores::Adm(both) => (both.precision(), both.recall()),
            NeighbourScores::Exact(overlap) => (overlap.precision(), overlap.recall()),
        };
        let share =
            |share: Share| Score::new(id, share.value, (share.low, share.high), share.count);
        let left_out = |of: Jackknife| {
            let count = of.gaps().len();
            Score::new(id, of.value(), of.interval(0.0), count)
        };
        Ok(match (quantity, self) {
            (Quantity::Precision, _) => share(precision),
            (Quantity::Recall, _) => share(recall),
            (Quantity::FScore, _) => {
                let (p, r) = (precision.value, recall.value);
                let f = if p + r > 0.0 {
                    2.0 * p * r / (p + r)
                } else {
                    0.0
                };
                Score::bare(id, f, precision.count)
            }
            (Quantity::Density, NeighbourScores::Exact(overlap)) => left_out(overlap.density()),
            (Quantity::Coverage, NeighbourScores::Exact(overlap)) => left_out(overlap.coverage()),
            _ => bail!("the rule has no {id}"),
        })
    }

    /// What each sample that was compared adds to a quantity, times their number: [n], mean 0; none
    /// for what is counted over the real images, or is no sum.
    pub fn influence(&self, quantity: Quantity) -> Option<Vec<f64>> {
        match (quantity, self) {
            (Quantity::Precision, NeighbourScores::Adm(both)) => {
                Some(paired::of_hits(both.inside.iter().copied()))
            }
            (Quantity::Precision, NeighbourScores::Exact(overlap)) => {
                Some(paired::of_hits(overlap.counts().iter().map(|&c| c > 0)))
            }
            (Quantity::Density, NeighbourScores::Exact(overlap)) => {
                Some(overlap.density().influences())
            }
            (Quantity::Coverage, NeighbourScores::Exact(overlap)) => {
                Some(overlap.coverage().influences())
            }
            _ => None,
        }
    }
}

/// The rows that the rule compares: the first, or drawn by a seed of ours where the evaluator draws without one.
pub fn chosen<'r>(
    rows: &'r [f32],
    d: usize,
    rule: &Neighbours,
    most: Option<usize>,
    others: usize,
    stream: u64,
) -> Cow<'r, [f32]> {
    let n = rows.len() / d;
    let count = match (most, rule.random) {
        (None, _) => n,
        (Some(most), false) => most.min(n),
        (Some(most), true) => most.min(n).min(others),
    };
    match rule.random && count < n {
        false => rows[..count * d].into(),
        true => {
            let drawn = subset(SEED, stream, n, count).into_iter();
            let drawn: Vec<f32> = drawn
                .flat_map(|i| rows[i * d..(i + 1) * d].iter().copied())
                .collect();
            drawn.into()
        }
    }
}
