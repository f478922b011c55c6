//! Nets with made-up weights, ready to be timed.

use crate::diffusion::guidance::classifier::class_gradient;
use crate::kernels::gradients::record::recording;
use crate::kernels::tf32::with_products;
use crate::nets::adm::classifier::Classifier;
use crate::nets::denoiser::{Conditions, Denoiser};
use crate::nets::features::FeatureNet;
use crate::nets::inception::net::{self as inception, Inception, Taps};
use crate::nets::open::{Net, open};
use crate::nets::precision::{dtype, products};
use crate::random::stream::{polar, stream};
use crate::stages::cost::work::{Operation, Subject, Workload};
use anyhow::{Result, bail};
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use std::collections::HashMap;

/// Random numbers in the table that weights and images repeat: enough that no cache or unit sees them as constants.
const TABLE: usize = 1 << 16;

/// Made-up weights: their values do not matter to the time, as long as they are ordinary numbers.
struct MadeUp {
    table: Vec<f32>,
    /// Whether gradients in them are wanted.
    trained: bool,
}

impl MadeUp {
    fn new(trained: bool) -> MadeUp {
        let mut rng = stream(0, "probe", 0, 0);
        let normal = |_| {
            let (radius, angle) = polar(&mut rng);
            (radius * angle.cos()) as f32
        };
        MadeUp {
            table: (0..TABLE).map(normal).collect(),
            trained,
        }
    }

    /// Normal numbers of this deviation.
    fn normal(&self, shape: &[usize], deviation: f64) -> candle_core::Result<Tensor> {
        let count = shape.iter().product();
        let values = self.table.iter().map(|value| value * deviation as f32);
        let values: Vec<f32> = values
            .collect::<Vec<_>>()
            .into_iter()
            .cycle()
            .take(count)
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }
}

impl SimpleBackend for MadeUp {
    fn get(
        &self,
        shape: Shape,
        _: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let dims = shape.dims();
        let tensor = match init {
            Init::Const(value) if dims.len() == 1 => {
                Tensor::full(value as f32, dims, &Device::Cpu)?
            }
            Init::Uniform { up, .. } => self.normal(dims, up)?,
            Init::Randn { stdev, .. } => self.normal(dims, stdev)?,
            // Layers that start at zero would be spared work by some devices.
            Init::Const(_) | Init::Kaiming { .. } => self.normal(dims, 0.02)?,
        };
        let tensor = tensor.to_device(device)?.to_dtype(dtype)?;
        if self.trained {
            return Ok(Var::from_tensor(&tensor)?.into_inner());
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("`{name}` was asked for without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

enum Opened {
    Denoiser(Box<dyn Denoiser>),
    Classifier(Classifier),
    Features(FeatureNet),
    Inception(Box<Inception>),
}

/// A workload with all that a pass needs.
pub struct Ready<'a> {
    workload: &'a Workload,
    net: Opened,
    /// [n, 3, side, side] and, for a super-resolution net, the small images.
    images: Tensor,
    low: Option<Tensor>,
    times: Tensor,
    labels: Tensor,
    device: &'a Device,
}

impl<'a> Ready<'a> {
    /// # Errors
    /// Where no such net can be built, and where its device has no room for it.
    pub fn new(workload: &'a Workload, device: &'a Device) -> Result<Ready<'a>> {
        let trained = workload.operation == Operation::TrainingStep;
        let made_up = MadeUp::new(trained);
        let n = workload.batch;
        let (channels, side, low) = match &workload.subject {
            Subject::Net(arch) => {
                let channels = arch.trunk().map_or(3, |trunk| trunk.in_channels);
                (channels, arch.resolution(), arch.low_resolution())
            }
            Subject::Inception => (3, inception::SIDE, None),
        };
        let picture = |side: usize| -> Result<Tensor> {
            let images = made_up.normal(&[n, channels, side, side], 0.5)?;
            Ok(images.to_device(device)?)
        };
        let (images, low) = (picture(side)?, low.map(picture).transpose()?);
        let net = match &workload.subject {
            Subject::Inception => Opened::Inception(Box::new(inception_net(&made_up, device)?)),
            Subject::Net(arch) => {
                let vb = VarBuilder::from_backend(Box::new(made_up), DType::F32, device.clone());
                match open(arch, vb.to_dtype(dtype(workload.dtype)))? {
                    Net::Denoiser(net) => Opened::Denoiser(net),
                    Net::Classifier(net) => Opened::Classifier(net),
                    Net::Features(net) => Opened::Features(net),
                }
            }
        };
        Ok(Ready {
            workload,
            net,
            images,
            low,
            times: Tensor::full(500f32, n, device)?,
            labels: Tensor::zeros(n, DType::U32, device)?,
            device,
        })
    }

    /// One pass of the whole batch, waited for.
    pub fn pass(&self) -> Result<()> {
        with_products(products(self.workload.dtype), || self.calculate())?;
        Ok(self.device.synchronize()?)
    }

    fn calculate(&self) -> Result<()> {
        match (&self.net, self.workload.operation) {
            (Opened::Classifier(net), Operation::InputGradient) => {
                let log_probs = |x: &Tensor, t: &Tensor| net.log_probs(x, t);
                class_gradient(&log_probs, &self.labels, &self.images, &self.times)?;
            }
            (_, Operation::InputGradient) => bail!("guidance takes a classifier's gradient"),
            (_, Operation::TrainingStep) => {
                let (answer, record) = recording(|| self.answer());
                if let Some(answer) = answer? {
                    record.backward(&answer.to_dtype(DType::F32)?.sqr()?.sum_all()?)?;
                }
            }
            _ => drop(self.answer()?),
        }
        Ok(())
    }

    /// What the net answers; nothing of Inception, which is not trained.
    fn answer(&self) -> Result<Option<Tensor>> {
        let (x, t) = (&self.images, &self.times);
        Ok(Some(match &self.net {
            Opened::Classifier(net) => net.log_probs(x, t)?,
            Opened::Denoiser(net) => {
                let given = Conditions {
                    labels: net.classes().map(|_| &self.labels),
                    low: self.low.as_ref(),
                    ..Conditions::default()
                };
                net.denoise(x, t, &given)?
            }
            Opened::Features(net) => {
                let seen = net.forward(x)?;
                Tensor::cat(&[&seen.logits, &seen.attributes, &seen.spatial], 1)?
            }
            Opened::Inception(net) => {
                net.forward(x, Taps::EVALUATOR)?;
                return Ok(None);
            }
        }))
    }
}

fn inception_net(made_up: &MadeUp, device: &Device) -> candle_core::Result<Inception> {
    let shapes: HashMap<String, Vec<usize>> = inception::tensors().into_iter().collect();
    let get = |name: &str| {
        let Some(shape) = shapes.get(name) else {
            candle_core::bail!("Inception has no tensor `{name}`")
        };
        if shape.len() > 1 {
            let inputs: usize = shape[1..].iter().product();
            return made_up.normal(shape, (2.0 / inputs as f64).sqrt());
        }
        // Scales and variances are ones, so that the values stay ordinary from layer to layer.
        let ones = name.ends_with("bn.weight") || name.ends_with("running_var");
        Tensor::full(
            if ones { 1f32 } else { 0f32 },
            shape.as_slice(),
            &Device::Cpu,
        )
    };
    Inception::new(&get, device)
}
