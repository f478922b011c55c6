//! Images from elsewhere → the parts of a stored batch.

use crate::data::gallery::Gallery;
use crate::io::numpy::npz::{self, Array, Npz};
use crate::jobs::context::{JobContext, Progress};
use crate::jobs::files::parts;
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

/// Images a part: 600 MB at 256 pixels are too many to hold, 200 MB are not.
const PART: u64 = 1000;

/// What images have to be.
pub struct Asked {
    /// Pixels a side.
    pub size: Option<usize>,
    /// A metric compares them with their labels.
    pub labels: bool,
    /// Of the whole batch, for progress.
    pub total: u64,
}

/// Images that are there.
pub struct Found<'a> {
    pub gallery: &'a Gallery,
    /// Its images in the order in which they are taken.
    pub order: &'a [usize],
    /// One an image, where there are some.
    pub labels: Option<&'a [i64]>,
    /// The first that is taken.
    pub from: usize,
}

/// Writes images of `found` as `range` of the batch in the job's folder, all or none of them.
///
/// # Errors
/// Fewer images than the range has, images of several sizes or of another size than is asked for, and labels that are
/// asked for and not there.
pub fn take(found: &Found, range: Range<u64>, asked: &Asked, context: &JobContext) -> Result<()> {
    let wanted = (range.end - range.start) as usize;
    let there = found.gallery.len().saturating_sub(found.from);
    ensure!(
        there >= wanted,
        "{wanted} images were asked for, and {there} are there"
    );
    ensure!(
        found.labels.is_some() || !asked.labels,
        "eval.metrics compares images with their labels, and they have none\nhint: write them as `arr_1` of an npz file, as labels.csv (name,label) or labels.json beside the images, or take `agreement` out"
    );
    let mut written: Vec<PathBuf> = Vec::new();
    let taken = parts_of(found, range, asked, context, &mut written);
    if taken.is_err() {
        for path in written {
            // The error that ended it is told; what is left is set right by the next try.
            let _ = fs::remove_file(path);
        }
    }
    taken
}

fn parts_of(
    found: &Found,
    range: Range<u64>,
    asked: &Asked,
    context: &JobContext,
    written: &mut Vec<PathBuf>,
) -> Result<()> {
    let Found {
        gallery,
        order,
        labels,
        from,
    } = *found;
    let mut size = stored_size(context)?.or(asked.size.map(|side| (side, side)));
    let mut at = range.start;
    while at < range.end {
        context.go_on()?;
        let end = ((at / PART + 1) * PART).min(range.end);
        let place = |image: u64| from + (image - range.start) as usize;
        let here = place(at)..place(end);
        let images: Vec<_> = here
            .clone()
            .into_par_iter()
            .map(|i| gallery.read(order[i]))
            .collect::<Result<_>>()?;
        let mut pixels = Vec::new();
        for (i, image) in here.clone().zip(&images) {
            let (w, h) = *size.get_or_insert((image.w, image.h));
            ensure!(
                (image.w, image.h) == (w, h),
                "{} has {} by {} pixels, {}",
                gallery.name(order[i]),
                image.w,
                image.h,
                match asked.size {
                    Some(size) => format!("and sample.size = {size}"),
                    None => format!("those before it {w} by {h}"),
                }
            );
            pixels.extend_from_slice(&image.data);
        }
        let (w, h) = size.context("a part holds an image")?;
        let n = images.len();
        let asked_for = match labels {
            Some(labels) => labels
                .get(here)
                .context("there are fewer labels than images")?
                .to_vec(),
            None => vec![0; n],
        };
        let path = parts::path(&context.out, "images", &(at..end));
        npz::write(
            &path,
            &[
                ("arr_0", Array::u8(&[n, h, w, 3], pixels)),
                ("arr_1", Array::i64(&[n], asked_for)),
            ],
        )?;
        written.push(path);
        context.log(&format!("images {at}..{end} of {} are stored", asked.total));
        context.tell(Progress {
            done: end,
            total: asked.total,
            unit: "images",
            note: String::new(),
        });
        at = end;
    }
    Ok(())
}

/// Width and height of the images that are stored already.
fn stored_size(context: &JobContext) -> Result<Option<(usize, usize)>> {
    let parts = parts::present(&context.out, "images")?;
    let Some(first) = parts.first() else {
        return Ok(None);
    };
    let shape = Npz::open(&first.path)?.header("arr_0")?.shape;
    Ok(match shape[..] {
        [_, h, w, 3] => Some((w, h)),
        _ => None,
    })
}
