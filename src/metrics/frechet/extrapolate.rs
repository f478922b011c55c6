//! The Fréchet distance that infinitely many images would have, from its fall with their number.

use crate::metrics::frechet::distance::Reference;
use crate::metrics::frechet::moments::Part;
use crate::metrics::intervals::draws::subset;
use crate::metrics::rows::{Rows, blocks};
use anyhow::{Result, ensure};

/// Points of the line that are gathered in one run through the rows: each needs d² numbers.
const TOGETHER: usize = 5;

/// How FID∞ is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// Images of the first point.
    pub first: usize,
    /// Points, evenly spaced up to all images.
    pub count: usize,
    pub seed: u64,
}

impl Points {
    /// The published rule for `n` images: 15 points from 5,000 on; for fewer than 50,000 images
    /// from a tenth of them on, as dgm-eval has it. The seed is ours: the published programs
    /// have none.
    pub fn published(n: usize) -> Points {
        Points {
            first: 5000.min(n / 10).max(2),
            count: 15,
            seed: 0,
        }
    }
}

/// A line through distances of n images over 1/n.
#[derive(Clone, Debug, PartialEq)]
pub struct Extrapolation {
    /// The line at 1/n = 0.
    pub value: f64,
    /// Standard error of `value` as the line's scatter gives it. Points share images, so it tells
    /// how straight the line is and not how much other images would change it; for that, the
    /// distance's own interval is the measure.
    pub error: f64,
    /// Rise of the distance with 1/n.
    pub slope: f64,
    /// Numbers of images and distances.
    pub points: Vec<(usize, f64)>,
}

impl Extrapolation {
    /// How much of the distance of `n` images comes from their being few: slope/n.
    pub fn bias(&self, n: usize) -> f64 {
        self.slope / n as f64
    }
}

/// FID∞ of `rows` to a reference: the distances of random subsets, drawn afresh for each point,
/// and the line of least squares through them (Chong and Forsyth 2020, "Effectively Unbiased FID and
/// Inception Score", arXiv:1911.07023). At least 3 points of different sizes are needed.
pub fn extrapolate(
    reference: &Reference,
    rows: &mut dyn Rows,
    rule: Points,
) -> Result<Extrapolation> {
    let n = rows.count();
    ensure!(
        rule.count >= 3 && rule.first >= 2 && n >= rule.first + rule.count,
        "{} points from {} images on need at least {} images, found {n}",
        rule.count,
        rule.first,
        rule.first.max(2) + rule.count.max(3)
    );
    let step = (n - rule.first) as f64 / (rule.count - 1) as f64;
    let sizes: Vec<usize> = (0..rule.count)
        .map(|i| {
            if i + 1 == rule.count {
                n
            } else {
                (rule.first as f64 + step * i as f64) as usize
            }
        })
        .collect();
    let mut points = Vec::with_capacity(sizes.len());
    for (group, sizes) in sizes.chunks(TOGETHER).enumerate() {
        let first = group * TOGETHER;
        for (size, part) in sizes.iter().zip(parts(rows, sizes, first, rule.seed)?) {
            points.push((*size, reference.distance(&part.finish()?)?));
        }
    }
    Ok(line(points))
}

/// The parts of one random subset of each size.
fn parts(rows: &mut dyn Rows, sizes: &[usize], first: usize, seed: u64) -> Result<Vec<Part>> {
    let (n, d) = (rows.count(), rows.dim());
    let chosen: Vec<Vec<bool>> = sizes
        .iter()
        .enumerate()
        .map(|(i, &size)| {
            let mut chosen = vec![false; n];
            let drawn = subset(seed, (first + i) as u64, n, size);
            drawn.into_iter().for_each(|i| chosen[i] = true);
            chosen
        })
        .collect();
    let mut parts = vec![Part::empty(d); sizes.len()];
    let mut picked = Vec::new();
    blocks(rows, |start, block| {
        for (part, chosen) in parts.iter_mut().zip(&chosen) {
            picked.clear();
            for (row, _) in block
                .chunks_exact(d)
                .zip(&chosen[start..])
                .filter(|(_, chosen)| **chosen)
            {
                picked.extend_from_slice(row);
            }
            part.add(&picked)?;
        }
        Ok(())
    })?;
    Ok(parts)
}

/// Least squares of the distances on 1/n.
fn line(points: Vec<(usize, f64)>) -> Extrapolation {
    let count = points.len() as f64;
    let x = |p: &(usize, f64)| 1.0 / p.0 as f64;
    let mean_x = points.iter().map(x).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|p| (x(p) - mean_x).powi(2)).sum();
    let along: f64 = points
        .iter()
        .map(|p| (x(p) - mean_x) * (p.1 - mean_y))
        .sum();
    let slope = along / spread;
    let value = mean_y - slope * mean_x;
    let off: f64 = points
        .iter()
        .map(|p| (p.1 - value - slope * x(p)).powi(2))
        .sum();
    let error = (off / (count - 2.0) * (1.0 / count + mean_x * mean_x / spread)).sqrt();
    Extrapolation {
        value,
        error,
        slope,
        points,
    }
}
