//! `runner plan --detect D`: how large a study must be to see a difference of D, from the rows that are stored.

use crate::cli::open::Opened;
use crate::cli::screen::terminal::{out, table, thousands};
use crate::experiment::scoring::metric::Metric;
use crate::report::findings::verdicts;
use crate::report::rows::input::Report;
use crate::report::rows::seeds;
use crate::run::differences::{Difference, Evidence, Size, difference};
use crate::run::results::{Row, rows};
use anyhow::{Result, bail, ensure};
use clap::Args;
use std::str::FromStr;

/// Comparisons that are listed one by one.
const MOST: usize = 40;

#[derive(Args, Debug, Clone)]
pub struct DetectArgs {
    /// Say how many seeds and images see a difference of D, from the cells that are scored: 0.01, or recall=0.05
    #[arg(long, value_name = "[METRIC=]D", conflicts_with_all = ["json", "why", "simulate"])]
    pub detect: Option<Detect>,
}

/// A difference to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detect {
    /// The first Fréchet distance of `eval.metrics`, where none is named.
    metric: Option<Metric>,
    difference: f64,
}

impl FromStr for Detect {
    type Err = String;

    fn from_str(text: &str) -> Result<Detect, String> {
        let (metric, number) = match text.split_once('=') {
            Some((name, number)) => {
                let known = Metric::of_id(name.trim());
                let known = known.ok_or_else(|| format!("`{name}` is no metric, such as fd"))?;
                (Some(known), number)
            }
            None => (None, text),
        };
        match number.trim().parse::<f64>() {
            Ok(difference) if difference.is_finite() && difference > 0.0 => {
                Ok(Detect { metric, difference })
            }
            _ => Err("a difference above 0 is needed, such as 0.01".to_string()),
        }
    }
}

/// Prints what each comparison of the study sees, and what it would need.
///
/// # Errors
/// Where the metric is not asked for, no comparison has scores, or a stored file cannot be read.
pub fn detect(opened: &Opened, detect: Detect, file: &str) -> Result<()> {
    let rows = rows(&opened.plan, &opened.store);
    let report = Report::new(&opened.sweep, &rows);
    let asked: Vec<Metric> = report
        .eval()
        .map_or(Vec::new(), |eval| eval.metrics.clone());
    let first = || {
        asked
            .iter()
            .find(|metric| Metric::FRECHET.contains(metric))
            .copied()
    };
    let metric = detect.metric.or_else(first);
    let named = metric.map_or("a Fréchet distance", Metric::id);
    let Some(metric) = metric.filter(|metric| asked.contains(metric)) else {
        let asked: Vec<&str> = asked.iter().map(|metric| metric.id()).collect();
        let asked = asked.join(", ");
        bail!(
            "--detect: {named} is not among eval.metrics ({asked})\nhint: name one that is, as --detect METRIC={}",
            detect.difference
        );
    };
    let found = comparisons(&report, metric)?;
    ensure!(
        !found.is_empty(),
        "--detect: no comparison of this study has scores with an interval yet\nhint: a pilot is enough: `runner sweep {file} \
         --set sample.count=500`, then this command with the same --set"
    );
    out(&format!(
        "{}: to see a difference of {} in {} in four of five studies",
        opened.sweep.name,
        detect.difference,
        metric.id()
    ))?;
    out("")?;
    let lines = found.iter().take(MOST).map(|(name, found, evidence)| {
        vec![
            name.clone(),
            told(evidence.trainings(), evidence.images),
            interval(found),
            number(evidence.smallest()),
            match evidence.enough(detect.difference) {
                Some(_) if evidence.smallest() <= detect.difference => "it does".to_string(),
                Some(Size { trainings, images }) => told(trainings, images),
                None => "more than 20 seeds and 16 times the images".to_string(),
            },
        ]
    });
    let head = ["comparison", "has", "found", "sees", "needs"];
    let mut all = vec![head.map(String::from).to_vec()];
    all.extend(lines);
    out(&table(&all, &[false]))?;
    if found.len() > MOST {
        out(&format!(
            "  and {} more comparisons",
            thousands((found.len() - MOST) as u64)
        ))?;
    }
    out(
        "  sees: the smallest difference that the interval tells from 0 in four of five studies of this size",
    )
}

type Comparison = (String, Difference, Evidence);

/// The claims by the metric; where there are none, each variant against the first.
fn comparisons(report: &Report, metric: Metric) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    let mut add = |name: String, pairs: &[(&Row, &Row)]| -> Result<()> {
        let by = difference(pairs, metric.id())?;
        let sure = by.and_then(|by| by.evidence.map(|evidence| (by, evidence)));
        found.extend(sure.map(|(by, evidence)| (name, by, evidence)));
        Ok(())
    };
    let claims = report
        .sweep
        .claims
        .iter()
        .filter(|claim| claim.metric == metric);
    let claims: Vec<_> = claims.collect();
    for claim in &claims {
        add(claim.says.clone(), &verdicts::pairs(report.rows, claim))?;
    }
    let variants = seeds::variants(report.rows);
    let keys = || report.axes.changing().map(|axis| axis.key.as_str());
    if let Some((base, others)) = variants.split_first().filter(|_| claims.is_empty()) {
        for other in others {
            let name = report.axes.place(&other.row, keys());
            add(name, &seeds::pairs(&base.cells, &other.cells))?;
        }
    }
    Ok(found)
}

/// `3 seeds of 2,000 images`.
fn told(trainings: usize, images: usize) -> String {
    let images = thousands(images as u64);
    match trainings {
        1 => format!("{images} images"),
        n => format!("{n} seeds of {images} images"),
    }
}

fn interval(found: &Difference) -> String {
    let value = found.value;
    match found.interval() {
        Some((low, high)) => format!("{value:+.4} [{low:+.4}, {high:+.4}]"),
        None => format!("{value:+.4}"),
    }
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}
