//! Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991), density and coverage (Naeem et al. 2020,
//! arXiv:2002.09797): every image carries a hypersphere that reaches to its k-th nearest neighbour in its own set, and all
//! of a set's hyperspheres together estimate the manifold of its images.

use crate::metrics::agreement::Share;
use crate::metrics::intervals::jackknife::Jackknife;
use crate::metrics::neighbours::distances::{Pairs, Points, across, among};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

pub use crate::metrics::neighbours::distances::Border;

/// Feature rows, each with a hypersphere that reaches its k-th nearest other row.
pub struct Manifold<'a> {
    points: Points<'a>,
    k: usize,
    /// Squared radius of each hypersphere.
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
            "hyperspheres to the {k}th neighbour need more than {k} images, found {}",
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

    /// Number of rows, each with its hypersphere.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Which hyperspheres of either manifold hold which points of the other, in one run through all
    /// pairs. Bit-identical for any number of threads.
    pub fn overlap(&self, generated: &Manifold<'a>, border: Border) -> Result<Overlap> {
        ensure!(
            self.points.dim() == generated.points.dim(),
            "the images of the manifold have {} features and the others {}",
            self.points.dim(),
            generated.points.dim()
        );
        let Pairs { left, right } = across(
            (&self.points, &generated.points),
            (&self.radii, &generated.radii),
            |real: &mut Sphere, made: &mut usize, (i, j), distance| {
                if distance.within(self.radii[i], border) {
                    real.take(j);
                    *made += 1;
                }
                // One hypersphere that holds a real image is enough.
                if !real.covered && distance.within(generated.radii[j], border) {
                    real.covered = true;
                }
            },
        );
        Ok(Overlap {
            k: self.k,
            counts: right,
            spheres: left,
        })
    }
}

/// What a real image's hypersphere holds, and whether a generated image's holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sphere {
    held: usize,
    /// Three of the held images; all of them, where there are no more.
    which: [usize; 3],
    covered: bool,
}

impl Sphere {
    fn take(&mut self, j: usize) {
        if let Some(place) = self.which.get_mut(self.held) {
            *place = j;
        }
        self.held += 1;
    }
}

/// How real and generated images lie in each other's hyperspheres.
pub struct Overlap {
    k: usize,
    /// Real hyperspheres that hold each generated image.
    counts: Vec<usize>,
    spheres: Vec<Sphere>,
}

impl Overlap {
    /// Precision: the share of generated images in the manifold of real ones (are they like real
    /// images?); arXiv:1904.06991, eq. 1 and 2.
    ///
    /// The interval holds, 95 times in 100, the share that other generated images of the same
    /// kind would have in this manifold. Values depend on both counts of images and must only be
    /// compared at equal ones.
    pub fn precision(&self) -> Share {
        let hits: Vec<bool> = self.counts.iter().map(|&c| c > 0).collect();
        Share::of(&hits)
    }

    /// Recall: the share of real images in the manifold of generated ones (are all kinds of real
    /// images made?; arXiv:1904.06991, eq. 1 and 2), with an interval for other real images in this manifold of generated ones.
    pub fn recall(&self) -> Share {
        let hits: Vec<bool> = self.spheres.iter().map(|s| s.covered).collect();
        Share::of(&hits)
    }

    /// In how many real hyperspheres each generated image lies.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Density: real hyperspheres that hold a generated image, in units of k, averaged over the
    /// generated images (can exceed 1; arXiv:2002.09797, section 3.1); the interval is for other
    /// generated images and this real manifold.
    pub fn density(&self) -> Jackknife {
        let m = self.counts.len() as f64;
        let scale = 1.0 / (self.k as f64 * m);
        let value = self.counts.iter().sum::<usize>() as f64 * scale;
        let gap = |&count: &usize| (value - count as f64 / self.k as f64) / (m - 1.0).max(1.0);
        Jackknife::with_pairs(value, self.counts.iter().map(gap).collect(), &[])
    }

    /// Coverage: the share of real images whose hypersphere holds a generated one (arXiv:2002.09797,
    /// section 3.2); the interval is for as many other generated images and this real manifold.
    pub fn coverage(&self) -> Jackknife {
        let (n, m) = (self.spheres.len() as f64, self.counts.len() as f64);
        let held = self.spheres.iter().filter(|s| s.held > 0).count();
        let mut alone = vec![0usize; self.counts.len()];
        let mut pairs: BTreeMap<[usize; 2], f64> = BTreeMap::new();
        let mut triples: BTreeMap<[usize; 3], f64> = BTreeMap::new();
        for sphere in &self.spheres {
            let [a, b, c] = sphere.which;
            match sphere.held {
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
        // Leaving out i and j loses the hyperspheres that hold only them, together or alone.
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
        // Hyperspheres that hold just three: R² of a triple is about m⁴·t²/n², of m³/6 triples.
        let third = triples.values().map(|t| t * t).sum::<f64>() / (n * n);
        let interaction = 0.5 * (square - mean * mean) - third;
        Jackknife::with_interaction(held as f64 / n, gaps, interaction)
    }
}
