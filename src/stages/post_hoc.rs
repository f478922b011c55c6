//! An average of a training's weights that nobody tracked, put together from snapshots of others (arXiv:2312.02696,
//! section 3.2 and appendix C).

use crate::diffusion::training::power_ema::{Profile, fit};
use crate::experiment::file::experiment::Model;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::context::JobContext;
use crate::jobs::files::results::snapshot;
use crate::jobs::inputs::averages::PostHoc;
use crate::stages::weights::{self, Loaded};
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::path::{Path, PathBuf};

/// Beyond this the average that is made is another one than what was asked for.
const FAR: f64 = 0.05;

/// The net of `model` with the average `wanted`, made of the snapshots in `folder`, that of a training.
///
/// # Errors
/// A snapshot that is missing, or holds another net.
pub fn load(
    folder: &Path,
    wanted: &PostHoc,
    model: &Model,
    context: &JobContext,
) -> Result<Loaded> {
    let made = Synthesised::open(folder, wanted)?;
    let told = format!(
        "the average of sigma_rel {} at step {} is made of snapshots at {} steps; its profile is off by {:.2} %",
        wanted.sigma_rel,
        wanted.at,
        wanted.steps.len(),
        100.0 * made.error
    );
    context.log(&told);
    if made.error > FAR {
        let cure = "more snapshots (`train.power_ema.every`) or a nearer width bring it closer";
        context.warn(&format!("{told}; {cure}"));
    }
    let mut loaded = weights::load(made.path()?, model, &context.device)?;
    loaded.vb = VarBuilder::from_backend(Box::new(made), DType::F32, context.device.clone());
    Ok(loaded)
}

/// Weights as a sum of snapshots; a tensor is made when it is asked for.
pub struct Synthesised {
    /// Each with its factor; those that do not count are left out.
    files: Vec<(Checkpoint, f64)>,
    /// How far its profile is from the one asked for, as a share of that one's norm.
    pub error: f64,
}

impl Synthesised {
    /// Opens the snapshots in `folder`, that of a training.
    ///
    /// # Errors
    /// A snapshot that is missing or is no checkpoint.
    pub fn open(folder: &Path, wanted: &PostHoc) -> Result<Synthesised> {
        let named = wanted.steps.iter().flat_map(|&steps| {
            let widths = wanted.widths.iter();
            widths.map(move |&width| {
                (
                    folder.join(snapshot(width, steps)),
                    Profile::new(width, steps),
                )
            })
        });
        let (paths, profiles): (Vec<PathBuf>, Vec<Profile>) = named.unzip();
        let fit = fit(&profiles, Profile::new(wanted.sigma_rel, wanted.at))?;
        let counting = paths
            .iter()
            .zip(&fit.factors)
            .filter(|(_, factor)| **factor != 0.0);
        let files = counting.map(|(path, factor)| Ok((Checkpoint::open(path)?, *factor)));
        Ok(Synthesised {
            files: files.collect::<Result<_>>()?,
            error: fit.error,
        })
    }

    /// One of the snapshots, which say what the net is.
    pub fn path(&self) -> Result<&Path> {
        let (file, _) = self.files.last().context("there are no snapshots")?;
        Ok(file.path())
    }

    /// One tensor, summed in f64, as f32.
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Tensor> {
        let mut sum: Vec<f64> = Vec::new();
        let mut shape: Option<Shape> = None;
        for (file, factor) in &self.files {
            let part = file.tensor(name, &Device::Cpu)?;
            let shape = shape.get_or_insert_with(|| part.shape().clone());
            ensure!(
                part.shape() == shape,
                "tensor `{name}` is {:?} in {}, in other snapshots {shape:?}",
                part.shape(),
                file.path().display()
            );
            sum.resize(part.elem_count(), 0.0);
            let values = part.flatten_all()?.to_vec1::<f32>()?;
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += factor * f64::from(value);
            }
        }
        let shape = shape.context("there are no snapshots")?;
        let values: Vec<f32> = sum.into_iter().map(|value| value as f32).collect();
        Ok(Tensor::from_vec(values, shape, device)?)
    }
}

impl SimpleBackend for Synthesised {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            candle_core::bail!(
                "tensor `{name}` is {:?} in the snapshots, the net needs {:?}",
                tensor.dims(),
                shape.dims()
            )
        }
        Ok(tensor)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor(name, device)
            .map_err(|e| candle_core::Error::Msg(format!("{e:#}")))?
            .to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let holds = |(file, _): &(Checkpoint, f64)| file.shapes().contains_key(name);
        self.files.last().is_some_and(holds)
    }
}
