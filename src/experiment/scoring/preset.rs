//! The published evaluators by name: each fixes everything between image files and numbers.

use crate::experiment::scoring::rules::{
    Edge, Frechet, InceptionScore, Infinity, Kid, Neighbours, Precision, Preprocessing, Quantity,
    Rules, Splits, Trace,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The world whose features are Inception's: only there do presets and preprocessings change a result.
pub const INCEPTION: &str = "inception";

/// An evaluator whose numbers are reproduced.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// openai/guided-diffusion at 22e0df8, `evaluations/evaluator.py`, whose network is a TensorFlow 1 graph.
    #[default]
    Adm,
    /// torch-fidelity 0.4.0 with `--feature-extractor inception-v3-compat` for every metric (its own default for
    /// precision and recall is VGG16), 0.4.0 being the first release after precision and recall were swapped back.
    TorchFidelity,
    /// pytorch-fid 0.3.0 with `--dims 2048`.
    PytorchFid,
    /// clean-fid 0.1.35, `mode="clean"`.
    CleanFid,
    /// clean-fid 0.1.35, `mode="legacy_tensorflow"`. The resize is the network's own, TensorFlow 1's rule as a grid
    /// of offsets; ours is the rule itself: pixels differ by rounding only, below 1e-4 of 255.
    CleanFidLegacyTensorflow,
    /// clean-fid 0.1.35, `mode="legacy_pytorch"`.
    CleanFidLegacyPytorch,
    /// NVlabs/edm at 008a4e5, `fid.py`. Its detector resizes as clean-fid's `legacy_tensorflow` does; the tool scores
    /// exactly 50,000 images by default and its papers print the least of three runs.
    Edm,
    /// layer6ai-labs/dgm-eval at 74c79f7, `--model inception`. Its Inception Score loop opens the reference in place of
    /// the first generated set; ours scores the samples.
    DgmEval,
}

impl Preset {
    pub const ALL: [Preset; 8] = [
        Preset::Adm,
        Preset::TorchFidelity,
        Preset::PytorchFid,
        Preset::CleanFid,
        Preset::CleanFidLegacyTensorflow,
        Preset::CleanFidLegacyPytorch,
        Preset::Edm,
        Preset::DgmEval,
    ];

    /// Whether it is the one that is meant where none is named: the field's standard of comparison.
    pub fn is_default(&self) -> bool {
        *self == Preset::default()
    }

    /// Its name on the command line and in files, as serde writes it.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Adm => "adm",
            Preset::TorchFidelity => "torch-fidelity",
            Preset::PytorchFid => "pytorch-fid",
            Preset::CleanFid => "clean-fid",
            Preset::CleanFidLegacyTensorflow => "clean-fid-legacy-tensorflow",
            Preset::CleanFidLegacyPytorch => "clean-fid-legacy-pytorch",
            Preset::Edm => "edm",
            Preset::DgmEval => "dgm-eval",
        }
    }

    /// One line: whose numbers, of which version.
    pub fn about(self) -> &'static str {
        match self {
            Preset::Adm => {
                "guided-diffusion's evaluator.py at 22e0df8: FID, sFID, IS, precision and recall"
            }
            Preset::TorchFidelity => {
                "torch-fidelity 0.4.0 on Inception: FID, IS, KID, precision and recall"
            }
            Preset::PytorchFid => "pytorch-fid 0.3.0: FID",
            Preset::CleanFid => "clean-fid 0.1.35, mode clean (antialiased resize): FID, KID",
            Preset::CleanFidLegacyTensorflow => {
                "clean-fid 0.1.35, mode legacy_tensorflow: FID, KID"
            }
            Preset::CleanFidLegacyPytorch => "clean-fid 0.1.35, mode legacy_pytorch: FID, KID",
            Preset::Edm => "EDM's fid.py at 008a4e5: FID",
            Preset::DgmEval => {
                "dgm-eval at 74c79f7 on Inception: FD, FD-infinity, IS, KD, precision, recall, density, coverage"
            }
        }
    }

    /// All that decides its numbers.
    pub fn rules(self) -> Rules {
        match self {
            Preset::Adm => adm(),
            Preset::TorchFidelity => torch_fidelity(),
            Preset::PytorchFid => {
                fid_only(Preprocessing::Torch, RETRIED, &[(Quantity::Fid, "FID")])
            }
            Preset::CleanFid => clean_fid(Preprocessing::Clean, true),
            Preset::CleanFidLegacyTensorflow => clean_fid(Preprocessing::Tf1, false),
            Preset::CleanFidLegacyPytorch => clean_fid(Preprocessing::TorchBytes, true),
            Preset::Edm => fid_only(Preprocessing::Tf1, PLAIN, &[(Quantity::Fid, "fid")]),
            Preset::DgmEval => dgm_eval(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Preset, String> {
        let known = Preset::ALL.into_iter().find(|p| p.name() == name);
        known.ok_or_else(|| {
            let names = Preset::ALL.map(Preset::name).join("`, `");
            format!("preset = {name:?} is not known, `{names}` are")
        })
    }
}

/// Every preprocessing that these presets need, each once, in the order of `Preprocessing`.
pub fn preprocessings(presets: &[Preset]) -> Vec<Preprocessing> {
    let mut all: Vec<_> = presets.iter().map(|p| p.rules().preprocessing).collect();
    all.sort();
    all.dedup();
    all
}

/// pytorch-fid's form, which most tools copied.
const RETRIED: Trace = Trace::Sqrtm {
    epsilon: Some(1e-6),
    imaginary: Some(1e-3),
};
/// EDM's: one try, the real part of whatever comes.
const PLAIN: Trace = Trace::Sqrtm {
    epsilon: None,
    imaginary: None,
};

fn frechet(mean: Precision, trace: Trace) -> Frechet {
    Frechet {
        ddof: 1,
        mean,
        trace,
    }
}

fn fid_only(
    preprocessing: Preprocessing,
    trace: Trace,
    quantities: &'static [(Quantity, &'static str)],
) -> Rules {
    Rules {
        preprocessing,
        mixed_sizes: false,
        frechet: frechet(Precision::F64, trace),
        inception_score: None,
        kid: None,
        neighbours: None,
        infinity: None,
        quantities,
    }
}

/// What is measured with a net that no published evaluator has: exact forms, every image on both sides, k = 3.
/// A distance of such features is an FD, never an FID.
pub fn own_net() -> Rules {
    Rules {
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        frechet: frechet(Precision::F64, Trace::Eigenvalues),
        inception_score: Some(InceptionScore {
            splits: Splits::Into(1),
            shuffle: None,
            bias: false,
            softmax: Precision::F64,
        }),
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: None,
            strict_size: false,
        }),
        neighbours: Some(Neighbours {
            k: 3,
            edge: Edge::Inside,
            distance: Precision::F64,
            reference: None,
            samples: None,
            random: false,
        }),
        infinity: None,
        quantities: &[
            (Quantity::Fid, "FD"),
            (Quantity::Sfid, "sFD"),
            (Quantity::InceptionScore, "IS"),
            (Quantity::Kid, "KD"),
            (Quantity::Precision, "precision"),
            (Quantity::Recall, "recall"),
            (Quantity::Density, "density"),
            (Quantity::Coverage, "coverage"),
        ],
    }
}

/// Features stay f32, so the mean is f32; the published precision and recall are of the 10,000 images in the
/// reference batch against all samples.
fn adm() -> Rules {
    Rules {
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        frechet: frechet(Precision::F32, RETRIED),
        inception_score: Some(InceptionScore {
            splits: Splits::Every(5000),
            shuffle: None,
            bias: false,
            softmax: Precision::F32,
        }),
        kid: None,
        neighbours: Some(Neighbours {
            k: 3,
            edge: Edge::Inside,
            distance: Precision::F16,
            reference: Some(10_000),
            samples: None,
            random: false,
        }),
        infinity: None,
        quantities: &[
            (Quantity::InceptionScore, "Inception Score"),
            (Quantity::Fid, "FID"),
            (Quantity::Sfid, "sFID"),
            (Quantity::Precision, "Precision"),
            (Quantity::Recall, "Recall"),
        ],
    }
}

fn torch_fidelity() -> Rules {
    Rules {
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        frechet: frechet(Precision::F32, Trace::Eigenvalues),
        inception_score: Some(InceptionScore {
            splits: Splits::Into(10),
            shuffle: Some(2020),
            bias: false,
            softmax: Precision::F64,
        }),
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: Some(2020),
            strict_size: true,
        }),
        neighbours: Some(Neighbours {
            k: 3,
            edge: Edge::Inside,
            distance: Precision::F32,
            reference: None,
            samples: None,
            random: false,
        }),
        infinity: None,
        quantities: &[
            (Quantity::InceptionScore, "inception_score_mean"),
            (Quantity::InceptionScoreStd, "inception_score_std"),
            (Quantity::Fid, "frechet_inception_distance"),
            (Quantity::Kid, "kernel_inception_distance_mean"),
            (Quantity::KidStd, "kernel_inception_distance_std"),
            (Quantity::Precision, "precision"),
            (Quantity::Recall, "recall"),
            (Quantity::FScore, "f_score"),
        ],
    }
}

fn clean_fid(preprocessing: Preprocessing, mixed_sizes: bool) -> Rules {
    Rules {
        preprocessing,
        mixed_sizes,
        frechet: frechet(Precision::F32, RETRIED),
        inception_score: None,
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: None,
            strict_size: false,
        }),
        neighbours: None,
        infinity: None,
        quantities: &[(Quantity::Fid, "FID"), (Quantity::Kid, "KID")],
    }
}

fn dgm_eval() -> Rules {
    Rules {
        preprocessing: Preprocessing::Torch,
        mixed_sizes: true,
        frechet: frechet(Precision::F64, RETRIED),
        inception_score: Some(InceptionScore {
            splits: Splits::Whole(10),
            shuffle: Some(2020),
            bias: false,
            softmax: Precision::F32,
        }),
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: None,
            strict_size: false,
        }),
        neighbours: Some(Neighbours {
            k: 5,
            edge: Edge::Outside,
            distance: Precision::F64,
            reference: Some(10_000),
            samples: Some(10_000),
            random: true,
        }),
        infinity: Some(Infinity {
            points: 15,
            from: 5000,
        }),
        quantities: &[
            (Quantity::Fid, "fd"),
            (Quantity::FidInfinity, "fd_infinity_value"),
            (Quantity::Kid, "kd_value"),
            // The tool calls the standard deviation a variance.
            (Quantity::KidStd, "kd_variance"),
            (Quantity::Precision, "precision"),
            (Quantity::Recall, "recall"),
            (Quantity::Density, "density"),
            (Quantity::Coverage, "coverage"),
            (Quantity::InceptionScore, "inception score"),
            (Quantity::InceptionScoreStd, "inception std"),
        ],
    }
}
