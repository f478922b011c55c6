//! The reference of a score: statistics out of any evaluator's file, or described images.

use crate::data::survey::Survey;
use crate::experiment::scoring::rules::{Preprocessing, Rules};
use crate::io::numpy::npz::Npz;
use crate::io::statistics::{self, Statistics, Which};
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
    /// Moments of images drawn from the pixel Gaussian, by the same net.
    pub gaussian: Option<Moments>,
    /// What a file of `runner reference` says of its making.
    pub made: Option<Meta>,
}

/// A reference that is opened: its statistics are read, its images not yet described.
pub struct Opened {
    kind: Holds,
    reals: Vec<Real>,
}

impl Opened {
    /// Reads what statistics there are, once for each of `hows` (the one way None for nets that take images as they are).
    pub fn open(
        path: &Path,
        which: Which,
        weights: &str,
        hows: &[Option<Preprocessing>],
    ) -> Result<Opened> {
        let kind = holds(path)?;
        let mut reals = Vec::new();
        if kind != Holds::Images {
            for how in hows {
                reals.push(Real::of_file(path, which, weights, *how)?);
            }
        }
        Ok(Opened { kind, reals })
    }

    /// Whether its images have to be described for what these rules measure.
    pub fn needs_images(&self, rules: &[Rules]) -> bool {
        match self.kind {
            Holds::Images => true,
            Holds::StatisticsAndImages => rules.iter().any(Rules::compares_images),
            Holds::Statistics => false,
        }
    }

    /// The reference, with its images as each way shows them where they were described.
    pub fn with(self, images: Option<&[Described]>) -> Result<Vec<Real>> {
        let Some(images) = images else {
            return Ok(self.reals);
        };
        if self.kind == Holds::Images {
            return images.iter().map(Real::of_images).collect();
        }
        let each = self.reals.into_iter().zip(images);
        each.map(|(real, images)| real.with_images(images))
            .collect()
    }
}

impl Real {
    /// Out of a file of statistics. A file of `runner reference` names the net and the resizing that made it, and is
    /// refused with others (`weights`: sha256 of the net in use; `how`: None for nets that take images as they are).
    pub fn of_file(
        path: &Path,
        which: Which,
        weights: &str,
        how: Option<Preprocessing>,
    ) -> Result<Real> {
        let reading = || format!("reading {}", path.display());
        let found = Statistics::read_which(path, which)?;
        // Without a count the covariance is taken to have full rank, which an exact distance does not need.
        let n = found.count.map_or(usize::MAX, |n| n as usize);
        let pool = Moments::given(n, found.mu, found.sigma).with_context(reading)?;
        let spatial = match (found.mu_s, found.sigma_s) {
            (Some(mean), Some(cov)) => Some(Moments::given(n, mean, cov).with_context(reading)?),
            _ => None,
        };
        let mut real = Real {
            pool,
            spatial,
            features: None,
            count: found.count,
            survey: None,
            gaussian: None,
            made: None,
        };
        if found.producer == statistics::Producer::Runner {
            let mut file = Npz::open(path)?;
            let meta = Meta::read(&mut file).with_context(reading)?;
            meta.fits(weights, how).with_context(reading)?;
            // With `--statistics-only` it has none.
            if file.has("features") {
                real.features = Some(statistics::features(path)?.data);
            }
            if file.has("gaussian_mu") {
                let (mean, cov) = file.moments("gaussian_mu", "gaussian_sigma")?;
                let moments = Moments::given(meta.gaussian, mean, cov);
                real.gaussian = Some(moments.with_context(reading)?);
            }
            real.made = Some(meta);
        }
        Ok(real)
    }

    /// Out of described images.
    pub fn of_images(images: &Described) -> Result<Real> {
        ensure!(
            images.len() >= 2,
            "a reference needs at least 2 images, not {}",
            images.len()
        );
        Ok(Real {
            pool: images.moments(Kind::Pool)?,
            spatial: images
                .has(Kind::Spatial)?
                .then(|| images.moments(Kind::Spatial))
                .transpose()?,
            features: Some(images.rows(Kind::Pool)?.all()?),
            count: Some(images.len() as u64),
            survey: Some(images.survey()?),
            gaussian: None,
            made: None,
        })
    }

    /// Takes the features and the survey of the images that a file of statistics holds beside them.
    pub fn with_images(mut self, images: &Described) -> Result<Real> {
        self.features = Some(images.rows(Kind::Pool)?.all()?);
        self.survey = Some(images.survey()?);
        Ok(self)
    }
}
