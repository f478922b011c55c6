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
    /// The source and its words.
    pub claim: String,
    /// `Holds here: FD (shapes) at adagn true minus that at adagn false is -0.011 [-0.018, -0.004].`
    pub verdict: String,
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
            Ok(Tested {
                claim: format!("{}: {}", claim.source, claim.says),
                verdict: match found {
                    Some(found) => verdict(report, claim, &found),
                    None => "Not measured here.".to_string(),
                },
            })
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

fn verdict(report: &Report, claim: &Claim, found: &Difference) -> String {
    let metric = claim.metric.id();
    let good = match names::better(metric) {
        Some(Better::Higher) => found.value > 0.0,
        _ => found.value < 0.0,
    };
    let word = if !found.stands() {
        "Not decided here"
    } else if good {
        "Holds here"
    } else {
        "The contrary holds here"
    };
    let decimals = names::decimals(metric, std::iter::once(found.value)).max(3);
    let signed = |v: &f64| format!("{v:+.decimals$}");
    let interval = found.interval.map(|(low, high)| {
        let (low, high) = (signed(&low), signed(&high));
        format!(" [{low}, {high}]")
    });
    let each = (found.each.len() > 1).then(|| {
        let each: Vec<String> = found.each.iter().map(signed).collect();
        format!(", pair by pair {}", each.join("; "))
    });
    let place = |table: &toml::Table| {
        let places = leaves(table, "");
        let labels = places.iter().map(|(key, v)| report.axes.label(key, v));
        labels.collect::<Vec<_>>().join(", ")
    };
    let at = if claim.at.is_empty() {
        String::new()
    } else {
        format!("at {}, ", place(&claim.at))
    };
    format!(
        "{word}: {at}{} with {} minus that with {} is {}{}{}.",
        names::label(metric, report.world()),
        place(&claim.better),
        place(&claim.than),
        signed(&found.value),
        interval.unwrap_or_default(),
        each.unwrap_or_default(),
    )
}
