//! What each cell of a plan still costs: network evaluations, time where it has been measured, disk.

use crate::cli::screen::pace::Paces;
use crate::cli::screen::terminal::{self, bytes, duration, short};
use crate::experiment::file::experiment::Model;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::{FeatureSpace, Widths};
use crate::jobs::job::Job;
use crate::jobs::sample::SampleJob;
use crate::jobs::upsample::UpsampleJob;
use crate::run::plan::Plan;

/// Above so many cells a table says less than its sum.
const MOST: usize = 64;

/// Bytes of an image's features as f32, and of its label.
fn features(widths: Widths) -> u64 {
    4 * (widths.pooled + widths.spatial + widths.logits) as u64 + 8
}

/// One line a cell with work to do; none where there is no such cell, or too many.
fn rows(plan: &Plan) -> Option<Vec<Vec<String>>> {
    let open = plan.to_run();
    let busy = |items: &&Vec<usize>| items.iter().any(|n| open.contains(n));
    let count = plan.of_cell.iter().filter(busy).count();
    if !(1..=MOST).contains(&count) || plan.cells.len() < 2 {
        return None;
    }
    let paces = Paces::of(plan);
    let upsampled = (plan.items.iter()).any(|item| matches!(item.job, Job::Upsample(_)));
    let mut head = vec![
        "cell",
        "at",
        "net",
        "classifier",
        "upsampler",
        "time",
        "disk",
    ];
    head.retain(|name| upsampled || *name != "upsampler");
    let mut rows = vec![head.into_iter().map(String::from).collect()];
    let mut all = Price::default();
    for (n, cell) in plan.cells.iter().enumerate() {
        // Work that cells share is the first one's.
        let own = plan.of_cell[n].iter().copied();
        let own: Vec<usize> = own
            .filter(|at| open.contains(at) && plan.items[*at].cells[0] == n)
            .collect();
        let mut row = vec![cell.index.to_string(), cell.label()];
        row.extend(match own.is_empty() {
            true => Price::none(upsampled),
            false => {
                let price = Price::of(plan, &own, &paces);
                all.add(&price);
                price.words(upsampled)
            }
        });
        rows.push(row);
    }
    let mut row = vec![String::new(), "all".to_string()];
    row.extend(all.words(upsampled));
    rows.push(row);
    Some(rows)
}

/// What some jobs cost together; none where it is not known of one of them.
struct Price {
    net: f64,
    upsampler: f64,
    classifier: f64,
    seconds: Option<f64>,
    bytes: Option<u64>,
}

impl Default for Price {
    fn default() -> Self {
        Self {
            net: 0.0,
            upsampler: 0.0,
            classifier: 0.0,
            seconds: Some(0.0),
            bytes: Some(0),
        }
    }
}

impl Price {
    fn of(plan: &Plan, items: &[usize], paces: &Paces) -> Price {
        let mut price = Price::default();
        for &at in items {
            let job = &plan.items[at].job;
            let evals = job.cost().amount;
            let guided = matches!(job, Job::Sample(sample) if sample.guidance.is_some());
            price.add(&Price {
                net: if matches!(job, Job::Sample(_)) {
                    evals
                } else {
                    0.0
                },
                upsampler: if matches!(job, Job::Upsample(_)) {
                    evals
                } else {
                    0.0
                },
                classifier: if guided { evals } else { 0.0 },
                seconds: paces.expected(plan, at),
                bytes: size(job),
            });
        }
        price
    }

    fn add(&mut self, other: &Price) {
        self.net += other.net;
        self.upsampler += other.upsampler;
        self.classifier += other.classifier;
        self.seconds = self.seconds.zip(other.seconds).map(|(a, b)| a + b);
        self.bytes = self.bytes.zip(other.bytes).map(|(a, b)| a + b);
    }

    /// The words of a cell without work.
    fn none(upsampled: bool) -> Vec<String> {
        let mut words = vec!["none".to_string()];
        words.resize(if upsampled { 5 } else { 4 }, String::new());
        words
    }

    /// As its columns stand; without the upsampler's where no cell has one.
    fn words(&self, upsampled: bool) -> Vec<String> {
        let evals = |count: f64| match count > 0.0 {
            true => short(count),
            false => String::new(),
        };
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "not known".to_string());
        let upsampler = upsampled.then(|| evals(self.upsampler));
        let mut words = vec![evals(self.net), evals(self.classifier)];
        words.extend(upsampler);
        words.extend([
            or_unknown(self.seconds.map(duration)),
            or_unknown(self.bytes.map(bytes)),
        ]);
        words
    }
}

/// The same as text, with what its columns mean.
pub fn table(plan: &Plan) -> Option<String> {
    let rows = rows(plan)?;
    let mut right = vec![true; rows[0].len()];
    right[1] = false;
    let upsampler = match rows[0].iter().any(|name| name == "upsampler") {
        true => ", upsampler",
        false => "",
    };
    Some(format!(
        "{}\n  net, classifier{upsampler}: evaluations, of the classifier with its gradient; cells that share work have it at the first",
        terminal::table(&rows, &right)
    ))
}

/// Bytes that the result of a job will take; none where it cannot be known before the net is opened.
fn size(job: &Job) -> Option<u64> {
    match job {
        Job::Sample(SampleJob { net, sample, .. })
        | Job::Upsample(UpsampleJob { net, sample, .. }) => {
            let side = side(&net.model)? as u64;
            Some(sample.count as u64 * (side * side * 3 + 8))
        }
        Job::Features(job) => {
            let widths = FeatureSpace::named(&job.world).widths?;
            Some(job.count as u64 * features(widths))
        }
        Job::Metrics(_) => Some(0),
        Job::Train(_) => None,
    }
}

/// Pixels a side, as far as the file says it.
fn side(model: &Model) -> Option<usize> {
    match resolve(model, None) {
        Ok((arch, _)) if arch.answer().is_some() => Some(arch.resolution()),
        _ => model.resolution,
    }
}
