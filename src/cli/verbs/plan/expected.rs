//! What each job of a plan should take: time by stored results, else estimated by its multiply-adds; disk; files.

use crate::cli::screen::pace::Paces;
use crate::cli::screen::terminal::duration;
use crate::experiment::nets::arch::Arch;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::jobs::job::Job;
use crate::run::plan::Plan;
use crate::stages::cost::rates::Rates;
use crate::stages::cost::work::{Jobs, Subject, Work, Workload};
use std::collections::HashMap;
use std::ops::Add;
use std::sync::Arc;

/// Where a time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Stored results of its kind.
    Measured,
    /// Multiply-adds, and how fast a device makes them.
    Estimated,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Source::Measured => "measured",
            Source::Estimated => "estimated",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time {
    pub seconds: f64,
    pub source: Source,
}

impl Time {
    pub const NONE: Time = Time {
        seconds: 0.0,
        source: Source::Measured,
    };

    /// `3 h 10 min`, `3 h 10 min (estimated)`.
    pub fn words(self) -> String {
        format!("{}{}", duration(self.seconds), self.mark())
    }

    pub fn mark(self) -> &'static str {
        match self.source {
            Source::Measured => "",
            Source::Estimated => " (estimated)",
        }
    }
}

impl Add for Time {
    type Output = Time;

    fn add(self, other: Time) -> Time {
        let estimated = [self, other].map(|time| time.source == Source::Estimated);
        Time {
            seconds: self.seconds + other.seconds,
            source: if estimated.contains(&true) {
                Source::Estimated
            } else {
                Source::Measured
            },
        }
    }
}

/// What one job should take; None where it is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    pub time: Option<Time>,
    /// Of its result.
    pub bytes: Option<u64>,
    /// Multiply-adds of all its passes.
    pub multiplications: Option<f64>,
}

/// How fast the devices are.
pub enum Speed {
    Unknown,
    /// Multiply-adds a second, as the user says.
    Given(f64),
    /// By device.
    Measured(Vec<Rates>),
}

impl Speed {
    /// In a sentence, where anything was estimated by it.
    pub fn note(&self, expected: &Expected) -> Option<String> {
        let of = |forecast: &Forecast| Some(forecast.time?.source);
        let mut sources = expected.jobs.iter().filter_map(of);
        if !sources.any(|source| source == Source::Estimated) {
            return None;
        }
        let by = match self {
            Speed::Unknown => return None,
            Speed::Given(rate) => format!("{} x 10^12 multiply-adds a second", rate / 1e12),
            Speed::Measured(devices) => {
                let day = |at: &str| at.split('T').next().unwrap_or_default().to_string();
                let each = devices.iter();
                let each =
                    each.map(|rates| format!("{} as measured on {}", rates.device, day(&rates.at)));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        Some(format!("  estimated: by multiply-adds, and {by}"))
    }

    /// Seconds of one image; the mean over the devices.
    fn seconds(&self, workload: &Workload) -> Option<f64> {
        match self {
            Speed::Unknown => None,
            Speed::Given(rate) => Some(workload.multiplications()? / rate),
            Speed::Measured(devices) => {
                let times = devices.iter().map(|rates| rates.seconds(workload));
                let times: Vec<f64> = times.collect::<Option<_>>()?;
                (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64)
            }
        }
    }
}

/// What every job of a plan should take, by its position in `Plan::items`.
pub struct Expected {
    jobs: Vec<Forecast>,
}

/// The passes of each item of a plan that is not stored.
pub fn work(plan: &Plan) -> Vec<Option<Vec<Work>>> {
    let mut jobs = Jobs::default();
    let items = plan.items.iter();
    items
        .map(|item| {
            if item.state.stored() {
                return None;
            }
            jobs.work(&item.job)
        })
        .collect()
}

/// The passes of those jobs whose time no stored result tells.
pub fn untimed(plan: &Plan, work: &[Option<Vec<Work>>]) -> Vec<Work> {
    let paces = Paces::of(plan);
    let untimed = (0..plan.items.len()).filter(|&n| paces.of_the_same(plan, n).is_none());
    untimed
        .flat_map(|n| work[n].iter().flatten().cloned())
        .collect()
}

impl Expected {
    pub fn new(plan: &Plan, work: &[Option<Vec<Work>>], speed: &Speed) -> Expected {
        let paces = Paces::of(plan);
        // By address: a plan has one of each.
        let mut seconds_of: HashMap<*const Workload, Option<f64>> = HashMap::new();
        for work in work.iter().flatten().flatten() {
            let place = seconds_of.entry(Arc::as_ptr(&work.workload));
            place.or_insert_with(|| speed.seconds(&work.workload));
        }
        let job = |n: usize| {
            let item = &plan.items[n];
            if item.state.stored() {
                return Forecast::default();
            }
            let passes = work[n].as_deref();
            let measured = |seconds| Time {
                seconds,
                source: Source::Measured,
            };
            let estimated = || {
                let each = passes?.iter();
                let seconds = each.map(|work| {
                    let seconds = seconds_of.get(&Arc::as_ptr(&work.workload))?;
                    Some((*seconds)? * work.images)
                });
                let seconds: Option<f64> = seconds.sum();
                Some(Time {
                    seconds: seconds?,
                    source: Source::Estimated,
                })
            };
            let time = paces.of_the_same(plan, n).map(measured);
            let time = time.or_else(estimated);
            let counted = passes.and_then(|passes| {
                let each = passes.iter();
                each.map(|work| Some(work.each? * work.images)).sum()
            });
            Forecast {
                time: time.or_else(|| paces.of_any(plan, n).map(measured)),
                bytes: bytes(&item.job, passes),
                multiplications: counted,
            }
        };
        Expected {
            jobs: (0..plan.items.len()).map(job).collect(),
        }
    }

    pub fn of(&self, item: usize) -> &Forecast {
        &self.jobs[item]
    }

    /// The time of several jobs; None where that of one is not known.
    pub fn time(&self, items: &[usize]) -> Option<Time> {
        let mut times = items.iter().map(|&n| self.jobs[n].time);
        times.try_fold(Time::NONE, |sum, time| Some(sum + time?))
    }
}

/// Bytes that the result of a job will take; None where it cannot be known before it is made.
fn bytes(job: &Job, passes: Option<&[Work]>) -> Option<u64> {
    let net = passes.and_then(|passes| match &passes.first()?.workload.subject {
        Subject::Net(arch) => Some(arch),
        Subject::Inception => None,
    });
    let images = |count: usize, side: usize| {
        let (count, side) = (count as u64, side as u64);
        let each = side.saturating_mul(side).saturating_mul(3);
        count.saturating_mul(each.saturating_add(8))
    };
    let side = |model| match resolve(model, None) {
        Ok((arch, _)) if arch.answer().is_some() => Some(arch.resolution()),
        _ => net.map(Arch::resolution).or(model.resolution),
    };
    match job {
        Job::Sample(job) => Some(images(job.sample.count, side(&job.net.model)?)),
        Job::Upsample(job) => Some(images(job.sample.count, side(&job.net.model)?)),
        Job::Features(job) => {
            let width = match (FeatureSpace::named(&job.world).widths, net) {
                (Some(widths), _) => widths.pooled + widths.spatial + widths.logits,
                // The spatial features lie on a grid of 4 by 4.
                (None, Some(Arch::Features(net))) => net.pool + 16 * net.spatial + net.classes,
                _ => return None,
            };
            Some(job.count as u64 * (4 * width as u64 + 8))
        }
        Job::Metrics(_) | Job::CommandMetrics(_) => Some(0),
        Job::CommandSample(job) => Some(images(job.images.count, job.images.size?)),
        Job::Adopted(job) => Some(images(job.count, job.size?)),
        Job::Train(job) => {
            let weights = passes?.first()?.workload.bytes()?;
            Some(weights.saturating_mul(job.train.files()))
        }
        Job::CommandTrain(_) => None,
    }
}
