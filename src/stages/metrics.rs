//! Features and a reference to `scores.json`: every asked metric with its interval.

use crate::io::disk::write_json;
use crate::io::npz::Npz;
use crate::metrics::agreement::{Share, agreement};
use crate::metrics::bootstrap::{interval, resample};
use crate::metrics::frechet::{Reference, frechet};
use crate::metrics::inception_score::Probabilities;
use crate::metrics::manifold::{Manifold, precision, recall};
use crate::metrics::moments::Moments;
use crate::metrics::score::Score;
use crate::spec::experiment::Metric;
use crate::stages::bench::{Bench, Progress};
use crate::stages::job::MetricsJob;
use crate::stages::meta::Meta;
use crate::stages::parts;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Neighbours of precision and recall ("Improved Precision and Recall", as ADM evaluates).
const NEIGHBOURS: usize = 3;
/// The bootstrap's seed: fixed, so that a table is the same whenever it is made.
const SEED: u64 = 0;

/// The features of images 0..count, row by row.
struct Samples {
    n: usize,
    /// Pixels a side of the images.
    resolution: usize,
    pool: Vec<f32>,
    spatial: Vec<f32>,
    logits: Vec<f32>,
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
pub fn run(job: &MetricsJob, bench: &Bench) -> Result<()> {
    let reference = &job.reference.path;
    let standard =
        Standard::read(reference).with_context(|| format!("reading {}", reference.display()))?;
    let samples = Samples::read(&bench.input(&job.features), job.count as u64)?;
    standard.check(job, &samples, bench)?;
    let mut scores = Vec::new();
    let mut manifolds = None;
    for (done, metric) in job.metrics.iter().enumerate() {
        let note = format!("{metric:?}").to_lowercase();
        bench.tell(Progress {
            done: done as u64,
            total: job.metrics.len() as u64,
            unit: "metrics",
            note,
        });
        scores.push(score(*metric, job, &samples, &standard, &mut manifolds)?);
    }
    if let Some(gaussian) = &standard.gaussian
        && job.metrics.contains(&Metric::Fd)
    {
        let value = frechet(gaussian, &standard.pool)?;
        scores.push(Score::new("gaussian_fd", value, (value, value), gaussian.n));
    }
    let line = |s: &Score| format!("{} {:.4} [{:.4}, {:.4}]", s.metric, s.value, s.low, s.high);
    bench.log(&scores.iter().map(line).collect::<Vec<_>>().join("  "));
    write_json(&bench.out.join("scores.json"), &scores)
}

/// The real and the generated manifold, built once for precision and recall.
type Manifolds = Option<(Manifold, Manifold)>;

fn score(
    metric: Metric,
    job: &MetricsJob,
    samples: &Samples,
    standard: &Standard,
    manifolds: &mut Manifolds,
) -> Result<Score> {
    let named = |share: Share, name: &str| {
        Score::new(name, share.value, (share.low, share.high), share.count)
    };
    Ok(match metric {
        Metric::Fd | Metric::Fid => distance(
            name(metric),
            &samples.pool,
            &standard.pool,
            samples.n,
            job.resamples,
        )?,
        Metric::Sfd | Metric::Sfid => distance(
            name(metric),
            &samples.spatial,
            &standard.spatial,
            samples.n,
            job.resamples,
        )?,
        Metric::Is => {
            let probabilities = Probabilities::of_logits(&samples.logits, samples.classes())?;
            let (value, low, high) = probabilities.interval(job.resamples, SEED)?;
            Score::new(name(metric), value, (low, high), samples.n)
        }
        Metric::Precision | Metric::Recall => {
            if manifolds.is_none() {
                let real = Manifold::of(&standard.rows, standard.pool.dim(), NEIGHBOURS)?;
                *manifolds = Some((
                    real,
                    Manifold::of(&samples.pool, standard.pool.dim(), NEIGHBOURS)?,
                ));
            }
            let (real, generated) = manifolds
                .as_ref()
                .context("the manifolds were just built")?;
            match metric {
                Metric::Precision => named(precision(real, generated)?, name(metric)),
                _ => named(recall(real, generated)?, name(metric)),
            }
        }
        Metric::Agreement => named(
            agreement(&samples.logits, samples.classes(), &samples.labels)?,
            name(metric),
        ),
    })
}

fn distance(
    name: &str,
    rows: &[f32],
    reference: &Moments,
    n: usize,
    resamples: usize,
) -> Result<Score> {
    let reference = Reference::new(reference)?;
    let d = rows.len() / n;
    let value = reference.distance(&Moments::of(rows, d)?)?;
    let resampler = reference.resampler(rows, d)?;
    let one = |weights: &[u32], workspace: &mut _| resampler.distance(weights, workspace);
    let resampled = resample(n, resamples, SEED, || resampler.workspace(), one)?;
    Ok(Score::new(
        name,
        value,
        interval(value, &resampled, 0.0)?,
        n,
    ))
}

/// The metric's name in files and tables.
fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Fd => "fd",
        Metric::Sfd => "sfd",
        Metric::Fid => "fid",
        Metric::Sfid => "sfid",
        Metric::Is => "is",
        Metric::Precision => "precision",
        Metric::Recall => "recall",
        Metric::Agreement => "agreement",
    }
}

impl Samples {
    fn read(folder: &Path, count: u64) -> Result<Self> {
        let (mut pool, mut spatial, mut logits, mut labels) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut resolution = 0;
        for (part, take) in parts::covering(&parts::present(folder, "features")?, count)? {
            let mut file = Npz::open(&part.path)?;
            let whole = (part.range.end - part.range.start) as usize;
            for (to, name) in [
                (&mut pool, "pool"),
                (&mut spatial, "spatial"),
                (&mut logits, "logits"),
            ] {
                let array = file.f32(name)?;
                let width = array.data.len() / whole;
                ensure!(
                    array.data.len() == width * whole,
                    "{} is damaged",
                    part.path.display()
                );
                to.extend_from_slice(&array.data[take.start * width..take.end * width]);
            }
            let asked = file.i64("labels")?.data;
            ensure!(asked.len() == whole, "{} is damaged", part.path.display());
            labels.extend_from_slice(&asked[take]);
            resolution = file
                .i64("resolution")?
                .data
                .first()
                .map_or(0, |&side| side as usize);
        }
        let n = labels.len();
        ensure!(n >= 2, "a score needs at least 2 images, not {n}");
        Ok(Self {
            n,
            resolution,
            pool,
            spatial,
            logits,
            labels,
        })
    }

    fn classes(&self) -> usize {
        self.logits.len() / self.n
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
    fn check(&self, job: &MetricsJob, samples: &Samples, bench: &Bench) -> Result<()> {
        let path = job.reference.path.display();
        if self.meta.extractor != job.extractor {
            bail!(
                "{path} was made with another feature net (sha256 {}, eval.weights is {})\nhint: make it again: runner reference {} --resolution {} --count {} --weights FEATURES --out {path}",
                &self.meta.extractor[..self.meta.extractor.len().min(8)],
                &job.extractor[..job.extractor.len().min(8)],
                self.meta.data,
                self.meta.resolution,
                self.meta.count
            );
        }
        let (ours, theirs) = (samples.pool.len() / samples.n, self.pool.dim());
        ensure!(
            ours == theirs,
            "{path} has {theirs} features, the samples {ours}"
        );
        let (ours, theirs) = (samples.spatial.len() / samples.n, self.spatial.dim());
        ensure!(
            ours == theirs,
            "{path} has {theirs} spatial features, the samples {ours}"
        );
        let (ours, theirs) = (samples.resolution, self.meta.resolution);
        ensure!(
            ours == theirs,
            "{path} is of {theirs} pixels, the samples are of {ours}\nhint: eval.reference must be of the model's resolution"
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
