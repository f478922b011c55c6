//! What an evaluator does between images and numbers, as data: the vocabulary of the presets in `evaluator.rs`.

use serde::{Deserialize, Serialize};

/// How RGB bytes become the Inception network's input, f32 [3, 299, 299]. Features are extracted once for each of
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

impl Preprocessing {
    pub const ALL: [Preprocessing; 4] = [
        Preprocessing::Tf1,
        Preprocessing::Torch,
        Preprocessing::TorchBytes,
        Preprocessing::Clean,
    ];

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

/// What an evaluator prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Fréchet distance of the 2,048 pooled features.
    Fid,
    /// Fréchet distance of ADM's 2,023 spatial features: 7 channels of Mixed_6d's 1x1 branch, row, column, channel.
    Sfid,
    /// FID extrapolated to endlessly many samples.
    FidInfinity,
    InceptionScore,
    /// Standard deviation over the splits, ddof 0.
    InceptionScoreStd,
    Kid,
    /// Standard deviation over the subsets, ddof 0.
    KidStd,
    Precision,
    Recall,
    /// Harmonic mean of precision and recall.
    FScore,
    Density,
    Coverage,
}

impl Quantity {
    /// By the balls of nearest neighbours.
    fn by_neighbours(self) -> bool {
        use Quantity::*;
        matches!(self, Precision | Recall | FScore | Density | Coverage)
    }

    fn by_kernel(self) -> bool {
        matches!(self, Quantity::Kid | Quantity::KidStd)
    }

    /// Whether images are compared with the reference's images, beyond its statistics.
    pub fn compares_images(self) -> bool {
        self.by_neighbours() || self.by_kernel()
    }
}

/// The type that a tool's NumPy arithmetic works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F16,
    F32,
    F64,
}

/// The trace of the root of the product of two covariances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// SciPy's `sqrtm` of the product.
    Sqrtm {
        /// Added to both diagonals for a second try where the first is not finite.
        epsilon: Option<f64>,
        /// Largest imaginary part on the diagonal; a larger one is the tool's error. None ignores them.
        imaginary: Option<f64>,
    },
    /// The sum of the real parts of the roots of the product's eigenvalues.
    Eigenvalues,
}

/// Moments of features and their Fréchet distance. The covariance divides by n - 1 in every tool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frechet {
    /// Subtracted from n in the covariance's divisor.
    pub ddof: usize,
    /// In which the mean is taken and subtracted; covariances are f64 everywhere.
    pub mean: Precision,
    pub trace: Trace,
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

/// The Inception Score: exp of the mean divergence of p(y | x) from p(y), a split at a time, then the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InceptionScore {
    pub splits: Splits,
    /// Seed of NumPy's `RandomState(seed).permutation(n)` that orders the images; none keeps their order.
    pub shuffle: Option<u32>,
    /// Whether the last layer's bias is added; no preset's tool does.
    pub bias: bool,
    /// In which the softmax is taken.
    pub softmax: Precision,
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

/// Whether a point on the edge of a ball lies inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// distance <= radius
    Inside,
    /// distance < radius
    Outside,
}

/// Precision and recall, and density and coverage where the tool prints them, by balls of k nearest neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// Nearest neighbours, the point itself not counted.
    pub k: usize,
    pub edge: Edge,
    /// In which distances are taken. F16: squared distances, norms and products rounded to f16, with f32 for a block
    /// that overflows.
    pub distance: Precision,
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

/// All that decides an evaluator's numbers; a part that the tool lacks is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rules {
    pub preprocessing: Preprocessing,
    /// Whether images of several sizes may stand in one set: where the tool resizes them one by one.
    pub mixed_sizes: bool,
    pub frechet: Frechet,
    pub inception_score: Option<InceptionScore>,
    pub kid: Option<Kid>,
    pub neighbours: Option<Neighbours>,
    pub infinity: Option<Infinity>,
    /// What the tool prints, under the name that it prints.
    pub quantities: &'static [(Quantity, &'static str)],
}

impl Rules {
    /// The tool's name of a quantity; none where it has no such number.
    pub fn published(&self, quantity: Quantity) -> Option<&'static str> {
        let mut all = self.quantities.iter();
        all.find(|(q, _)| *q == quantity).map(|(_, name)| *name)
    }

    /// Whether images are compared with the reference's images, beyond its statistics.
    pub fn compares_images(&self) -> bool {
        self.neighbours.is_some() || self.kid.is_some()
    }

    /// The same rules for some of the quantities; a part that none of them needs is none.
    pub fn only(mut self, asked: &[Quantity]) -> Rules {
        let kept = self.quantities.iter().copied();
        let kept: Vec<_> = kept.filter(|(q, _)| asked.contains(q)).collect();
        // A program makes few selections, and each lives as long as it.
        self.quantities = Vec::leak(kept);
        let asks = |of: fn(Quantity) -> bool| self.quantities.iter().any(|(q, _)| of(*q));
        Rules {
            neighbours: self.neighbours.filter(|_| asks(Quantity::by_neighbours)),
            kid: self.kid.filter(|_| asks(Quantity::by_kernel)),
            ..self
        }
    }
}

/// A quantity's name in files: `fid`, `is`, `kid-std`.
pub fn metric(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Fid => "fid",
        Quantity::Sfid => "sfid",
        Quantity::FidInfinity => "fid-infinity",
        Quantity::InceptionScore => "is",
        Quantity::InceptionScoreStd => "is-std",
        Quantity::Kid => "kid",
        Quantity::KidStd => "kid-std",
        Quantity::Precision => "precision",
        Quantity::Recall => "recall",
        Quantity::FScore => "f-score",
        Quantity::Density => "density",
        Quantity::Coverage => "coverage",
    }
}
