//! What an evaluator does between images and numbers, as data: the vocabulary of the presets.

use crate::experiment::scoring::metric::{Method, Metric};
use serde::{Deserialize, Serialize};

/// The fewest images that an interval can be taken from.
pub const FEWEST: usize = 5;

/// How RGB bytes become a published network's input, f32 [3, side, side]; Inception's is of 299 pixels. Features are extracted once for each of
/// these that a set of presets asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preprocessing {
    /// TensorFlow 1's bilinear: source = target * (in / out), no half pixel, no antialias; then (x - 128) / 128.
    Tf1,
    /// PyTorch's bilinear with half pixels, no antialias, on bytes / 255; then 2 x - 1.
    Torch,
    /// As `Torch`, but resized as 0..255 and clipped, then x / 255 * 2 - 1: the same but for rounding.
    TorchBytes,
    /// Pillow's antialiased bicubic in floats, clipped to 0..255, never requantised; then (x - 128) / 128.
    Clean,
}

/// How pixels between pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Of the four around it, without antialias.
    Bilinear,
    /// Of all that it covers, in Pillow's way.
    Bicubic,
}

impl Preprocessing {
    pub const ALL: [Preprocessing; 4] = [
        Preprocessing::Tf1,
        Preprocessing::Torch,
        Preprocessing::TorchBytes,
        Preprocessing::Clean,
    ];

    /// Height and width of the network's input.
    pub const fn side(self) -> usize {
        match self {
            Preprocessing::Tf1
            | Preprocessing::Torch
            | Preprocessing::TorchBytes
            | Preprocessing::Clean => 299,
        }
    }

    /// What it resizes by.
    pub const fn filter(self) -> Filter {
        match self {
            Preprocessing::Tf1 | Preprocessing::Torch | Preprocessing::TorchBytes => {
                Filter::Bilinear
            }
            Preprocessing::Clean => Filter::Bicubic,
        }
    }

    /// Numbers in one image's input, [3, side, side].
    pub const fn input_len(self) -> usize {
        3 * self.side() * self.side()
    }

    /// Its name in files and messages, as serde writes it.
    pub fn name(self) -> &'static str {
        match self {
            Preprocessing::Tf1 => "tf1",
            Preprocessing::Torch => "torch",
            Preprocessing::TorchBytes => "torch-bytes",
            Preprocessing::Clean => "clean",
        }
    }
}

/// How a tool takes the trace of the root of the product of two covariances. Here it is exact for all of them;
/// what a tool prints instead where covariances are singular is told beside it
/// when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// The real part of SciPy's `sqrtm` of the product, whatever comes.
    Sqrtm,
    /// SciPy's `sqrtm`; where it is not finite, that of the covariances with 1e-6 added to both diagonals: pytorch-fid's
    /// form, which most tools copied.
    SqrtmRetried,
    /// The sum of the real parts of the roots of the product's eigenvalues.
    Eigenvalues,
}

/// Which images make one split of the Inception Score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Splits {
    /// As many images each; a shorter last split counts as much as the others.
    Every(usize),
    /// So many splits, split i being i n / splits .. (i + 1) n / splits.
    Into(usize),
    /// So many splits of n / splits images, the rest left out.
    Whole(usize),
}

/// The Inception Score: exp of the mean divergence of p(y | x) from p(y), a split at a time, then the mean. Class scores are
/// without the last layer's bias, as every tool here takes them, and the softmax is of f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InceptionScore {
    pub splits: Splits,
    /// Seed of NumPy's `RandomState(seed).permutation(n)` that orders the images; none keeps their order.
    pub shuffle: Option<u32>,
}

/// Kernel distance: the unbiased mean over subsets of the polynomial kernel (x y / d + 1)^3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kid {
    pub subsets: usize,
    pub subset_size: usize,
    /// Seed of NumPy's `RandomState`, which draws a subset of the samples, then one of the reference, in turns;
    /// none where the tool draws without a seed.
    pub seed: Option<u32>,
    /// Whether sets smaller than a subset are an error; else the subsets shrink.
    pub strict_size: bool,
}

/// Whether a point on the surface of a hypersphere lies inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// distance <= radius
    Inside,
    /// distance < radius
    Outside,
}

/// In which distances between features are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distances {
    /// As exact distances would decide. Tools that work in f32 or f64 differ from it where rounding decides.
    Exact,
    /// Squared distances, norms and products rounded to f16, with f32 for a block that overflows.
    Half,
}

/// Precision and recall, and density and coverage where the tool prints them: each image of a side carries a hypersphere
/// that reaches to its k-th nearest neighbour on that side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// Nearest neighbours, the point itself not counted.
    pub k: usize,
    pub edge: Edge,
    pub distances: Distances,
    /// Reference images at most; none takes all.
    pub reference: Option<usize>,
    /// Samples at most; none takes all.
    pub samples: Option<usize>,
    /// Whether the images of a larger set are drawn at random (without a seed in the tool, as many of both sets as
    /// the smaller has) or are the first.
    pub random: bool,
}

/// FID against 1 / n by least squares at evenly spaced n, its value at 1 / n = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Infinity {
    pub points: usize,
    /// The smallest n: this, or a tenth of the samples where that is less.
    pub from: usize,
}

/// What decides an evaluator's numbers, beside the features; a part that the tool lacks is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rules {
    pub preprocessing: Preprocessing,
    /// Whether images of several sizes may stand in one set: where the tool resizes them one by one.
    pub mixed_sizes: bool,
    pub trace: Trace,
    pub inception_score: Option<InceptionScore>,
    pub kid: Option<Kid>,
    pub neighbours: Option<Neighbours>,
    pub infinity: Option<Infinity>,
    /// What the tool prints, under the name that it prints.
    pub metrics: &'static [(Metric, &'static str)],
}

impl Rules {
    /// The tool's name of a metric; none where it has no such number.
    pub fn published(&self, metric: Metric) -> Option<&'static str> {
        let mut all = self.metrics.iter();
        all.find(|(m, _)| *m == metric).map(|(_, name)| *name)
    }

    /// The ids of its metrics.
    pub fn ids(&self) -> Vec<&'static str> {
        self.metrics.iter().map(|(metric, _)| metric.id()).collect()
    }

    /// Whether images are compared with the reference's images, beyond its statistics.
    pub fn compares_images(&self) -> bool {
        self.neighbours.is_some() || self.kid.is_some()
    }

    /// The same rules for some of the metrics; a part that none of them needs is none.
    pub fn only(mut self, asked: &[Metric]) -> Rules {
        let kept = self.metrics.iter().copied();
        let kept: Vec<_> = kept.filter(|(m, _)| asked.contains(m)).collect();
        // A program makes few selections, and each lives as long as it.
        self.metrics = Vec::leak(kept);
        let asks = |method| self.metrics.iter().any(|(m, _)| m.row().method == method);
        Rules {
            neighbours: self.neighbours.filter(|_| asks(Method::Neighbours)),
            kid: self.kid.filter(|_| asks(Method::Kernel)),
            ..self
        }
    }
}
