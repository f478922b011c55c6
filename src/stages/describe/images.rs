//! A gallery to described parts: what is missing is read, resized and put through the net, everything else is found again.

use crate::data::gallery::Gallery;
use crate::data::loader::{Loader, Make, Order as Load};
use crate::data::survey::Facts;
use crate::experiment::key::{Key, hex};
use crate::experiment::scoring::feature_space::Input;
use crate::experiment::scoring::rules::Preprocessing;
use crate::jobs::context::{Progress, Watch};
use crate::jobs::files::damage::whole;
use crate::jobs::files::parts::Part;
use crate::jobs::sharing::claims::{Claims, Listed};
use crate::machine::profile::{Operation, span};
use crate::stages::describe::described::Described;
use crate::stages::describe::extract::{Extractor, Rows};
use crate::stages::describe::writing::{self, Unwritten, Writer};
use anyhow::{Context, Result, anyhow, ensure};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

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
    pub share: Share,
    /// Who makes which part, where other processes describe the same images.
    pub claims: &'a dyn Claims,
}

/// Which parts of a set are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that no other process makes; those are waited for.
    Whole,
    /// Parts k, k + n, ..., k from 0; the others are left.
    Shard { k: usize, n: usize },
    /// All that no other process makes; nothing is waited for.
    Free,
}

impl Share {
    fn takes(self, part: usize) -> bool {
        match self {
            Share::Shard { k, n } => part % n == k,
            Share::Whole | Share::Free => true,
        }
    }
}

/// Opens a set of images, called `of` where `watch` is told what was left out of it.
pub fn open<S: AsRef<str>>(specs: &[S], of: &str, watch: &Watch) -> Result<Gallery> {
    let gallery = Gallery::open(specs)?;
    if let Some(line) = gallery.left_out().told(of) {
        (watch.warn)(&line);
    }
    Ok(gallery)
}

/// A part of the set, with where it lies for every preprocessing.
struct Piece {
    range: Range<usize>,
    paths: Vec<PathBuf>,
}

/// Between two looks at parts that other processes make, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Describes what is missing and what no other process describes, and waits for those. For every preprocessing the whole
/// set; None where parts are left to others.
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
    let threads = writing::threads()?;
    let mut parts = vec![Vec::new(); folders.len()];
    let all_there = std::thread::scope(|scope| {
        let mut writer = Writer::new(scope, &threads);
        let (mut others, mut all_there, mut done) = (Vec::new(), true, 0);
        let starts = (0..total).step_by(order.part);
        let ranges = starts.map(|start| start..total.min(start + order.part));
        let mut ranges = ranges.enumerate().peekable();
        let name = |range: Range<usize>| {
            let (gallery, threads) = (&order.gallery, &threads);
            scope.spawn(move || threads.install(|| part_name(gallery, range)))
        };
        let mut ahead = ranges.peek().map(|(_, range)| name(range.clone()));
        while let (Some((number, range)), Some(named)) = (ranges.next(), ahead.take()) {
            watch.go_on()?;
            let named = joined(named)?;
            ahead = ranges.peek().map(|(_, range)| name(range.clone()));
            let paths = folders.iter().map(|folder| folder.join(&named));
            let piece = Piece {
                paths: paths.collect(),
                range,
            };
            for (parts, path) in parts.iter_mut().zip(&piece.paths) {
                parts.push(piece.part(path));
            }
            if !order.share.takes(number) {
                all_there &= piece.missing(watch)?.is_empty();
            } else if !piece.make(order, Listed::Free, done, watch, &mut writer)? {
                others.push(piece);
                continue;
            }
            done += piece.range.len();
        }
        // A set that holds a part twice finds it now.
        writer.finish()?;
        if order.share != Share::Free {
            await_others(order, others, done, watch, &mut writer)?;
            writer.finish()?;
        }
        Ok::<_, anyhow::Error>(all_there && order.share != Share::Free)
    })?;
    Ok(all_there.then(|| parts.into_iter().map(Described::of).collect()))
}

/// What a thread that names a part has found.
fn joined(named: ScopedJoinHandle<'_, Result<String>>) -> Result<String> {
    let _span = span(Operation::WaitImages);
    let named = named.join();
    named.unwrap_or_else(|_| Err(anyhow!("internal error: a part was not named")))
}

/// Waits for the parts that other processes make, and makes those that they leave. `done` images are there before.
fn await_others<'a>(
    order: &'a Order,
    mut others: Vec<Piece>,
    mut done: usize,
    watch: Watch,
    writer: &mut Writer<'_, '_, 'a>,
) -> Result<()> {
    let mut pause = PAUSE;
    while !others.is_empty() {
        let before = others.len();
        let mut left = Vec::new();
        for piece in others {
            watch.go_on()?;
            if piece.make(order, Listed::Leased, done, watch, writer)? {
                done += piece.range.len();
            } else {
                left.push(piece);
            }
        }
        others = left;
        if others.len() == before {
            let _span = span(Operation::WaitOthers);
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        } else {
            pause = PAUSE;
        }
    }
    Ok(())
}

impl Piece {
    /// It as a part of the set in the file `path`.
    fn part(&self, path: &Path) -> Part {
        Part {
            range: self.range.start as u64..self.range.end as u64,
            path: path.to_path_buf(),
        }
    }

    /// For which preprocessings it is not there.
    fn missing(&self, watch: Watch) -> Result<Vec<usize>> {
        let mut missing = Vec::new();
        for (p, path) in self.paths.iter().enumerate() {
            if !whole(path, watch.warn)? {
                missing.push(p);
            }
        }
        Ok(missing)
    }

    /// Makes what of it is missing, which `writer` then writes; false where another process is at it. `done` images are
    /// there before it.
    fn make<'a>(
        &self,
        order: &'a Order,
        listed: Listed,
        done: usize,
        watch: Watch,
        writer: &mut Writer<'_, '_, 'a>,
    ) -> Result<bool> {
        if self.missing(watch)?.is_empty() {
            return Ok(true);
        }
        // One claim for all preprocessings: the images are read once for all of them.
        let first = self
            .paths
            .first()
            .context("no preprocessing is asked for")?;
        let name = first.file_stem().unwrap_or_default().to_string_lossy();
        let folder = first.parent().unwrap_or(Path::new("."));
        let Some(claim) = order.claims.claim(folder, &name, listed)? else {
            return Ok(false);
        };
        let missing = self.missing(watch)?;
        if !missing.is_empty() {
            let mut tick = |n: usize| {
                watch.tell(Progress {
                    done: (done + n) as u64,
                    total: order.gallery.len() as u64,
                    unit: "images",
                    note: String::new(),
                })
            };
            let made = make(order, self.range.clone(), &missing, &self.paths, &mut tick)?;
            writer.write(made, claim)?;
        }
        Ok(true)
    }
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
    let _span = span(Operation::Hash);
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
) -> Result<Unwritten> {
    let mut rows: Vec<Rows> = missing.iter().map(|_| Rows::default()).collect();
    let facts = match order.extractor.space().input {
        Input::Resized => resized(order, range, missing, &mut rows, tick)?,
        Input::AsTrained => as_trained(order, range, &mut rows, tick)?,
    };
    let paths = missing.iter().map(|&p| paths[p].clone());
    Ok(Unwritten {
        rows: paths.zip(rows).collect(),
        facts,
    })
}

fn resized(
    order: &Order,
    range: Range<usize>,
    missing: &[usize],
    rows: &mut [Rows],
    tick: &mut dyn FnMut(usize),
) -> Result<Vec<Facts>> {
    let hows: Vec<Preprocessing> = missing.iter().map(|&p| order.preprocessings[p]).collect();
    let by_net = resized_by_net(order, range.start, &hows);
    let load = Load {
        images: range,
        batch: order.extractor.batch(),
        make: if by_net {
            Make::Images
        } else {
            Make::Inputs(hows.clone())
        },
        mixed_sizes: order.mixed_sizes,
        threads: 0,
    };
    let mut facts = Vec::new();
    for inputs in Loader::start(order.gallery.clone(), load)? {
        let inputs = inputs?;
        facts.extend(inputs.facts);
        for (&how, rows) in hows.iter().zip(&mut *rows).filter(|_| by_net) {
            order.extractor.describe_images(&inputs.images, how, rows)?;
        }
        for ((planes, &how), rows) in inputs.planes.into_iter().zip(&hows).zip(&mut *rows) {
            order.extractor.describe(planes, how, rows)?;
        }
        tick(facts.len());
    }
    Ok(facts)
}

/// Whether images go to the net's device as they are: where it resizes them, and they are no larger than what they are
/// resized to, for batches of them wait in memory. They are all of the size of image `first`.
fn resized_by_net(order: &Order, first: usize, hows: &[Preprocessing]) -> bool {
    let small = |how: &Preprocessing| {
        let image = order.gallery.read(first);
        image.is_ok_and(|image| image.data.len() <= size_of::<f32>() * how.input_len())
    };
    let mut hows = hows.iter();
    !order.mixed_sizes && hows.all(|how| order.extractor.resizes(*how) && small(how))
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
