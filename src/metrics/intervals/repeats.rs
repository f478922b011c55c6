//! The mean of a few repetitions, each measured on images: how sure it is over other seeds and other images at once.

use crate::metrics::intervals::normal::Z;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// How often a study is asked to see the difference that it calls the smallest visible one.
pub const POWER: f64 = 0.8;

/// What is known of the mean of k repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Repetitions, at least 2.
    pub repeats: usize,
    /// What one repetition alone adds: the variance between repetitions, that of their own images with it.
    pub own: f64,
    /// The part of `own` that images make.
    pub images: f64,
    /// The variance that images give to all repetitions alike, where these drew the same.
    pub shared: f64,
    /// Student's degrees of freedom: k - 1 where repetitions differ, more the more the images that they share say.
    pub freedom: f64,
}

impl Spread {
    /// The spread of the mean of `each`, a number a repetition, from `covariances` `[k, k]`: what the images of two
    /// repetitions move together, the variance by its own images on the diagonal.
    ///
    /// Var(mean) = S²/k + c: the sample variance S² of `each` holds the seed's variance and that of the images less what
    /// they share, which is c, the mean covariance. S² of few repetitions can come out smaller than images alone make it,
    /// v - c; then this is taken. Degrees of freedom by Satterthwaite 1946 ("An approximate distribution of estimates of
    /// variance components", eq. 17), S² with k - 1, c as known. A bootstrap over repetitions and then images draws two or
    /// three repetitions again and is too narrow by far (`tests/metrics/repeats.rs` measures both).
    pub fn of(each: &[f64], covariances: &[Vec<f64>]) -> Spread {
        let (k, n) = (each.len() as f64, each.len());
        let mean = each.iter().sum::<f64>() / k;
        let sample = each.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / (k - 1.0);
        let diagonal = (0..n).map(|i| covariances[i][i]).sum::<f64>();
        let all = covariances.iter().flatten().sum::<f64>();
        let shared = ((all - diagonal) / (k * (k - 1.0))).max(0.0);
        let images = (diagonal / k - shared).max(0.0);
        let own = sample.max(images);
        Spread {
            repeats: n,
            own,
            images,
            shared,
            freedom: freedom(own / k + shared, sample / k, k - 1.0),
        }
    }

    /// The mean's standard error.
    pub fn error(&self) -> f64 {
        (self.own / self.repeats as f64 + self.shared).sqrt()
    }

    /// Half of the mean's 95 % interval.
    pub fn half(&self) -> f64 {
        quantile(0.975, self.freedom) * self.error()
    }

    /// The smallest true difference that a 95 % interval tells from 0 in four of five such studies.
    pub fn smallest(&self) -> f64 {
        visible(self.error(), self.freedom)
    }

    /// The smallest visible difference of a study of `repeats` repetitions, at least 2, of `images` times as many images
    /// each.
    pub fn planned(&self, repeats: usize, images: f64) -> f64 {
        let k = repeats as f64;
        let own = self.own - self.images + self.images / images;
        let variance = own / k + self.shared / images;
        visible(variance.sqrt(), freedom(variance, own / k, k - 1.0))
    }
}

/// Degrees of freedom of a sum of variances, one part of which is `uncertain` and has so many of its own.
fn freedom(variance: f64, uncertain: f64, own: f64) -> f64 {
    let share = uncertain / variance;
    if share > 0.0 {
        (own / (share * share)).max(own)
    } else {
        f64::INFINITY
    }
}

/// The smallest true difference that a 95 % interval of this standard error tells from 0 with a power of [`POWER`].
pub fn visible(error: f64, freedom: f64) -> f64 {
    (quantile(0.975, freedom) + quantile(POWER, freedom)) * error
}

/// The quantile of Student's distribution, in units of the standard error; of the normal one for very many degrees.
fn quantile(share: f64, freedom: f64) -> f64 {
    /// From here on the two distributions agree to four digits.
    const MANY: f64 = 1e5;
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(student) if freedom < MANY => student.inverse_cdf(share),
        _ if share == 0.975 => Z,
        _ => StudentsT::new(0.0, 1.0, MANY).map_or(Z, |student| student.inverse_cdf(share)),
    }
}
