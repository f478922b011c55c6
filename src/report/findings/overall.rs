//! What the numbers say, in sentences whose direction comes from the numbers and their intervals.

use crate::experiment::scoring::metric::Metric;
use crate::report::findings::many::{self, MOST_SWEEPS};
use crate::report::rows::axes::{Axis, GUIDANCE};
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::seeds::{self, Variant};
use crate::report::rows::values::{at, compare, number, text, thousands};
use crate::report::table::sheet;
use crate::run::results::Score;
use std::collections::HashMap;

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trend {
    Rises,
    Falls,
    Unclear,
}

/// One group's variants, in the order of the swept axis.
struct Sweep<'a> {
    name: String,
    variants: Vec<&'a Variant<'a>>,
}

/// The findings of a report. Cells that differ in their seeds alone are told as one, by their means.
pub fn findings(report: &Report) -> Findings {
    let variants = seeds::variants(report.rows);
    let repeats = seeds::count(report.rows);
    let mut findings = match report.axes.swept() {
        Some(axis) => along(report, &variants, axis),
        None => Findings {
            summary: extremes(report, &variants),
            groups: Vec::new(),
        },
    };
    if repeats > 1 && !findings.summary.is_empty() {
        let scored = |v: &Variant| v.cells.iter().filter(|row| row.missing.is_none()).count();
        let all = variants.iter().all(|v| scored(v) == repeats);
        let most = if all { "" } else { "at most " };
        let means = format!(
            "Scores below are means over {most}{repeats} seeds, ± their standard deviation."
        );
        findings.summary.insert(0, means);
    }
    findings
}

/// What changes along the swept axis.
fn along(report: &Report, variants: &[Variant], axis: &Axis) -> Findings {
    let sweeps = sweeps(report, variants, axis);
    let (within, beyond) = if seeds::count(report.rows) > 1 {
        (
            ", within the intervals or not in the same way for every seed",
            "beyond its intervals in the same way for every seed",
        )
    } else {
        (", within the intervals", "beyond its intervals")
    };
    let teller = Teller {
        world: report.world(),
        axis,
        within,
        beyond,
    };
    let metrics = names::metrics(report.rows);
    let mut summary = Vec::new();
    summary.extend(teller.optimum(&sweeps, &metrics));
    for metric in names::TRENDS.map(Metric::id) {
        summary.extend(teller.overall(&sweeps, metric));
    }
    summary.extend(teller.baseline(&sweeps));
    let (told, more) = sweeps.split_at(sweeps.len().min(MOST_SWEEPS));
    let groups = told.iter().map(|sweep| Group {
        name: sweep.name.clone(),
        sentences: teller.group(sweep, &metrics),
    });
    let mut groups: Vec<Group> = groups.filter(|g| !g.sentences.is_empty()).collect();
    if !more.is_empty() {
        let count = thousands(more.len());
        groups.push(Group {
            name: format!("{count} more sweeps"),
            sentences: vec!["table.csv has their cells.".to_string()],
        });
    }
    Findings { summary, groups }
}

/// Where cells are no full grid: the best variant by each metric.
fn extremes(report: &Report, variants: &[Variant]) -> Vec<String> {
    if variants.len() < 2 {
        return Vec::new();
    }
    let keys = || report.axes.changing().map(|axis| axis.key.as_str());
    let told = sheet::metrics(report).into_iter().filter_map(|metric| {
        let better = metric.better?;
        let scored = variants
            .iter()
            .filter_map(|v| Some((v, names::score(&v.row, &metric.key)?)));
        let ordered = |a: &Told, b: &Told| a.1.value.total_cmp(&b.1.value);
        let (word, best) = match better {
            Better::Lower => ("lowest", scored.min_by(ordered)),
            Better::Higher => ("highest", scored.max_by(ordered)),
        };
        let (variant, score) = best?;
        let place = report.axes.place(&variant.row, keys());
        let label = capital(&metric.label);
        let told = told_of((variant, score));
        Some(format!("{label} is {word} at {place}: {told}."))
    });
    told.collect()
}

fn sweeps<'a>(report: &Report, variants: &'a [Variant], axis: &Axis) -> Vec<Sweep<'a>> {
    let mut sweeps: Vec<Sweep> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for variant in variants {
        let keys = report.axes.changing().map(|other| other.key.as_str());
        let others = keys.filter(|key| *key != axis.key);
        let name = report.axes.place(&variant.row, others);
        let place = *known.entry(name.clone()).or_insert(sweeps.len());
        match sweeps.get_mut(place) {
            Some(sweep) => sweep.variants.push(variant),
            None => sweeps.push(Sweep {
                name,
                variants: vec![variant],
            }),
        }
    }
    let place = |variant: &Variant| at(&variant.row, &axis.key).cloned();
    for sweep in &mut sweeps {
        sweep
            .variants
            .sort_by(|a, b| compare(place(a).as_ref(), place(b).as_ref()));
    }
    sweeps
}

struct Teller<'a> {
    world: &'a str,
    axis: &'a Axis,
    /// How a change is told that may be chance.
    within: &'static str,
    /// What a change has to be so that it is no chance.
    beyond: &'static str,
}

impl Teller<'_> {
    fn at(&self, variant: &Variant) -> String {
        let value = at(&variant.row, &self.axis.key).map(text);
        format!("{} {}", self.axis.name, value.unwrap_or_default())
    }

    fn group(&self, sweep: &Sweep, metrics: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for metric in metrics.iter().filter(|metric| names::ranks(metric)) {
            if let Some((variant, score)) = lowest(sweep, metric) {
                let label = names::label(metric, self.world);
                out.push(format!(
                    "The lowest {label} is {} at {}.",
                    told_of((variant, score)),
                    self.at(variant)
                ));
            }
        }
        for metric in names::TRENDS.map(Metric::id) {
            if let Some((from, to)) = ends(sweep, metric) {
                let label = capital(&names::label(metric, self.world));
                let change = to.1.value - from.1.value;
                let how = match trend(from, to) {
                    Trend::Unclear => self.within.to_string(),
                    _ => String::new(),
                };
                let path = self.path(sweep, metric);
                out.push(format!("{label} changes by {change:+.3}{how}: {path}."));
            }
        }
        if let Some((own, gaussian)) = unguided(sweep) {
            out.push(format!(
                "Without guidance {} is {}; of images drawn from a Gaussian fitted to the reference's pixels it is {} ({} times as much).",
                names::label(&own.metric, self.world),
                told(own),
                told(gaussian),
                digits(gaussian.value / own.value)
            ));
        }
        out
    }

    /// `0.720 [0.708, 0.732] at scale 0, 0.826 [0.814, 0.838] at scale 1`.
    fn path(&self, sweep: &Sweep, metric: &str) -> String {
        let steps = scored(sweep, metric).map(|(variant, score)| {
            format!("{} at {}", told_of((variant, score)), self.at(variant))
        });
        many::path(&steps.collect::<Vec<_>>())
    }

    /// `Class agreement rises from scale 0 to scale 10 in 3 of 3 sweeps.`
    fn overall(&self, sweeps: &[Sweep], metric: &str) -> Option<String> {
        let ends: Vec<_> = sweeps.iter().filter_map(|s| ends(s, metric)).collect();
        let ((first, _), (last, _)) = ends.first()?;
        let span = format!("from {} to {}", self.at(first), self.at(last));
        let count = |t: Trend| ends.iter().filter(|(a, b)| trend(*a, *b) == t).count();
        let label = capital(&names::label(metric, self.world));
        let total = ends.len();
        let parts = [
            (Trend::Rises, "rises".to_string()),
            (Trend::Falls, "falls".to_string()),
            (Trend::Unclear, format!("does not change {}", self.beyond)),
        ];
        let parts = parts.into_iter().filter(|(t, _)| count(*t) > 0);
        let parts = parts.map(|(t, word)| match total {
            1 => word,
            _ => format!("{word} in {} of {total} sweeps", count(t)),
        });
        let change: Vec<f64> = ends
            .iter()
            .map(|((_, a), (_, b))| b.value - a.value)
            .collect();
        let low = change.iter().copied().fold(f64::INFINITY, f64::min);
        let high = change.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = (format!("{low:+.3}"), format!("{high:+.3}"));
        let range = if low == high {
            low
        } else {
            format!("{low} to {high}")
        };
        let parts: Vec<String> = parts.collect();
        Some(format!("{label} {} {span} ({range}).", parts.join(", ")))
    }

    /// Where the lowest Fréchet distance of each sweep lies.
    fn optimum(&self, sweeps: &[Sweep], metrics: &[String]) -> Option<String> {
        let metric = metrics.iter().find(|metric| names::ranks(metric))?;
        let label = names::label(metric, self.world);
        let lowest = || sweeps.iter().filter_map(|s| Some((s, lowest(s, metric)?)));
        if sweeps.len() > MOST_SWEEPS {
            let places: Vec<String> = lowest().map(|(_, (v, _))| self.at(v)).collect();
            let counted = || format!("{label} is lowest at {}.", many::counted(&places));
            return (!places.is_empty()).then(counted);
        }
        let parts = lowest().map(|(sweep, (variant, score))| {
            let value = digits(score.value);
            match sweep.name.as_str() {
                "" => format!("{} ({value})", self.at(variant)),
                name => format!("{} for {name} ({value})", self.at(variant)),
            }
        });
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| format!("{label} is lowest at {}.", parts.join(", at ")))
    }

    fn baseline(&self, sweeps: &[Sweep]) -> Option<String> {
        let pairs: Vec<_> = sweeps.iter().filter_map(unguided).collect();
        let (first, _) = pairs.first()?;
        let nearer = pairs
            .iter()
            .filter(|(own, gaussian)| bounds(own).1 < gaussian.value);
        Some(format!(
            "Unguided samples are nearer to the reference in {} than images drawn from a Gaussian fitted to its pixels in {} of {} {}.",
            names::label(&first.metric, self.world),
            nearer.count(),
            pairs.len(),
            if pairs.len() == 1 { "sweep" } else { "sweeps" }
        ))
    }
}

type Told<'a> = (&'a Variant<'a>, &'a Score);

/// The variants that have a score of the metric, in the order of the swept axis.
fn scored<'a>(sweep: &Sweep<'a>, metric: &str) -> impl DoubleEndedIterator<Item = Told<'a>> {
    let variants = sweep.variants.iter();
    variants.filter_map(move |v| Some((*v, names::score(&v.row, metric)?)))
}

/// The scores at the lowest and the highest value of the swept axis that have one.
fn ends<'a>(sweep: &Sweep<'a>, metric: &str) -> Option<(Told<'a>, Told<'a>)> {
    let mut scored = scored(sweep, metric);
    Some((scored.next()?, scored.next_back()?))
}

fn lowest<'a>(sweep: &Sweep<'a>, metric: &str) -> Option<Told<'a>> {
    scored(sweep, metric).min_by(|a, b| a.1.value.total_cmp(&b.1.value))
}

/// The unguided cell's distance and the Gaussian baseline's.
fn unguided<'a>(sweep: &Sweep<'a>) -> Option<(&'a Score, &'a Score)> {
    let zero = |v: &&&Variant| at(&v.row, GUIDANCE).and_then(number) == Some(0.0);
    let variant: &'a Variant = sweep.variants.iter().find(zero)?;
    names::beside_baseline(&variant.row)
}

/// Clear where the intervals do not touch and every seed moves the same way.
fn trend((from, a): Told, (to, b): Told) -> Trend {
    let (a_low, a_high) = bounds(a);
    let (b_low, b_high) = bounds(b);
    let moves = |sign: f64| {
        let pairs = seeds::pairs(&from.cells, &to.cells).into_iter();
        let mut changes = pairs.filter_map(|(from, to)| {
            let [from, to] = [from, to].map(|row| names::score(row, &a.metric));
            Some(to?.value - from?.value)
        });
        changes.all(|change| change * sign > 0.0)
    };
    if b_low > a_high && moves(1.0) {
        Trend::Rises
    } else if b_high < a_low && moves(-1.0) {
        Trend::Falls
    } else {
        Trend::Unclear
    }
}

/// The interval; the value itself where there is none.
fn bounds(score: &Score) -> (f64, f64) {
    if score.low.is_finite() && score.high.is_finite() {
        (score.low, score.high)
    } else {
        (score.value, score.value)
    }
}

/// `0.826 [0.814, 0.838]`; of a mean over seeds `0.826 ± 0.004`.
fn told_of((variant, score): Told) -> String {
    match variant.deviation(&score.metric) {
        Some(deviation) => {
            let decimals = names::decimals(&score.metric, [score.value].into_iter());
            format!("{:.decimals$} ± {deviation:.decimals$}", score.value)
        }
        None => told(score),
    }
}

fn told(score: &Score) -> String {
    let decimals = names::decimals(&score.metric, [score.value].into_iter());
    let value = format!("{:.decimals$}", score.value);
    if score.low < score.high {
        format!(
            "{value} [{:.decimals$}, {:.decimals$}]",
            score.low, score.high
        )
    } else {
        value
    }
}

fn digits(value: f64) -> String {
    let decimals = names::decimals("", [value].into_iter());
    format!("{value:.decimals$}")
}

/// The text as a sentence begins with it; a name such as `sFD` keeps its own letters.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    match chars.clone().next() {
        Some(second) if second.is_uppercase() => text.to_string(),
        _ => first.unwrap_or_default() + chars.as_str(),
    }
}
