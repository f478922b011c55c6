//! What each cell of a plan still costs: network evaluations, time where it has been measured, disk.

use crate::cli::screen::pace::Paces;
use crate::cli::screen::terminal::{self, bytes, duration, short};
use crate::experiment::file::experiment::Model;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::{FeatureSpace, Widths};
use crate::jobs::job::Job;
use crate::jobs::sample::SampleJob;
use crate::jobs::upsample::UpsampleJob;
use crate::run::plan::{Item, Plan};

/// Cells that a table has at most: of more, the sums by stage say enough.
const MOST: usize = 64;

/// Bytes of an image's features as f32, and of its label.
fn features(widths: Widths) -> u64 {
    4 * (widths.pooled + widths.spatial + widths.logits) as u64 + 8
}

/// One line a cell with work to do; none where there is no such cell, or too many.
fn rows(plan: &Plan) -> Option<Vec<Vec<String>>> {
    let open = |n: &usize| !plan.items[*n].state.stored();
    let busy = |items: &&Vec<usize>| items.iter().any(open);
    let count = plan.of_cell.iter().filter(busy).count();
    if !(1..=MOST).contains(&count) || plan.cells.len() < 2 {
        return None;
    }
    let paces = Paces::of(plan);
    let upsampler = |item: &Item| matches!(item.job, Job::Upsample(_));
    let upsampling = if plan.items.iter().any(upsampler) {
        Upsampling::Somewhere
    } else {
        Upsampling::Nowhere
    };
    let mut head = vec![
        "cell",
        "at",
        "net",
        "classifier",
        "upsampler",
        "time",
        "disk",
    ];
    head.retain(|name| upsampling == Upsampling::Somewhere || *name != "upsampler");
    let mut rows = vec![head.into_iter().map(String::from).collect()];
    let mut all = Price::default();
    for (n, cell) in plan.cells.iter().enumerate() {
        // A job that several cells share is counted with the first of them.
        let own = plan.of_cell[n].iter().copied();
        let own: Vec<usize> = own
            .filter(|at| open(at) && plan.items[*at].cells[0] == n)
            .collect();
        let mut row = vec![cell.index.to_string(), cell.label()];
        row.extend(if own.is_empty() {
            upsampling.nothing()
        } else {
            let price = Price::of(plan, &own, &paces);
            all.add(&price);
            upsampling.words(&price)
        });
        rows.push(row);
    }
    let mut row = vec![String::new(), "all".to_string()];
    row.extend(upsampling.words(&all));
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
}

/// Whether some cell has an upsampler, whose column stands then.
#[derive(Clone, Copy, PartialEq)]
enum Upsampling {
    Somewhere,
    Nowhere,
}

impl Upsampling {
    /// The words of a cell without work.
    fn nothing(self) -> Vec<String> {
        let columns = match self {
            Upsampling::Somewhere => 5,
            Upsampling::Nowhere => 4,
        };
        let mut words = vec!["none".to_string()];
        words.resize(columns, String::new());
        words
    }

    /// As the columns stand.
    fn words(self, price: &Price) -> Vec<String> {
        let evals = |count: f64| {
            if count > 0.0 {
                short(count)
            } else {
                String::new()
            }
        };
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "not known".to_string());
        let mut words = vec![evals(price.net), evals(price.classifier)];
        if self == Upsampling::Somewhere {
            words.push(evals(price.upsampler));
        }
        words.push(or_unknown(price.seconds.map(duration)));
        words.push(or_unknown(price.bytes.map(bytes)));
        words
    }
}

/// The same as text, with what its columns mean.
pub fn table(plan: &Plan) -> Option<String> {
    let rows = rows(plan)?;
    let mut right = vec![true; rows[0].len()];
    right[1] = false;
    let upsampler = if rows[0].iter().any(|name| name == "upsampler") {
        ", upsampler"
    } else {
        ""
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
        Job::Metrics(_) | Job::CommandMetrics(_) => Some(0),
        Job::CommandSample(job) => {
            let side = job.images.size? as u64;
            Some(job.images.count as u64 * (side * side * 3 + 8))
        }
        Job::Train(_) | Job::CommandTrain(_) | Job::Adopted(_) => None,
    }
}

/// Pixels a side, as far as the file says it.
fn side(model: &Model) -> Option<usize> {
    match resolve(model, None) {
        Ok((arch, _)) if arch.answer().is_some() => Some(arch.resolution()),
        _ => model.resolution,
    }
}
