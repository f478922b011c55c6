//! Images to features: each stored part of images becomes a part of features.

use crate::data::survey::Facts;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::io::image::file::Rgb8;
use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::context::{JobContext, Progress};
use crate::jobs::features::FeaturesJob;
use crate::jobs::files::parts::{self, Part};
use crate::jobs::sharing::filling::{Pieces, fill_pieces};
use crate::stages::describe::described;
use crate::stages::describe::extract::{Extractor, Rows};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::ops::Range;

/// Describes what is missing of images 0..count into `features-AAAAAA-BBBBBB.npz`, a part for each part of images. The net
/// is opened once there is a part to describe that nobody else describes.
pub fn run(job: &FeaturesJob, context: &JobContext) -> Result<()> {
    let images = parts::present(&context.input(&job.samples), "images")?;
    let images = parts::covering(&images, job.count as u64)?;
    let range_of = |(part, take): &(Part, Range<usize>)| {
        part.range.start + take.start as u64..part.range.start + take.end as u64
    };
    let (pieces, count) = (images.iter().map(range_of), job.count as u64);
    let wanted = Pieces {
        kind: "features",
        of: pieces.collect(),
    };
    let mut opened = None;
    fill_pieces(context, &wanted, &mut |range, made| {
        let extractor = match &opened {
            Some(extractor) => extractor,
            None => {
                let extractor = Extractor::open(&job.weights.path, None, &context.device)?;
                check_space(job, extractor.space())?;
                opened.insert(extractor)
            }
        };
        let of = images.iter().find(|image| range_of(image) == *range);
        let (part, take) = of.context("a part of features is asked for that has no images")?;
        describe(extractor, part, take, range, job, context, made)?;
        let (start, end) = (range.start, range.end);
        context.log(&format!("features of images {start}..{end} of {count}"));
        Ok(())
    })
}

/// `eval.features` names the space of the net that the weights are of.
fn check_space(job: &FeaturesJob, found: &'static FeatureSpace) -> Result<()> {
    let asked = FeatureSpace::named(&job.world);
    let published = if asked.is_published() { asked } else { found };
    ensure!(
        found == asked,
        "eval.features = \"{}\", and eval.weights = \"{}\" holds {}\nhint: `features = \"{}\"` goes with {}'s weights, and with no others",
        job.world,
        job.weights.path.display(),
        found.net,
        published.id.unwrap_or_default(),
        published.net
    );
    Ok(())
}

fn describe(
    extractor: &Extractor,
    part: &Part,
    take: &Range<usize>,
    range: &Range<u64>,
    job: &FeaturesJob,
    context: &JobContext,
    made: u64,
) -> Result<()> {
    let mut file = Npz::open(&part.path)?;
    let reading = || format!("reading {}", part.path.display());
    let images = file.u8("arr_0").with_context(reading)?;
    let labels = file.i64("arr_1").with_context(reading)?;
    let [n, side, width, 3] = images.shape[..] else {
        anyhow::bail!(
            "{} holds images of shape {:?}, not [n, side, side, 3]",
            part.path.display(),
            images.shape
        )
    };
    ensure!(
        side == width && n >= take.end && labels.data.len() == n,
        "{} holds {n} images of {side} by {width} and {} labels",
        part.path.display(),
        labels.data.len()
    );
    let each = side * side * 3;
    let mut rows = Rows::default();
    let mut seen = made;
    let mut tick = |batch: usize| {
        seen += batch as u64;
        context.tell(Progress {
            done: seen,
            total: job.count as u64,
            unit: "images",
            note: String::new(),
        });
    };
    let pixels = &images.data[take.start * each..take.end * each];
    extractor.extract(pixels, side, job.preprocessing, &mut rows, &mut tick)?;
    let n = take.len();
    let labels = labels.data[take.clone()].to_vec();
    let mut arrays = rows.arrays(n);
    arrays.push(("labels", Array::i64(&[n], labels)));
    arrays.push(("resolution", Array::i64(&[], vec![side as i64])));
    if extractor.space().layout.is_some() {
        let facts = pixels.par_chunks(each).map(|image| {
            let data = image.to_vec();
            let (w, h) = (side, side);
            Facts::of(&Rgb8 { w, h, data })
        });
        arrays.extend(described::seen(&facts.collect::<Vec<_>>()));
    }
    npz::write(&parts::path(&context.out, "features", range), &arrays)
}
