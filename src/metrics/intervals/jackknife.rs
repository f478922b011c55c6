//! 95 % intervals by a bootstrap over images, each of which moves a number as leaving it out does.

use crate::metrics::intervals::resample::percentiles;

/// The least part of the jackknife's variance that is left when the pairs' part is taken off: half
/// is right where images count in pairs alone, as in the distance of two equal distributions.
const LEAST_PART: f64 = 0.5;

/// A number, what leaving out each of its n images adds to it, and how much of its variance comes
/// from images in pairs.
///
/// The jackknife's variance counts what pairs contribute twice (Efron and Stein 1981, "The
/// jackknife estimate of variance"); a distance of few images a feature has much of it, and an
/// interval that forgets this holds the truth too often. It is estimated from pairs left out
/// together and taken off once.
#[derive(Clone, Debug, PartialEq)]
pub struct Jackknife {
    value: f64,
    gaps: Vec<f64>,
    interaction: f64,
}

impl Jackknife {
    /// `gaps[i]` is the number without image i minus the number itself; `pairs` holds
    /// (n - 2)·D_ij - (n - 1)·(D_i + D_j) for some random pairs, D what leaving out adds; none
    /// for a plain mean.
    pub fn with_pairs(value: f64, gaps: Vec<f64>, pairs: &[f64]) -> Jackknife {
        let count = pairs.len().max(1) as f64;
        let mean = pairs.iter().sum::<f64>() / count;
        let variance = pairs.iter().map(|q| (q - mean) * (q - mean)).sum::<f64>() / count;
        Jackknife::with_interaction(value, gaps, 0.5 * variance)
    }

    /// As [`Jackknife::with_pairs`], with -(n - 1)²·ΣD_i + (n - 2)²·ΣD_ij - (n - 3)²·D_ijk of
    /// some random triples: what only three images make together is counted three times by the
    /// jackknife and three times by the pairs' part, and so must be given back once.
    pub fn with_triples(value: f64, gaps: Vec<f64>, pairs: &[f64], triples: &[f64]) -> Jackknife {
        let square = triples.iter().map(|r| r * r).sum::<f64>() / triples.len().max(1) as f64;
        let third = square / (6.0 * gaps.len() as f64);
        let mut jackknife = Jackknife::with_pairs(value, gaps, pairs);
        jackknife.interaction -= third;
        jackknife
    }

    /// As [`Jackknife::with_pairs`], with half the variance over all pairs.
    pub fn with_interaction(value: f64, gaps: Vec<f64>, interaction: f64) -> Jackknife {
        Jackknife {
            value,
            gaps,
            interaction,
        }
    }

    /// The number of all images.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// What leaving out each image adds to the number.
    pub fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// What each image adds to the number, times the number of images, to first order: `[n]`, mean 0.
    pub fn influences(&self) -> Vec<f64> {
        let (n, mean) = (self.gaps.len() as f64, self.mean_gap());
        self.gaps.iter().map(|g| (n - 1.0) * (mean - g)).collect()
    }

    /// The influences, stretched or shrunk so that they spread as the number does between sets of images: with the
    /// variance of [`Jackknife::error`] instead of the jackknife's own, which counts twice what pairs make together.
    pub fn spread_influences(&self) -> Vec<f64> {
        let mut influences = self.influences();
        let drawn = influences.iter().map(|v| v * v).sum::<f64>().sqrt() / influences.len() as f64;
        if drawn > 0.0 {
            let stretch = self.error() / drawn;
            influences.iter_mut().for_each(|v| *v *= stretch);
        }
        influences
    }

    /// How far the number lies, on average, above what infinitely many images would give, to
    /// first order in 1/n.
    pub fn bias(&self) -> f64 {
        (self.gaps.len() as f64 - 1.0) * self.mean_gap()
    }

    fn mean_gap(&self) -> f64 {
        self.gaps.iter().sum::<f64>() / self.gaps.len() as f64
    }

    /// The number's standard deviation between sets of images of this size.
    pub fn error(&self) -> f64 {
        let (n, mean) = (self.gaps.len() as f64, self.mean_gap());
        let squares: f64 = self.gaps.iter().map(|g| (g - mean) * (g - mean)).sum();
        let whole = squares * (n - 1.0) / n;
        (whole - self.interaction).max(LEAST_PART * whole).sqrt()
    }

    /// The number's 2.5th and 97.5th percentile between sets of images of this size, less the number: a percentile
    /// bootstrap over images. An image that is drawn again moves the number by its influence, to first order, so that no
    /// set is scored anew (Efron 1982, "The jackknife, the bootstrap and other resampling plans", ch. 6); what the first
    /// order leaves out, all second effects of images drawn twice or not at all, is put right by stretching the
    /// percentiles to the spread of [`Jackknife::error`].
    fn percentiles(&self) -> (f64, f64) {
        let influences = self.influences();
        let n = influences.len() as f64;
        let drawn = (influences.iter().map(|v| v * v).sum::<f64>()).sqrt() / n;
        if drawn == 0.0 {
            return (0.0, 0.0);
        }
        let stretch = self.error() / drawn;
        let (low, high) = percentiles(&influences);
        (stretch * low, stretch * high)
    }

    /// The 95 % bootstrap interval over images, cut at `floor` (0 for a distance).
    ///
    /// The truth that it claims to hold in 95 of 100 sets of images is the number's average over
    /// fresh sets of this size, with everything else (the reference, the real manifold) as it
    /// is: it tells where other images of the same kind and count would fall, and does not
    /// take away the bias of the count itself, which [`Jackknife::bias`] estimates.
    pub fn interval(&self, floor: f64) -> (f64, f64) {
        let (low, high) = self.percentiles();
        (
            (self.value + low).max(floor).min(self.value),
            (self.value + high).max(self.value),
        )
    }

    /// As [`Jackknife::interval`] for a squared distance, which spreads the more the larger it is
    /// and further above than below: the interval is taken of its root and squared. `offset` is
    /// what was taken from the square to make its average right (0 where nothing was).
    pub fn square_interval(&self, offset: f64) -> (f64, f64) {
        let (square, error) = (self.value + offset, self.error());
        if square <= error {
            return self.interval(-offset);
        }
        let root = square.sqrt();
        let (low, high) = self.percentiles();
        let bounds = [low, high].map(|moved| (root + moved / (2.0 * root)).max(0.0));
        let bounds = bounds.map(|root| root * root - offset);
        (bounds[0].min(self.value), bounds[1].max(self.value))
    }
}
