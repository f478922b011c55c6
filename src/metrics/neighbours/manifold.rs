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
    /// The squared radius that each would have without one of its k neighbours; the same where there is no further row.
    wider: Vec<f64>,
    /// The k neighbours of each row: `[n, k]`.
    neighbours: Vec<usize>,
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
        let nothing = (f64::INFINITY, usize::MAX);
        let nearest = among(
            &points,
            || vec![nothing; k + 1],
            |kept| kept[k].0,
            |kept: &mut Vec<(f64, usize)>, other, distance| {
                if distance.least() > kept[k].0 {
                    return;
                }
                // Of rows at one distance the first counts as the nearer, so that nothing depends on the order of pairs.
                let found = (distance.exact(), other);
                if found < kept[k] {
                    let at = kept.partition_point(|known| *known < found);
                    kept.pop();
                    kept.insert(at, found);
                }
            },
        );
        let radius = |kept: &Vec<(f64, usize)>| kept[k - 1].0;
        let wider = |kept: &Vec<(f64, usize)>| match kept[k].0 {
            further if further.is_finite() => further,
            _ => radius(kept),
        };
        let neighbours = nearest.iter().flat_map(|kept| &kept[..k]);
        Ok(Manifold {
            radii: nearest.iter().map(radius).collect(),
            wider: nearest.iter().map(wider).collect(),
            neighbours: neighbours.map(|(_, other)| *other).collect(),
            points,
            k,
        })
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
            (&self.radii, &generated.wider),
            |real: &mut Sphere, made: &mut usize, (i, j), distance| {
                if distance.within(self.radii[i], border) {
                    real.holds.take(j);
                    *made += 1;
                }
                // More than three are as good as four: what few images do together is what counts.
                if real.holders.held > 3 {
                    return;
                }
                if distance.within(generated.radii[j], border) {
                    real.holders.take(j);
                } else if distance.within(generated.wider[j], border) {
                    real.near.push(j);
                }
            },
        );
        Ok(Overlap {
            k: self.k,
            recall_gaps: recall_gaps(&left, generated),
            counts: right,
            spheres: left,
        })
    }
}

/// What leaving out each generated image adds to recall: its own hypersphere is gone, and those whose neighbour it was
/// reach to the next one.
fn recall_gaps(spheres: &[Sphere], generated: &Manifold) -> Vec<f64> {
    let of = |i: usize| &generated.neighbours[i * generated.k..(i + 1) * generated.k];
    let mut gaps = vec![0.0; generated.len()];
    let part = 1.0 / spheres.len() as f64;
    for sphere in spheres {
        match sphere.holders.held {
            0 => {
                let mut gained: Vec<usize> =
                    sphere.near.iter().flat_map(|i| of(*i)).copied().collect();
                gained.sort_unstable();
                gained.dedup();
                gained
                    .into_iter()
                    .for_each(|left_out| gaps[left_out] += part);
            }
            1 => {
                let [holder, ..] = sphere.holders.which;
                let still = sphere.near.iter().any(|i| of(*i).contains(&holder));
                gaps[holder] -= if still { 0.0 } else { part };
            }
            _ => {}
        }
    }
    gaps
}

/// How a real image and generated ones lie in each other's hyperspheres.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sphere {
    /// Generated images that the real image's hypersphere holds.
    holds: Few,
    /// Generated images whose hyperspheres hold the real image, counted to 4.
    holders: Few,
    /// Generated images whose hyperspheres would hold it without one of their neighbours; not all of them where it has
    /// many holders.
    near: Vec<usize>,
}

/// A count of images, and three of them; all of them, where there are no more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Few {
    held: usize,
    which: [usize; 3],
}

impl Few {
    fn take(&mut self, j: usize) {
        if let Some(place) = self.which.get_mut(self.held) {
            *place = j;
        }
        self.held += 1;
    }
}

/// What a share of real images that are held by any of m generated ones loses with each of these, `[m]`, and the part of
/// the jackknife's variance that comes from what two and three of them hold together (see [`Jackknife`]).
fn union(held: &[Few], m: usize) -> (Vec<f64>, f64) {
    let (n, images) = (held.len() as f64, m as f64);
    let mut alone = vec![0usize; m];
    let mut pairs: BTreeMap<[usize; 2], f64> = BTreeMap::new();
    let mut triples: BTreeMap<[usize; 3], f64> = BTreeMap::new();
    for few in held {
        let [a, b, c] = few.which;
        match few.held {
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
            let full = plain - (images - 2.0) * c / n;
            full * full - plain * plain
        })
        .sum();
    let (total, squares) = alone.iter().fold((0.0, 0.0), |(t, s), &a| {
        let a = a as f64 / n;
        (t + a, s + a * a)
    });
    // The sum of (a_i + a_j)² over all pairs is (m - 2)·Σa² + (Σa)².
    let all = images * (images - 1.0) / 2.0;
    let mean = ((images - 1.0) * total - (images - 2.0) / n * pairs.values().sum::<f64>()) / all;
    let square = ((images - 2.0) * squares + total * total + sum) / all;
    // Hyperspheres that hold just three: R² of a triple is about m⁴·t²/n², of m³/6 triples.
    let third = triples.values().map(|t| t * t).sum::<f64>() / (n * n);
    let interaction = 0.5 * (square - mean * mean) - third;
    (
        alone.iter().map(|&a| -(a as f64) / n).collect(),
        interaction,
    )
}

/// How real and generated images lie in each other's hyperspheres.
pub struct Overlap {
    k: usize,
    /// Real hyperspheres that hold each generated image.
    counts: Vec<usize>,
    spheres: Vec<Sphere>,
    /// What leaving out each generated image adds to recall.
    recall_gaps: Vec<f64>,
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
        let hits: Vec<bool> = self.spheres.iter().map(|s| s.holders.held > 0).collect();
        Share::of(&hits)
    }

    /// Recall and what leaving out each generated image adds to it: how recall moves between sets of generated images,
    /// which the interval of [`Overlap::recall`] does not tell. What pairs of images make together is reckoned for
    /// hyperspheres that stay as they are, as a part of the jackknife's variance.
    pub fn recall_left_out(&self) -> Jackknife {
        let held: Vec<Few> = self.spheres.iter().map(|s| s.holders).collect();
        let (fixed, interaction) = union(&held, self.counts.len());
        let spread = |gaps: &[f64]| {
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            gaps.iter().map(|g| (g - mean) * (g - mean)).sum::<f64>()
        };
        let part = match spread(&fixed) {
            0.0 => 0.0,
            fixed => spread(&self.recall_gaps) / fixed,
        };
        let gaps = self.recall_gaps.clone();
        Jackknife::with_interaction(held_by_any(&held), gaps, part * interaction)
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
        let held: Vec<Few> = self.spheres.iter().map(|s| s.holds).collect();
        let (gaps, interaction) = union(&held, self.counts.len());
        Jackknife::with_interaction(held_by_any(&held), gaps, interaction)
    }
}

fn held_by_any(held: &[Few]) -> f64 {
    held.iter().filter(|few| few.held > 0).count() as f64 / held.len() as f64
}
