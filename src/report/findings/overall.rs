//! What the numbers say, in sentences whose direction comes from the numbers and their intervals.

use crate::experiment::scoring::feature_space::label;
use crate::experiment::scoring::metric::Metric;
use crate::report::chart::series;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::names::Better;
use crate::report::table::sheet;
use crate::run::results::{Row, Score};

/// Sentences over all cells, then the same told group by group.
pub struct Findings {
    pub summary: Vec<String>,
    pub groups: Vec<Group>,
}

/// The cells that differ in the swept axis only.
pub struct Group {
    /// `resolution 16`; empty when there is one group.
    pub name: String,
    pub sentences: Vec<String>,
}

/// The metrics whose change along the swept axis is told.
const CHANGES: [Metric; 3] = [Metric::Agreement, Metric::Recall, Metric::Precision];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trend {
    Rises,
    Falls,
    Unclear,
}

/// One group's rows, in the order of the swept axis.
struct Sweep<'a> {
    name: String,
    rows: Vec<&'a Row>,
}

pub fn findings(report: &Report) -> Findings {
    let Some(axis) = series::swept(report.rows) else {
        return Findings {
            summary: extremes(report),
            groups: Vec::new(),
        };
    };
    let sweeps = sweeps(report.rows, &axis);
    let teller = Teller {
        world: report.world(),
        short: series::short(report.rows, &axis),
        axis,
    };
    let metrics = names::metrics(report.rows);
    let mut summary = Vec::new();
    summary.extend(teller.optimum(&sweeps, &metrics));
    for metric in CHANGES.map(Metric::id) {
        summary.extend(teller.overall(&sweeps, metric));
    }
    summary.extend(teller.baseline(&sweeps));
    let groups = sweeps.iter().map(|sweep| Group {
        name: sweep.name.clone(),
        sentences: teller.group(sweep),
    });
    Findings {
        summary,
        groups: groups.filter(|g| !g.sentences.is_empty()).collect(),
    }
}

/// Where cells are no full grid: the best cell by each metric.
fn extremes(report: &Report) -> Vec<String> {
    let rows = report.rows;
    if rows.len() < 2 {
        return Vec::new();
    }
    let told = sheet::metrics(report).into_iter().filter_map(|metric| {
        let better = metric.better?;
        let scored = rows
            .iter()
            .filter_map(|r| Some((r, names::score(r, &metric.key)?)));
        let ordered = |a: &Told, b: &Told| a.1.value.total_cmp(&b.1.value);
        let (word, best) = match better {
            Better::Lower => ("lowest", scored.min_by(ordered)),
            Better::Higher => ("highest", scored.max_by(ordered)),
        };
        let (row, score) = best?;
        let place = series::place(rows, row, None);
        let label = capital(&metric.label);
        Some(format!("{label} is {word} at {place}: {}.", told(score)))
    });
    told.collect()
}

fn sweeps<'a>(rows: &'a [Row], axis: &str) -> Vec<Sweep<'a>> {
    let mut sweeps: Vec<Sweep> = Vec::new();
    for row in rows {
        let name = series::place(rows, row, Some(axis));
        match sweeps.iter_mut().find(|s| s.name == name) {
            Some(sweep) => sweep.rows.push(row),
            None => sweeps.push(Sweep {
                name,
                rows: vec![row],
            }),
        }
    }
    for sweep in &mut sweeps {
        sweep
            .rows
            .sort_by(|a, b| sheet::compare(names::at(a, axis), names::at(b, axis)));
    }
    sweeps
}

struct Teller<'a> {
    world: &'a str,
    axis: String,
    short: String,
}

impl Teller<'_> {
    fn at(&self, row: &Row) -> String {
        let value = names::at(row, &self.axis)
            .map(names::value)
            .unwrap_or_default();
        format!("{} {value}", self.short)
    }

    fn group(&self, sweep: &Sweep) -> Vec<String> {
        let mut out = Vec::new();
        for metric in Metric::FRECHET.map(Metric::id) {
            if let Some((row, score)) = lowest(sweep, metric) {
                let label = names::metric(metric, self.world);
                out.push(format!(
                    "The lowest {label} is {} at {}.",
                    told(score),
                    self.at(row)
                ));
            }
        }
        for metric in CHANGES.map(Metric::id) {
            if let Some(((_, from), (_, to))) = ends(sweep, metric) {
                let label = capital(&names::metric(metric, self.world));
                let change = to.value - from.value;
                let how = match trend(from, to) {
                    Trend::Unclear => ", within the intervals",
                    _ => "",
                };
                let path = self.path(sweep, metric);
                out.push(format!("{label} changes by {change:+.3}{how}: {path}."));
            }
        }
        if let Some((own, gaussian)) = unguided(sweep) {
            out.push(format!(
                "Without guidance {} is {}; of images drawn from a Gaussian fitted to the reference's pixels it is {} ({} times as much).",
                label(Metric::Fd, self.world),
                told(own),
                told(gaussian),
                digits(gaussian.value / own.value)
            ));
        }
        out
    }

    /// `0.720 [0.708, 0.732] at scale 0, 0.826 [0.814, 0.838] at scale 1`.
    fn path(&self, sweep: &Sweep, metric: &str) -> String {
        let rows = sweep.rows.iter();
        let scored = rows.filter_map(|r| Some((r, names::score(r, metric)?)));
        let steps = scored.map(|(row, score)| format!("{} at {}", told(score), self.at(row)));
        steps.collect::<Vec<_>>().join(", ")
    }

    /// `Class agreement rises from scale 0 to scale 10 in 3 of 3 sweeps.`
    fn overall(&self, sweeps: &[Sweep], metric: &str) -> Option<String> {
        let ends: Vec<_> = sweeps.iter().filter_map(|s| ends(s, metric)).collect();
        let ((first, _), (last, _)) = ends.first()?;
        let span = format!("from {} to {}", self.at(first), self.at(last));
        let count = |t: Trend| {
            ends.iter()
                .filter(|((_, a), (_, b))| trend(a, b) == t)
                .count()
        };
        let label = capital(&names::metric(metric, self.world));
        let total = ends.len();
        let parts = [
            (Trend::Rises, "rises"),
            (Trend::Falls, "falls"),
            (Trend::Unclear, "does not change beyond its intervals"),
        ];
        let parts = parts.into_iter().filter(|(t, _)| count(*t) > 0);
        let parts = parts.map(|(t, word)| match total {
            1 => word.to_string(),
            _ => format!("{word} in {} of {total} sweeps", count(t)),
        });
        let change: Vec<f64> = ends
            .iter()
            .map(|((_, a), (_, b))| b.value - a.value)
            .collect();
        let low = change.iter().copied().fold(f64::INFINITY, f64::min);
        let high = change.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = (format!("{low:+.3}"), format!("{high:+.3}"));
        let range = match low == high {
            true => low,
            false => format!("{low} to {high}"),
        };
        let parts: Vec<String> = parts.collect();
        Some(format!("{label} {} {span} ({range}).", parts.join(", ")))
    }

    /// Where the lowest Fréchet distance of each sweep lies.
    fn optimum(&self, sweeps: &[Sweep], metrics: &[String]) -> Option<String> {
        let metric = metrics
            .iter()
            .find(|m| Metric::FRECHET.iter().any(|f| f.id() == *m))?;
        let label = names::metric(metric, self.world);
        let lowest = sweeps.iter().filter_map(|s| Some((s, lowest(s, metric)?)));
        let parts = lowest.map(|(sweep, (row, score))| {
            let value = digits(score.value);
            match sweep.name.as_str() {
                "" => format!("{} ({value})", self.at(row)),
                name => format!("{} for {name} ({value})", self.at(row)),
            }
        });
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| format!("{label} is lowest at {}.", parts.join(", at ")))
    }

    fn baseline(&self, sweeps: &[Sweep]) -> Option<String> {
        let pairs: Vec<_> = sweeps.iter().filter_map(unguided).collect();
        if pairs.is_empty() {
            return None;
        }
        let nearer = pairs
            .iter()
            .filter(|(own, gaussian)| bounds(own).1 < gaussian.value);
        Some(format!(
            "Unguided samples are nearer to the reference in {} than images drawn from a Gaussian fitted to its pixels in {} of {} {}.",
            label(Metric::Fd, self.world),
            nearer.count(),
            pairs.len(),
            if pairs.len() == 1 { "sweep" } else { "sweeps" }
        ))
    }
}

type Told<'a> = (&'a Row, &'a Score);

/// The scores at the lowest and the highest value of the swept axis that have one.
fn ends<'a>(sweep: &Sweep<'a>, metric: &str) -> Option<(Told<'a>, Told<'a>)> {
    let mut scored = sweep
        .rows
        .iter()
        .filter_map(|r| Some((*r, names::score(r, metric)?)));
    Some((scored.next()?, scored.next_back()?))
}

fn lowest<'a>(sweep: &Sweep<'a>, metric: &str) -> Option<Told<'a>> {
    let scored = sweep
        .rows
        .iter()
        .filter_map(|r| Some((*r, names::score(r, metric)?)));
    scored.min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}

/// The unguided cell's distance and the Gaussian baseline's.
fn unguided<'a>(sweep: &Sweep<'a>) -> Option<(&'a Score, &'a Score)> {
    let zero = |r: &&&Row| names::at(r, "guidance.scale").and_then(names::number) == Some(0.0);
    let row: &'a Row = sweep.rows.iter().find(zero)?;
    let score = |metric: Metric| names::score(row, metric.id());
    Some((score(Metric::Fd)?, score(Metric::GaussianFd)?))
}

/// Clear where the intervals do not touch.
fn trend(from: &Score, to: &Score) -> Trend {
    let (from_low, from_high) = bounds(from);
    let (to_low, to_high) = bounds(to);
    if to_low > from_high {
        Trend::Rises
    } else if to_high < from_low {
        Trend::Falls
    } else {
        Trend::Unclear
    }
}

/// The interval; the value itself where there is none.
fn bounds(score: &Score) -> (f64, f64) {
    match score.low.is_finite() && score.high.is_finite() {
        true => (score.low, score.high),
        false => (score.value, score.value),
    }
}

fn told(score: &Score) -> String {
    let decimals = names::decimals(&score.metric, [score.value].into_iter());
    match score.low < score.high {
        true => format!(
            "{:.decimals$} [{:.decimals$}, {:.decimals$}]",
            score.value, score.low, score.high
        ),
        false => format!("{:.decimals$}", score.value),
    }
}

fn digits(value: f64) -> String {
    let decimals = names::decimals("", [value].into_iter());
    format!("{value:.decimals$}")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
