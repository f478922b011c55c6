//! A sampler that knows its levels, ready to be started for each batch.

use crate::diffusion::process::continuous::Continuous;
use crate::diffusion::process::edm::Sigmas;
use crate::diffusion::process::level::Level;
use crate::diffusion::process::schedule::Schedule;
use crate::diffusion::samplers::ddim::Ddim;
use crate::diffusion::samplers::ddpm::Ddpm;
use crate::diffusion::samplers::dpm_solver::{DpmSolver, Form};
use crate::diffusion::samplers::edm::{Churn, Edm, Order};
use crate::diffusion::samplers::sampler::Sampler;
use crate::diffusion::samplers::uni_pc::{B, UniPc};
use crate::experiment::file::drawing::samplers::UNI_PC_ORDER;
use crate::experiment::file::experiment::{Sample, Sampler as Name, Spacing};
use crate::experiment::nets::arch::Process;
use candle_core::{Result, bail};
use std::sync::Arc;

/// How a batch comes from noise to images.
#[derive(Clone, Debug)]
pub enum Method {
    /// On the steps of the schedule.
    Ddpm,
    /// On the steps of the schedule; `eta` 0 to 1 is its noise.
    Ddim { eta: f64 },
    /// On levels [S + 1] from the noise to the image's last.
    DpmSolver {
        levels: Arc<[Level]>,
        order: usize,
        form: Form,
    },
    /// As `DpmSolver`.
    UniPc {
        levels: Arc<[Level]>,
        order: usize,
        b: B,
    },
    /// On levels `[S]`.
    Edm {
        levels: Arc<[Level]>,
        sigmas: Arc<Sigmas>,
        order: Order,
        churn: Churn,
    },
}

impl Method {
    /// The method that `sample` asks for, on the process of its net.
    ///
    /// # Errors
    /// Steps that are no count where the sampler has levels of its own, a spacing that it does not know, and a process
    /// without a schedule.
    pub fn new(sample: &Sample, process: &Process) -> Result<Self> {
        let name = sample.sampler;
        let asked = || {
            let spacings = Spacing::of(name.levels());
            let (Some(steps), Some(&first)) = (sample.steps.number(), spacings.first()) else {
                bail!("{} takes its steps as a count", name.name())
            };
            Ok((sample.spacing.unwrap_or(first), steps))
        };
        let levels = || -> Result<Arc<[Level]>> {
            let (spacing, steps) = asked()?;
            Ok(Continuous::new(process)?.levels(spacing, steps)?.into())
        };
        let solver = |order, form| {
            Ok(Method::DpmSolver {
                levels: levels()?,
                order,
                form,
            })
        };
        let uni_pc = |b| {
            Ok(Method::UniPc {
                levels: levels()?,
                order: sample.order.unwrap_or(UNI_PC_ORDER),
                b,
            })
        };
        let edm = |order| {
            let [low, high] = sample.churn_sigmas.unwrap_or([0.0, f64::INFINITY]);
            let (spacing, steps) = asked()?;
            let sigmas = Sigmas::new(process)?;
            Ok(Method::Edm {
                levels: sigmas.levels(spacing, steps)?.into(),
                sigmas: Arc::new(sigmas),
                order,
                churn: Churn {
                    amount: sample.churn,
                    sigmas: low..=high,
                },
            })
        };
        match name {
            Name::Ddpm => Ok(Method::Ddpm),
            Name::Ddim => Ok(Method::Ddim { eta: sample.eta }),
            Name::Dpmpp2m => solver(2, Form::Ode),
            Name::Dpmpp3m => solver(3, Form::Ode),
            Name::Dpmpp2mSde => solver(2, Form::Sde),
            Name::UniPc => uni_pc(B::H),
            Name::UniPcBh2 => uni_pc(B::ExpM1),
            Name::Heun => edm(Order::Heun),
            Name::Euler => edm(Order::Euler),
        }
    }

    /// A sampler for one batch.
    pub fn start(&self) -> Box<dyn Sampler> {
        match self {
            Method::Ddpm => Box::new(Ddpm),
            Method::Ddim { eta } => Box::new(Ddim { eta: *eta }),
            Method::DpmSolver {
                levels,
                order,
                form,
            } => Box::new(DpmSolver::new(levels.clone(), *order, *form)),
            Method::UniPc { levels, order, b } => Box::new(UniPc::new(levels.clone(), *order, *b)),
            Method::Edm {
                levels,
                sigmas,
                order,
                churn,
            } => Box::new(Edm {
                levels: levels.clone(),
                sigmas: sigmas.clone(),
                order: *order,
                churn: churn.clone(),
            }),
        }
    }

    /// The tables of the process on which a draw goes: the steps of `spec` for samplers that stand on them, and every step
    /// for those with levels of their own.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn schedule(&self, process: &Process, spec: &str) -> Result<Schedule> {
        match self {
            Method::Ddpm | Method::Ddim { .. } => Schedule::new(process, spec),
            _ => Schedule::new(process, ""),
        }
    }

    /// Where the steps of a draw stand, from the noise, `[S]`; `schedule` is that of [`Method::schedule`].
    pub fn levels(&self, schedule: &Schedule) -> Vec<Level> {
        match self {
            Method::Ddpm | Method::Ddim { .. } => (0..schedule.len())
                .rev()
                .map(|i| schedule.level(i))
                .collect(),
            Method::DpmSolver { levels, .. } | Method::UniPc { levels, .. } => {
                levels[..levels.len() - 1].to_vec()
            }
            Method::Edm { levels, .. } => levels.to_vec(),
        }
    }

    /// S, the steps of a draw on `kept` steps of a schedule.
    pub fn steps(&self, kept: usize) -> usize {
        match self {
            Method::Ddpm | Method::Ddim { .. } => kept,
            Method::DpmSolver { levels, .. } | Method::UniPc { levels, .. } => levels.len() - 1,
            Method::Edm { levels, .. } => levels.len(),
        }
    }
}
