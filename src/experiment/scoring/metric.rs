//! What can be asked of a cell: every metric by the name that it has in experiment files.

use crate::experiment::scoring::rules::Quantity;
use serde::{Deserialize, Serialize};

/// A metric; `fid` and `sfid` ask for Inception, `fd` and `sfd` for any other net. New ones go to the end: keys sort them
/// by their place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    Fd,
    Sfd,
    Fid,
    Sfid,
    Is,
    Precision,
    Recall,
    /// Accuracy of the feature net's class against the asked label.
    Agreement,
    FidInfinity,
    IsStd,
    Kid,
    KidStd,
    FScore,
    Density,
    Coverage,
    /// Seconds of training, without sampling and scoring, that made the sampled net. Of the training, not of the images.
    TrainingSeconds,
}

impl Metric {
    /// As it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Fd => "fd",
            Metric::Sfd => "sfd",
            Metric::Fid => "fid",
            Metric::Sfid => "sfid",
            Metric::Is => "is",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::Agreement => "agreement",
            Metric::FidInfinity => "fid-infinity",
            Metric::IsStd => "is-std",
            Metric::Kid => "kid",
            Metric::KidStd => "kid-std",
            Metric::FScore => "f-score",
            Metric::Density => "density",
            Metric::Coverage => "coverage",
            Metric::TrainingSeconds => "training-seconds",
        }
    }

    /// Whether more of it, or less of it, is better.
    pub fn has_a_good_end(self) -> bool {
        !matches!(
            self,
            Metric::IsStd | Metric::KidStd | Metric::TrainingSeconds
        )
    }

    /// The quantity of an evaluator's rules; none for what is measured in other worlds than Inception's alone.
    pub fn quantity(self) -> Option<Quantity> {
        Some(match self {
            Metric::Fd | Metric::Sfd | Metric::Agreement | Metric::TrainingSeconds => return None,
            Metric::Fid => Quantity::Fid,
            Metric::Sfid => Quantity::Sfid,
            Metric::Is => Quantity::InceptionScore,
            Metric::Precision => Quantity::Precision,
            Metric::Recall => Quantity::Recall,
            Metric::FidInfinity => Quantity::FidInfinity,
            Metric::IsStd => Quantity::InceptionScoreStd,
            Metric::Kid => Quantity::Kid,
            Metric::KidStd => Quantity::KidStd,
            Metric::FScore => Quantity::FScore,
            Metric::Density => Quantity::Density,
            Metric::Coverage => Quantity::Coverage,
        })
    }
}
