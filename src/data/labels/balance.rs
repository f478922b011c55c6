//! How many images a set has of each class: Fréchet distances move with it.

use crate::data::labels::classes;
use crate::io::numpy::labels::Labels;
use serde::Serialize;
use std::collections::BTreeMap;

/// The images of a set by class, as far as its labels are read.
#[derive(Debug, Default)]
pub struct Balance {
    /// Images of each class that occurs, by its folder's name or its number.
    counts: BTreeMap<String, usize>,
    /// Classes that there are, where labels say so.
    of: Option<usize>,
    folders: bool,
    images: usize,
    /// Why labels that are there are not read.
    unread: Vec<String>,
}

impl Balance {
    /// Counts pictures by the folders they lie in, where they lie in two or more.
    pub fn add_paths(&mut self, paths: &[String]) {
        self.images += paths.len();
        let (names, labels) = classes::of_paths(paths);
        let labels = labels.unwrap_or_default();
        // Names of files are told apart by more than classes, and are not taken for them here.
        let in_folder = |(path, &label): (&String, &u32)| {
            path.contains('/') && path.contains(&format!("{}/", names[label as usize]))
        };
        if labels.is_empty() || !paths.iter().zip(&labels).all(in_folder) {
            return;
        }
        self.folders = true;
        for label in labels {
            self.count(names[label as usize].clone());
        }
    }

    /// Counts the `n` pictures of the array at `place` by its labels.
    pub fn add_labels(&mut self, place: &str, labels: &Labels, n: usize) {
        self.images += n;
        match labels {
            Labels::Absent => {}
            Labels::Unread(why) => self.unread.push(format!("{place}: {why}")),
            Labels::Read { labels, classes } => {
                self.of = self.of.max(*classes);
                self.count_numbers(labels);
            }
        }
    }

    /// Counts images by a label each.
    pub fn add_numbers(&mut self, labels: &[u32]) {
        self.images += labels.len();
        self.count_numbers(labels);
    }

    fn count_numbers(&mut self, labels: &[u32]) {
        for label in labels {
            self.count(label.to_string());
        }
    }

    /// What was counted; none where there are no labels, read or not.
    pub fn spread(&self) -> Option<Spread> {
        let counts = || self.counts.values().copied();
        let any = !self.counts.is_empty() || !self.unread.is_empty();
        any.then(|| Spread {
            classes: self.counts.len(),
            of: self.of,
            folders: self.folders,
            least: counts().min().unwrap_or(0),
            most: counts().max().unwrap_or(0),
            labelled: counts().sum(),
            images: self.images,
            unread: self.unread.clone(),
        })
    }

    fn count(&mut self, class: String) {
        *self.counts.entry(class).or_default() += 1;
    }
}

/// How the images of a set are spread over its classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Classes that occur.
    pub classes: usize,
    /// Classes that there are, where one-hot labels say so.
    pub of: Option<usize>,
    /// Class folders told them.
    pub folders: bool,
    /// Images of the rarest class that occurs.
    pub least: usize,
    /// Images of the most frequent class.
    pub most: usize,
    pub labelled: usize,
    pub images: usize,
    /// Why labels that are there are not read.
    pub unread: Vec<String>,
}
