//! Images through the feature net, batch by batch.

use crate::nets::features::FeatureNet;
use crate::spec::arch::Arch;
use crate::spec::experiment::{Kind, Model};
use crate::stages::feed::planes;
use crate::stages::weights;
use anyhow::{Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use std::path::Path;

/// Images a forward pass; without effect on the features.
const BATCH: usize = 64;

/// A feature net, ready.
pub struct Extractor {
    net: FeatureNet,
    pub classes: Vec<String>,
    device: Device,
}

/// Features of n images, row by row.
#[derive(Default)]
pub struct Rows {
    /// f32 [n, pool].
    pub pool: Vec<f32>,
    /// f32 [n, spatial].
    pub spatial: Vec<f32>,
    /// f32 [n, classes].
    pub logits: Vec<f32>,
}

impl Extractor {
    pub fn open(path: &Path, device: &Device) -> Result<Self> {
        let model = Model {
            kind: Kind::Features,
            ..Model::default()
        };
        let loaded = weights::load(path, &model, device)?;
        let Arch::Features(arch) = &loaded.arch else {
            bail!("{} holds no feature net", path.display())
        };
        let net = FeatureNet::new(arch, loaded.vb.clone())?;
        Ok(Self {
            net,
            classes: loaded.classes,
            device: device.clone(),
        })
    }

    /// u8 [n, side, side, 3] → features, appended to `rows`; `tick` hears of each batch's size.
    pub fn extract(
        &self,
        pixels: &[u8],
        side: usize,
        rows: &mut Rows,
        tick: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let each = side * side * 3;
        ensure!(
            each > 0 && pixels.len().is_multiple_of(each),
            "the images are not whole"
        );
        for batch in pixels.chunks(each * BATCH) {
            let n = batch.len() / each;
            let mut input = vec![0f32; batch.len()];
            input
                .par_chunks_mut(each)
                .zip(batch.par_chunks(each))
                .for_each(|(out, image)| planes(image, out));
            let x = Tensor::from_vec(input, (n, 3, side, side), &self.device)?;
            let features = self.net.forward(&x)?;
            for (rows, tensor) in [
                (&mut rows.pool, &features.pool),
                (&mut rows.spatial, &features.spatial),
                (&mut rows.logits, &features.logits),
            ] {
                rows.extend(
                    tensor
                        .flatten_all()?
                        .to_dtype(DType::F32)?
                        .to_vec1::<f32>()?,
                );
            }
            tick(n);
        }
        Ok(())
    }
}
