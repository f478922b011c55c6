//! A whole store, many results at a time.

use crate::run::manifest::Manifest;
use crate::run::store::{Entry, Store};
use crate::run::verify::alive::Workers;
use crate::run::verify::entry::{self, Stands, Verified};
use crate::run::verify::keys::{self, Inputs};
use crate::run::verify::leftovers;
use crate::run::verify::problem::{Cure, Problem};
use anyhow::{Result, ensure};
use rayon::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How far the check of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Far {
    pub done: usize,
    pub results: usize,
    /// Of the results that are done.
    pub bytes: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of the results, then what stands beside them.
    pub problems: Vec<Problem>,
    /// What is no fault and worth knowing.
    pub notes: Vec<String>,
    /// Results that count as finished, that were begun and left, and that somebody is making.
    pub finished: usize,
    pub unfinished: usize,
    pub in_work: usize,
    /// Bytes of the files that were compared with their digests.
    pub bytes: u64,
}

/// Looks at all of `store`, and changes nothing; `tell` hears after each result how far it is.
///
/// # Errors
/// Where there is no such folder, or it cannot be listed.
pub fn verify(store: &Store, tell: &(dyn Fn(Far) + Sync)) -> Result<Found> {
    ensure!(
        store.root().is_dir(),
        "there is no store `{}`\nhint: name its folder, or run in the folder that holds `.runner`",
        store.root().display()
    );
    let entries = store.entries()?;
    let (whole, odd): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_key);
    let living = Workers::of(store).living;
    let (done, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let looked: Vec<Verified> = whole
        .par_iter()
        .map(|entry| {
            let found = entry::verify(entry, &living);
            let size = found.manifest.as_ref().map_or(0, Manifest::bytes);
            let before = bytes.fetch_add(size, Ordering::Relaxed);
            tell(Far {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                results: whole.len(),
                bytes: before + size,
            });
            found
        })
        .collect();
    let inputs = Inputs::of(looked.iter().filter_map(|found| found.manifest.as_ref()));
    let wrong: Vec<Option<Problem>> = (whole.par_iter().zip(&looked))
        .map(|(entry, found)| keys::verify(entry, found.manifest.as_ref()?, store, &inputs))
        .collect();
    let mut all = Found {
        bytes: bytes.into_inner(),
        notes: inputs.notes(),
        ..Found::default()
    };
    all.notes.extend(needs(&whole, &looked));
    for (found, wrong) in looked.into_iter().zip(wrong) {
        match found.stands {
            Stands::Finished => all.finished += 1,
            Stands::Unfinished => all.unfinished += 1,
            Stands::InWork => all.in_work += 1,
        }
        all.problems.extend(found.problems);
        all.problems.extend(wrong);
        all.notes.extend(found.notes);
    }
    all.problems.extend(odd.into_iter().map(odd_folder));
    all.problems.extend(leftovers::verify(store));
    Ok(all)
}

/// Whether a folder has the name of a result.
fn is_key(entry: &Entry) -> bool {
    entry.name.len() == 16 && entry.name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn odd_folder(entry: Entry) -> Problem {
    Problem {
        what: "the folder has no key for its name, so that no sweep finds it".to_string(),
        cure: Cure::Command(format!("mv {} elsewhere", entry.folder.display())),
        path: entry.folder,
    }
}

/// Results whose own needs are no longer there: they stand, and a sweep makes what is missing again.
fn needs(entries: &[Entry], looked: &[Verified]) -> Vec<String> {
    let there: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut notes = Vec::new();
    for (entry, found) in entries.iter().zip(looked) {
        let needs = found.manifest.iter().flat_map(|manifest| &manifest.needs);
        for need in needs.filter(|need| !there.contains(need.short())) {
            notes.push(format!(
                "{}: the result {need}, which it was made from, is not in the store; a sweep that reaches both makes it again",
                entry.folder.display()
            ));
        }
    }
    notes
}
