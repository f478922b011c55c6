//! How long jobs take, as far as anything like them has been measured.

use crate::experiment::file::experiment::Model;
use crate::jobs::job::Job;
use crate::run::plan::Plan;
use crate::run::store::State;
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

/// Seconds and work of finished jobs, by kind and model. Seconds of another kind of job tell nothing of one.
#[derive(Default)]
pub struct Paces {
    of_kind: HashMap<Discriminant<Job>, Measured>,
    /// The model by its text: every field of it counts.
    of_model: HashMap<(Discriminant<Job>, String), Measured>,
}

/// Sums over jobs.
#[derive(Default)]
struct Measured {
    seconds: f64,
    cost: f64,
}

impl Measured {
    fn add(&mut self, seconds: f64, cost: f64) {
        self.seconds += seconds;
        self.cost += cost;
    }

    /// Seconds that a unit of work takes.
    fn pace(&self) -> Option<f64> {
        (self.cost > 0.0).then(|| self.seconds / self.cost)
    }
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
        let cost = job.cost().amount;
        let of_kind = self.of_kind.entry(discriminant(job));
        of_kind.or_default().add(seconds, cost);
        let of_model = self.of_model.entry((discriminant(job), model(plan, n)));
        of_model.or_default().add(seconds, cost);
    }

    /// Seconds that item `n` should take: by results of its kind of the same nets, else of any.
    pub fn expected(&self, plan: &Plan, n: usize) -> Option<f64> {
        self.of_the_same(plan, n).or_else(|| self.of_any(plan, n))
    }

    /// The same by results of the same nets alone.
    pub fn of_the_same(&self, plan: &Plan, n: usize) -> Option<f64> {
        let job = &plan.items[n].job;
        let of_model = self.of_model.get(&(discriminant(job), model(plan, n)));
        Some(of_model?.pace()? * job.cost().amount)
    }

    /// The same by every result of its kind.
    pub fn of_any(&self, plan: &Plan, n: usize) -> Option<f64> {
        let job = &plan.items[n].job;
        let of_kind = self.of_kind.get(&discriminant(job));
        Some(of_kind?.pace()? * job.cost().amount)
    }
}

/// The nets that do the work, as a text that no others have: an image that is guided takes much longer.
fn model(plan: &Plan, n: usize) -> String {
    let model: &Model = match &plan.items[n].job {
        Job::Upsample(job) => &job.net.model,
        _ => &plan.first_cell(n).spec.model,
    };
    let guide = match &plan.items[n].job {
        Job::Sample(job) => job.guidance.as_ref().map(|guide| {
            let model = guide.net.as_ref().map(|net| &net.model);
            (guide.rule.method, model)
        }),
        _ => None,
    };
    format!("{model:?} {guide:?}")
}
