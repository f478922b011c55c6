//! Rows to the series of a chart: lines over an axis, averaged over what the chart does not show.

use crate::report::rows::axes::Axes;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::seeds;
use crate::report::rows::values::{at, distinct, number, same, text};
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

/// What a chart shows of the cells.
pub struct Shown<'a> {
    /// The full key of the axis to the right.
    pub x: &'a str,
    /// The full keys of the axes that part the lines: one line a combination of their values.
    pub by: &'a [String],
    /// As in the experiment file: `fd`.
    pub metric: &'a str,
}

/// The lines of a chart over an axis.
pub fn lines(report: &Report, shown: &Shown) -> Lines {
    let rows = report.rows;
    let values = distinct(rows, shown.x);
    let groups = groups(rows, shown.by);
    let others = report.published.iter();
    let published = others.filter_map(|row| printed(row, shown, &values, &groups));
    let averaged = averages(report, shown, &values, &groups);
    let series = groups.iter().map(|group| Series {
        name: named(&report.axes, shown.by, group),
        points: points(&scores(rows, shown, &values, group)),
    });
    let mut series: Vec<Series> = series.collect();
    let long = series.iter().any(|s| s.name.chars().count() > LONGEST);
    let first = |row: &Row| {
        let places = shown.by.iter().map(|key| at(row, key).cloned());
        places.collect::<Option<Vec<_>>>()
    };
    let base = rows.first().filter(|_| long).and_then(first);
    if let Some(base) = &base {
        for (series, group) in series.iter_mut().zip(&groups) {
            series.name = changed(&report.axes, shown.by, group, base);
        }
    }
    let unscored = |row: &&Row| names::score(row, shown.metric).is_none();
    Lines {
        series,
        base: base.map(|base| named(&report.axes, shown.by, &base)),
        published: published.collect(),
        averaged,
        missing: rows.iter().filter(unscored).count(),
        values,
    }
}

/// The scores of a line's cells at each of the x axis's values.
fn scores<'a>(
    rows: &'a [Row],
    shown: &Shown,
    values: &[toml::Value],
    group: &[toml::Value],
) -> Vec<Vec<&'a Score>> {
    let keys = shown.by.iter().zip(group);
    let here = |row: &&Row| keys.clone().all(|(key, value)| at(row, key) == Some(value));
    let own: Vec<&Row> = rows.iter().filter(here).collect();
    let there = |value| {
        own.iter()
            .filter(move |row| at(row, shown.x) == Some(value))
    };
    let found = |value| there(value).filter_map(|row| names::score(row, shown.metric));
    values.iter().map(|value| found(value).collect()).collect()
}

/// A point wherever there is a score: the mean over what the chart does not show.
fn points(scores: &[Vec<&Score>]) -> Vec<Point> {
    let points = scores.iter().enumerate().filter_map(|(x, scores)| {
        let mean = seeds::mean(scores)?;
        let known = mean.low.is_finite() && mean.high.is_finite();
        Some(Point {
            x,
            value: mean.value,
            low: if known { mean.low } else { mean.value },
            high: if known { mean.high } else { mean.value },
        })
    });
    points.collect()
}

/// What each point is the mean over; none where no point has several scores.
fn averages(
    report: &Report,
    shown: &Shown,
    values: &[toml::Value],
    groups: &[Vec<toml::Value>],
) -> Option<String> {
    let scores = |group: &Vec<toml::Value>| scores(report.rows, shown, values, group);
    let several = groups
        .iter()
        .flat_map(scores)
        .any(|scores| scores.len() > 1);
    Some(hidden(&report.axes, shown)).filter(|text| several && !text.is_empty())
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
            .any(|r| axes.clone().all(|(key, v)| at(r, key) == Some(v)))
            || axes.next().is_none()
    };
    groups.retain(there);
    groups
}

/// `sampler ddpm, variance learned`.
fn named(axes: &Axes, by: &[String], group: &[toml::Value]) -> String {
    let parts = by.iter().zip(group);
    let parts = parts.map(|(key, value)| axes.label(key, value));
    parts.collect::<Vec<_>>().join(", ")
}

/// `heads 4, updown true`: what of a group is not as in the first.
fn changed(axes: &Axes, by: &[String], group: &[toml::Value], first: &[toml::Value]) -> String {
    let parts = by.iter().zip(group).zip(first);
    let parts = parts.filter(|((_, value), base)| value != base);
    let parts: Vec<String> = parts
        .map(|((key, value), _)| axes.label(key, value))
        .collect();
    if parts.is_empty() {
        "base".to_string()
    } else {
        parts.join(", ")
    }
}

/// A published row's place in a chart; none where it lacks an axis or the metric, or lies outside of what is drawn.
fn printed(
    row: &Row,
    shown: &Shown,
    values: &[toml::Value],
    groups: &[Vec<toml::Value>],
) -> Option<Printed> {
    let place = at(row, shown.x)?;
    let belongs = |group: &Vec<toml::Value>| {
        let mut axes = shown.by.iter().zip(group);
        axes.all(|(key, value)| same(Some(value), at(row, key)))
    };
    let series = groups.iter().position(belongs)?;
    let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
    let inside = match (numbers.filter(|n| n.len() > 1), number(place)) {
        (Some(numbers), Some(place)) => {
            numbers.iter().any(|n| *n <= place) && numbers.iter().any(|n| *n >= place)
        }
        _ => values.iter().any(|v| same(Some(v), Some(place))),
    };
    inside.then_some(())?;
    Some(Printed {
        series,
        x: place.clone(),
        value: names::score(row, shown.metric)?.value,
    })
}

/// The varying axes but the shown ones, with their values.
fn hidden(axes: &Axes, shown: &Shown) -> String {
    let hidden = axes.varying();
    let hidden = hidden.filter(|axis| axis.key != shown.x && !shown.by.contains(&axis.key));
    let parts = hidden.map(|axis| {
        let values: Vec<String> = axis.values.iter().map(text).collect();
        format!("{} = {}", axis.name, values.join(", "))
    });
    parts.collect::<Vec<_>>().join("; ")
}
