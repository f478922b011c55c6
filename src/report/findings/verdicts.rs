//! What others have found, put to the test: the verdict comes from the difference and its interval over seeds and images.

use crate::experiment::file::claim::Claim;
use crate::experiment::grid::overlay::leaves;
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::values::{at, exact_place, same, thousands};
use crate::run::differences::{Difference, Size, difference};
use crate::run::results::Row;
use anyhow::Result;
use std::collections::HashMap;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies on the claim's side of 0.
    Holds,
    /// The interval lies on the other side.
    Contrary,
    /// The interval holds 0 and nothing as large as what the source found.
    Bounded,
    /// The interval holds 0, and something that large too, or it is not known how large that is; or there is no interval.
    Undecided,
    /// There is nothing to compare.
    NotMeasured,
}

/// A claim and what became of it.
#[derive(Clone, Debug)]
pub struct Tested {
    pub source: String,
    /// The claim in its words.
    pub says: String,
    /// `at scale 1`; empty where it is of all cells.
    pub place: String,
    /// `FD (shapes) with heads 4 minus that with heads 1`.
    pub compared: String,
    /// `-0.011 [-0.018, -0.004]`; none where nothing is measured.
    pub difference: Option<String>,
    /// The difference of each seed, or of each pair of cells where there is one seed; none of a single one.
    pub each: Vec<String>,
    /// The smallest difference that the study could have seen.
    pub smallest: Option<String>,
    /// `0.012`: no difference is larger. Only of what is bounded or undecided.
    pub bound: Option<String>,
    /// `about 6 seeds of 2,000 images`, of what is undecided.
    pub needs: Option<String>,
    pub verdict: Verdict,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Contrary => "the contrary holds",
            Verdict::Bounded => "no such difference",
            Verdict::Undecided => "not decided",
            Verdict::NotMeasured => "not measured",
        }
    }
}

impl Tested {
    /// The verdict in a sentence: `Holds here: at scale 1, FD (shapes) with heads 4 minus that with heads 1 is -0.011
    /// [-0.018, -0.004]; this study could have seen 0.010.`
    pub fn sentence(&self) -> String {
        let Some(difference) = &self.difference else {
            return "Not measured here.".to_string();
        };
        let word = match self.verdict {
            Verdict::Holds => "Holds here",
            Verdict::Contrary => "The contrary holds here",
            Verdict::Bounded => "No such difference here",
            Verdict::Undecided => "Not decided here",
            Verdict::NotMeasured => "Not measured here",
        };
        let place = match self.place.as_str() {
            "" => String::new(),
            place => format!("{place}, "),
        };
        let mut text = format!("{word}: {place}{} is {difference}", self.compared);
        if !self.each.is_empty() {
            text.push_str(&format!(" ({})", self.each.join("; ")));
        }
        if let Some(bound) = &self.bound {
            text.push_str(&format!("; no difference larger than {bound}"));
        }
        if let Some(smallest) = &self.smallest {
            text.push_str(&format!("; this study could have seen {smallest}"));
        }
        if let Some(needs) = &self.needs {
            text.push_str(&format!("; to decide it needs {needs}"));
        }
        text + "."
    }
}

/// The claims of a report's experiment in file order.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn tested(report: &Report) -> Result<Vec<Tested>> {
    let claims = report.sweep.claims.iter();
    claims.map(|claim| judged(report, claim)).collect()
}

fn judged(report: &Report, claim: &Claim) -> Result<Tested> {
    let metric = claim.metric.id();
    let pairs = pairs(report.rows, claim);
    let place = |table: &toml::Table| {
        let places = leaves(table, "");
        let labels = places.iter().map(|(key, v)| report.axes.label(key, v));
        labels.collect::<Vec<_>>().join(", ")
    };
    let mut tested = Tested {
        source: claim.source.clone(),
        says: claim.says.clone(),
        place: match place(&claim.at) {
            at if at.is_empty() => at,
            at => format!("at {at}"),
        },
        compared: format!(
            "{} with {} minus that with {}",
            names::label(metric, report.world()),
            place(&claim.better),
            place(&claim.than),
        ),
        difference: None,
        each: Vec::new(),
        smallest: None,
        bound: None,
        needs: None,
        verdict: Verdict::NotMeasured,
    };
    if let Some(found) = difference(&pairs, metric)? {
        tell(&mut tested, claim, &found, worse(&pairs, metric));
    }
    Ok(tested)
}

/// Writes down a difference from scores of the mean `worse`, and what follows from it.
fn tell(tested: &mut Tested, claim: &Claim, found: &Difference, worse: f64) {
    let metric = claim.metric.id();
    let decimals = names::decimals(metric, std::iter::once(found.value)).max(3);
    let signed = |v: f64| format!("{v:+.decimals$}");
    if found.each.len() > 1 {
        tested.each = found.each.iter().map(|v| signed(*v)).collect();
    }
    let Some(evidence) = found.evidence else {
        tested.difference = Some(signed(found.value));
        tested.verdict = Verdict::Undecided;
        return;
    };
    let (low, high) = evidence.interval;
    tested.difference = Some(format!(
        "{} [{}, {}]",
        signed(found.value),
        signed(low),
        signed(high)
    ));
    let smallest = evidence.smallest();
    tested.smallest = Some(format!("{smallest:.decimals$}"));
    let effect = claim.effect.map(|share| share * worse.abs());
    let bound = low.abs().max(high.abs());
    let good = match names::better(metric) {
        Some(Better::Higher) => found.value > 0.0,
        _ => found.value < 0.0,
    };
    tested.verdict = match (found.stands(), effect) {
        (true, _) if good => Verdict::Holds,
        (true, _) => Verdict::Contrary,
        (false, Some(effect)) if bound < effect => Verdict::Bounded,
        (false, _) => Verdict::Undecided,
    };
    if !found.stands() {
        tested.bound = Some(format!("{bound:.decimals$}"));
    }
    if tested.verdict == Verdict::Undecided {
        let target = effect.unwrap_or(found.value.abs());
        tested.needs = Some(needed(evidence.enough(target)));
    }
}

fn needed(size: Option<Size>) -> String {
    match size {
        None => "far more seeds and images".to_string(),
        Some(Size {
            trainings: 1,
            images,
        }) => {
            format!("about {} images a cell", thousands(images))
        }
        Some(Size { trainings, images }) => {
            format!("about {trainings} seeds of {} images", thousands(images))
        }
    }
}

/// The mean score of the cells that are said to be worse.
fn worse(pairs: &[(&Row, &Row)], metric: &str) -> f64 {
    let scores = pairs
        .iter()
        .filter_map(|(from, _)| names::score(from, metric));
    let values: Vec<f64> = scores.map(|score| score.value).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Each cell where it is said to be worse, with the one where it is said to be better and that is its equal on every
/// axis that the claim does not name.
pub fn pairs<'a>(rows: &'a [Row], claim: &Claim) -> Vec<(&'a Row, &'a Row)> {
    let (here, there) = (claim.here(), claim.there());
    // Where both stand; a case that leaves an axis out stands at any of its values.
    let both = leaves(&claim.at, "");
    let stands = |row: &Row, place: &[(String, toml::Value)]| {
        place.iter().all(|(key, value)| match at(row, key) {
            None => both.iter().any(|(name, _)| name == key),
            found => same(found, Some(value)),
        })
    };
    let named = |key: &String| here.iter().any(|(name, _)| name == key);
    // Cells are labelled by the same axes, those of the first.
    let axes = rows.first().map_or(&[][..], |row| &row.axes);
    let elsewhere = |row: &Row| {
        let others = axes.iter().filter(|key| !named(key));
        exact_place(row, others.map(String::as_str))
    };
    let mut better: HashMap<Vec<Option<String>>, &Row> = HashMap::new();
    for row in rows.iter().filter(|row| stands(row, &here)) {
        better.entry(elsewhere(row)).or_insert(row);
    }
    let worse = rows.iter().filter(|row| stands(row, &there));
    worse
        .filter_map(|from| Some((from, *better.get(&elsewhere(from))?)))
        .collect()
}
