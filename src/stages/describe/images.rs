//! A gallery to described parts: what is missing is read, resized and put through the net, everything else is found again.

use crate::data::gallery::Gallery;
use crate::data::loader::{Loader, Order as Load};
use crate::data::survey::Facts;
use crate::experiment::key::{Key, hex};
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::rules::Preprocessing;
use crate::jobs::context::{Progress, Watch};
use crate::jobs::files::damage::whole;
use crate::jobs::files::parts::Part;
use crate::stages::describe::described::{self, Described};
use crate::stages::describe::extract::{Extractor, Rows};
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A change of what a part holds gets a higher number: parts are then made again.
const VERSION: u32 = 2;
/// Images that a net which takes them as they are reads at once.
const TOGETHER: usize = 64;

/// What to describe, and where the parts lie.
pub struct Order<'a> {
    pub gallery: Arc<Gallery>,
    pub extractor: &'a Extractor,
    /// sha256 of the net's weights.
    pub weights: &'a str,
    /// One set of features for each; a net that takes images as they are takes one, which says nothing.
    pub preprocessings: &'a [Preprocessing],
    pub mixed_sizes: bool,
    /// The store's folder; parts lie in `described/` below it.
    pub store: &'a Path,
    /// Images a part.
    pub part: usize,
    /// Makes parts k, k + n, ... of (k, n), k from 0; (0, 1) makes all.
    pub shard: (usize, usize),
}

/// Opens a set of images, called `of` where `watch` is told what was left out of it.
pub fn open<S: AsRef<str>>(specs: &[S], of: &str, watch: &Watch) -> Result<Gallery> {
    let gallery = Gallery::open(specs)?;
    if let Some(line) = gallery.left_out().told(of) {
        (watch.warn)(&line);
    }
    Ok(gallery)
}

/// Describes what is missing. For every preprocessing the whole set; None where a shard leaves parts to others.
///
/// # Errors
/// [`Stopped`](crate::jobs::context::Stopped) when `watch` asked for it, after the part at hand: parts that are whole are
/// kept.
pub fn run(order: &Order, watch: Watch) -> Result<Option<Vec<Described>>> {
    let total = order.gallery.len();
    ensure!(order.part > 0, "part = 0 is not at least 1");
    let folders: Vec<PathBuf> = order
        .preprocessings
        .iter()
        .map(|how| {
            let resized = order.extractor.space().resizing(*how);
            folder(order.store, order.weights, resized)
        })
        .collect::<Result<_>>()?;
    let mut parts = vec![Vec::new(); folders.len()];
    let (mut all_there, mut done) = (true, 0);
    for (number, start) in (0..total).step_by(order.part).enumerate() {
        watch.go_on()?;
        let range = start..total.min(start + order.part);
        let name = part_name(&order.gallery, range.clone())?;
        let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.join(&name)).collect();
        let mut missing = Vec::new();
        for (p, path) in paths.iter().enumerate() {
            if !whole(path, watch.warn)? {
                missing.push(p);
            }
        }
        let ours = number % order.shard.1 == order.shard.0;
        if !missing.is_empty() && ours {
            let mut tick = |n: usize| {
                watch.tell(Progress {
                    done: (done + n) as u64,
                    total: total as u64,
                    unit: "images",
                    note: String::new(),
                })
            };
            make(order, range.clone(), &missing, &paths, &mut tick)?;
        }
        done += range.len();
        all_there &= missing.is_empty() || ours;
        let range = range.start as u64..range.end as u64;
        for (parts, path) in parts.iter_mut().zip(paths) {
            parts.push(Part {
                range: range.clone(),
                path,
            });
        }
    }
    Ok(all_there.then(|| parts.into_iter().map(Described::of).collect()))
}

/// The folder in `store` of the parts that the net of these weights, by sha256, made of images resized one way; nets that
/// take images as they are name none.
pub fn folder(store: &Path, weights: &str, how: Option<Preprocessing>) -> Result<PathBuf> {
    #[derive(Serialize)]
    struct Inputs<'a> {
        weights: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        preprocessing: Option<&'static str>,
    }
    let inputs = Inputs {
        weights,
        preprocessing: how.map(|how| how.name()),
    };
    let key = Key::of("described", VERSION, &inputs)?;
    let folder = store.join("described").join(key.short());
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// The file name of a part: 32 hex digits of the content of these images, in order, as they are stored.
pub fn part_name(gallery: &Gallery, range: Range<usize>) -> Result<String> {
    let digests: Vec<[u8; 32]> = range
        .into_par_iter()
        .map(|i| gallery.digest(i))
        .collect::<Result<_>>()?;
    let digest = hex(&Sha256::digest(digests.concat()));
    Ok(format!("{}.npz", &digest[..32]))
}

/// Makes the part of images `range` for the preprocessings at the places `missing`.
fn make(
    order: &Order,
    range: Range<usize>,
    missing: &[usize],
    paths: &[PathBuf],
    tick: &mut dyn FnMut(usize),
) -> Result<()> {
    let mut rows: Vec<Rows> = missing.iter().map(|_| Rows::default()).collect();
    let facts = match order.extractor.space().input {
        Input::Resized => resized(order, range, missing, &mut rows, tick)?,
        Input::AsTrained => as_trained(order, range, &mut rows, tick)?,
    };
    for (&p, rows) in missing.iter().zip(rows) {
        described::write(&paths[p], rows, &facts)?;
    }
    Ok(())
}

fn resized(
    order: &Order,
    range: Range<usize>,
    missing: &[usize],
    rows: &mut [Rows],
    tick: &mut dyn FnMut(usize),
) -> Result<Vec<Facts>> {
    let load = Load {
        images: range,
        batch: order.extractor.batch(),
        preprocessings: missing.iter().map(|&p| order.preprocessings[p]).collect(),
        mixed_sizes: order.mixed_sizes,
        threads: 0,
    };
    let mut facts = Vec::new();
    for inputs in Loader::start(order.gallery.clone(), load)? {
        let inputs = inputs?;
        facts.extend(inputs.facts);
        let planes = missing.iter().zip(inputs.planes).zip(&mut *rows);
        for ((&p, planes), rows) in planes {
            let how = order.preprocessings[p];
            order.extractor.describe(planes, how, rows)?;
        }
        tick(facts.len());
    }
    Ok(facts)
}

fn as_trained(
    order: &Order,
    range: Range<usize>,
    rows: &mut [Rows],
    tick: &mut dyn FnMut(usize),
) -> Result<Vec<Facts>> {
    let mut facts: Vec<Facts> = Vec::new();
    for first in range.clone().step_by(TOGETHER) {
        let images = (first..range.end.min(first + TOGETHER))
            .into_par_iter()
            .map(|i| order.gallery.read_noted(i))
            .collect::<Result<Vec<_>>>()?;
        let mut pixels = Vec::new();
        for (k, decoded) in images.iter().enumerate() {
            let image = &decoded.image;
            let (w, h) = facts
                .first()
                .map_or((image.w, image.w), |f| (f.w as usize, f.h as usize));
            ensure!(
                (image.w, image.h) == (w, h),
                "{} is {} by {}, {w} by {h} is needed: this feature net takes square images of one size\nhint: make all of them {w} by {w} before",
                order.gallery.name(first + k),
                image.w,
                image.h
            );
            facts.push(Facts::of_decoded(decoded));
            pixels.extend_from_slice(&image.data);
        }
        let side = facts.first().map_or(0, |f| f.w as usize);
        let how = order.preprocessings[0];
        order
            .extractor
            .extract(&pixels, side, how, &mut rows[0], &mut |_| {})?;
        tick(facts.len());
    }
    Ok(facts)
}
