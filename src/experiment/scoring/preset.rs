//! The published evaluators by name: each fixes everything between image files and numbers.

use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::rules::{
    Distances, Edge, InceptionScore, Infinity, Kid, Neighbours, Preprocessing, Rules, Splits, Trace,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An evaluator whose numbers are reproduced.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
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

    /// What decides its numbers.
    pub fn rules(self) -> Rules {
        match self {
            Preset::Adm => adm(),
            Preset::TorchFidelity => torch_fidelity(),
            Preset::PytorchFid => fid_only(
                Preprocessing::Torch,
                Trace::SqrtmRetried,
                &[(Metric::Fid, "FID")],
            ),
            Preset::CleanFid => one_by_one(clean_fid(Preprocessing::Clean)),
            Preset::CleanFidLegacyTensorflow => clean_fid(Preprocessing::Tf1),
            Preset::CleanFidLegacyPytorch => one_by_one(clean_fid(Preprocessing::TorchBytes)),
            Preset::Edm => fid_only(Preprocessing::Tf1, Trace::Sqrtm, &[(Metric::Fid, "fid")]),
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

fn fid_only(
    preprocessing: Preprocessing,
    trace: Trace,
    metrics: &'static [(Metric, &'static str)],
) -> Rules {
    Rules {
        preprocessing,
        mixed_sizes: false,
        trace,
        inception_score: None,
        kid: None,
        neighbours: None,
        infinity: None,
        metrics,
    }
}

/// The published precision and recall are of the 10,000 images in the reference batch against all samples.
fn adm() -> Rules {
    Rules {
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        trace: Trace::SqrtmRetried,
        inception_score: Some(InceptionScore {
            splits: Splits::Every(5000),
            shuffle: None,
        }),
        kid: None,
        neighbours: Some(Neighbours {
            k: 3,
            edge: Edge::Inside,
            distances: Distances::Half,
            reference: Some(10_000),
            samples: None,
            random: false,
        }),
        infinity: None,
        metrics: &[
            (Metric::Is, "Inception Score"),
            (Metric::Fid, "FID"),
            (Metric::Sfid, "sFID"),
            (Metric::Precision, "Precision"),
            (Metric::Recall, "Recall"),
        ],
    }
}

fn torch_fidelity() -> Rules {
    Rules {
        preprocessing: Preprocessing::Tf1,
        mixed_sizes: false,
        trace: Trace::Eigenvalues,
        inception_score: Some(InceptionScore {
            splits: Splits::Into(10),
            shuffle: Some(2020),
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
            distances: Distances::Exact,
            reference: None,
            samples: None,
            random: false,
        }),
        infinity: None,
        metrics: &[
            (Metric::Is, "inception_score_mean"),
            (Metric::IsStd, "inception_score_std"),
            (Metric::Fid, "frechet_inception_distance"),
            (Metric::Kid, "kernel_inception_distance_mean"),
            (Metric::KidStd, "kernel_inception_distance_std"),
            (Metric::Precision, "precision"),
            (Metric::Recall, "recall"),
            (Metric::FScore, "f_score"),
        ],
    }
}

/// The same rules of a tool that resizes images one by one, whatever their sizes.
fn one_by_one(rules: Rules) -> Rules {
    Rules {
        mixed_sizes: true,
        ..rules
    }
}

fn clean_fid(preprocessing: Preprocessing) -> Rules {
    Rules {
        preprocessing,
        mixed_sizes: false,
        trace: Trace::SqrtmRetried,
        inception_score: None,
        kid: Some(Kid {
            subsets: 100,
            subset_size: 1000,
            seed: None,
            strict_size: false,
        }),
        neighbours: None,
        infinity: None,
        metrics: &[(Metric::Fid, "FID"), (Metric::Kid, "KID")],
    }
}

fn dgm_eval() -> Rules {
    Rules {
        preprocessing: Preprocessing::Torch,
        mixed_sizes: true,
        trace: Trace::SqrtmRetried,
        inception_score: Some(InceptionScore {
            splits: Splits::Whole(10),
            shuffle: Some(2020),
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
            distances: Distances::Exact,
            reference: Some(10_000),
            samples: Some(10_000),
            random: true,
        }),
        infinity: Some(Infinity {
            points: 15,
            from: 5000,
        }),
        metrics: &[
            (Metric::Fid, "fd"),
            (Metric::FidInfinity, "fd_infinity_value"),
            (Metric::Kid, "kd_value"),
            // The tool calls the standard deviation a variance.
            (Metric::KidStd, "kd_variance"),
            (Metric::Precision, "precision"),
            (Metric::Recall, "recall"),
            (Metric::Density, "density"),
            (Metric::Coverage, "coverage"),
            (Metric::Is, "inception score"),
            (Metric::IsStd, "inception std"),
        ],
    }
}
