//! What the published files of Inception's weights call its tensors: the `.pth`, NVIDIA's TorchScript, TensorFlow's graph.
//!
//! All three hold the same numbers; TensorFlow keeps kernels as `[h, w, in, out]`, and NVIDIA leaves out the scales of the
//! batch normalisations, which are ones.

use crate::nets::inception::net::tensors;
use candle_core::{DType, Device, Result, Tensor, bail};
use std::collections::{BTreeSet, HashMap};

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Conv2d_1a_3x3.conv.weight`: pytorch-fid, torch-fidelity, and safetensors made of theirs.
    Torch,
    /// `layers.conv.weight`: the TorchScript of StyleGAN2-ADA and clean-fid.
    Nvidia,
    /// `conv/conv2d_params`: the constants of `classify_image_graph_def.pb`.
    Tensorflow,
}

/// How a file's tensor becomes the net's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    AsItIs,
    /// [h, w, in, out] to [out, in, h, w]
    Kernel,
    /// [in, out] to [out, in]
    Matrix,
}

/// Where one of the net's tensors comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Stored {
        name: String,
        order: Order,
    },
    /// The file has no such scales: as many ones.
    Ones(usize),
}

/// The tensors of a file by the net's own names.
#[derive(Clone, Debug)]
pub struct Names {
    pub scheme: Scheme,
    sources: HashMap<String, Source>,
}

impl Names {
    /// Tells the scheme from the names of all tensors in a file; others that the net does not need may be among them.
    ///
    /// # Errors
    /// Names of none of the schemes, and a tensor that is missing.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Names> {
        let present: BTreeSet<&str> = names.into_iter().collect();
        let told = [
            ("Conv2d_1a_3x3.conv.weight", Scheme::Torch),
            ("layers.conv.weight", Scheme::Nvidia),
            ("conv/conv2d_params", Scheme::Tensorflow),
        ];
        let Some((_, scheme)) = told.into_iter().find(|(name, _)| present.contains(name)) else {
            bail!(
                "these are not Inception's weights: there is no `Conv2d_1a_3x3.conv.weight` (.pth), no \
                 `layers.conv.weight` (TorchScript) and no `conv/conv2d_params` (TensorFlow)\nhint: take \
                 pt_inception-2015-12-05-6726825d.pth, inception-2015-12-05.pt or classify_image_graph_def.pb"
            )
        };
        let mut sources = HashMap::new();
        for (name, shape) in tensors() {
            let (stored, order) = stored(scheme, &name);
            let source = if present.contains(stored.as_str()) {
                Source::Stored {
                    name: stored,
                    order,
                }
            } else if name.ends_with(".bn.weight") {
                Source::Ones(shape[0])
            } else {
                bail!("tensor `{stored}` is missing, Inception-v3 needs it as `{name}`")
            };
            sources.insert(name, source);
        }
        Ok(Names { scheme, sources })
    }

    /// Where the net's tensor `name` comes from; none when it has no such tensor.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// The net's tensor `name`, `get` being asked for the file's.
    pub fn tensor(&self, name: &str, get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Tensor> {
        match self.source(name) {
            None => bail!("Inception-v3 has no tensor `{name}`"),
            Some(Source::Ones(n)) => Tensor::ones(*n, DType::F32, &Device::Cpu),
            Some(Source::Stored { name, order }) => {
                let tensor = get(name)?;
                let (rank, wanted) = (tensor.rank(), order.rank());
                if wanted.is_some_and(|wanted| rank != wanted) {
                    bail!(
                        "tensor `{name}` is {:?}, not of the net's rank",
                        tensor.dims()
                    )
                }
                match order {
                    Order::AsItIs => Ok(tensor),
                    Order::Kernel => tensor.permute((3, 2, 0, 1))?.contiguous(),
                    Order::Matrix => tensor.t()?.contiguous(),
                }
            }
        }
    }
}

impl Order {
    fn rank(self) -> Option<usize> {
        match self {
            Order::AsItIs => None,
            Order::Kernel => Some(4),
            Order::Matrix => Some(2),
        }
    }
}

/// What `scheme` calls the net's tensor `name`, and how it keeps it.
fn stored(scheme: Scheme, name: &str) -> (String, Order) {
    if scheme == Scheme::Torch {
        return (name.to_string(), Order::AsItIs);
    }
    let nvidia = scheme == Scheme::Nvidia;
    match name {
        "fc.weight" if nvidia => return ("output.weight".into(), Order::AsItIs),
        "fc.bias" if nvidia => return ("output.bias".into(), Order::AsItIs),
        "fc.weight" => return ("softmax/weights".into(), Order::Matrix),
        "fc.bias" => return ("softmax/biases".into(), Order::AsItIs),
        _ => {}
    }
    let (unit, part) = split(name);
    let (block, place) = tensorflow(unit);
    if nvidia {
        // Only its last two blocks are flat.
        let place = match block.as_str() {
            "mixed_9" | "mixed_10" => place.replace('/', "_"),
            _ => place.replace('/', "."),
        };
        let part = match part {
            "conv.weight" => "weight",
            "bn.weight" => "gamma",
            "bn.bias" => "beta",
            "bn.running_mean" => "mean",
            _ => "var",
        };
        let path = [block, place].join(".");
        return (
            format!("layers.{}.{part}", path.trim_matches('.')),
            Order::AsItIs,
        );
    }
    let path = [block, place].join("/");
    let (part, order) = match part {
        "conv.weight" => ("conv2d_params", Order::Kernel),
        "bn.weight" => ("batchnorm/gamma", Order::AsItIs),
        "bn.bias" => ("batchnorm/beta", Order::AsItIs),
        "bn.running_mean" => ("batchnorm/moving_mean", Order::AsItIs),
        _ => ("batchnorm/moving_variance", Order::AsItIs),
    };
    (format!("{}/{part}", path.trim_matches('/')), order)
}

/// `Mixed_5b.branch1x1.bn.bias` as `Mixed_5b.branch1x1` and `bn.bias`.
fn split(name: &str) -> (&str, &str) {
    let at = name.rfind(".conv.").or_else(|| name.rfind(".bn."));
    let at = at.unwrap_or(name.len().saturating_sub(1));
    (&name[..at], &name[at + 1..])
}

/// TensorFlow's block (none in the stem) and the path within it of the convolution that the `.pth` calls `unit`.
fn tensorflow(unit: &str) -> (String, String) {
    const STEM: [&str; 5] = [
        "Conv2d_1a_3x3",
        "Conv2d_2a_3x3",
        "Conv2d_2b_3x3",
        "Conv2d_3b_1x1",
        "Conv2d_4a_3x3",
    ];
    const MIXED: [&str; 11] = [
        "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d",
        "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
    ];
    let Some((block, branch)) = unit.split_once('.') else {
        let i = STEM.iter().position(|name| *name == unit).unwrap_or(0);
        return (String::new(), numbered("conv", i));
    };
    let i = MIXED.iter().position(|name| *name == block).unwrap_or(0);
    // The last part tells which convolution of its branch it is, if there are several.
    let (branch, which) = match branch.rsplit_once('_') {
        Some((branch, which)) if which != "pool" => (branch, which),
        _ => (branch, "1"),
    };
    let tower = match (branch, block) {
        ("branch1x1", _) | ("branch3x3", "Mixed_6a") => "",
        ("branch5x5" | "branch7x7" | "branch3x3", _) | ("branch3x3dbl", "Mixed_6a") => "tower/",
        ("branch_pool", _) => "tower_2/",
        _ => "tower_1/",
    };
    let place = match which.as_bytes() {
        [_, b'a'] => "mixed/conv".to_string(),
        [_, b'b'] => "mixed/conv_1".to_string(),
        [digit, ..] => numbered("conv", usize::from(digit.saturating_sub(b'1'))),
        [] => "conv".to_string(),
    };
    (numbered("mixed", i), format!("{tower}{place}"))
}

/// TensorFlow's way of counting: `conv`, `conv_1`, `conv_2`.
fn numbered(name: &str, i: usize) -> String {
    match i {
        0 => name.to_string(),
        _ => format!("{name}_{i}"),
    }
}
