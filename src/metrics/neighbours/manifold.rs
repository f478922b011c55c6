//! Improved precision and recall, density and coverage, by k-nearest-neighbour balls.

use crate::metrics::agreement::Share;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::neighbours::distances::{Pairs, Points, across, among};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// When a point at exactly a ball's radius lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// It does: the rule of improved precision and recall, of the ADM evaluator (but for its
    /// rounding, see [`crate::metrics::neighbours::adm_manifold`]) and of torch-fidelity 0.4.0 (`<=` of
    /// distances; it takes them in f32, so that a near tie may fall otherwise there).
    Inside,
    /// It does not: the rule of prdc 0.2 and dgm-eval.
    Outside,
}

/// Feature rows, each with a ball that reaches its k-th nearest other row.
pub struct Manifold<'a> {
    points: Points<'a>,
    k: usize,
    /// Squared radius of each ball.
    radii: Vec<f64>,
}

impl<'a> Manifold<'a> {
    /// The manifold of `rows` `[n, d]`, n > k >= 1, which stay borrowed. Copies of a row are its
    /// neighbours at distance 0 like any others; the programs that count a row itself as its
    /// nearest and take entry k + 1 have the same radii.
    pub fn of(rows: &'a [f32], d: usize, k: usize) -> Result<Manifold<'a>> {
        let points = Points::of(rows, d)?;
        ensure!(
            k >= 1 && points.len() > k,
            "balls that reach the {k}th neighbour need more than {k} images, found {}",
            points.len()
        );
        let nearest = among(
            &points,
            || vec![f64::INFINITY; k],
            |kept| kept[k - 1],
            |kept: &mut Vec<f64>, distance| {
                if distance.least() >= kept[k - 1] {
                    return;
                }
                let exact = distance.exact();
                if exact < kept[k - 1] {
                    let at = kept.partition_point(|&v| v <= exact);
                    kept.pop();
                    kept.insert(at, exact);
                }
            },
        );
        let radii = nearest.iter().map(|kept| kept[k - 1]).collect();
        Ok(Manifold { points, k, radii })
    }

    /// Number of balls.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Which balls of either manifold hold which points of the other, in one run through all
    /// pairs. Bit-identical for any number of threads.
    pub fn overlap(&self, generated: &Manifold<'a>, border: Border) -> Result<Overlap> {
        ensure!(
            self.points.dim() == generated.points.dim(),
            "the images of the manifold have {} features and the others {}",
            self.points.dim(),
            generated.points.dim()
        );
        let strict = border == Border::Outside;
        let Pairs { left, right } = across(
            (&self.points, &generated.points),
            (&self.radii, &generated.radii),
            |real: &mut Ball, made: &mut usize, (i, j), distance| {
                if distance.within(self.radii[i], strict) {
                    real.take(j);
                    *made += 1;
                }
                // Only the first ball that holds a real image counts.
                if !real.covered && distance.within(generated.radii[j], strict) {
                    real.covered = true;
                }
            },
        );
        Ok(Overlap {
            k: self.k,
            counts: right,
            balls: left,
        })
    }
}

/// What a real image's ball holds, and whether a generated image's ball holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ball {
    held: usize,
    /// The first three held images that were met; all of them, where there are no more.
    which: [usize; 3],
    covered: bool,
}

impl Ball {
    fn take(&mut self, j: usize) {
        if let Some(place) = self.which.get_mut(self.held) {
            *place = j;
        }
        self.held += 1;
    }
}

/// How real and generated images lie in each other's balls.
pub struct Overlap {
    k: usize,
    /// Real balls that hold each generated image.
    counts: Vec<usize>,
    balls: Vec<Ball>,
}

impl Overlap {
    /// Precision: the share of generated images in the manifold of real ones (are they like real
    /// images?).
    ///
    /// The interval holds, 95 times in 100, the share that other generated images of the same
    /// kind would have in this manifold. Values depend on both counts of images and must only be
    /// compared at equal ones.
    pub fn precision(&self) -> Share {
        let hits: Vec<bool> = self.counts.iter().map(|&c| c > 0).collect();
        Share::of(&hits)
    }

    /// Recall: the share of real images in the manifold of generated ones (are all kinds of real
    /// images made?), with an interval for other real images in this manifold of generated ones.
    pub fn recall(&self) -> Share {
        let hits: Vec<bool> = self.balls.iter().map(|b| b.covered).collect();
        Share::of(&hits)
    }

    /// In how many real balls each generated image lies.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Density: real balls that hold a generated image, in units of k, averaged over the generated
    /// images (can exceed 1); the interval is for other generated images and this real manifold.
    pub fn density(&self) -> Jackknife {
        let m = self.counts.len() as f64;
        let scale = 1.0 / (self.k as f64 * m);
        let value = self.counts.iter().sum::<usize>() as f64 * scale;
        let gap = |&count: &usize| (value - count as f64 / self.k as f64) / (m - 1.0).max(1.0);
        Jackknife::with_pairs(value, self.counts.iter().map(gap).collect(), &[])
    }

    /// Coverage: the share of real images whose ball holds a generated one; the interval is for
    /// as many other generated images and this real manifold.
    pub fn coverage(&self) -> Jackknife {
        let (n, m) = (self.balls.len() as f64, self.counts.len() as f64);
        let held = self.balls.iter().filter(|b| b.held > 0).count();
        let mut alone = vec![0usize; self.counts.len()];
        let mut pairs: BTreeMap<[usize; 2], f64> = BTreeMap::new();
        let mut triples: BTreeMap<[usize; 3], f64> = BTreeMap::new();
        for ball in &self.balls {
            let [a, b, c] = ball.which;
            match ball.held {
                1 => alone[a] += 1,
                2 => *pairs.entry([a.min(b), a.max(b)]).or_default() += 1.0,
                3 => {
                    let mut which = [a, b, c];
                    which.sort_unstable();
                    *triples.entry(which).or_default() += 1.0;
                }
                _ => {}
            }
        }
        // Leaving out i and j loses the balls that only they hold, together or alone.
        let base = |i: usize, j: usize| (alone[i] + alone[j]) as f64 / n;
        let sum: f64 = pairs
            .iter()
            .map(|([i, j], c)| {
                let plain = base(*i, *j);
                let full = plain - (m - 2.0) * c / n;
                full * full - plain * plain
            })
            .sum();
        let (total, squares) = alone.iter().fold((0.0, 0.0), |(t, s), &a| {
            let a = a as f64 / n;
            (t + a, s + a * a)
        });
        // The sum of (a_i + a_j)² over all pairs is (m - 2)·Σa² + (Σa)².
        let all = m * (m - 1.0) / 2.0;
        let mean = ((m - 1.0) * total - (m - 2.0) / n * pairs.values().sum::<f64>()) / all;
        let square = ((m - 2.0) * squares + total * total + sum) / all;
        let gaps = alone.iter().map(|&a| -(a as f64) / n).collect();
        // Balls that three hold together: R² of a triple is about m⁴·t²/n², of m³/6 triples.
        let third = triples.values().map(|t| t * t).sum::<f64>() / (n * n);
        let interaction = 0.5 * (square - mean * mean) - third;
        Jackknife::with_interaction(held as f64 / n, gaps, interaction)
    }
}
