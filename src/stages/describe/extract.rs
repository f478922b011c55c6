//! Images through a feature net, batch by batch: the net of a world made by rule, or Inception.

use crate::data::resize::input;
use crate::experiment::file::experiment::{Kind, Model};
use crate::experiment::nets::arch::Arch;
use crate::experiment::scoring::feature_space::{FeatureSpace, INCEPTION, OWN_NET};
use crate::experiment::scoring::rules::{Filter, Preprocessing};
use crate::io::checkpoint::Checkpoint;
use crate::io::image::file::Rgb8;
use crate::io::numpy::npz::Array;
use crate::jobs::inputs::card::card;
#[cfg(feature = "cuda")]
use crate::kernels::cuda::resize::{Rule, resize};
use crate::machine::cores::beside;
use crate::machine::profile::{Operation, span};
use crate::nets::features::{self, FeatureNet};
use crate::nets::inception::net::{BATCH as INCEPTION_BATCH, GPU_BATCH, Inception, Taps};
use crate::stages::describe::inception;
use crate::stages::feed::planes;
use crate::stages::weights;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::iter;
use std::path::Path;
use std::slice::Chunks;
use std::sync::mpsc::sync_channel;
use std::thread;

/// A feature net that was trained here: its card says the rest.
pub(crate) fn model() -> Model {
    Model {
        kind: Kind::Features,
        ..Model::default()
    }
}

enum Net {
    Features(FeatureNet),
    Inception(Box<Inception>),
}

/// A feature net, ready.
pub struct Extractor {
    net: Net,
    /// Class names, or none where the file does not say.
    pub classes: Vec<String>,
    /// What all names of the file begin with beside the net's own: it was passed over.
    pub prefix: String,
    device: Device,
}

/// Features of n images, row by row.
#[derive(Default)]
pub struct Rows {
    /// f32 [n, pool].
    pub pool: Vec<f32>,
    /// f32 [n, spatial].
    pub spatial: Vec<f32>,
    /// f32 [n, classes]; Inception's without the bias of its last layer, as the Inception Score takes them.
    pub logits: Vec<f32>,
}

impl Rows {
    /// The features of n images by the names that they have in stored parts, [n, ..] each; those that the net gives.
    pub fn arrays(self, n: usize) -> Vec<(&'static str, Array)> {
        let kinds = [
            ("pool", self.pool),
            ("spatial", self.spatial),
            ("logits", self.logits),
        ];
        let given = kinds.into_iter().filter(|(_, values)| !values.is_empty());
        let wide = |(name, values): (&'static str, Vec<f32>)| {
            (name, Array::f32(&[n, values.len() / n.max(1)], values))
        };
        given.map(wide).collect()
    }
}

impl Extractor {
    /// Opens a feature net that was trained here or, told apart by content, Inception's weights; `key` names the
    /// dictionary of a torch file that holds several.
    pub fn open(path: &Path, key: Option<&str>, device: &Device) -> Result<Self> {
        let _span = span(Operation::OpenNet);
        let file = Checkpoint::open_key(path, key)?;
        if card(&file)?.is_none() {
            let look = inception::look(path, key)?;
            let net = look.net(device)?;
            return Ok(Self {
                prefix: look.prefix,
                net: Net::Inception(Box::new(net)),
                classes: Vec::new(),
                device: device.clone(),
            });
        }
        let loaded = weights::load(path, &model(), device)?;
        let Arch::Features(arch) = &loaded.arch else {
            bail!("{} holds no feature net", path.display())
        };
        let net = FeatureNet::new(arch, loaded.vb.clone())?;
        Ok(Self {
            net: Net::Features(net),
            classes: loaded.classes,
            prefix: loaded.prefix,
            device: device.clone(),
        })
    }

    /// The space of its features.
    pub fn space(&self) -> &'static FeatureSpace {
        match self.net {
            Net::Features(_) => &OWN_NET,
            Net::Inception(_) => &INCEPTION,
        }
    }

    /// Images a forward pass; without effect on the features.
    pub fn batch(&self) -> usize {
        match self.net {
            Net::Features(_) => features::BATCH,
            Net::Inception(_) if self.device.is_cpu() => INCEPTION_BATCH,
            Net::Inception(_) => GPU_BATCH,
        }
    }

    /// u8 [n, side, side, 3] → features, appended to `rows`; `tick` hears of each batch's size. `how` resizes for
    /// a published network; nets trained here take images as they are.
    pub fn extract(
        &self,
        pixels: &[u8],
        side: usize,
        how: Preprocessing,
        rows: &mut Rows,
        tick: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let each = side * side * 3;
        ensure!(
            each > 0 && pixels.len().is_multiple_of(each),
            "the images are not whole"
        );
        let batches = pixels.chunks(each * self.batch());
        let Net::Features(net) = &self.net else {
            return self.resized(batches, side, how, rows, tick);
        };
        for batch in batches {
            self.through(net, batch, side, rows)?;
            tick(batch.len() / each);
        }
        Ok(())
    }

    /// Whether images come to it as they are, to be resized where the net is: a GPU does it by the bilinear rules, which
    /// give the same bits there.
    pub fn resizes(&self, how: Preprocessing) -> bool {
        cfg!(feature = "cuda") && self.device.is_cuda() && how.filter() == Filter::Bilinear
    }

    /// Each of `batches`, u8 [n, side, side, 3], resized and through Inception. Where a GPU does not resize, a thread is a
    /// batch ahead of it; on the CPU the net and what resizes share the cores.
    fn resized(
        &self,
        batches: Chunks<'_, u8>,
        side: usize,
        how: Preprocessing,
        rows: &mut Rows,
        tick: &mut dyn FnMut(usize),
    ) -> Result<()> {
        if self.resizes(how) {
            for batch in batches {
                self.through_inception(&self.uploaded(batch, (side, side), how)?, rows)?;
                tick(batch.len() / (3 * side * side));
            }
            return Ok(());
        }
        let mut describe = |inputs: Vec<f32>| -> Result<()> {
            let n = inputs.len() / how.input_len();
            self.describe(inputs, how, rows)?;
            tick(n);
            Ok(())
        };
        let mut batches = batches.map(|batch| inputs(batch, side, how));
        if self.device.is_cpu() {
            return batches.try_for_each(|inputs| describe(inputs?));
        }
        thread::scope(|scope| {
            let (send, receive) = sync_channel(1);
            // Nobody takes what comes after an error.
            scope.spawn(move || batches.try_for_each(|inputs| send.send(inputs)));
            let ready = || {
                let _span = span(Operation::WaitImages);
                receive.recv().ok()
            };
            iter::from_fn(ready).try_for_each(|inputs| describe(inputs?))
        })
    }

    /// f32 [n, 3, side, side], made by `how` → features, appended to `rows`.
    ///
    /// # Errors
    /// Those of the net, and a net that takes pixels as they are.
    pub fn describe(&self, inputs: Vec<f32>, how: Preprocessing, rows: &mut Rows) -> Result<()> {
        let shape = (inputs.len() / how.input_len(), 3, how.side(), how.side());
        self.through_inception(&Tensor::from_vec(inputs, shape, &self.device)?, rows)
    }

    /// Images, resized by `how` where the net is → features, appended to `rows`: the bits of [`Extractor::describe`].
    ///
    /// # Errors
    /// As [`Extractor::describe`].
    pub fn describe_images(
        &self,
        images: &[Rgb8],
        how: Preprocessing,
        rows: &mut Rows,
    ) -> Result<()> {
        let Some(first) = images.first() else {
            return Ok(());
        };
        let size = (first.h, first.w);
        if self.resizes(how) && images.iter().all(|image| (image.h, image.w) == size) {
            let pixels: Vec<&[u8]> = images.iter().map(|image| &image.data[..]).collect();
            return self.through_inception(&self.uploaded(&pixels.concat(), size, how)?, rows);
        }
        // Images of several sizes are resized one by one.
        self.describe(filled(images, how)?, how, rows)
    }

    /// u8 [n, h, w, 3] → f32 [n, 3, side, side] on the GPU, resized there by `how`.
    #[cfg(feature = "cuda")]
    fn uploaded(&self, pixels: &[u8], size: (usize, usize), how: Preprocessing) -> Result<Tensor> {
        let _span = span(Operation::Resize);
        let rule = match how {
            Preprocessing::Tf1 => Rule::Tensorflow,
            Preprocessing::Torch => Rule::Pytorch,
            Preprocessing::TorchBytes => Rule::PytorchBytes,
            Preprocessing::Clean => bail!("a GPU does not resize by Pillow's bicubic"),
        };
        Ok(resize(pixels, size, rule, how.side(), &self.device)?)
    }

    #[cfg(not(feature = "cuda"))]
    fn uploaded(&self, _: &[u8], _: (usize, usize), how: Preprocessing) -> Result<Tensor> {
        bail!("{} is resized on a GPU by a build with one", how.name())
    }

    fn through_inception(&self, x: &Tensor, rows: &mut Rows) -> Result<()> {
        let Net::Inception(net) = &self.net else {
            bail!("this feature net takes pixels as they are, not resized")
        };
        let features = beside(&self.device, || net.forward(x, Taps::EVALUATOR))?;
        for (rows, tensor) in [
            (&mut rows.pool, &features.pool),
            (&mut rows.spatial, &features.spatial),
            (&mut rows.logits, &features.logits_unbiased),
        ] {
            append(
                rows,
                tensor.as_ref().context("Inception left a feature out")?,
            )?;
        }
        Ok(())
    }

    fn through(&self, net: &FeatureNet, batch: &[u8], side: usize, rows: &mut Rows) -> Result<()> {
        let each = side * side * 3;
        let n = batch.len() / each;
        let mut input = vec![0f32; batch.len()];
        input
            .par_chunks_mut(each)
            .zip(batch.par_chunks(each))
            .for_each(|(out, image)| planes(image, out));
        let x = Tensor::from_vec(input, (n, 3, side, side), &self.device)?;
        let features = beside(&self.device, || net.forward(&x))?;
        append(&mut rows.pool, &features.pool)?;
        append(&mut rows.spatial, &features.spatial)?;
        append(&mut rows.logits, &features.logits)
    }
}

/// u8 [n, side, side, 3] → f32 [n, 3, s, s], as `how` resizes for its net.
fn inputs(batch: &[u8], side: usize, how: Preprocessing) -> Result<Vec<f32>> {
    let image = |data: &[u8]| Rgb8 {
        w: side,
        h: side,
        data: data.to_vec(),
    };
    let images: Vec<Rgb8> = batch.par_chunks(side * side * 3).map(image).collect();
    filled(&images, how)
}

/// Images of any sizes → f32 [n, 3, s, s], as `how` resizes for its net.
fn filled(images: &[Rgb8], how: Preprocessing) -> Result<Vec<f32>> {
    let _span = span(Operation::Resize);
    let mut inputs = vec![0f32; images.len() * how.input_len()];
    inputs
        .par_chunks_mut(how.input_len())
        .zip(images)
        .try_for_each(|(out, image)| input::fill(image, how, out))?;
    Ok(inputs)
}

fn append(rows: &mut Vec<f32>, tensor: &Tensor) -> Result<()> {
    let _span = span(Operation::Fetch);
    let values = tensor.flatten_all()?.to_dtype(DType::F32)?;
    rows.extend(values.to_vec1::<f32>()?);
    Ok(())
}
