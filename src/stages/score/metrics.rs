//! Features of a net that was trained here and a reference to `scores.json`: every asked metric with its interval. What
//! each image adds to a metric goes to `influences.npz`, for differences between cells.

use crate::experiment::check::values::FEWEST;
use crate::experiment::scoring::metric::Metric;
use crate::io::disk::write_json;
use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::context::{JobContext, Progress};
use crate::jobs::files::meta::Meta;
use crate::jobs::files::parts;
use crate::jobs::files::results::SCORES;
use crate::jobs::metrics::MetricsJob;
use crate::metrics::agreement::{Share, agreeing};
use crate::metrics::frechet::distance::{Reference, frechet};
use crate::metrics::frechet::moments::Moments;
use crate::metrics::inception_score::{Probabilities, Splits, inception_score};
use crate::metrics::intervals::paired;
use crate::metrics::neighbours::manifold::{Border, Manifold, Overlap};
use crate::metrics::rows::Rows;
use crate::metrics::score::Score;
use crate::stages::describe::rows::StoredRows;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Neighbours of precision and recall ("Improved Precision and Recall", as ADM evaluates).
const NEIGHBOURS: usize = 3;

pub use crate::jobs::files::results::INFLUENCES;

/// The features of images 0..count, read when they are needed.
struct Samples {
    n: usize,
    /// Pixels a side of the images.
    resolution: usize,
    pool: StoredRows,
    spatial: StoredRows,
    logits: StoredRows,
    labels: Vec<i64>,
}

/// What `runner reference` wrote.
struct Standard {
    meta: Meta,
    pool: Moments,
    spatial: Moments,
    /// Pooled features of some real images, row by row.
    rows: Vec<f32>,
    /// Moments of the pixel-Gaussian baseline, where the file has them.
    gaussian: Option<Moments>,
}

/// Scores the first `count` images.
pub fn run(job: &MetricsJob, bench: &JobContext) -> Result<()> {
    let reference = &job.reference.path;
    let standard =
        Standard::read(reference).with_context(|| format!("reading {}", reference.display()))?;
    let mut samples = Samples::open(&bench.input(&job.features), job.count as u64)?;
    standard.check(job, &samples, bench)?;
    let (mut scores, mut influences) = (Vec::new(), Vec::new());
    let mut overlap = None;
    for (done, metric) in job.metrics.iter().enumerate() {
        let note = metric.name().to_string();
        bench.tell(Progress {
            done: done as u64,
            total: job.metrics.len() as u64,
            unit: "metrics",
            note,
        });
        let found = score(*metric, &mut samples, &standard, &mut overlap)?;
        scores.push(found.score);
        if let Some(influence) = found.influence {
            let array = Array::f64(&[influence.len()], influence);
            influences.push((metric.name(), array));
        }
    }
    if let Some(gaussian) = &standard.gaussian
        && job.metrics.contains(&Metric::Fd)
    {
        let value = frechet(gaussian, &standard.pool)?;
        scores.push(Score::new("gaussian_fd", value, (value, value), gaussian.n));
    }
    let line = |s: &Score| format!("{} {:.4} [{:.4}, {:.4}]", s.metric, s.value, s.low, s.high);
    bench.log(&scores.iter().map(line).collect::<Vec<_>>().join("  "));
    npz::write(&bench.out.join(INFLUENCES), &influences)?;
    write_json(&bench.out.join(SCORES), &scores)
}

/// A score, and what each image adds to it, times the number of images ([n], mean 0); recall is the real images'.
struct Found {
    score: Score,
    influence: Option<Vec<f64>>,
}

impl Found {
    fn of(score: Score, influence: Vec<f64>) -> Found {
        Found {
            score,
            influence: Some(influence),
        }
    }

    fn alone(score: Score) -> Found {
        Found {
            score,
            influence: None,
        }
    }
}

fn score(
    metric: Metric,
    samples: &mut Samples,
    standard: &Standard,
    overlap: &mut Option<Overlap>,
) -> Result<Found> {
    let name = metric.name();
    let named = |share: Share| Score::new(name, share.value, (share.low, share.high), share.count);
    let n = samples.n;
    Ok(match metric {
        Metric::Fd => distance(name, &mut samples.pool, &standard.pool)?,
        Metric::Sfd => distance(name, &mut samples.spatial, &standard.spatial)?,
        Metric::Is => {
            let probabilities = Probabilities::of_rows(&mut samples.logits)?;
            if n < FEWEST {
                let all = inception_score(&probabilities, Splits::Into(1))?;
                return Ok(Found::alone(Score::bare(name, all.mean, n)));
            }
            let left_out = probabilities.left_out()?;
            let score = Score::new(name, left_out.value(), left_out.interval(1.0), n);
            Found::of(score, left_out.influences())
        }
        Metric::Precision | Metric::Recall => {
            if overlap.is_none() {
                *overlap = Some(compare(&mut samples.pool, standard)?);
            }
            let overlap = overlap.as_ref().context("the manifolds have just met")?;
            match metric {
                Metric::Precision => Found::of(
                    named(overlap.precision()),
                    paired::of_hits(overlap.counts().iter().map(|&c| c > 0)),
                ),
                _ => Found::alone(named(overlap.recall())),
            }
        }
        Metric::Agreement => {
            let k = samples.logits.dim();
            let hits = agreeing(&samples.logits.all()?, k, &samples.labels)?;
            let influence = paired::of_hits(hits.iter().copied());
            Found::of(named(Share::of(&hits)), influence)
        }
        other => bail!("{} is measured on Inception's features alone", other.name()),
    })
}

/// How the samples and the reference's images lie in each other's balls: one run serves
/// precision and recall.
fn compare(pool: &mut StoredRows, standard: &Standard) -> Result<Overlap> {
    let d = standard.pool.dim();
    let rows = pool.all()?;
    let real = Manifold::of(&standard.rows, d, NEIGHBOURS)?;
    real.overlap(&Manifold::of(&rows, d, NEIGHBOURS)?, Border::Inside)
}

fn distance(name: &str, rows: &mut StoredRows, reference: &Moments) -> Result<Found> {
    let (reference, moments) = (Reference::new(reference)?, Moments::of_rows(rows)?);
    if moments.n < FEWEST {
        let value = reference.distance(&moments)?;
        return Ok(Found::alone(Score::bare(name, value, moments.n)));
    }
    let left_out = reference.left_out(&moments, rows)?;
    let interval = left_out.square_interval(0.0);
    let score = Score::new(name, left_out.value(), interval, moments.n);
    Ok(Found::of(score, left_out.influences()))
}

impl Samples {
    fn open(folder: &Path, count: u64) -> Result<Self> {
        let chosen = parts::covering(&parts::present(folder, "features")?, count)?;
        let mut labels = Vec::new();
        let mut resolution = 0;
        for (part, take) in &chosen {
            let mut file = Npz::open(&part.path)?;
            let asked = file.i64("labels")?.data;
            let whole = (part.range.end - part.range.start) as usize;
            ensure!(asked.len() == whole, "{} is damaged", part.path.display());
            labels.extend_from_slice(&asked[take.clone()]);
            let side = file.i64("resolution")?.data;
            resolution = side.first().map_or(0, |&side| side as usize);
        }
        let n = labels.len();
        ensure!(n >= 2, "a score needs at least 2 images, not {n}");
        Ok(Self {
            n,
            resolution,
            pool: StoredRows::open(&chosen, "pool")?,
            spatial: StoredRows::open(&chosen, "spatial")?,
            logits: StoredRows::open(&chosen, "logits")?,
            labels,
        })
    }
}

impl Standard {
    fn read(path: &Path) -> Result<Self> {
        let mut file = Npz::open(path)?;
        let meta = Meta::read(&mut file)?;
        let mut moments = |mean: &str, cov: &str| -> Result<Moments> {
            let (mean, cov) = file.moments(mean, cov)?;
            Moments::given(meta.count, mean, cov)
        };
        let pool = moments("mu", "sigma")?;
        let spatial = moments("mu_s", "sigma_s")?;
        let gaussian = match file.has("gaussian_mu") {
            true => {
                let (mean, cov) = file.moments("gaussian_mu", "gaussian_sigma")?;
                Some(Moments::given(meta.gaussian, mean, cov)?)
            }
            false => None,
        };
        let rows = file.f32("features")?.data;
        Ok(Self {
            meta,
            pool,
            spatial,
            rows,
            gaussian,
        })
    }

    /// A reference of another net, dimension or resolution measures nothing.
    fn check(&self, job: &MetricsJob, samples: &Samples, bench: &JobContext) -> Result<()> {
        let path = job.reference.path.display();
        if self.meta.extractor != job.weights.digest {
            bail!(
                "{path} was made with another feature net (sha256 {}, eval.weights is {})\nhint: make it again: runner reference {} --resolution {} --count {} --weights FEATURES --out {path}",
                &self.meta.extractor[..self.meta.extractor.len().min(8)],
                &job.weights.digest[..8],
                self.meta.data,
                self.meta.resolution,
                self.meta.count
            );
        }
        let (ours, theirs) = (samples.pool.dim(), self.pool.dim());
        ensure!(
            ours == theirs,
            "{path} has {theirs} features, the samples {ours}"
        );
        let (ours, theirs) = (samples.spatial.dim(), self.spatial.dim());
        ensure!(
            ours == theirs,
            "{path} has {theirs} spatial features, the samples {ours}"
        );
        let (ours, theirs) = (samples.resolution, self.meta.resolution);
        ensure!(
            ours == theirs,
            "{path} is of {theirs} pixels, the samples are of {ours}\nhint: eval.reference must be of the images' resolution"
        );
        let widest = self.pool.dim().max(self.spatial.dim());
        if samples.n < widest {
            bench.warn(&format!(
                "{} images for {widest} features: distances are biased upward",
                samples.n
            ));
        }
        Ok(())
    }
}
