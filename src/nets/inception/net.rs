//! FID's Inception-v3 (arXiv:1512.00567; the TensorFlow graph of 2015-12-05, as pytorch-fid and torch-fidelity run it).

use crate::kernels::linear::product::linear;
use crate::kernels::maps::{Activation, Conv, Maps};
use crate::machine::profile::{Operation, span};
use crate::nets::inception::blocks::{Block, CLASSES, EPS, POOL, Step, Unit, blocks, stem, units};
use candle_core::{DType, Device, Result, Tensor, bail};

/// Side of the images that it takes.
pub const SIDE: usize = 299;
/// Images that are described at once on the CPU, where larger batches leave the caches; without effect on the features.
pub const BATCH: usize = 16;
/// Images that are described at once on a GPU, which few images do not fill: an H200 takes 28.9 ms for 64 of them.
pub const GPU_BATCH: usize = 64;
/// Channels of the spatial features: the first of `Mixed_6d.branch1x1`.
const SPATIAL: usize = 7;

/// Which features to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    pub pool64: bool,
    pub pool192: bool,
    pub pool768: bool,
    pub pool: bool,
    pub spatial: bool,
    pub logits_unbiased: bool,
    pub logits: bool,
}

impl Taps {
    pub const ALL: Taps = Taps {
        pool64: true,
        pool192: true,
        pool768: true,
        pool: true,
        spatial: true,
        logits_unbiased: true,
        logits: true,
    };
    pub const NONE: Taps = Taps {
        pool64: false,
        pool192: false,
        pool768: false,
        pool: false,
        spatial: false,
        logits_unbiased: false,
        logits: false,
    };
    /// What FID, sFID and the Inception Score need.
    pub const EVALUATOR: Taps = Taps {
        pool: true,
        spatial: true,
        logits_unbiased: true,
        ..Taps::NONE
    };

    /// Whether anything after the last block is wanted.
    fn head(&self) -> bool {
        self.pool || self.logits_unbiased || self.logits
    }
}

/// What the net sees in n images, f32; what was not asked for is none.
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// [n, 64]: means after the first pool.
    pub pool64: Option<Tensor>,
    /// [n, 192]: means after the second pool.
    pub pool192: Option<Tensor>,
    /// [n, 768]: means of `Mixed_6e`.
    pub pool768: Option<Tensor>,
    /// [n, 2048]: means of the last block, FID's features (`pool_3`; arXiv:1706.08500).
    pub pool: Option<Tensor>,
    /// [n, 2023]: the first 7 channels of `Mixed_6d.branch1x1` (`mixed_6/conv`), 17 x 17 pixels, pixel by pixel; sFID's
    /// (arXiv:2103.03841).
    pub spatial: Option<Tensor>,
    /// [n, 1008]: without the head's bias, as the Inception Score's first program takes them (arXiv:1606.03498).
    pub logits_unbiased: Option<Tensor>,
    /// [n, 1008].
    pub logits: Option<Tensor>,
}

/// Names and shapes of all tensors that the net asks for, as in the `.pth` (without its counters of batches).
pub fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = Vec::new();
    for unit in units() {
        let (kh, kw) = unit.kernel;
        let weight = vec![unit.cout, unit.cin, kh, kw];
        all.push((format!("{}.conv.weight", unit.name), weight));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            all.push((format!("{}.bn.{part}", unit.name), vec![unit.cout]));
        }
    }
    all.push(("fc.weight".into(), vec![CLASSES, POOL]));
    all.push(("fc.bias".into(), vec![CLASSES]));
    all
}

/// Reads a net's tensors by their names in the `.pth`.
struct Weights<'a> {
    get: &'a dyn Fn(&str) -> Result<Tensor>,
    device: &'a Device,
}

impl Weights<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = (self.get)(name)?;
        if tensor.dims() != shape {
            bail!(
                "tensor `{name}` is {:?}, Inception-v3 needs {shape:?}",
                tensor.dims()
            )
        }
        tensor.to_dtype(DType::F32)?.to_device(self.device)
    }

    /// The values of `unit`'s batch normalisation called `part`.
    fn norm(&self, unit: &Unit, part: &str) -> Result<Vec<f64>> {
        let name = format!("{}.bn.{part}", unit.name);
        let tensor = self.tensor(&name, &[unit.cout])?;
        tensor.to_dtype(DType::F64)?.to_vec1::<f64>()
    }

    /// The convolution with its batch normalisation folded into weight and bias, in f64.
    fn conv(&self, unit: &Unit) -> Result<Conv> {
        let (kh, kw) = unit.kernel;
        let name = format!("{}.conv.weight", unit.name);
        let weight = self.tensor(&name, &[unit.cout, unit.cin, kh, kw])?;
        let (gamma, beta) = (self.norm(unit, "weight")?, self.norm(unit, "bias")?);
        let mean = self.norm(unit, "running_mean")?;
        let scales: Vec<f64> = self
            .norm(unit, "running_var")?
            .iter()
            .zip(gamma)
            .map(|(variance, gamma)| gamma / (variance + EPS).sqrt())
            .collect();
        let mut values = weight.flatten_all()?.to_vec1::<f32>()?;
        for (row, scale) in values.chunks_exact_mut(unit.cin * kh * kw).zip(&scales) {
            for value in row {
                *value = (f64::from(*value) * scale) as f32;
            }
        }
        let bias: Vec<f32> = beta
            .iter()
            .zip(mean.iter().zip(&scales))
            .map(|(beta, (mean, scale))| (beta - mean * scale) as f32)
            .collect();
        let weight = Tensor::from_vec(values, weight.shape(), self.device)?;
        let bias = Tensor::from_vec(bias, unit.cout, self.device)?;
        Conv::new(&weight, &bias, unit.stride, unit.padding, Activation::Relu)
    }
}

pub struct Inception {
    first: [Conv; 3],
    second: [Conv; 2],
    blocks: Vec<Block<Conv>>,
    /// [1008, 2048] and [1008]
    head: (Tensor, Tensor),
}

impl Inception {
    /// Asks `get` for every tensor of [`tensors`], in that order; their types and devices do not matter.
    ///
    /// # Errors
    /// Those of `get`, and a tensor of another shape.
    pub fn new(get: &dyn Fn(&str) -> Result<Tensor>, device: &Device) -> Result<Inception> {
        let weights = Weights { get, device };
        let (first, second) = stem();
        let ([a1, a2, a3], [b1, b2]) = (&first, &second);
        Ok(Inception {
            first: [weights.conv(a1)?, weights.conv(a2)?, weights.conv(a3)?],
            second: [weights.conv(b1)?, weights.conv(b2)?],
            blocks: blocks()
                .iter()
                .map(|block| block.map(&mut |unit| weights.conv(unit)))
                .collect::<Result<_>>()?,
            head: (
                weights.tensor("fc.weight", &[CLASSES, POOL])?,
                weights.tensor("fc.bias", &[CLASSES])?,
            ),
        })
    }

    /// x [n, 3, 299, 299] f32, normalised as the weights want it (about -1..1) → the features that `taps` names.
    ///
    /// On the CPU an image's features have the same bits whatever the batch and the number of threads.
    pub fn forward(&self, x: &Tensor, taps: Taps) -> Result<Features> {
        let _span = span(Operation::Inception);
        let (_, c, h, w) = x.dims4()?;
        if (c, h, w) != (3, SIDE, SIDE) {
            bail!("Inception-v3 takes 3 x {SIDE} x {SIDE} images, not {c} x {h} x {w}");
        }
        let mut features = Features::default();
        let mut maps = Maps::new(x)?;
        for conv in &self.first {
            maps = maps.conv(conv)?;
        }
        maps = maps.max3(2, 0)?;
        features.pool64 = taps.pool64.then(|| maps.means()).transpose()?;
        for conv in &self.second {
            maps = maps.conv(conv)?;
        }
        maps = maps.max3(2, 0)?;
        features.pool192 = taps.pool192.then(|| maps.means()).transpose()?;
        for block in &self.blocks[..last_block(taps)] {
            maps = run(block, &maps)?;
            match block.name {
                "Mixed_6d" if taps.spatial => features.spatial = Some(maps.first(SPATIAL)?),
                "Mixed_6e" if taps.pool768 => features.pool768 = Some(maps.means()?),
                _ => {}
            }
        }
        if taps.head() {
            self.answer(maps.means()?, taps, &mut features)?;
        }
        Ok(features)
    }

    fn answer(&self, pool: Tensor, taps: Taps, features: &mut Features) -> Result<()> {
        let (weight, bias) = &self.head;
        if taps.logits || taps.logits_unbiased {
            let logits = linear(&pool, weight, None)?;
            features.logits = taps
                .logits
                .then(|| logits.broadcast_add(bias))
                .transpose()?;
            features.logits_unbiased = taps.logits_unbiased.then_some(logits);
        }
        features.pool = taps.pool.then_some(pool);
        Ok(())
    }
}

/// How many blocks have to run.
fn last_block(taps: Taps) -> usize {
    match taps {
        _ if taps.head() => 11,
        Taps { pool768: true, .. } => 8,
        Taps { spatial: true, .. } => 7,
        _ => 0,
    }
}

fn run(block: &Block<Conv>, x: &Maps) -> Result<Maps> {
    let (_, _, h, w) = x.dims()?;
    let size = if block.halves {
        ((h - 1) / 2, (w - 1) / 2)
    } else {
        (h, w)
    };
    let mut stack = x.stack(block.channels, size);
    for branch in &block.branches {
        let Some((last, before)) = branch.split_last() else {
            bail!("{} has a branch without a step", block.name)
        };
        let mut maps = x.clone();
        for step in before {
            maps = match step {
                Step::Conv(conv) => maps.conv(conv)?,
                Step::Max { stride, pad } => maps.max3(*stride, *pad)?,
                Step::Mean => maps.mean3()?,
                Step::Fork(_) => bail!("{} forks before its end", block.name),
            };
        }
        match last {
            Step::Conv(conv) => stack.conv(&maps, conv)?,
            Step::Max { stride, pad } => stack.max3(&maps, *stride, *pad)?,
            Step::Mean => stack.mean3(&maps)?,
            Step::Fork(two) => two.iter().try_for_each(|conv| stack.conv(&maps, conv))?,
        }
    }
    stack.finish()
}
