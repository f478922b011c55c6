//! A trained denoiser and the real images on which it is measured.

use crate::data::labels::classes;
use crate::data::shapes::Stream;
use crate::data::source::{Augment, Source};
use crate::diffusion::process::clamp::Clamp;
use crate::diffusion::process::posterior::{Field, Output, Reading};
use crate::diffusion::process::schedule::Schedule;
use crate::experiment::file::experiment::Model;
use crate::experiment::key::{Key, digest_file};
use crate::experiment::nets::arch::{Arch, Process, Task, UnetArch};
use crate::io::checkpoint::Checkpoint;
use crate::jobs::context::Watch;
use crate::jobs::inputs::card::card;
use crate::jobs::inputs::pinned::digest_data;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::open::denoiser;
use crate::stages::ask::measurement::{Arrays, Measurement, Stored, Tick};
use crate::stages::feed::planes;
use crate::stages::weights;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Which denoiser is measured on which images.
pub struct Request<'a> {
    pub checkpoint: &'a Path,
    /// What a checkpoint is that does not say so itself.
    pub preset: Option<&'a str>,
    /// `shapes`, whose validation images are taken, or an image folder, tar, zip, npz or npy.
    pub data: &'a str,
    /// The first so many images; the first 1,000, or what there is, where it is not said (ADM's `num_samples`).
    pub count: Option<u64>,
    /// Images at a time; without effect on the numbers.
    pub batch: usize,
    pub store: &'a Path,
}

/// A denoiser and images, both open.
pub struct DenoiserOnImages<'a> {
    request: &'a Request<'a>,
    denoiser: Box<dyn Denoiser>,
    process: Process,
    arch: Arch,
    /// Pixels a side.
    pub side: usize,
    source: Source,
    /// What the net calls each class of the data; empty for nets that ask for none.
    numbers: Vec<u32>,
    pub count: u64,
    /// sha256 of the weights, and of the data where it is no world made by rule.
    digests: (String, Option<String>),
    device: Device,
}

/// Images [n, 3, side, side] in [-1, 1] and, for a net that asks for them, their labels `[n]`.
pub struct Batch {
    pub images: Vec<u64>,
    pub x0: Tensor,
    pub labels: Option<Tensor>,
}

const IMAGES: u64 = 1000;

impl<'a> DenoiserOnImages<'a> {
    /// Opens both and sees that they fit.
    ///
    /// # Errors
    /// Where the checkpoint holds no denoiser of images, where the net wants classes that the data does not have, or
    /// where more images are asked for than there are.
    pub fn open(request: &'a Request<'a>, device: &Device) -> Result<Self> {
        let path = request.checkpoint;
        let card = card(&Checkpoint::open(path)?);
        if let Some(card) = card.with_context(|| format!("reading {}", path.display()))?
            && card.arch.task() != Task::Denoise
        {
            bail!(
                "{} is a {}, and a denoiser of images (a unet) is needed",
                path.display(),
                card.arch.title()
            );
        }
        let model = Model {
            preset: request.preset.map(String::from),
            ..Model::default()
        };
        let net = weights::load(path, &model, device)?;
        ensure!(
            net.arch.task() == Task::Denoise,
            "{} is a {}, and a denoiser of images (a unet) is needed",
            path.display(),
            net.arch.title()
        );
        if let Some(steps) = net.distilled {
            bail!(
                "{} was distilled for {steps} DDIM steps and knows no other noise levels\nhint: take its teacher",
                path.display()
            );
        }
        let side = net.arch.resolution();
        let source = Source::open(request.data, Stream::Validation, side)?;
        let numbers = match net.arch.classes() {
            Some(wanted) => classes::numbers(source.classes(), &net.classes, wanted)
                .with_context(|| format!("labels of {}", request.data))?,
            None => Vec::new(),
        };
        let count = match (request.count, source.len()) {
            (Some(count), Some(len)) if count > len => {
                bail!("--count {count}: {} has {len} images", request.data)
            }
            (Some(count), _) => count,
            (None, len) => len.unwrap_or(IMAGES).min(IMAGES),
        };
        Ok(Self {
            denoiser: denoiser(&net.arch, net.vb)?,
            process: net
                .process
                .context("the model names no diffusion process")?,
            arch: net.arch,
            side,
            source,
            numbers,
            count,
            digests: (digest_file(path)?, digest_data(request.data)?),
            device: device.clone(),
            request,
        })
    }

    /// What whoever asks should hear of the images.
    pub fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }

    /// T, the steps that the net was trained on.
    pub fn timesteps(&self) -> usize {
        self.process.timesteps
    }

    /// The process on `steps` of its T: a count, or ADM's `ddim25` and `10,10,20`.
    pub fn schedule(&self, steps: &str) -> Result<Schedule> {
        Schedule::new(&self.process, steps).with_context(|| format!("--steps {steps}"))
    }

    /// The net's answers as the release reads them, x0 clamped to [-1, 1].
    pub fn reading<'s>(&self, schedule: &'s Schedule) -> Reading<'s> {
        Reading {
            schedule,
            output: Output::of(&self.process, self.denoiser.answer()),
            clamp: Clamp::Unit,
        }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The net as a function of (x, t), asked for `labels`.
    pub fn denoiser(&self, labels: Option<Tensor>) -> Box<Field<'_>> {
        Box::new(move |x: &Tensor, t: &Tensor| {
            let given = Conditions {
                labels: labels.as_ref(),
                ..Conditions::default()
            };
            self.denoiser.denoise(x, t, &given)
        })
    }

    /// The labels `[n]` of these images, for a net that asks for them.
    pub fn labels(&self, images: &[u64]) -> Result<Option<Tensor>> {
        Ok(self.batch(images.to_vec())?.labels)
    }

    /// Images [n, 3, side, side] in [-1, 1].
    pub fn images(&self, images: &[u64]) -> Result<Tensor> {
        Ok(self.batch(images.to_vec())?.x0)
    }

    fn batch(&self, images: Vec<u64>) -> Result<Batch> {
        let each = 3 * self.side * self.side;
        let mut pixels = vec![0f32; images.len() * each];
        let plain = Augment {
            flip: false,
            crop: None,
        };
        let labels = pixels
            .par_chunks_mut(each)
            .zip(&images)
            .map(|(out, &image)| {
                let example = self.source.get(image, plain)?;
                planes(&example.pixels, out);
                Ok(example.label)
            })
            .collect::<Result<Option<Vec<u32>>>>()?;
        let shape = (images.len(), 3, self.side, self.side);
        let labels = match (self.denoiser.classes(), labels) {
            (None, _) => None,
            (Some(_), Some(labels)) => {
                let numbers = labels.iter().map(|label| self.numbers[*label as usize]);
                let numbers: Vec<u32> = numbers.collect();
                Some(Tensor::from_vec(numbers, images.len(), &self.device)?)
            }
            (Some(_), None) => bail!(
                "the net asks which class an image is of, and not all images of {} have one",
                self.request.data
            ),
        };
        Ok(Batch {
            x0: Tensor::from_vec(pixels, shape, &self.device)?,
            images,
            labels,
        })
    }

    /// What `measure` finds of every image, in the order of the images, kept in the store under a key of the net, its
    /// weights, the images and `of`. Its arrays have a row an image of the batch.
    ///
    /// # Errors
    /// [`Stopped`](crate::jobs::context::Stopped) when `watch` asked for it: parts that are whole are kept.
    pub fn measured(
        &self,
        what: (&'static str, u32),
        of: &impl Serialize,
        measure: &dyn Fn(&Batch, &mut Tick) -> Result<Option<Arrays>>,
        watch: Watch,
    ) -> Result<Stored> {
        let measurement = Measurement {
            folder: self.folder(what, of)?,
            what: what.0,
            unit: "images",
            count: self.count,
            size: self.request.batch as u64,
        };
        let measure =
            |range: Range<u64>, tick: &mut Tick| measure(&self.batch(range.collect())?, tick);
        measurement.complete(&measure, watch)
    }

    /// The folder of the store for what this net gives on these images by `of`.
    pub fn folder(&self, (what, version): (&str, u32), of: &impl Serialize) -> Result<PathBuf> {
        /// A unet stands in keys without its family's name, other families with theirs.
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Options<'k> {
            Unet(&'k UnetArch),
            Other(&'k Arch),
        }
        #[derive(Serialize)]
        struct Inputs<'k, T> {
            weights: &'k str,
            net: Options<'k>,
            process: &'k Process,
            data: &'k str,
            classes: &'k [u32],
            of: &'k T,
        }
        let inputs = Inputs {
            weights: &self.digests.0,
            net: match &self.arch {
                Arch::Unet(unet) => Options::Unet(unet),
                other => Options::Other(other),
            },
            process: &self.process,
            data: self.digests.1.as_deref().unwrap_or(self.request.data),
            classes: &self.numbers,
            of,
        };
        let key = Key::of(what, version, &inputs)?;
        Ok(self.request.store.join(what).join(key.short()))
    }
}
