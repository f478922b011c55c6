//! Training batches: which image comes when, mirrored or cropped how, prepared ahead of the net by a thread of its own.

use crate::data::shapes::{self, Scene, Stream};
use crate::data::source::{Augment, Example, Source};
use crate::experiment::file::experiment::Train;
use crate::machine::cores;
use crate::machine::profile::{Operation, span};
use crate::random::stream::{Rng, stream};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Batches prepared ahead: enough to hide a slow disk, little enough to forget.
const AHEAD: usize = 3;

/// One training batch, in host memory.
pub struct Batch {
    /// Position of the first image in the run's endless sequence of draws; noise is keyed by it.
    pub first_draw: u64,
    /// f32 [n, 3, resolution, resolution] in [-1, 1].
    pub pixels: Vec<f32>,
    pub resolution: usize,
    /// `[n]`, or empty for data without classes.
    pub labels: Vec<u32>,
    /// f32 [n, attributes], or empty.
    pub attributes: Vec<f32>,
}

impl Batch {
    /// Images in the batch.
    pub fn count(&self) -> usize {
        self.pixels.len() / (3 * self.resolution * self.resolution)
    }

    /// The images `range` of it as a batch of their own.
    pub fn part(&self, range: Range<usize>) -> Batch {
        let count = self.count().max(1);
        Batch {
            first_draw: self.first_draw + range.start as u64,
            pixels: rows(&self.pixels, count, &range),
            resolution: self.resolution,
            labels: rows(&self.labels, count, &range),
            attributes: rows(&self.attributes, count, &range),
        }
    }

    /// f32 [n, 3, resolution, resolution].
    pub fn images(&self, device: &Device) -> candle_core::Result<Tensor> {
        let side = self.resolution;
        Tensor::from_slice(&self.pixels, (self.count(), 3, side, side), device)
    }

    /// u32 `[n]`, or nothing for data without classes.
    pub fn labels(&self, device: &Device) -> candle_core::Result<Option<Tensor>> {
        if self.labels.is_empty() {
            return Ok(None);
        }
        Tensor::from_slice(&self.labels, self.labels.len(), device).map(Some)
    }
}

/// Rows `range` of `count` equal ones; nothing of nothing.
fn rows<T: Clone>(values: &[T], count: usize, range: &Range<usize>) -> Vec<T> {
    let width = values.len() / count;
    values[range.start * width..range.end * width].to_vec()
}

/// Labels in the place of the data's own.
pub trait Labels: Send + Sync {
    /// Of the images `indices` of the data; `images`, u8 [n, side, side, 3], are they as they are trained on.
    ///
    /// # Errors
    /// Those of whatever finds them.
    fn of(&self, indices: &[u64], images: &[u8], side: usize) -> Result<Vec<u32>>;
}

/// What the batches are made of.
pub struct Feed {
    sources: Vec<Source>,
    resolutions: Vec<usize>,
    train: Train,
    attributes: bool,
    labels: Option<(Vec<String>, Box<dyn Labels>)>,
    order: Order,
}

impl Feed {
    /// Batches of `train.data` at each of `resolutions` in turn.
    ///
    /// # Errors
    /// Data that cannot be read.
    pub fn open(train: &Train, stream: Stream, resolutions: &[usize]) -> Result<Self> {
        let sources = resolutions
            .iter()
            .map(|&side| Source::open(&train.data, stream, side))
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("train.data = {:?}", train.data))?;
        let order = Order {
            seed: train.seed,
            len: sources[0].len(),
            shuffled: None,
        };
        Ok(Self {
            sources,
            resolutions: resolutions.to_vec(),
            train: train.clone(),
            attributes: false,
            labels: None,
            order,
        })
    }

    /// The same with the scenes' attributes.
    ///
    /// # Errors
    /// Data other than shapes, of which no attributes are known.
    pub fn with_attributes(self) -> Result<Self> {
        ensure!(
            self.train.data == "shapes",
            "attributes are known of shapes only, not of {:?}",
            self.train.data
        );
        Ok(Self {
            attributes: true,
            ..self
        })
    }

    /// The same with `labels` of these classes in the place of the data's own.
    pub fn labelled(self, classes: Vec<String>, labels: Box<dyn Labels>) -> Self {
        Self {
            labels: Some((classes, labels)),
            ..self
        }
    }

    /// Images of the data; none where there is no end to them.
    pub fn len(&self) -> Option<u64> {
        self.sources[0].len()
    }

    /// Never: an empty collection cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Images `indices` of the data at the first resolution, neither mirrored nor cropped at random: u8 [n, side, side, 3].
    ///
    /// # Errors
    /// Images that cannot be read.
    pub fn plain(&self, indices: &[u64]) -> Result<Vec<u8>> {
        let read = |&index: &u64| Ok(self.sources[0].get(index, Augment::default())?.pixels);
        let images = indices.par_iter().map(read);
        let images: Vec<Vec<u8>> = images.collect::<Result<_>>()?;
        Ok(images.concat())
    }

    /// What whoever trains on the data should hear of it.
    pub fn remarks(&self) -> Vec<String> {
        self.sources[0].remarks()
    }

    pub fn classes(&self) -> Vec<String> {
        match &self.labels {
            Some((classes, _)) => classes.clone(),
            None => self.sources[0].classes().to_vec(),
        }
    }

    /// The batch of update `step`: a pure function of the file and the step.
    pub fn batch(&mut self, step: u64) -> Result<Batch> {
        let _span = span(Operation::TrainingBatch);
        let turn = step as usize % self.sources.len();
        let (source, side) = (&self.sources[turn], self.resolutions[turn]);
        let n = self.train.batch;
        let first_draw = step * n as u64;
        let indices: Vec<u64> = (0..n as u64)
            .map(|j| self.order.index(first_draw + j))
            .collect();
        let mut pixels = vec![0f32; n * 3 * side * side];
        let examples = pixels
            .par_chunks_mut(3 * side * side)
            .zip(&indices)
            .enumerate()
            .map(|(j, (out, &index))| {
                let example = source.get(index, self.augment(first_draw + j as u64))?;
                planes(&example.pixels, out);
                Ok(example)
            })
            .collect::<Result<Vec<Example>>>()?;
        let labels = match &self.labels {
            None => {
                let labels = examples.iter().map(|example| example.label);
                labels.collect::<Option<Vec<u32>>>().unwrap_or_default()
            }
            Some((_, labels)) => {
                let images = examples.iter().map(|example| example.pixels.as_slice());
                labels.of(&indices, &images.collect::<Vec<_>>().concat(), side)?
            }
        };
        let attributes = if self.attributes {
            scene_attributes(&indices)
        } else {
            Vec::new()
        };
        Ok(Batch {
            first_draw,
            pixels,
            resolution: side,
            labels,
            attributes,
        })
    }

    /// Runs `batch` for `steps` on a thread of its own, a few batches ahead. The images are made by threads apart from
    /// the kernels': whoever trains is one of those, and waits for the next batch.
    ///
    /// # Errors
    /// Where the system gives no more threads.
    pub fn start(mut self, steps: Range<u64>) -> Result<Receiver<Result<Batch>>> {
        let (send, receive) = sync_channel(AHEAD);
        let makers = ThreadPoolBuilder::new()
            .num_threads(rayon::current_num_threads())
            .thread_name(|k| format!("feed {k}"))
            .start_handler(|_| cores::roam())
            .build()?;
        thread::spawn(move || {
            cores::roam();
            for step in steps {
                let batch = makers.install(|| self.batch(step));
                let failed = batch.is_err();
                let _span = span(Operation::WaitBatchAhead);
                if send.send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Ok(receive)
    }

    fn augment(&self, draw: u64) -> Augment {
        let mut rng = stream(self.train.seed, "augment", draw, 0);
        Augment {
            flip: self.train.flip && rng.next_u32() & 1 == 1,
            crop: self.train.random_crop.then(|| rng.next_u64()),
        }
    }
}

/// u8 [h, w, 3] → f32 [3, h, w] in [-1, 1] (ADM: u8 / 127.5 - 1).
pub fn planes(pixels: &[u8], out: &mut [f32]) {
    let area = out.len() / 3;
    for (p, rgb) in pixels.chunks_exact(3).enumerate() {
        for c in 0..3 {
            out[c * area + p] = rgb[c] as f32 / 127.5 - 1.0;
        }
    }
}

fn scene_attributes(indices: &[u64]) -> Vec<f32> {
    let mut all = Vec::with_capacity(indices.len() * shapes::ATTRIBUTES);
    for &index in indices {
        all.extend_from_slice(&Scene::of(Stream::Train, index).attributes());
    }
    all
}

/// Which image the n-th draw takes: in order for endless data, else epochs of shuffled passes.
struct Order {
    seed: u64,
    len: Option<u64>,
    shuffled: Option<(u64, Vec<u32>)>,
}

impl Order {
    fn index(&mut self, draw: u64) -> u64 {
        let Some(len) = self.len else { return draw };
        let epoch = draw / len;
        if self.shuffled.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.shuffled = Some((epoch, shuffle(self.seed, epoch, len as u32)));
        }
        self.shuffled
            .as_ref()
            .map_or(0, |(_, order)| order[(draw % len) as usize] as u64)
    }
}

/// Fisher–Yates over 0..len with the epoch's own stream.
fn shuffle(seed: u64, epoch: u64, len: u32) -> Vec<u32> {
    let mut rng = stream(seed, "epoch", epoch, 0);
    let mut order: Vec<u32> = (0..len).collect();
    for i in (1..order.len()).rev() {
        // The modulo's bias is below 2^-32 for any data set that fits in u32.
        order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_every_image_once_and_the_next_in_another_order() {
        let mut order = Order {
            seed: 3,
            len: Some(100),
            shuffled: None,
        };
        let first: Vec<u64> = (0..100).map(|d| order.index(d)).collect();
        let second: Vec<u64> = (100..200).map(|d| order.index(d)).collect();
        let sorted = |mut v: Vec<u64>| {
            v.sort_unstable();
            v
        };
        assert_eq!(sorted(first.clone()), (0..100).collect::<Vec<u64>>());
        assert_eq!(sorted(second.clone()), (0..100).collect::<Vec<u64>>());
        assert_ne!(first, second);
        assert_eq!(order.index(7), first[7]);
    }
}
