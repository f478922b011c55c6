//! What each cell of a plan still costs: network evaluations, time where it has been measured, disk.

use crate::cli::screen::terminal::{self, bytes, short};
use crate::cli::verbs::plan::expected::{Expected, Time};
use crate::jobs::job::Job;
use crate::run::plan::{Item, Plan};

/// Cells that a table has at most: of more, the sums by stage say enough.
const MOST: usize = 64;

/// One line a cell with work to do; none where there is no such cell, or too many.
fn rows(plan: &Plan, expected: &Expected) -> Option<Vec<Vec<String>>> {
    let open = |n: &usize| !plan.items[*n].state.stored();
    let busy = |items: &&Vec<usize>| items.iter().any(open);
    let count = plan.of_cell.iter().filter(busy).count();
    if !(1..=MOST).contains(&count) || plan.cells.len() < 2 {
        return None;
    }
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
            let price = Price::of(plan, &own, expected);
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
    time: Option<Time>,
    /// Jobs of metrics whose time is not known, and not in `time`.
    untimed: usize,
    bytes: Option<u64>,
}

impl Default for Price {
    fn default() -> Self {
        Self {
            net: 0.0,
            upsampler: 0.0,
            classifier: 0.0,
            time: Some(Time::NONE),
            untimed: 0,
            bytes: Some(0),
        }
    }
}

impl Price {
    fn of(plan: &Plan, items: &[usize], expected: &Expected) -> Price {
        let mut price = Price::default();
        for &at in items {
            let job = &plan.items[at].job;
            let evals = job.cost().amount;
            let scores = matches!(job, Job::Metrics(_));
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
                classifier: match job {
                    Job::Sample(sample) => sample.gradients(),
                    _ => 0.0,
                },
                // Scoring is a small part, and nothing tells its time before the first cell is scored.
                time: expected.of(at).time.or(scores.then_some(Time::NONE)),
                untimed: usize::from(scores && expected.of(at).time.is_none()),
                bytes: expected.of(at).bytes,
            });
        }
        price
    }

    /// In words, with what it leaves out; None where nothing of it is known.
    fn time(&self) -> Option<String> {
        let time = self.time?;
        if self.untimed == 0 {
            return Some(time.words());
        }
        (time.seconds > 0.0).then(|| format!("{} + metrics", time.words()))
    }

    fn add(&mut self, other: &Price) {
        self.net += other.net;
        self.upsampler += other.upsampler;
        self.classifier += other.classifier;
        self.time = self.time.zip(other.time).map(|(a, b)| a + b);
        self.untimed += other.untimed;
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
        words.push(or_unknown(price.time()));
        words.push(or_unknown(price.bytes.map(bytes)));
        words
    }
}

/// The same as text, with what its columns mean.
pub fn table(plan: &Plan, expected: &Expected) -> Option<String> {
    let rows = rows(plan, expected)?;
    let mut right = vec![true; rows[0].len()];
    right[1] = false;
    let upsampler = if rows[0].iter().any(|name| name == "upsampler") {
        ", upsampler"
    } else {
        ""
    };
    let metrics = if rows
        .iter()
        .flatten()
        .any(|cell| cell.ends_with("+ metrics"))
    {
        "\n  + metrics: scoring, whose time is not known before a cell is scored"
    } else {
        ""
    };
    Some(format!(
        "{}\n  net, classifier{upsampler}: evaluations, of the classifier with its gradient; cells that share work have it at the first{metrics}",
        terminal::table(&rows, &right)
    ))
}
