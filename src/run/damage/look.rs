//! The stored results of a plan, looked at before a report reads them.

use crate::jobs::files::damage::{differs, told};
use crate::jobs::files::parts;
use crate::jobs::stage::Stage;
use crate::run::damage::found::{Depth, Found, all, files};
use crate::run::manifest::{Manifest, SMALL};
use crate::run::plan::Plan;
use crate::run::store::{State, Store};
use rayon::prelude::*;
use std::path::Path;

/// The bytes of images that are compared with their digests before a report shows some of them.
pub const IMAGES: u64 = 4 << 30;

/// What was found of a plan's results.
#[derive(Debug, Default)]
pub struct Looked {
    /// What is damaged, a sentence each.
    pub lines: Vec<String>,
    /// So many results were too many to look at their images.
    pub unseen: usize,
}

/// Compares with their digests what a report reads: numbers, what each image adds to them, and, of the first [`IMAGES`]
/// bytes, the parts that hold the `samples` images a cell that it shows. Items that are damaged no longer count as
/// stored; nothing on disk is changed.
pub fn look(plan: &mut Plan, store: &Store, samples: u64) -> Looked {
    let mut looked = Looked::default();
    let shown = shown(plan);
    let mut left = IMAGES;
    let mut depth = vec![0; plan.items.len()];
    for n in shown {
        if let State::Stored(manifest) = &plan.items[n].state {
            let bytes = image_bytes(manifest, samples);
            if bytes <= left {
                (depth[n], left) = (samples, left - bytes);
            } else {
                looked.unseen += 1;
            }
        }
    }
    let found: Vec<Vec<String>> = (plan.items.par_iter().zip(depth))
        .map(|(item, samples)| {
            let folder = store.folder(item.job.stage(), &item.key);
            match &item.state {
                State::Stored(manifest) => match item.job.stage() {
                    Stage::Metrics => said(files(&folder, manifest, Depth::All)),
                    Stage::Sample | Stage::Upsample => images(&folder, manifest, samples),
                    Stage::Train | Stage::Features => Vec::new(),
                },
                State::Missing | State::Running(..) => Vec::new(),
                State::Failed(_) | State::Partial(_) => {
                    all(&folder, Depth::Small).unwrap_or_else(|error| vec![format!("{error:#}")])
                }
            }
        })
        .collect();
    for (item, lines) in plan.items.iter_mut().zip(found) {
        if !lines.is_empty() && item.state.stored() {
            item.state = State::Partial(None);
        }
        looked.lines.extend(lines);
    }
    looked
}

/// The items whose images a report shows: of each cell those made last, in grid order, each once.
fn shown(plan: &Plan) -> Vec<usize> {
    let drawn = |&&n: &&usize| matches!(plan.items[n].job.stage(), Stage::Sample | Stage::Upsample);
    let last = plan
        .of_cell
        .iter()
        .filter_map(|of| of.iter().rev().find(drawn));
    let mut seen = vec![false; plan.items.len()];
    last.copied()
        .filter(|&n| !std::mem::replace(&mut seen[n], true))
        .collect()
}

/// A file that cannot be read is told as one that is damaged.
fn said(found: anyhow::Result<Vec<Found>>) -> Vec<String> {
    match found {
        Ok(found) => found.iter().map(Found::told).collect(),
        Err(error) => vec![format!("{error:#}")],
    }
}

/// The parts that hold the first `samples` images.
fn first(manifest: &Manifest, samples: u64) -> impl Iterator<Item = &String> {
    let names = manifest.files.keys();
    names.filter(move |name| parts::range_of(name, "images").is_some_and(|r| r.start < samples))
}

fn image_bytes(manifest: &Manifest, samples: u64) -> u64 {
    let sizes = first(manifest, samples).map(|name| manifest.files[name].bytes);
    sizes.filter(|&bytes| bytes > SMALL).sum()
}

fn images(folder: &Path, manifest: &Manifest, samples: u64) -> Vec<String> {
    let damaged = first(manifest, samples).filter_map(|name| {
        let (path, stored) = (folder.join(name), &manifest.files[name]);
        match differs(&path, stored.bytes, &stored.sha256) {
            Ok(why) => why.map(|why| told(&path, &why)),
            Err(error) => Some(format!("{error:#}")),
        }
    });
    damaged.collect()
}
