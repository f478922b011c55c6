//! Labels of images that have none: the clusters of their features, found before the first step and kept with the weights.

use crate::experiment::file::experiment::Labels as Asked;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::Preprocessing;
use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::context::{JobContext, Progress};
use crate::jobs::files::damage::set_aside_because;
use crate::jobs::files::results::CLUSTERS;
use crate::metrics::k_means::Centres;
use crate::stages::describe::extract::{Extractor, Rows};
use crate::stages::feed::{Feed, Labels};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Images whose features place the centres, of data that has more.
const FITTED: u64 = 20_000;
/// Images between two looks at whether to stop; labels found so far are kept there.
const PART: u64 = 2_000;
/// The same for every training, so that a net and its classifier have the same classes whatever their seeds.
const SEED: u64 = 0;

/// The labels of a data set.
struct Clustered {
    features: Features,
    centres: Centres,
    /// By image; empty for data without end, whose images are looked at as they come.
    labels: Vec<u32>,
}

/// A feature net and how images are resized for it.
struct Features {
    net: Extractor,
    how: Preprocessing,
}

impl Features {
    fn open(weights: &Path, context: &JobContext) -> Result<Features> {
        let net = Extractor::open(weights, None, &context.device)
            .with_context(|| format!("label_features = \"{}\"", weights.display()))?;
        let how = net.space().rules_of_images(Preset::default()).preprocessing;
        Ok(Features { net, how })
    }

    /// u8 [n, side, side, 3] → f32 [n, d].
    fn of(&self, images: &[u8], side: usize) -> Result<Vec<f32>> {
        let mut rows = Rows::default();
        let tick = &mut |_| {};
        self.net.extract(images, side, self.how, &mut rows, tick)?;
        Ok(rows.pool)
    }
}

impl Labels for Clustered {
    fn of(&self, indices: &[u64], images: &[u8], side: usize) -> Result<Vec<u32>> {
        if self.labels.is_empty() {
            return Ok(self.centres.nearest(&self.features.of(images, side)?));
        }
        let label = |&index: &u64| self.labels[index as usize];
        Ok(indices.iter().map(label).collect())
    }
}

/// `feed` with the clusters of its images at `side` pixels as labels; what was found lies in the job's folder, so that a
/// training that goes on does not look again.
///
/// # Errors
/// A feature net that cannot be opened, images that cannot be read, fewer different images than clusters, and `Stopped`.
pub fn labelled(
    feed: Feed,
    asked: Asked,
    weights: &Path,
    side: usize,
    context: &JobContext,
) -> Result<Feed> {
    let features = Features::open(weights, context)?;
    let file = context.out.join(CLUSTERS);
    let (centres, labels) = match kept(&file, asked.count(), context)? {
        Some(kept) => kept,
        None => {
            let centres = fit(&feed, asked.count(), side, &features, context)?;
            keep(&file, &centres, &[])?;
            (centres, Vec::new())
        }
    };
    let mut clustered = Clustered {
        features,
        centres,
        labels,
    };
    if let Some(count) = feed.len() {
        label_all(&mut clustered, &feed, count, side, context)?;
    }
    let names = (0..asked.count()).map(|k| format!("cluster {k}"));
    Ok(feed.labelled(names.collect(), Box::new(clustered)))
}

/// Centres and labels of an earlier run; none where there was none, or where it cannot be read.
fn kept(file: &Path, k: usize, context: &JobContext) -> Result<Option<(Centres, Vec<u32>)>> {
    if !file.exists() {
        return Ok(None);
    }
    let read = || -> Result<(Centres, Vec<u32>)> {
        let mut npz = Npz::open(file)?;
        let centres = npz.f32("centres")?;
        let labels = npz.i64("labels")?.data;
        ensure!(
            centres.shape.len() == 2 && centres.shape[0] == k,
            "it holds {:?} centres, {k} are asked",
            centres.shape
        );
        let label = |&label: &i64| u32::try_from(label).ok().filter(|l| (*l as usize) < k);
        let labels: Option<Vec<u32>> = labels.iter().map(label).collect();
        let centres = Centres {
            d: centres.shape[1],
            values: centres.data,
        };
        Ok((centres, labels.context("a label is outside its clusters")?))
    };
    match read() {
        Ok(kept) => Ok(Some(kept)),
        Err(error) => {
            context.warn(&set_aside_because(file, &error.root_cause().to_string())?);
            Ok(None)
        }
    }
}

fn keep(file: &Path, centres: &Centres, labels: &[u32]) -> Result<()> {
    let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    npz::write(
        file,
        &[
            (
                "centres",
                Array::f32(&[centres.count(), centres.d], centres.values.clone()),
            ),
            ("labels", Array::i64(&[labels.len()], labels)),
        ],
    )
}

/// The centres of the features of the data's images, or of [`FITTED`] evenly spaced ones.
fn fit(
    feed: &Feed,
    k: usize,
    side: usize,
    features: &Features,
    context: &JobContext,
) -> Result<Centres> {
    let of = feed.len().unwrap_or(FITTED);
    let count = of.min(FITTED);
    let index = |i: u64| (u128::from(i) * u128::from(of) / u128::from(count)) as u64;
    let mut rows = Vec::new();
    for first in (0..count).step_by(PART as usize) {
        context.go_on()?;
        let indices: Vec<u64> = (first..count.min(first + PART)).map(index).collect();
        rows.extend(features.of(&feed.plain(&indices)?, side)?);
        tell(context, first + indices.len() as u64, count, "to cluster");
    }
    let d = rows.len() / count.max(1) as usize;
    let centres = Centres::fit(&rows, d, k, SEED).context("train.labels")?;
    context.log(&format!(
        "{k} clusters of {count} images: {}",
        sizes(&centres, &rows)
    ));
    Ok(centres)
}

/// `812 to 3120 images each`.
fn sizes(centres: &Centres, rows: &[f32]) -> String {
    let mut counts = vec![0u64; centres.count()];
    let nearest = centres.nearest(rows);
    nearest
        .iter()
        .for_each(|&label| counts[label as usize] += 1);
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let [least, most] = [least, most].map(|n| n.copied().unwrap_or_default());
    format!("{least} to {most} images each")
}

/// The label of every image, from where an earlier run ended.
fn label_all(
    clustered: &mut Clustered,
    feed: &Feed,
    count: u64,
    side: usize,
    context: &JobContext,
) -> Result<()> {
    let done = clustered.labels.len() as u64;
    for first in (done..count).step_by(PART as usize) {
        context.go_on()?;
        let indices: Vec<u64> = (first..count.min(first + PART)).collect();
        let rows = clustered.features.of(&feed.plain(&indices)?, side)?;
        clustered.labels.extend(clustered.centres.nearest(&rows));
        let file = context.out.join(CLUSTERS);
        keep(&file, &clustered.centres, &clustered.labels)?;
        tell(context, clustered.labels.len() as u64, count, "labelled");
    }
    Ok(())
}

fn tell(context: &JobContext, done: u64, total: u64, note: &str) {
    context.tell(Progress {
        done,
        total,
        unit: "images",
        note: note.to_string(),
    });
}
