//! How often the denoising nets of a cell are asked.

use crate::jobs::job::Job;
use crate::run::plan::Plan;

/// Whether the rows tell how often the nets were asked: where a chart shows it, or the cells differ in how they are drawn.
pub(super) fn are_told(plan: &Plan) -> bool {
    let axes = plan
        .cells
        .first()
        .map(|cell| &cell.axes[..])
        .unwrap_or_default();
    let differ = |axis: &String| axis == "sample.sampler" || axis == "guidance.method";
    plan.charts_evaluations || axes.iter().any(differ)
}

/// Times that the denoising nets are asked for one image of a cell, a second net's answers included and a classifier's
/// not; none where a program draws.
pub(super) fn of(plan: &Plan, cell: usize) -> Option<i64> {
    let mut jobs = plan.of_cell[cell].iter().map(|&at| &plan.items[at].job);
    jobs.find_map(|job| match job {
        Job::Sample(sample) => {
            Some((job.cost().amount / sample.sample.count as f64).round() as i64)
        }
        _ => None,
    })
}
