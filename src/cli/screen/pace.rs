//! How long jobs take, as far as anything like them has been measured.

use crate::experiment::file::experiment::Model;
use crate::jobs::job::Job;
use crate::run::plan::Plan;
use crate::run::store::State;
use std::mem::{Discriminant, discriminant};

/// Seconds and work of finished jobs, by kind and model.
#[derive(Default)]
pub struct Paces {
    measured: Vec<Measured>,
}

struct Measured {
    /// Seconds of another kind of job tell nothing of this one.
    kind: Discriminant<Job>,
    model: Model,
    seconds: f64,
    cost: f64,
}

impl Paces {
    /// From the plan's stored results.
    pub fn of(plan: &Plan) -> Paces {
        let mut paces = Paces::default();
        for (n, item) in plan.items.iter().enumerate() {
            if let State::Stored(manifest) = &item.state {
                paces.add(plan, n, manifest.device_seconds());
            }
        }
        paces
    }

    pub fn add(&mut self, plan: &Plan, n: usize, seconds: f64) {
        let job = &plan.items[n].job;
        self.measured.push(Measured {
            kind: discriminant(job),
            model: model(plan, n).clone(),
            seconds,
            cost: job.cost().amount,
        });
    }

    /// Seconds that item `n` should take: by results of its kind of the same model, else of any.
    pub fn expected(&self, plan: &Plan, n: usize) -> Option<f64> {
        let job = &plan.items[n].job;
        let model = model(plan, n);
        let pace = |alike: bool| {
            let all = self.measured.iter();
            let all = all.filter(|m| m.kind == discriminant(job));
            let chosen = all.filter(|m| !alike || m.model == *model);
            let (seconds, cost) = chosen.fold((0.0, 0.0), |(seconds, cost), m| {
                (seconds + m.seconds, cost + m.cost)
            });
            (cost > 0.0).then(|| seconds / cost)
        };
        Some(pace(true).or_else(|| pace(false))? * job.cost().amount)
    }
}

/// The net that does the work.
fn model(plan: &Plan, n: usize) -> &Model {
    match &plan.items[n].job {
        Job::Upsample(job) => &job.net.model,
        _ => &plan.first_cell(n).spec.model,
    }
}
