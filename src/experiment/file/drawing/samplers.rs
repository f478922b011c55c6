//! The samplers by name, how their steps are spread, and what each asks of a net.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Order of UniPC where none is asked for.
pub const UNI_PC_ORDER: usize = 2;

/// How a step is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Sampler {
    /// Ancestral sampling: each step adds noise (arXiv:2006.11239).
    #[default]
    Ddpm,
    /// Without noise at `eta = 0`, and good at few steps (arXiv:2010.02502).
    Ddim,
    /// DPM-Solver++ of order 2, which remembers its last prediction; best at 15 to 20 steps with guidance (arXiv:2211.01095).
    #[serde(rename = "dpmpp_2m")]
    Dpmpp2m,
    /// DPM-Solver++ of order 3, for nets without guidance.
    #[serde(rename = "dpmpp_3m")]
    Dpmpp3m,
    /// DPM-Solver++ of order 2 whose steps add noise.
    #[serde(rename = "dpmpp_2m_sde")]
    Dpmpp2mSde,
    /// UniPC with B(h) = h, of order `order` (arXiv:2302.04867).
    UniPc,
    /// UniPC with B(h) = exp(h) - 1, of order `order`: its authors' choice with guidance.
    #[serde(rename = "uni_pc_bh2")]
    UniPcBh2,
    /// EDM's sampler with two evaluations a step, one at the last (arXiv:2206.00364, algorithm 2).
    Heun,
    /// EDM's sampler with one evaluation a step.
    Euler,
}

/// How the steps of a sampler are spread over the noise levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Spacing {
    /// Evenly from the first timestep to the last, as guided-diffusion does; `ddpm` and `ddim` alone.
    Linspace,
    /// Evenly, counted down from the last timestep, round(T k / S) - 1 (arXiv:2305.08891, table 2), as distilled nets need
    /// it; `ddpm` and `ddim` alone.
    Trailing,
    /// Evenly in time: what DPM-Solver's authors advise from 64 pixels on, and with guidance.
    Time,
    /// Evenly in the logarithm of the signal-to-noise ratio.
    LogSnr,
    /// Evenly in the root of time.
    Quadratic,
    /// Evenly in sigma to the power of 1/7 (arXiv:2206.00364, equation 5); `heun` and `euler` alone.
    Edm,
    /// Evenly in timesteps (arXiv:2206.00364, table 1); `heun` and `euler` alone.
    Iddpm,
}

/// The noise levels on which the steps of a sampler stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// On timesteps of the process that are kept.
    Kept,
    /// On levels between the timesteps.
    Continuous,
    /// On the levels of the timesteps, by sigma.
    Sigmas,
}

impl Sampler {
    pub const ALL: [Sampler; 9] = [
        Sampler::Ddpm,
        Sampler::Ddim,
        Sampler::Dpmpp2m,
        Sampler::Dpmpp3m,
        Sampler::Dpmpp2mSde,
        Sampler::UniPc,
        Sampler::UniPcBh2,
        Sampler::Heun,
        Sampler::Euler,
    ];

    /// As experiment files write it.
    pub fn name(self) -> &'static str {
        match self {
            Sampler::Ddpm => "ddpm",
            Sampler::Ddim => "ddim",
            Sampler::Dpmpp2m => "dpmpp_2m",
            Sampler::Dpmpp3m => "dpmpp_3m",
            Sampler::Dpmpp2mSde => "dpmpp_2m_sde",
            Sampler::UniPc => "uni_pc",
            Sampler::UniPcBh2 => "uni_pc_bh2",
            Sampler::Heun => "heun",
            Sampler::Euler => "euler",
        }
    }

    /// As papers write it.
    pub fn title(self) -> &'static str {
        match self {
            Sampler::Ddpm => "DDPM",
            Sampler::Ddim => "DDIM",
            Sampler::Dpmpp2m => "DPM-Solver++(2M)",
            Sampler::Dpmpp3m => "DPM-Solver++(3M)",
            Sampler::Dpmpp2mSde => "SDE-DPM-Solver++(2M)",
            Sampler::UniPc => "UniPC (B1)",
            Sampler::UniPcBh2 => "UniPC (B2)",
            Sampler::Heun => "EDM Heun",
            Sampler::Euler => "EDM Euler",
        }
    }

    /// Where its steps stand.
    pub fn levels(self) -> Levels {
        match self {
            Sampler::Ddpm | Sampler::Ddim => Levels::Kept,
            Sampler::Heun | Sampler::Euler => Levels::Sigmas,
            _ => Levels::Continuous,
        }
    }

    /// Times that the denoising net is asked for one image in `steps` steps, without guidance.
    pub fn evaluations(self, steps: usize) -> usize {
        match self {
            Sampler::Heun => (2 * steps).saturating_sub(1),
            _ => steps,
        }
    }
}

impl Spacing {
    /// As experiment files write it.
    pub fn name(self) -> &'static str {
        match self {
            Spacing::Linspace => "linspace",
            Spacing::Trailing => "trailing",
            Spacing::Time => "time",
            Spacing::LogSnr => "log-snr",
            Spacing::Quadratic => "quadratic",
            Spacing::Edm => "edm",
            Spacing::Iddpm => "iddpm",
        }
    }

    /// The spacings that samplers on such levels know, their own choice first.
    pub fn of(levels: Levels) -> &'static [Spacing] {
        match levels {
            Levels::Kept => &[Spacing::Linspace, Spacing::Trailing],
            Levels::Continuous => &[Spacing::Time, Spacing::LogSnr, Spacing::Quadratic],
            Levels::Sigmas => &[Spacing::Edm, Spacing::Iddpm],
        }
    }
}
