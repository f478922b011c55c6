//! One face for every kind of training and reference data: the shapes world, folders, tar, zip, npz and npy of pictures.

use crate::data::archive::{Archive, is_picture};
use crate::data::batch::Batch;
use crate::data::classes;
pub use crate::data::crop::Augment;
use crate::data::crop::{self, Choices};
use crate::data::shapes::{CLASSES, Scene, Stream};
use crate::io::image::Rgb8;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

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

enum Kind {
    Shapes(Stream),
    Archive(Archive, Option<Vec<u32>>),
    Batch(Batch),
}

/// An open data set; reading is by index, from any thread.
pub struct Source {
    kind: Kind,
    side: usize,
    classes: Vec<String>,
    spec: String,
}

impl Source {
    /// Opens `spec`: the word `shapes`, or a folder, tar, zip, npz or npy told apart by content. `stream` picks the family
    /// of shapes and means nothing to files. Pictures come out at `side` by `side`.
    pub fn open(spec: &str, stream: Stream, side: usize) -> Result<Source> {
        ensure!(
            (1..=SIDE_LIMIT).contains(&side),
            "resolution = {side} is outside 1..={SIDE_LIMIT}"
        );
        let (kind, classes) = match spec {
            "shapes" => (Kind::Shapes(stream), CLASSES.map(String::from).to_vec()),
            path => open(Path::new(path)).with_context(|| format!("reading {path}"))?,
        };
        Ok(Source {
            kind,
            side,
            classes,
            spec: spec.to_string(),
        })
    }

    /// Pictures; none where there is no end to them.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::Shapes(_) => None,
            Kind::Archive(archive, _) => Some(archive.paths.len() as u64),
            Kind::Batch(batch) => Some(batch.len() as u64),
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
            Kind::Archive(archive, labels) => Example {
                pixels: crop::prepare(archive.read(i)?, self.side, augment),
                label: labels.as_ref().map(|labels| labels[i]),
            },
            Kind::Batch(batch) => Example {
                pixels: crop::prepare(batch.read(i)?, self.side, augment),
                label: batch.label(i),
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

/// Opens a folder or an archive by what it holds.
fn open(path: &Path) -> Result<(Kind, Vec<String>)> {
    if path.is_dir() {
        return Ok(labelled(Archive::folder(path)?));
    }
    let file =
        File::open(path).context("`shapes`, a folder, a tar, a zip, an npz or an npy is needed")?;
    let mut head = Vec::new();
    (&file).take(512).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") {
        return open_zip(path);
    }
    if head.starts_with(b"\x93NUMPY") {
        return Ok((Kind::Batch(Batch::npy(path)?), Vec::new()));
    }
    if head.starts_with(b"\x1f\x8b") {
        bail!("it is gzipped, which cannot be read at random\nhint: unpack it with `gunzip`");
    }
    if head.len() > 262 && &head[257..262] == b"ustar" {
        return Ok(labelled(Archive::tar(path, File::open(path)?)?));
    }
    bail!("it is no data that is read: a folder, a tar, a zip, an npz or an npy of pictures is")
}

/// A zip is an npz when it holds npy arrays and no pictures.
fn open_zip(path: &Path) -> Result<(Kind, Vec<String>)> {
    let archive = ZipArchive::new(std::io::BufReader::new(File::open(path)?))
        .context("the zip archive is broken\nhint: it may be truncated")?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| name.ok().map(String::from))
        .collect();
    let pictures = names.iter().any(|name| is_picture(name));
    if !pictures && names.iter().any(|name| name.ends_with(".npy")) {
        let batch = Batch::npz(path)?;
        let classes = batch.classes();
        return Ok((Kind::Batch(batch), classes));
    }
    Ok(labelled(Archive::zip(path, File::open(path)?)?))
}

fn labelled(archive: Archive) -> (Kind, Vec<String>) {
    let (names, labels) = classes::of_paths(&archive.paths);
    (Kind::Archive(archive, labels), names)
}
