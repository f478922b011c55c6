//! One face for every kind of training and reference data: the shapes world, folders, tar, zip, npz and npy of pictures.

use crate::data::container::archive::Archive;
use crate::data::container::open::Container;
use crate::data::labels::{classes, dataset_json};
use crate::data::left_out::LeftOut;
pub use crate::data::resize::crop::Augment;
use crate::data::resize::crop::{self, Choices};
use crate::data::shapes::{CLASSES, Scene, Stream};
use crate::io::image::file::Rgb8;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The largest picture side that is prepared.
const SIDE_LIMIT: usize = 4096;

/// One picture, ready for a net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Bytes [side, side, 3].
    pub pixels: Vec<u8>,
    /// Index into the source's classes; none where the data has no classes.
    pub label: Option<u32>,
}

/// Class names, and labels by the index of pictures.
type Classes = (Vec<String>, Option<Vec<u32>>);

enum Kind {
    Shapes(Stream),
    /// Labels of the files by folder; a batch knows its own.
    Files(Container, Option<Vec<u32>>),
}

/// An open data set; reading is by index, from any thread.
pub struct Source {
    kind: Kind,
    side: usize,
    classes: Vec<String>,
    spec: String,
    /// What is odd about its labels.
    remarks: Vec<String>,
}

impl Source {
    /// Opens `spec`: the word `shapes`, or a folder, tar, zip, npz or npy told apart by content. `stream` picks the family
    /// of shapes and means nothing to files. Pictures come out at `side` by `side`.
    ///
    /// # Errors
    /// Data that is not read, and labels in it that are not.
    pub fn open(spec: &str, stream: Stream, side: usize) -> Result<Source> {
        let mut source = Source::pictures(spec, stream, side)?;
        if let Kind::Files(Container::Batch(batch), _) = &source.kind {
            let classes = batch.classes();
            source.classes = classes.with_context(|| format!("reading {spec}"))?;
        }
        Ok(source)
    }

    /// As `open`, of data whose labels nobody asks for: those of an array are passed over, read or not.
    pub fn pictures(spec: &str, stream: Stream, side: usize) -> Result<Source> {
        ensure!(
            (1..=SIDE_LIMIT).contains(&side),
            "resolution = {side} is outside 1..={SIDE_LIMIT}"
        );
        let (kind, classes, remarks) = match spec {
            "shapes" => {
                let classes = CLASSES.map(String::from).to_vec();
                (Kind::Shapes(stream), classes, Vec::new())
            }
            path => open(Path::new(path)).with_context(|| format!("reading {path}"))?,
        };
        Ok(Source {
            kind,
            side,
            classes,
            spec: spec.to_string(),
            remarks,
        })
    }

    /// What files hold beside the images that are read; nothing for the shapes world.
    pub fn left_out(&self) -> LeftOut {
        let mut all = LeftOut::default();
        if let Kind::Files(files, _) = &self.kind {
            all.extend(self.spec.trim_end_matches('/'), &files.left_out());
        }
        all
    }

    /// What whoever uses the data should hear of it: what was left out, and what is odd about its labels.
    pub fn remarks(&self) -> Vec<String> {
        let left_out = self.left_out().told(&self.spec).into_iter();
        let labels = self.remarks.iter();
        left_out
            .chain(labels.map(|remark| format!("{}: {remark}", self.spec)))
            .collect()
    }

    /// Pictures; none where there is no end to them.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::Shapes(_) => None,
            Kind::Files(files, _) => Some(files.len() as u64),
        }
    }

    /// Never: an empty collection cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Class names by label; none where the data has no classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Picture `index` in sorted order, varied as `augment` says.
    pub fn get(&self, index: u64, augment: Augment) -> Result<Example> {
        if let Some(len) = self.len() {
            ensure!(
                index < len,
                "picture {index} of {} is asked, it has {len}",
                self.spec
            );
        }
        let i = index as usize;
        Ok(match &self.kind {
            Kind::Shapes(stream) => {
                let scene = Scene::of(*stream, index);
                Example {
                    pixels: render(&scene, self.side, augment),
                    label: Some(scene.class as u32),
                }
            }
            Kind::Files(files, labels) => Example {
                pixels: crop::prepare(files.read(i)?.image, self.side, augment),
                label: match files {
                    Container::Batch(batch) => batch.label(i),
                    _ => labels.as_ref().map(|labels| labels[i]),
                },
            },
        })
    }
}

/// A scene at `side`; a random crop is cut out of the scene drawn larger.
fn render(scene: &Scene, side: usize, augment: Augment) -> Vec<u8> {
    let mut pixels = match augment.crop {
        None => scene.render(side),
        Some(random) => {
            let mut choices = Choices(random);
            let length = crop::crop_length(&mut choices, side);
            let data = scene.render(length);
            let (w, h) = (length, length);
            crop::place(&Rgb8 { w, h, data }, side, &mut choices)
        }
    };
    if augment.flip {
        crop::mirror(&mut pixels, side);
    }
    pixels
}

/// Opens a folder or an archive by what it holds, names its classes, and says what is odd about these.
fn open(path: &Path) -> Result<(Kind, Vec<String>, Vec<String>)> {
    ensure!(
        path.try_exists()?,
        "there is no such file or folder: `shapes`, a folder, a tar, a zip, an npz or an npy is needed"
    );
    let files = Container::open(path)?;
    let ((classes, labels), remarks) = match &files {
        Container::Archive(archive) => labelled(archive)?,
        Container::Batch(_) => ((Vec::new(), None), Vec::new()),
    };
    Ok((Kind::Files(files, labels), classes, remarks))
}

/// Class names, the label of every picture, and what is odd about them: out of `dataset.json` where there is one, else out
/// of the names of folders and files.
fn labelled(archive: &Archive) -> Result<(Classes, Vec<String>)> {
    let mut remarks = Vec::new();
    if let Some(json) = archive.labels()? {
        if let Some(found) = dataset_json::read(&json, &archive.paths)? {
            let names = classes::numbered(found.labels.as_deref().unwrap_or_default());
            return Ok(((names, found.labels), found.remarks));
        }
        remarks.push(
            "`dataset.json` has no `labels`: classes are read from the names of folders and files"
                .to_string(),
        );
    }
    Ok((classes::of_paths(&archive.paths), remarks))
}
