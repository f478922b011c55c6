//! One face for the images of a data set.

use crate::data::shapes::{CLASSES, Scene, Stream};
use anyhow::{Result, bail};

/// What is done to an image on its way to training; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Augment {
    /// Mirror it.
    pub flip: bool,
    /// Crop at random, by this random number, instead of at the centre.
    pub crop: Option<u64>,
}

/// One image.
pub struct Example {
    /// u8 [side, side, 3].
    pub pixels: Vec<u8>,
    /// None in data without classes.
    pub label: Option<u32>,
}

/// A data set at one resolution.
pub struct Source {
    stream: Stream,
    resolution: usize,
    classes: Vec<String>,
}

impl Source {
    /// `spec` is `shapes`.
    pub fn open(spec: &str, stream: Stream, resolution: usize) -> Result<Self> {
        if spec != "shapes" {
            bail!("{spec:?} is no data set; `shapes` is");
        }
        let classes = CLASSES.iter().map(|c| c.to_string()).collect();
        Ok(Self {
            stream,
            resolution,
            classes,
        })
    }

    /// Number of images; None for a world without end.
    pub fn len(&self) -> Option<u64> {
        None
    }

    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    pub fn get(&self, index: u64, _: Augment) -> Result<Example> {
        let scene = Scene::of(self.stream, index);
        Ok(Example {
            pixels: scene.render(self.resolution),
            label: Some(scene.class as u32),
        })
    }
}
