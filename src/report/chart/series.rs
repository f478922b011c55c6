//! Rows to the series of a chart: lines over an axis, averaged over what the chart does not show.

use crate::report::chart::crowd::MOST_SEEDS;
use crate::report::rows::axes::Axes;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::seeds;
use crate::report::rows::values::{at, distinct, exact, exact_place, number, order, same, told};
use crate::run::results::{Row, Score};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Characters of a name that has room beside the data.
const LONGEST: usize = 36;

#[derive(Clone, Debug)]
pub struct Point {
    /// Index among the axis values.
    pub x: usize,
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// The value of each seed, where the point is the mean over several.
    pub seeds: Vec<f64>,
    /// Whether the line goes on to it from the point before: no cell of the line lies between them without a score.
    pub joined: bool,
}

#[derive(Clone, Debug)]
pub struct Series {
    /// `scale 1`.
    pub name: String,
    /// Its number among the lines that have a look: the same in all charts of a page that part the same lines.
    pub look: usize,
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
    /// Lines that have a look, those without a place in this chart too.
    pub looks: usize,
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
    /// The rows of the whole page: each of their lines has a look of its own, whether this chart has it or not.
    pub page: &'a [Row],
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
    let all = groups(shown.page, shown.by, |_| true);
    let groups = groups(rows, shown.by, |row| at(row, shown.x).is_some());
    let looks: HashMap<_, usize> = all.iter().map(texts).zip(0..).collect();
    let others = report.published.iter();
    let published = others.filter_map(|row| printed(row, shown, &values, &groups));
    let scores = scores(rows, shown, &values, &groups);
    let averaged = averages(report, shown, &scores);
    let series = groups.iter().zip(&scores).map(|(group, scores)| Series {
        name: named(&report.axes, shown.by, group),
        look: looks.get(&texts(group)).copied().unwrap_or_default(),
        points: points(scores),
    });
    let mut series: Vec<Series> = series.collect();
    thin(&mut series);
    let long = series.iter().any(|s| s.name.chars().count() > LONGEST);
    let first = |row: &Row| -> Group {
        let places = shown.by.iter().map(|key| at(row, key).cloned());
        places.collect()
    };
    let placed = rows.iter().find(|row| at(row, shown.x).is_some());
    let base = placed.filter(|_| long).map(first);
    if let Some(base) = &base {
        for (series, group) in series.iter_mut().zip(&groups) {
            series.name = changed(&report.axes, shown.by, group, base);
        }
    }
    let unscored = |row: &&Row| names::score(row, shown.metric).is_none();
    Lines {
        series,
        looks: all.len(),
        base: base.map(|base| named(&report.axes, shown.by, &base)),
        published: published.collect(),
        averaged,
        missing: rows.iter().filter(unscored).count(),
        values,
    }
}

/// The scored cells of a line by the index of their value of the x axis; an empty list where its cells have no score.
type Scores<'a> = BTreeMap<usize, Vec<(&'a Row, &'a Score)>>;

/// The scores of each line.
fn scores<'a>(
    rows: &'a [Row],
    shown: &Shown,
    values: &[toml::Value],
    groups: &[Group],
) -> Vec<Scores<'a>> {
    let places = order(values);
    let lines: HashMap<_, usize> = groups.iter().map(texts).zip(0..).collect();
    let mut scores = vec![Scores::new(); groups.len()];
    for row in rows {
        let line = lines.get(&exact_place(row, shown.by.iter().map(String::as_str)));
        let place = at(row, shown.x).and_then(|value| places.get(&exact(value)));
        if let (Some(&line), Some(&place)) = (line, place) {
            let here = scores[line].entry(place).or_default();
            here.extend(names::score(row, shown.metric).map(|score| (row, score)));
        }
    }
    scores
}

/// A point wherever there is a score: the mean over what the chart does not show.
fn points(scores: &Scores) -> Vec<Point> {
    let mut joined = false;
    let points = scores.iter().filter_map(|(&x, cells)| {
        let scores: Vec<&Score> = cells.iter().map(|(_, score)| *score).collect();
        let Some(mean) = seeds::mean(&scores) else {
            joined = false;
            return None;
        };
        let known = mean.low.is_finite() && mean.high.is_finite();
        Some(Point {
            x,
            value: mean.value,
            low: if known { mean.low } else { mean.value },
            high: if known { mean.high } else { mean.value },
            seeds: of_seeds(cells),
            joined: std::mem::replace(&mut joined, true),
        })
    });
    points.collect()
}

/// The mean of each seed's scores; none where there is one seed.
fn of_seeds(cells: &[(&Row, &Score)]) -> Vec<f64> {
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut known: HashMap<_, usize> = HashMap::new();
    for (row, score) in cells {
        let seed = seeds::of(row).map(|value| value.map(exact));
        let place = *known.entry(seed).or_insert(found.len());
        match found.get_mut(place) {
            Some(values) => values.push(score.value),
            None => found.push(vec![score.value]),
        }
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let means = found.iter().map(mean);
    means.filter(|_| found.len() > 1).collect()
}

/// Leaves the seeds out where a chart would have more dots of them than can be told apart.
fn thin(series: &mut [Series]) {
    let points = || series.iter().flat_map(|series| &series.points);
    if points().map(|point| point.seeds.len()).sum::<usize>() > MOST_SEEDS {
        for point in series.iter_mut().flat_map(|series| &mut series.points) {
            point.seeds.clear();
        }
    }
}

/// What each point is the mean over; none where no point has several scores.
fn averages(report: &Report, shown: &Shown, scores: &[Scores]) -> Option<String> {
    let several = scores
        .iter()
        .flat_map(BTreeMap::values)
        .any(|scores| scores.len() > 1);
    Some(hidden(report, shown)).filter(|text| several && !text.is_empty())
}

/// What the cells of a line have in common: a value of each axis that parts the lines; none of one that they do not have.
type Group = Vec<Option<toml::Value>>;

/// What a map of groups is keyed by.
fn texts(group: &Group) -> Vec<Option<String>> {
    group.iter().map(|v| v.as_ref().map(exact)).collect()
}

/// The combinations of the axes `by` that some of the rows of interest has, in the order of each axis's values, those
/// without a value first; one empty one where there is no axis.
fn groups(rows: &[Row], by: &[String], of_interest: impl Fn(&Row) -> bool) -> Vec<Group> {
    if by.is_empty() {
        return vec![Vec::new()];
    }
    let axes: Vec<Vec<toml::Value>> = by.iter().map(|key| distinct(rows, key)).collect();
    let orders: Vec<HashMap<String, usize>> = axes.iter().map(|values| order(values)).collect();
    let place = |row: &Row| {
        let each = by.iter().zip(&orders);
        let each = each.map(|(key, order)| order.get(&exact(at(row, key)?)).copied());
        each.collect::<Vec<Option<usize>>>()
    };
    let found = rows.iter().filter(|row| of_interest(row)).map(place);
    let found: HashSet<Vec<Option<usize>>> = found.collect();
    let mut found: Vec<Vec<Option<usize>>> = found.into_iter().collect();
    found.sort();
    let values = |place: Vec<Option<usize>>| {
        let each = axes.iter().zip(place);
        each.map(|(values, i)| Some(values[i?].clone())).collect()
    };
    found.into_iter().map(values).collect()
}

/// `sampler ddpm, variance learned`; nothing of an axis that the cells do not have, and `without scale` where they have none.
fn named(axes: &Axes, by: &[String], group: &Group) -> String {
    let parts = by.iter().zip(group);
    let parts = parts.filter_map(|(key, value)| Some(axes.label(key, value.as_ref()?)));
    let name = parts.collect::<Vec<_>>().join(", ");
    if name.is_empty() && !by.is_empty() {
        let missing: Vec<&str> = by.iter().map(|key| axes.name(key)).collect();
        return format!("without {}", missing.join(", "));
    }
    name
}

/// `heads 4, updown true`: what of a group is not as in the first.
fn changed(axes: &Axes, by: &[String], group: &Group, first: &Group) -> String {
    let parts = by.iter().zip(group).zip(first);
    let parts = parts.filter(|((_, value), base)| value != base);
    let parts = parts.map(|((key, value), _)| match value {
        Some(value) => axes.label(key, value),
        None => format!("without {}", axes.name(key)),
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        "base".to_string()
    } else {
        parts.join(", ")
    }
}

/// A published row's place in a chart; none where it lacks an axis or the metric, or lies outside of what is drawn.
fn printed(row: &Row, shown: &Shown, values: &[toml::Value], groups: &[Group]) -> Option<Printed> {
    let place = at(row, shown.x)?;
    let belongs = |group: &Group| {
        let mut axes = shown.by.iter().zip(group);
        axes.all(|(key, value)| same(value.as_ref(), at(row, key)))
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

/// The axes that take several values at one point of the chart, with their values.
fn hidden(report: &Report, shown: &Shown) -> String {
    let shows = |key: &String| key == shown.x || shown.by.contains(key);
    let mut points: HashMap<Vec<Option<String>>, Vec<&Row>> = HashMap::new();
    for row in report.rows {
        let keys = shown.by.iter().map(String::as_str).chain([shown.x]);
        points.entry(exact_place(row, keys)).or_default().push(row);
    }
    let averaged = |key: &str| {
        let kinds = |rows: &Vec<&Row>| {
            let values = rows.iter().map(|row| at(row, key).map(exact));
            values.collect::<HashSet<_>>().len()
        };
        points.values().any(|rows| kinds(rows) > 1)
    };
    let axes = report.axes.changing();
    let axes = axes.filter(|axis| !shows(&axis.key) && averaged(&axis.key));
    let parts = axes.map(|axis| format!("{} = {}", axis.name, told(&axis.values)));
    let repeated = |cells: &Vec<&Row>| {
        let mut seeds: Vec<_> = cells.iter().map(|row| seeds::of(row)).collect();
        seeds.dedup();
        cells.len() > 1 && seeds.len() > 1
    };
    let seeds = match seeds::count(report.rows) {
        n if n > 1 && points.values().any(repeated) => Some(format!("{n} seeds")),
        _ => None,
    };
    parts.chain(seeds).collect::<Vec<_>>().join("; ")
}
