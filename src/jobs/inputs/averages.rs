//! Which weights of a training a net has: after how many steps, and which average of them.

use crate::experiment::file::drawing::asked::Asked;
use crate::experiment::file::experiment::Train;

/// Weights of a training; the first moving average at its end where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// Those after so many steps; none for the end.
    pub steps: Option<u64>,
    pub average: Average,
}

/// An average of the weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Average {
    /// The first of `train.ema`.
    #[default]
    First,
    /// Another of `train.ema`.
    Decay(f64),
    PostHoc(PostHoc),
}

/// A power-function average that is made of snapshots of others.
#[derive(Clone, Debug, PartialEq)]
pub struct PostHoc {
    /// Its relative width.
    pub sigma_rel: f64,
    /// The step that it ends at.
    pub at: u64,
    /// The widths and the steps of what it is made of: a snapshot for each of both.
    pub widths: Vec<f64>,
    pub steps: Vec<u64>,
}

impl Chosen {
    /// What `asked` means of the weights that `train` leaves.
    pub fn of(asked: &Asked, train: &Train) -> Chosen {
        let at = asked.steps.unwrap_or(train.updates());
        let average = match (asked.ema, asked.ema_length, &train.power_ema) {
            (Some(decay), ..) if decay != train.ema.first() => Average::Decay(decay),
            (None, Some(sigma_rel), Some(power)) => Average::PostHoc(PostHoc {
                sigma_rel,
                at,
                widths: power.sigma_rel.clone(),
                steps: train.snapshots(at),
            }),
            _ => Average::First,
        };
        Chosen {
            steps: asked.steps.filter(|steps| *steps != train.updates()),
            average,
        }
    }

    /// What stands behind the training's key in that of a drawing; nothing for the first average at the end.
    pub fn text(&self) -> String {
        let steps = self.steps.map(|steps| format!(" after {steps}"));
        let average = match &self.average {
            Average::First => String::new(),
            Average::Decay(decay) => format!(" ema {decay}"),
            Average::PostHoc(made) => format!(" sigma_rel {}", made.sigma_rel),
        };
        steps.unwrap_or_default() + &average
    }
}
