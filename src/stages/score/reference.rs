//! The reference of a score: statistics out of any evaluator's file, or described images.

use crate::data::survey::Survey;
use crate::experiment::scoring::rules::{Preprocessing, Rules};
use crate::io::numpy::npz::Npz;
use crate::io::statistics::{self, Statistics};
use crate::jobs::files::meta::Meta;
use crate::jobs::inputs::reference_file::{Holds, holds};
use crate::metrics::frechet::moments::Moments;
use crate::stages::describe::described::{Described, Kind};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Real images as the metrics take them; what a file does not hold is None.
pub struct Real {
    pub pool: Moments,
    pub spatial: Option<Moments>,
    /// Pooled features [n, d] of the images that precision, recall and KID compare with.
    pub features: Option<Vec<f32>>,
    /// Images behind the moments, where known.
    pub count: Option<u64>,
    pub survey: Option<Survey>,
}

/// A reference that is opened: its statistics are read, its images not yet described.
pub struct Opened {
    kind: Holds,
    reals: Vec<Real>,
}

impl Opened {
    /// Reads what statistics there are, once for each of `hows` (the one way None for nets that resize by themselves).
    pub fn open(
        path: &Path,
        key: Option<&str>,
        weights: &str,
        hows: &[Option<Preprocessing>],
    ) -> Result<Opened> {
        let kind = holds(path).with_context(|| format!("reading {}", path.display()))?;
        let mut reals = Vec::new();
        if kind != Holds::Images {
            for how in hows {
                reals.push(Real::of_file(path, key, weights, *how)?);
            }
        }
        Ok(Opened { kind, reals })
    }

    /// Whether its images have to be described for what these rules measure.
    pub fn needs_images(&self, rules: &[Rules]) -> bool {
        match self.kind {
            Holds::Images => true,
            Holds::Both => rules.iter().any(Rules::compares_images),
            Holds::Statistics => false,
        }
    }

    /// The reference, with its images as each way shows them where they were described.
    pub fn with(self, images: Option<&[Described]>) -> Result<Vec<Real>> {
        let Some(images) = images else {
            return Ok(self.reals);
        };
        if self.kind == Holds::Images {
            return images.iter().map(|i| Real::of_images(i, None)).collect();
        }
        let each = self.reals.into_iter().zip(images);
        each.map(|(real, images)| real.with_images(images, None))
            .collect()
    }
}

impl Real {
    /// Out of a file of statistics. A file of `runner reference` names the net and the resizing that made it, and is
    /// refused with others (`weights`: sha256 of the net in use; `how`: None for nets that resize by themselves).
    pub fn of_file(
        path: &Path,
        key: Option<&str>,
        weights: &str,
        how: Option<Preprocessing>,
    ) -> Result<Real> {
        let reading = || format!("reading {}", path.display());
        let found = Statistics::read_key(path, key)?;
        // Without a count the covariance is taken to have full rank, which an exact distance does not need.
        let n = found.count.map_or(usize::MAX, |n| n as usize);
        let pool = Moments::given(n, found.mu, found.sigma).with_context(reading)?;
        let spatial = match (found.mu_s, found.sigma_s) {
            (Some(mean), Some(cov)) => Some(Moments::given(n, mean, cov).with_context(reading)?),
            _ => None,
        };
        let mut features = None;
        if found.producer == statistics::Producer::Runner {
            let meta = Meta::read(&mut Npz::open(path)?).with_context(reading)?;
            meta.fits(weights, how).with_context(reading)?;
            features = Some(statistics::features(path)?.data);
        }
        Ok(Real {
            pool,
            spatial,
            features,
            count: found.count,
            survey: None,
        })
    }

    /// Out of described images; `most` is how many of the first ones have their features kept.
    pub fn of_images(images: &Described, most: Option<usize>) -> Result<Real> {
        ensure!(
            images.len() >= 2,
            "a reference needs at least 2 images, not {}",
            images.len()
        );
        Ok(Real {
            pool: images.moments(Kind::Pool)?,
            spatial: Some(images.moments(Kind::Spatial)?),
            features: Some(first(images, most)?),
            count: Some(images.len() as u64),
            survey: Some(images.survey()?),
        })
    }

    /// Takes the features and the survey of the images that a file of statistics holds beside them.
    pub fn with_images(mut self, images: &Described, most: Option<usize>) -> Result<Real> {
        self.features = Some(first(images, most)?);
        self.survey = Some(images.survey()?);
        Ok(self)
    }
}

fn first(images: &Described, most: Option<usize>) -> Result<Vec<f32>> {
    use crate::metrics::rows::Rows;
    let n = most.map_or(images.len(), |most| most.min(images.len()));
    Ok(images.rows(Kind::Pool)?.read(0..n)?.into_owned())
}
