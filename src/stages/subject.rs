//! A trained denoiser and the real images that it is asked about, with what is found of each image kept in parts.

use crate::data::shapes::Stream;
use crate::data::source::{Augment, Source};
use crate::diffusion::guidance::Field;
use crate::diffusion::posterior::{Output, Reading};
use crate::diffusion::schedule::Schedule;
use crate::io::checkpoint::Checkpoint;
use crate::io::npz::{self, Array, Npz};
use crate::nets::unet::Unet;
use crate::spec::arch::{Arch, Process};
use crate::spec::experiment::Model;
use crate::spec::key::{Key, digest_file};
use crate::stages::bench::{Progress, Stopped};
use crate::stages::feed::planes;
use crate::stages::parts;
use crate::stages::pinned::digest_data;
use crate::stages::weights;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is asked about.
pub struct Question<'a> {
    pub checkpoint: &'a Path,
    /// What a checkpoint is that does not say so itself.
    pub preset: Option<&'a str>,
    /// `shapes`, whose validation images are taken, or an image folder, tar, zip, npz or npy.
    pub data: &'a str,
    /// The first so many images; the first 1,000, or what there is, where it is not said (ADM's `num_samples`).
    pub count: Option<u64>,
    /// Images at a time; without effect on what is found.
    pub batch: usize,
    pub store: &'a Path,
}

/// A denoiser and images, both open.
pub struct Subject<'a> {
    question: &'a Question<'a>,
    unet: Unet,
    process: Process,
    learn_sigma: bool,
    /// Pixels a side.
    pub side: usize,
    source: Source,
    pub count: u64,
    /// sha256 of the weights, and of the data where it is no world made by rule.
    digests: (String, Option<String>),
    device: Device,
}

/// Images [n, 3, side, side] in [-1, 1] and, for a net that asks for them, their labels [n].
pub struct Batch {
    pub images: Vec<u64>,
    pub x0: Tensor,
    pub labels: Option<Tensor>,
}

const IMAGES: u64 = 1000;

impl<'a> Subject<'a> {
    /// Opens both and sees that they fit.
    ///
    /// # Errors
    /// Where the checkpoint holds no denoiser of images, where the net wants classes that the data does not have, or
    /// where more images are asked for than there are.
    pub fn open(question: &'a Question<'a>, device: &Device) -> Result<Self> {
        let path = question.checkpoint;
        let card = weights::card(&Checkpoint::open(path)?);
        if let Some(card) = card.with_context(|| format!("reading {}", path.display()))?
            && !matches!(card.arch, Arch::Unet(_))
        {
            bail!(
                "{} is a {}, and a denoiser of images (a unet) is needed",
                path.display(),
                card.arch.title()
            );
        }
        let model = Model {
            preset: question.preset.map(String::from),
            ..Model::default()
        };
        let net = weights::load(path, &model, device)?;
        let Arch::Unet(arch) = &net.arch else {
            bail!(
                "{} is a {}, and a denoiser of images (a unet) is needed",
                path.display(),
                net.arch.title()
            )
        };
        let side = arch.trunk.resolution;
        let source = Source::open(question.data, Stream::Validation, side)?;
        let classes = source.classes().len();
        if let Some(wanted) = arch.classes {
            ensure!(
                classes == wanted,
                "the net asks which of {wanted} classes an image is of, and {} has {}",
                question.data,
                match classes {
                    0 => "none".to_string(),
                    n => n.to_string(),
                }
            );
        }
        let count = match (question.count, source.len()) {
            (Some(count), Some(len)) if count > len => {
                bail!("--count {count}: {} has {len} images", question.data)
            }
            (Some(count), _) => count,
            (None, len) => len.unwrap_or(IMAGES).min(IMAGES),
        };
        Ok(Self {
            unet: Unet::new(arch, net.vb.clone())?,
            process: net
                .process
                .context("the model names no diffusion process")?,
            learn_sigma: arch.learn_sigma,
            side,
            source,
            count,
            digests: (digest_file(path)?, digest_data(question.data)?),
            device: device.clone(),
            question,
        })
    }

    /// T, the steps that the net was trained on.
    pub fn timesteps(&self) -> usize {
        self.process.timesteps
    }

    /// The process on `steps` of its T: a count, or ADM's `ddim25` and `10,10,20`.
    pub fn schedule(&self, steps: &str) -> Result<Schedule> {
        Schedule::new(&self.process, steps).with_context(|| format!("--steps {steps}"))
    }

    /// The net's answers as the release reads them.
    pub fn reading<'s>(&self, schedule: &'s Schedule, clip: bool) -> Reading<'s> {
        Reading {
            schedule,
            output: Output::of(&self.process, self.learn_sigma),
            clip,
        }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The net as a function of (x, t), asked for `labels`.
    pub fn denoiser(&self, labels: Option<Tensor>) -> Box<Field<'_>> {
        Box::new(move |x: &Tensor, t: &Tensor| self.unet.forward(x, t, labels.as_ref(), None))
    }

    /// The labels [n] of these images, for a net that asks for them.
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
        let labels = match (self.unet.conditional(), labels) {
            (false, _) => None,
            (true, Some(labels)) => Some(Tensor::from_vec(labels, images.len(), &self.device)?),
            (true, None) => bail!(
                "the net asks which class an image is of, and not all images of {} have one",
                self.question.data
            ),
        };
        Ok(Batch {
            x0: Tensor::from_vec(pixels, shape, &self.device)?,
            images,
            labels,
        })
    }

    /// What `ask` finds of every image, in the order of the images: kept in parts in the store under a key of the
    /// weights, the images and `of`, so that a killed run goes on and a larger count asks about the new images only.
    /// `ask` gives named f32 arrays whose rows are the images of its batch.
    ///
    /// # Errors
    /// [`Stopped`] when `stop` was set: parts that are whole are kept.
    pub fn ask(
        &self,
        (what, version): (&str, u32),
        of: &impl Serialize,
        ask: &dyn Fn(&Batch) -> Result<Vec<(&'static str, Tensor)>>,
        tell: &dyn Fn(Progress),
        stop: &AtomicBool,
    ) -> Result<Answers> {
        #[derive(Serialize)]
        struct Inputs<'k, T> {
            weights: &'k str,
            preset: Option<&'k str>,
            data: &'k str,
            side: usize,
            of: &'k T,
        }
        let inputs = Inputs {
            weights: &self.digests.0,
            preset: self.question.preset,
            data: self.digests.1.as_deref().unwrap_or(self.question.data),
            side: self.side,
            of,
        };
        let key = Key::of(what, version, &inputs)?;
        let folder = self.question.store.join(what).join(key.short());
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let known = parts::present(&folder, what)?;
        let size = self.question.batch as u64;
        let ranges = parts::missing(&known, self.count, size);
        let mut done = self.count - ranges.iter().map(|r| r.end - r.start).sum::<u64>();
        for range in ranges {
            if stop.load(Ordering::Relaxed) {
                return Err(Stopped.into());
            }
            let found = ask(&self.batch(range.clone().collect())?)?;
            let arrays = found
                .into_iter()
                .map(|(name, rows)| {
                    let shape = rows.dims().to_vec();
                    Ok((name, Array::f32(&shape, rows.flatten_all()?.to_vec1()?)))
                })
                .collect::<Result<Vec<_>>>()?;
            npz::write(&parts::path(&folder, what, &range), &arrays)?;
            done += range.end - range.start;
            tell(Progress {
                done,
                total: self.count,
                unit: "images",
                note: String::new(),
            });
        }
        Ok(Answers {
            what: what.to_string(),
            folder,
            count: self.count,
        })
    }
}

/// What was found of images 0..count, on disk.
pub struct Answers {
    what: String,
    folder: PathBuf,
    count: u64,
}

impl Answers {
    /// The array `name` of the first `count` images, row by row.
    pub fn rows(&self, name: &str, count: u64) -> Result<Vec<f32>> {
        let count = count.min(self.count);
        let mut all = Vec::new();
        for (part, take) in parts::covering(&parts::present(&self.folder, &self.what)?, count)? {
            let array = Npz::open(&part.path)?.f32(name);
            let data = array
                .with_context(|| format!("reading {}", part.path.display()))?
                .data;
            let wide = data.len() / (part.range.end - part.range.start) as usize;
            all.extend_from_slice(&data[take.start * wide..take.end * wide]);
        }
        Ok(all)
    }
}
