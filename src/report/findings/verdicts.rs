//! What others have found, put to the test: the verdict comes from the difference, its interval and the seeds.

use crate::experiment::file::claim::Claim;
use crate::experiment::grid::overlay::leaves;
use crate::report::rows::input::Report;
use crate::report::rows::names::{self, Better};
use crate::report::rows::values::{at, exact_place, same};
use crate::run::differences::{Difference, difference};
use crate::run::results::Row;
use anyhow::Result;
use std::collections::HashMap;

/// A claim and what became of it.
pub struct Tested {
    /// Who found it.
    pub source: String,
    /// Its words.
    pub says: String,
    /// Where it is tested: `at scale 1`; empty where it is everywhere.
    pub place: String,
    /// What is compared: `FD (shapes): heads 4 minus heads 1`.
    pub compared: String,
    /// `-0.011 [-0.018, -0.004]`; none where nothing was measured.
    pub difference: Option<String>,
    /// The difference of each pair of cells, where there are several.
    pub each: Vec<String>,
    pub verdict: Verdict,
    /// What the difference is surely not larger than, where that is the verdict.
    pub bound: Option<String>,
    /// `Holds here: FD (shapes) with adagn true minus that with adagn false is -0.011 [-0.018, -0.004].`
    pub words: String,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Contrary,
    /// Whichever way it goes, it is small.
    Bounded,
    Undecided,
    NotMeasured,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Contrary => "the contrary holds",
            Verdict::Bounded => "no large difference",
            Verdict::Undecided => "not decided",
            Verdict::NotMeasured => "not measured",
        }
    }
}

/// The claims of a report's experiment in file order.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn tested(report: &Report) -> Result<Vec<Tested>> {
    let claims = report.sweep.claims.iter();
    claims
        .map(|claim| {
            let pairs = pairs(report.rows, claim);
            let found = difference(&pairs, claim.metric.id())?;
            Ok(told(report, claim, found.as_ref()))
        })
        .collect()
}

/// Each cell where it is said to be worse, with the one where it is said to be better and that is its equal on every
/// axis that the claim does not name.
fn pairs<'a>(rows: &'a [Row], claim: &Claim) -> Vec<(&'a Row, &'a Row)> {
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

fn verdict(claim: &Claim, found: &Difference) -> Verdict {
    let good = match names::better(claim.metric.id()) {
        Some(Better::Higher) => found.value > 0.0,
        _ => found.value < 0.0,
    };
    if !found.stands() {
        Verdict::Undecided
    } else if good {
        Verdict::Holds
    } else {
        Verdict::Contrary
    }
}

fn told(report: &Report, claim: &Claim, found: Option<&Difference>) -> Tested {
    let metric = claim.metric.id();
    let label = names::label(metric, report.world());
    let place = |table: &toml::Table| {
        let places = leaves(table, "");
        let labels = places.iter().map(|(key, v)| report.axes.label(key, v));
        labels.collect::<Vec<_>>().join(", ")
    };
    let at = if claim.at.is_empty() {
        String::new()
    } else {
        format!("at {}", place(&claim.at))
    };
    let (better, than) = (place(&claim.better), place(&claim.than));
    let mut tested = Tested {
        source: claim.source.clone(),
        says: claim.says.clone(),
        compared: format!("{label}: {better} minus {than}"),
        place: at,
        difference: None,
        each: Vec::new(),
        verdict: Verdict::NotMeasured,
        bound: None,
        words: "Not measured here.".to_string(),
    };
    let Some(found) = found else {
        return tested;
    };
    let decimals = names::decimals(metric, std::iter::once(found.value)).max(3);
    let signed = |v: &f64| format!("{v:+.decimals$}");
    let interval = found.interval.map(|(low, high)| {
        let (low, high) = (signed(&low), signed(&high));
        format!(" [{low}, {high}]")
    });
    let difference = format!("{}{}", signed(&found.value), interval.unwrap_or_default());
    if found.each.len() > 1 {
        tested.each = found.each.iter().map(signed).collect();
    }
    let each = if tested.each.is_empty() {
        String::new()
    } else {
        format!(", pair by pair {}", tested.each.join("; "))
    };
    let place = match tested.place.as_str() {
        "" => String::new(),
        place => format!("{place}, "),
    };
    tested.verdict = verdict(claim, found);
    tested.words = format!(
        "{} here: {place}{label} with {better} minus that with {than} is {difference}{each}.",
        capital(tested.verdict.word()),
    );
    tested.difference = Some(difference);
    tested
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
