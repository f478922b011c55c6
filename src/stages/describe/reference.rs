//! A data set to `reference_stats/NAME.npz` by the net of a world made by rule: what samples are measured against.

use crate::data::shapes::Stream;
use crate::data::source::{Augment, Source};
use crate::diffusion::random::noise::{Noise, START};
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::numpy::npz::{self, Array};
use crate::jobs::context::{Progress, Watch};
use crate::jobs::files::meta::Meta;
use crate::metrics::frechet::moments::Moments;
use crate::stages::describe::extract::{Extractor, Rows};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::path::Path;

/// Images read and described at a time.
const CHUNK: usize = 1000;
/// Images whose pixels the Gaussian baseline is fitted to, and images drawn from it.
const FITTED: usize = 4000;
const DRAWN: usize = 2000;
/// Images whose features stay in the file, as the reference set of precision and recall.
const MANIFOLD: usize = 5000;

/// The net takes images as they are, whatever is said here.
const OWN: Preprocessing = Preprocessing::Tf1;

/// What a reference file keeps beside its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// The first images' features, which precision, recall and KID compare with.
    Features,
    Nothing,
}

/// What to make a reference of.
pub struct Order<'a> {
    pub data: &'a str,
    pub resolution: usize,
    /// Images 0..count; a smaller data set is an error.
    pub count: usize,
    pub weights: &'a Path,
    pub extractor: &'a str,
    pub keeps: Keeps,
    pub out: &'a Path,
}

/// Describes the images and writes moments, the first features unless statistics alone are asked for, and the moments of the pixel-Gaussian baseline.
pub fn run(order: &Order, device: &Device, watch: Watch) -> Result<()> {
    let source = Source::pictures(order.data, Stream::Reference, order.resolution)?;
    for remark in source.remarks() {
        (watch.warn)(&remark);
    }
    if let Some(len) = source.len() {
        ensure!(
            len >= order.count as u64,
            "{} holds {len} images, {} are asked\nhint: pass `--count {len}`",
            order.data,
            order.count
        );
    }
    ensure!(
        order.count >= 2,
        "a covariance needs at least 2 images, not {}",
        order.count
    );
    let extractor = Extractor::open(order.weights, None, device)?;
    let mut rows = Rows::default();
    let mut fitted = Vec::new();
    let mut done = 0;
    while done < order.count {
        watch.go_on()?;
        let n = CHUNK.min(order.count - done);
        let pixels = read(&source, done as u64, n)?;
        if done < FITTED {
            fitted.extend_from_slice(&pixels);
        }
        let start = done;
        let mut tick = |batch: usize| {
            done += batch;
            watch.tell(Progress {
                done: done as u64,
                total: order.count as u64,
                unit: "images",
                note: String::new(),
            });
        };
        extractor.extract(&pixels, order.resolution, OWN, &mut rows, &mut tick)?;
        debug_assert_eq!(done, start + n);
    }
    let gaussian = gaussian_images(&fitted, order.resolution, device)?;
    let mut baseline = Rows::default();
    extractor.extract(&gaussian, order.resolution, OWN, &mut baseline, &mut |_| {})?;
    write(order, &rows, &baseline)
}

/// Images start..start + n → u8 [n, side, side, 3].
fn read(source: &Source, start: u64, n: usize) -> Result<Vec<u8>> {
    let images = (start..start + n as u64)
        .into_par_iter()
        .map(|index| Ok(source.get(index, Augment::default())?.pixels))
        .collect::<Result<Vec<_>>>()?;
    Ok(images.concat())
}

fn write(order: &Order, rows: &Rows, baseline: &Rows) -> Result<()> {
    let n = order.count;
    let width = |values: &[f32], n: usize| values.len() / n;
    let (pool, spatial) = (width(&rows.pool, n), width(&rows.spatial, n));
    let moments = Moments::of(&rows.pool, pool)?;
    let moments_s = Moments::of(&rows.spatial, spatial)?;
    let gaussian = Moments::of(&baseline.pool, pool)?;
    let kept = MANIFOLD.min(n);
    let meta = Meta {
        data: order.data.to_string(),
        resolution: order.resolution,
        crop: None,
        extractor: order.extractor.to_string(),
        preprocessing: None,
        count: n,
        gaussian: gaussian.n,
    };
    let meta = serde_json::to_vec(&meta)?;
    let mut arrays = vec![
        ("mu", Array::f64(&[pool], moments.mean)),
        ("sigma", Array::f64(&[pool, pool], moments.cov)),
        ("mu_s", Array::f64(&[spatial], moments_s.mean)),
        ("sigma_s", Array::f64(&[spatial, spatial], moments_s.cov)),
        ("count", Array::i64(&[], vec![n as i64])),
    ];
    if order.keeps == Keeps::Features {
        let features = rows.pool[..kept * pool].to_vec();
        arrays.push(("features", Array::f32(&[kept, pool], features)));
    }
    arrays.push(("gaussian_mu", Array::f64(&[pool], gaussian.mean)));
    arrays.push(("gaussian_sigma", Array::f64(&[pool, pool], gaussian.cov)));
    arrays.push(("meta", Array::u8(&[meta.len()], meta)));
    npz::write(order.out, &arrays)
}

/// Draws of the Gaussian that has the mean and covariance of these images' pixels, clamped and truncated like samples.
/// A draw is mu + sum_i w_i (x_i - mu) / sqrt(n), w standard normal: its covariance is the images' own, without forming it.
fn gaussian_images(pixels: &[u8], side: usize, device: &Device) -> Result<Vec<u8>> {
    let each = 3 * side * side;
    let n = pixels.len() / each;
    let x: Vec<f32> = pixels.iter().map(|&p| p as f32).collect();
    let x = Tensor::from_vec(x, (n, each), device)?;
    let mean = x.mean_keepdim(0)?;
    let centred = x.broadcast_sub(&mean)?;
    let draws: Vec<u64> = (0..DRAWN as u64).collect();
    let weights = Noise::apart(0, "pixel gaussian").tensor(&draws, START, (1, 1, n), device)?;
    let spread = weights.reshape((DRAWN, n))?.matmul(&centred)?;
    let images = (spread / (n as f64).sqrt())?
        .broadcast_add(&mean)?
        .clamp(0f32, 255f32)?;
    let values = images
        .flatten_all()?
        .to_vec1::<f32>()
        .context("reading the baseline's images")?;
    Ok(values.into_iter().map(|v| v as u8).collect())
}
