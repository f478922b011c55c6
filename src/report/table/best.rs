//! Which scores of a column are marked: the best of each group, and all that cannot be told from it.

use crate::report::rows::names::{self, Better};
use crate::report::rows::seeds::{self, Variant};
use crate::run::differences::difference;
use crate::run::results::Score;
use anyhow::Result;

/// Cells beyond which the best alone is marked: a comparison reads what each image adds to a score.
pub const MOST_COMPARED: usize = 500;
/// Times the half intervals of both scores together, beyond which no pairing of their images brings the two together.
const APART: f64 = 1.5;

/// What is compared with what.
pub struct Column<'a> {
    pub variants: &'a [Variant<'a>],
    /// The number of each variant's group, from 0.
    pub groups: &'a [usize],
    /// As in the experiment file: `fd`.
    pub metric: &'a str,
    pub better: Option<Better>,
    /// Whether the best is compared with the others of its group.
    pub compared: bool,
}

impl Column<'_> {
    /// Which variants are marked. None where the metric has no good end; one alone is not the best of anything.
    ///
    /// # Errors
    /// Where a stored file of influences cannot be read.
    pub fn marked(&self) -> Result<Vec<bool>> {
        let mut marked = vec![false; self.variants.len()];
        let Some(better) = self.better else {
            return Ok(marked);
        };
        for group in 0..self.groups.iter().max().map_or(0, |most| most + 1) {
            let scored = (0..marked.len()).filter_map(|i| Some((i, self.score(i)?)));
            let scored = scored.filter(|(i, _)| self.groups[*i] == group);
            let scored: Vec<(usize, &Score)> = scored.collect();
            let ordered =
                |a: &&(usize, &Score), b: &&(usize, &Score)| a.1.value.total_cmp(&b.1.value);
            let best = match better {
                Better::Lower => scored.iter().min_by(ordered),
                Better::Higher => scored.iter().max_by(ordered),
            };
            let Some(&(best, score)) = best.filter(|_| scored.len() > 1) else {
                continue;
            };
            for (i, other) in scored {
                marked[i] = other.value == score.value || self.compared && !self.apart(best, i)?;
            }
        }
        Ok(marked)
    }

    fn score(&self, variant: usize) -> Option<&Score> {
        names::score(&self.variants[variant].row, self.metric)
    }

    /// Whether two scored variants can be told apart: by the paired difference of cells that share a seed; where images
    /// are no pairs by their intervals.
    fn apart(&self, best: usize, other: usize) -> Result<bool> {
        let metric = self.metric;
        let (Some(a), Some(b)) = (self.score(best), self.score(other)) else {
            return Ok(true);
        };
        let [best, other] = [best, other].map(|i| &self.variants[i].cells[..]);
        let pairs = seeds::pairs(best, other);
        let halves = half(a).zip(half(b)).map(|(a, b)| a + b);
        // A quick answer, for which no file is read: images are all that one training's interval knows of.
        if let [_] = pairs[..]
            && halves.is_none_or(|halves| (a.value - b.value).abs() > APART * halves)
        {
            return Ok(true);
        }
        if let Some(found) = difference(&pairs, metric)? {
            if found.interval().is_some() {
                return Ok(found.stands());
            }
            // Seeds that disagree tell nothing apart, whatever their intervals over images.
            if found
                .each
                .iter()
                .any(|by| by.signum() != found.value.signum())
            {
                return Ok(false);
            }
        }
        Ok(halves.is_none() || a.low >= b.high || b.low >= a.high)
    }
}

/// The wider half of a score's interval; none where it is not known.
fn half(score: &Score) -> Option<f64> {
    let half = (score.high - score.value).max(score.value - score.low);
    Some(half).filter(|half| half.is_finite())
}
