//! Rows to the series of a chart: lines over an axis, averaged over what the chart does not show.

use crate::report::rows::names;
use crate::report::rows::published::same;
use crate::report::table::sheet::compare;
use crate::run::results::{Row, Score};

/// Characters of a name that has room beside the data.
const LONGEST: usize = 36;

#[derive(Clone, Debug)]
pub struct Point {
    /// Index among the axis values.
    pub x: usize,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Debug)]
pub struct Series {
    /// `scale 1`.
    pub name: String,
    /// In axis order; absent where nothing was measured.
    pub points: Vec<Point>,
}

/// A published score.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Index among the series.
    pub series: usize,
    /// On the x axis, though not always one of its values.
    pub x: toml::Value,
    pub value: f64,
}

pub struct Lines {
    /// The distinct values of the x axis, in order.
    pub values: Vec<toml::Value>,
    pub series: Vec<Series>,
    pub published: Vec<Printed>,
    /// What the first row's series is, where names are too long to stand beside the data: it is called `base` then, and the
    /// others by what they change.
    pub base: Option<String>,
    /// `steps = 25, 50`: what each point is the mean over.
    pub averaged: Option<String>,
    /// Cells without a score.
    pub missing: usize,
}

/// `x` and `by` are full keys of the cells' axes, one line a combination of the latter; `others` are published rows.
pub fn lines(rows: &[Row], others: &[Row], x: &str, by: &[String], metric: &str) -> Lines {
    let values = distinct(rows, x);
    let groups = groups(rows, by);
    let published = others
        .iter()
        .filter_map(|row| printed(row, x, by, metric, &values, &groups))
        .collect();
    let mut most = 1;
    let series = groups.iter().map(|group| {
        let here = |r: &&Row| {
            by.iter()
                .zip(group)
                .all(|(key, v)| names::at(r, key) == Some(v))
        };
        let mut points = Vec::new();
        for (i, value) in values.iter().enumerate() {
            let there = rows.iter().filter(here);
            let there = there.filter(|r| names::at(r, x) == Some(value));
            let scores: Vec<&Score> = there.filter_map(|r| names::score(r, metric)).collect();
            most = most.max(scores.len());
            points.extend(mean(i, &scores));
        }
        Series {
            name: named(rows, by, group),
            points,
        }
    });
    let mut series: Vec<Series> = series.collect();
    let long = series.iter().any(|s| s.name.chars().count() > LONGEST);
    let first = |row: &Row| {
        let at = by.iter().map(|key| names::at(row, key).cloned());
        at.collect::<Option<Vec<_>>>()
    };
    let base = rows.first().filter(|_| long).and_then(first);
    if let Some(base) = &base {
        for (series, group) in series.iter_mut().zip(&groups) {
            series.name = changed(rows, by, group, base);
        }
    }
    Lines {
        series,
        base: base.map(|base| named(rows, by, &base)),
        published,
        values,
        averaged: Some(hidden(rows, x, by)).filter(|text| most > 1 && !text.is_empty()),
        missing: rows
            .iter()
            .filter(|r| names::score(r, metric).is_none())
            .count(),
    }
}

/// The combinations of axes that some cell has, in the order of each axis's values; one empty one where there is no axis.
fn groups(rows: &[Row], by: &[String]) -> Vec<Vec<toml::Value>> {
    let mut groups = vec![Vec::new()];
    for key in by {
        let values = distinct(rows, key);
        let longer = |group: &Vec<toml::Value>| {
            let ends = values.iter().map(|v| {
                let mut longer = group.clone();
                longer.push(v.clone());
                longer
            });
            ends.collect::<Vec<_>>()
        };
        groups = groups.iter().flat_map(longer).collect();
    }
    let there = |group: &Vec<toml::Value>| {
        let mut axes = by.iter().zip(group);
        rows.iter()
            .any(|r| axes.clone().all(|(key, v)| names::at(r, key) == Some(v)))
            || axes.next().is_none()
    };
    groups.retain(there);
    groups
}

/// `sampler ddpm, variance learned`.
fn named(rows: &[Row], by: &[String], group: &[toml::Value]) -> String {
    let parts = by
        .iter()
        .zip(group)
        .map(|(key, value)| label(rows, key, value));
    parts.collect::<Vec<_>>().join(", ")
}

/// `heads 4, updown true`: what of a group is not as in the first.
fn changed(rows: &[Row], by: &[String], group: &[toml::Value], first: &[toml::Value]) -> String {
    let parts = by.iter().zip(group).zip(first);
    let parts = parts.filter(|((_, value), base)| value != base);
    let parts: Vec<String> = parts
        .map(|((key, value), _)| label(rows, key, value))
        .collect();
    match parts.is_empty() {
        true => "base".to_string(),
        false => parts.join(", "),
    }
}

/// A published row's place in a chart; none where it lacks an axis or the metric, or lies outside of what is drawn.
fn printed(
    row: &Row,
    x: &str,
    by: &[String],
    metric: &str,
    values: &[toml::Value],
    groups: &[Vec<toml::Value>],
) -> Option<Printed> {
    let place = names::at(row, x)?;
    let belongs = |group: &Vec<toml::Value>| {
        let mut axes = by.iter().zip(group);
        axes.all(|(key, value)| same(Some(value), names::at(row, key)))
    };
    let series = groups.iter().position(belongs)?;
    let numbers: Option<Vec<f64>> = values.iter().map(names::number).collect();
    let inside = match (numbers.filter(|n| n.len() > 1), names::number(place)) {
        (Some(numbers), Some(place)) => {
            numbers.iter().any(|n| *n <= place) && numbers.iter().any(|n| *n >= place)
        }
        _ => values.iter().any(|v| same(Some(v), Some(place))),
    };
    inside.then_some(())?;
    Some(Printed {
        series,
        x: place.clone(),
        value: names::score(row, metric)?.value,
    })
}

/// The mean of independent scores; their half intervals add as squares.
fn mean(x: usize, scores: &[&Score]) -> Option<Point> {
    if scores.is_empty() {
        return None;
    }
    let n = scores.len() as f64;
    let value = scores.iter().map(|s| s.value).sum::<f64>() / n;
    let side = |pick: fn(&Score) -> f64| {
        let squares = scores.iter().map(|s| (pick(s) - s.value).powi(2));
        squares.sum::<f64>().sqrt() / n
    };
    let known = scores
        .iter()
        .all(|s| s.low.is_finite() && s.high.is_finite());
    let (down, up) = match known {
        true => (side(|s| s.low), side(|s| s.high)),
        false => (0.0, 0.0),
    };
    Some(Point {
        x,
        value,
        low: value - down,
        high: value + up,
    })
}

/// The distinct values of an axis in order: numbers by size, others as they come.
pub fn distinct(rows: &[Row], key: &str) -> Vec<toml::Value> {
    let mut values: Vec<toml::Value> = Vec::new();
    for value in rows.iter().filter_map(|r| names::at(r, key)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    if values.iter().all(|v| names::number(v).is_some()) {
        values.sort_by(|a, b| compare(Some(a), Some(b)));
    }
    values
}

/// The axes that label cells and take more than one value, by full key.
pub fn varying(rows: &[Row]) -> Vec<String> {
    let axes = crate::report::table::sheet::axes(rows);
    let varies = |key: &String| distinct(rows, key).len() > 1;
    axes.into_iter().filter(varies).collect()
}

/// The axis whose effect is told: guidance scale where it varies, else the last axis of numbers, else the last.
/// None where cells do not hold every value of it for each combination of the others.
pub fn swept(rows: &[Row]) -> Option<String> {
    let varying = varying(rows);
    let numeric = |key: &&String| {
        let values = distinct(rows, key);
        values.iter().all(|v| names::number(v).is_some())
    };
    let scale = varying.iter().find(|k| *k == "guidance.scale");
    let axis = scale.or(varying.iter().rev().find(numeric));
    let axis = axis.or(varying.last())?;
    let all: usize = varying.iter().map(|k| distinct(rows, k).len()).product();
    (all == rows.len()).then(|| axis.clone())
}

/// `resolution 16, steps 25`: where a cell stands on every varying axis but one.
pub fn place(rows: &[Row], row: &Row, but: Option<&str>) -> String {
    let keys = varying(rows).into_iter();
    let keys = keys.filter(|k| Some(k.as_str()) != but);
    let parts = keys.filter_map(|k| Some(label(rows, &k, names::at(row, &k)?)));
    parts.collect::<Vec<_>>().join(", ")
}

/// `scale 1`: the axis by its short name, and the value.
pub fn label(rows: &[Row], key: &str, value: &toml::Value) -> String {
    format!("{} {}", short(rows, key), names::value(value))
}

/// An axis's short name among the axes that label cells.
pub fn short(rows: &[Row], key: &str) -> String {
    let axes = crate::report::table::sheet::axes(rows);
    let at = axes.iter().position(|a| a == key);
    let last = || key.rsplit('.').next().unwrap_or(key).to_string();
    at.map_or_else(last, |i| names::short(&axes, &[])[i].clone())
}

/// The varying axes but the shown ones, with their values.
fn hidden(rows: &[Row], x: &str, by: &[String]) -> String {
    let keys = varying(rows);
    let hidden = keys.iter().filter(|k| *k != x && !by.contains(k));
    let text = hidden.map(|key| {
        let values: Vec<String> = distinct(rows, key).iter().map(names::value).collect();
        format!("{} = {}", short(rows, key), values.join(", "))
    });
    text.collect::<Vec<_>>().join("; ")
}
