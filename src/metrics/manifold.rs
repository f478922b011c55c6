//! Improved precision and recall, density and coverage, by k-nearest-neighbour balls.

use crate::metrics::agreement::Share;
use crate::metrics::bootstrap::{interval, resample};
use crate::metrics::distances::{Points, fold};
use anyhow::{Result, ensure};

/// When a point at exactly a ball's radius lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// It does: the rule of improved precision and recall, and of the ADM evaluator.
    Inside,
    /// It does not: the rule of prdc's density and coverage.
    Outside,
}

/// Feature rows, each with a ball that reaches its k-th nearest other row.
pub struct Manifold {
    points: Points,
    k: usize,
    /// Squared radius of each ball.
    radii: Vec<f64>,
}

impl Manifold {
    /// The manifold of `rows` `[n, d]`, n > k >= 1. A row's distance to itself (0) is counted as
    /// the nearest, so the radius is entry k of its sorted distances; copies of a row are
    /// neighbours at 0 like any others.
    pub fn of(rows: &[f32], d: usize, k: usize) -> Result<Manifold> {
        let points = Points::of(rows, d)?;
        ensure!(
            k >= 1 && points.len() > k,
            "balls that reach the {k}th neighbour need more than {k} images, found {}",
            points.len()
        );
        let nearest = fold(
            &points,
            &points,
            true,
            |_| vec![f64::INFINITY; k + 1],
            |kept: &mut Vec<f64>, _, distance| {
                if distance < kept[k] {
                    let at = kept.partition_point(|&v| v <= distance);
                    kept.pop();
                    kept.insert(at, distance);
                }
            },
        );
        let radii = nearest.iter().map(|kept| kept[k]).collect();
        Ok(Manifold { points, k, radii })
    }

    /// Number of balls.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The rows behind the balls.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// In how many balls each query lies.
    pub fn counts(&self, queries: &Points, border: Border) -> Result<Vec<usize>> {
        self.check(queries)?;
        Ok(fold(
            queries,
            &self.points,
            true,
            |_| 0,
            |count, j, distance| {
                *count += usize::from(within(distance, self.radii[j], border));
            },
        ))
    }

    /// Whether each query lies in any ball.
    pub fn covers(&self, queries: &Points, border: Border) -> Result<Vec<bool>> {
        let counts = self.counts(queries, border)?;
        Ok(counts.into_iter().map(|c| c > 0).collect())
    }

    /// Whether each ball holds any query.
    pub fn covered(&self, queries: &Points, border: Border) -> Result<Vec<bool>> {
        self.check(queries)?;
        Ok(fold(
            &self.points,
            queries,
            true,
            |i| (i, false),
            |(i, held), _, distance| *held |= within(distance, self.radii[*i], border),
        )
        .into_iter()
        .map(|(_, held)| held)
        .collect())
    }

    fn check(&self, queries: &Points) -> Result<()> {
        ensure!(
            self.points.dim() == queries.dim(),
            "the images of the manifold have {} features and the others {}",
            self.points.dim(),
            queries.dim()
        );
        Ok(())
    }
}

fn within(distance: f64, radius: f64, border: Border) -> bool {
    match border {
        Border::Inside => distance <= radius,
        Border::Outside => distance < radius,
    }
}

/// Precision: the share of generated images in the manifold of real ones (are they like real
/// images?), counted over the generated images.
///
/// The interval takes the manifold as given: it tells how much other generated images would
/// change the share, not other real ones. Values depend on both counts and must only be compared
/// at equal ones.
pub fn precision(real: &Manifold, generated: &Manifold) -> Result<Share> {
    Ok(Share::of(&real.covers(generated.points(), Border::Inside)?))
}

/// Recall: the share of real images in the manifold of generated ones (are all kinds of real
/// images made?), counted over the real images, with an interval as [`precision`]'s.
pub fn recall(real: &Manifold, generated: &Manifold) -> Result<Share> {
    Ok(Share::of(&generated.covers(real.points(), Border::Inside)?))
}

/// Coverage: the share of real images whose ball holds a generated one.
pub fn coverage(real: &Manifold, generated: &Manifold) -> Result<Share> {
    Ok(Share::of(
        &real.covered(generated.points(), Border::Outside)?,
    ))
}

/// Density: real balls that hold a generated image, in units of k, averaged over the generated
/// images (can exceed 1). Answers value, low, high; the interval resamples the generated images
/// and takes the real manifold as given.
pub fn density(
    real: &Manifold,
    generated: &Manifold,
    resamples: usize,
    seed: u64,
) -> Result<(f64, f64, f64)> {
    let counts = real.counts(generated.points(), Border::Outside)?;
    let scale = 1.0 / (real.k * counts.len()) as f64;
    let value = counts.iter().sum::<usize>() as f64 * scale;
    let one = |weights: &[u32], _: &mut ()| {
        let drawn = counts
            .iter()
            .zip(weights)
            .map(|(&c, &w)| c as f64 * f64::from(w));
        Ok(drawn.sum::<f64>() * scale)
    };
    let resampled = resample(counts.len(), resamples, seed, || (), one)?;
    let (low, high) = interval(value, &resampled, 0.0)?;
    Ok((value, low, high))
}
