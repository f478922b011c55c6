//! k-means: Lloyd's iteration (IEEE Trans. Inf. Theory 28, 1982) from k-means++ seeds (Arthur and Vassilvitskii 2007), the best
//! of several starts, as scikit-learn's `KMeans` does.

use crate::metrics::rows::check_rows;
use crate::random::stream::{below, stream, uniform};
use anyhow::{Result, ensure};
use rayon::prelude::*;

/// Starts, of which the one with the least inertia is taken.
const STARTS: u64 = 10;
/// Iterations of a start at most; a start ends where no row changes its centre.
const ITERATIONS: usize = 300;
/// Rows that a thread sums up alone: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 512;

/// Centres in a space of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Centres {
    /// f32 [k, d].
    pub values: Vec<f32>,
    pub d: usize,
}

/// What a start ended with.
struct Found {
    centres: Centres,
    /// Sum of the squared distances of all rows to their centres.
    inertia: f64,
}

impl Centres {
    /// The k centres of `rows` [n, d] with the least inertia among ten seeded starts; the same for the same rows and seed,
    /// whatever the number of threads.
    ///
    /// # Errors
    /// Fewer than `k` different rows, and rows with NaN or infinities.
    pub fn fit(rows: &[f32], d: usize, k: usize, seed: u64) -> Result<Centres> {
        check_rows(rows, d)?;
        let n = rows.len() / d;
        ensure!(
            k >= 1 && k <= n,
            "{k} clusters of {n} images\nhint: at most as many clusters as there are images"
        );
        let mut best = lloyd(rows, seeds(rows, d, k, seed, 0)?);
        for start in 1..STARTS {
            let found = lloyd(rows, seeds(rows, d, k, seed, start)?);
            if found.inertia < best.inertia {
                best = found;
            }
        }
        Ok(best.centres)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.d
    }

    /// For each of `rows` [n, d] the index of its nearest centre, the first of several.
    pub fn nearest(&self, rows: &[f32]) -> Vec<u32> {
        let row = |row: &[f32]| self.nearest_to(row).0 as u32;
        rows.par_chunks_exact(self.d).map(row).collect()
    }

    /// Index and squared distance of the nearest centre.
    fn nearest_to(&self, row: &[f32]) -> (usize, f64) {
        let centres = self.values.chunks_exact(self.d).enumerate();
        let each = centres.map(|(c, centre)| (c, squared_distance(row, centre)));
        each.fold((0, f64::INFINITY), |best, next| {
            if next.1 < best.1 { next } else { best }
        })
    }
}

fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    let gaps = x.iter().zip(y).map(|(a, b)| f64::from(*a) - f64::from(*b));
    gaps.map(|gap| gap * gap).sum()
}

/// k rows, each drawn with a probability in proportion to its squared distance from those that were drawn before.
fn seeds(rows: &[f32], d: usize, k: usize, seed: u64, start: u64) -> Result<Centres> {
    let n = rows.len() / d;
    let row = |i: usize| &rows[i * d..(i + 1) * d];
    let mut rng = stream(seed, "k-means", start, 0);
    let mut values = row(below(&mut rng, n)).to_vec();
    let mut distances = vec![f64::INFINITY; n];
    while values.len() < k * d {
        let last = values[values.len() - d..].to_vec();
        distances
            .par_iter_mut()
            .zip(rows.par_chunks_exact(d))
            .for_each(|(least, row)| *least = least.min(squared_distance(row, &last)));
        let total: f64 = distances.iter().sum();
        ensure!(
            total > 0.0,
            "{k} clusters of images that have only {} different features\nhint: ask for fewer clusters",
            values.len() / d
        );
        let mut left = uniform(&mut rng) * total;
        let far = |i: &usize| distances[*i] > 0.0;
        let drawn = (0..n).filter(far).find(|&i| {
            left -= distances[i];
            left < 0.0
        });
        // Rounding may leave a little of `total` over: the last row that can be drawn.
        let drawn = drawn.or_else(|| (0..n).rev().find(far)).unwrap_or(0);
        values.extend_from_slice(row(drawn));
    }
    Ok(Centres { values, d })
}

/// What the rows next to each centre add up to.
struct Sums {
    /// Rows of each centre.
    counts: Vec<u64>,
    /// [k, d]
    sums: Vec<f64>,
    inertia: f64,
    /// The centre of each row.
    labels: Vec<u32>,
    /// The row that is farthest from its centre, and its squared distance.
    farthest: (usize, f64),
}

impl Sums {
    fn none(k: usize, d: usize) -> Sums {
        Sums {
            counts: vec![0; k],
            sums: vec![0.0; k * d],
            inertia: 0.0,
            labels: Vec::new(),
            farthest: (0, -1.0),
        }
    }

    /// Row `i`, whose nearest centre is `c` at the squared distance `distance`.
    fn add(&mut self, i: usize, row: &[f32], (c, distance): (usize, f64)) {
        let d = row.len();
        self.counts[c] += 1;
        let sums = self.sums[c * d..(c + 1) * d].iter_mut();
        sums.zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
        self.inertia += distance;
        self.labels.push(c as u32);
        if distance > self.farthest.1 {
            self.farthest = (i, distance);
        }
    }

    /// These rows and those after them.
    fn with(mut self, next: Sums) -> Sums {
        let counts = self.counts.iter_mut().zip(next.counts);
        counts.for_each(|(a, b)| *a += b);
        let sums = self.sums.iter_mut().zip(next.sums);
        sums.for_each(|(a, b)| *a += b);
        self.inertia += next.inertia;
        self.labels.extend(next.labels);
        if next.farthest.1 > self.farthest.1 {
            self.farthest = next.farthest;
        }
        self
    }
}

/// Moves the centres to the means of their rows until no row changes its centre.
fn lloyd(rows: &[f32], mut centres: Centres) -> Found {
    let (d, k) = (centres.d, centres.count());
    let mut labels = Vec::new();
    for _ in 0..ITERATIONS {
        let found = assign(rows, &centres);
        let settled = found.labels == labels;
        labels = found.labels;
        if settled {
            let inertia = found.inertia;
            return Found { centres, inertia };
        }
        for c in 0..k {
            let centre = &mut centres.values[c * d..(c + 1) * d];
            if found.counts[c] == 0 {
                // A centre that lost all its rows goes where it is missed most.
                let far = found.farthest.0;
                centre.copy_from_slice(&rows[far * d..(far + 1) * d]);
                continue;
            }
            for (value, sum) in centre.iter_mut().zip(&found.sums[c * d..(c + 1) * d]) {
                *value = (sum / found.counts[c] as f64) as f32;
            }
        }
    }
    let inertia = assign(rows, &centres).inertia;
    Found { centres, inertia }
}

fn assign(rows: &[f32], centres: &Centres) -> Sums {
    let (d, k) = (centres.d, centres.count());
    let part = |(first, rows): (usize, &[f32])| {
        let mut part = Sums::none(k, d);
        for (i, row) in rows.chunks_exact(d).enumerate() {
            part.add(first * CHUNK + i, row, centres.nearest_to(row));
        }
        part
    };
    let parts: Vec<Sums> = rows.par_chunks(CHUNK * d).enumerate().map(part).collect();
    // One after the other, so that rounding is the same whatever the number of threads.
    parts.into_iter().fold(Sums::none(k, d), Sums::with)
}
