//! Which of a training's weights draw, or guide.

use crate::experiment::file::drawing::guidance::Guidance;
use crate::experiment::file::drawing::sampling::Sample;

/// Which of a training's weights a table asks for: nothing asks for the first moving average at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The table that asks: `sample` or `guidance`.
    pub table: &'static str,
    pub steps: Option<u64>,
    pub ema: Option<f64>,
    pub ema_length: Option<f64>,
}

impl Asked {
    /// The key that names an average, and its value.
    pub fn average(&self) -> Option<(&'static str, f64)> {
        let ema = self.ema.map(|decay| ("ema", decay));
        ema.or(self.ema_length.map(|sigma_rel| ("ema_length", sigma_rel)))
    }
}

impl From<&Sample> for Asked {
    fn from(sample: &Sample) -> Asked {
        Asked {
            table: "sample",
            steps: sample.trained_steps,
            ema: sample.ema,
            ema_length: sample.ema_length,
        }
    }
}

impl From<&Guidance> for Asked {
    fn from(guidance: &Guidance) -> Asked {
        Asked {
            table: "guidance",
            steps: guidance.trained_steps,
            ema: guidance.ema,
            ema_length: guidance.ema_length,
        }
    }
}
