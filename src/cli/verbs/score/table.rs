//! Scores as people read them: a list for one evaluator, a table for several evaluators, sets or references, and in words
//! what else there is to know.

use crate::cli::screen::terminal::{Paint, number, paint, table, thousands};
use crate::cli::verbs::score::scoring::{Column, Scored};
use crate::data::labels::balance::Spread;
use crate::experiment::scoring::metric::Metric;
use crate::stages::score::measured::{Measured, Number};

/// `4.87 [4.79, 4.96]`, or `4.87` where there is no interval.
fn shown(measured: &Measured) -> String {
    let Some(Number { score, .. }) = measured.number() else {
        return "-".to_string();
    };
    let value = number(score.value);
    if score.low.is_nan() {
        return value;
    }
    format!("{value} [{}, {}]", number(score.low), number(score.high))
}

/// A single evaluator's numbers of one set and reference as a list; everything else as a table.
pub fn numbers(all: &[Scored]) -> String {
    match all {
        [one] if one.alone => match &one.columns[..] {
            [column] => list(column),
            columns => side_by_side(columns),
        },
        all => by_set(all),
    }
}

/// A row a metric, with its bias and what SciPy prints where they are known.
fn list(column: &Column) -> String {
    let numbers = || column.measured.iter().filter_map(Measured::number);
    let biased = numbers().any(|number| number.bias.is_some());
    let compat = numbers().any(|number| number.compat.is_some());
    let mut head = vec!["metric".to_string(), column.preset.clone()];
    head.extend(biased.then(|| "bias".to_string()));
    head.extend(compat.then(|| "as SciPy prints".to_string()));
    let mut rows = vec![head];
    let or_none = |value: Option<f64>| value.map_or("-".to_string(), number);
    for measured in &column.measured {
        let mut row = vec![measured.name.to_string(), shown(measured)];
        let known = measured.number();
        row.extend(biased.then(|| or_none(known.and_then(|number| number.bias))));
        row.extend(compat.then(|| or_none(known.and_then(|number| number.compat))));
        rows.push(row);
    }
    table(&rows, &[])
}

/// Every metric of these columns once, in the order of tables.
fn metrics<'c>(columns: impl Iterator<Item = &'c Column>) -> Vec<Metric> {
    let all = columns.flat_map(|column| column.measured.iter().map(|m| m.metric));
    let mut metrics: Vec<Metric> = all.collect();
    metrics.sort_by_key(|metric| (metric.row().method, *metric));
    metrics.dedup();
    metrics
}

/// A column's number of a metric; empty where the evaluator has none.
fn cell(column: &Column, metric: Metric) -> String {
    let found = column.measured.iter().find(|m| m.metric == metric);
    found.map(shown).unwrap_or_default()
}

/// A row for each evaluator and a column for each metric; the last row is the largest difference between evaluators, in
/// the metric's own unit.
fn side_by_side(columns: &[Column]) -> String {
    let metrics = metrics(columns.iter());
    let mut head = vec!["preset".to_string()];
    head.extend(metrics.iter().map(|metric| metric.id().to_string()));
    let mut rows = vec![head];
    for column in columns {
        let mut row = vec![column.preset.clone()];
        row.extend(metrics.iter().map(|metric| cell(column, *metric)));
        rows.push(row);
    }
    let value = |column: &Column, metric: Metric| {
        let found = column.measured.iter().find(|m| m.metric == metric)?;
        found.number().map(|number| number.score.value)
    };
    let mut spread = vec!["difference".to_string()];
    for metric in &metrics {
        let values = columns.iter().filter_map(|c| value(c, *metric));
        let values: Vec<f64> = values.collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        spread.push(match values.len() {
            0 | 1 => String::new(),
            _ => number(most - least),
        });
    }
    rows.push(spread);
    table(&rows, &[])
}

/// Whether what stands in this place differs between rows, so that it has to be said in each.
fn differs(all: &[Scored], of: impl Fn(&Scored) -> &str) -> bool {
    all.iter().any(|scored| of(scored) != of(&all[0]))
}

/// What stands in this place, by file names alone where they tell the same things apart: the lines below a table, and
/// every other output, have whole paths.
fn names<'s>(all: &'s [Scored], of: impl Fn(&'s Scored) -> &'s str) -> Vec<&'s str> {
    let whole: Vec<&str> = all.iter().map(of).collect();
    let ambiguous = |a: &str| {
        let mut others = whole.iter().filter(|b| **b != a);
        others.any(|b| file_name(a) == file_name(b))
    };
    if whole.iter().any(|path| ambiguous(path)) {
        return whole;
    }
    whole.into_iter().map(file_name).collect()
}

/// The last part of a path; the whole where it has none.
fn file_name(path: &str) -> &str {
    let name = path.trim_end_matches('/').rsplit('/').next();
    name.filter(|name| !name.is_empty()).unwrap_or(path)
}

/// A row for each set, reference and evaluator; what all rows share stands below the table and not in it.
fn by_set(all: &[Scored]) -> String {
    let columns = || all.iter().flat_map(|scored| &scored.columns);
    let sets = differs(all, |scored| &scored.about.samples);
    let references = differs(all, |scored| &scored.about.reference);
    let presets = all.iter().any(|scored| scored.columns.len() > 1);
    let (named, metrics): (Vec<String>, Vec<Metric>) = if presets {
        let metrics = metrics(columns());
        (
            metrics.iter().map(|m| m.id().to_string()).collect(),
            metrics,
        )
    } else {
        let measured = columns().take(1).flat_map(|column| &column.measured);
        measured.map(|m| (m.name.to_string(), m.metric)).unzip()
    };
    let mut head = Vec::new();
    head.extend(sets.then(|| "samples".to_string()));
    head.extend(sets.then(|| "n".to_string()));
    head.extend(references.then(|| "reference".to_string()));
    head.extend(presets.then(|| "preset".to_string()));
    head.extend(named);
    let mut rows = vec![head];
    let samples = names(all, |scored| &scored.about.samples);
    let targets = names(all, |scored| &scored.about.reference);
    for (scored, (samples, target)) in all.iter().zip(samples.into_iter().zip(targets)) {
        let n = thousands(scored.about.count as u64);
        for column in &scored.columns {
            let mut row = Vec::new();
            row.extend(sets.then(|| samples.to_string()));
            row.extend(sets.then(|| n.clone()));
            row.extend(references.then(|| target.to_string()));
            row.extend(presets.then(|| column.preset.clone()));
            row.extend(metrics.iter().map(|metric| cell(column, *metric)));
            rows.push(row);
        }
    }
    table(&rows, &[false, sets])
}

/// What could not be measured and why, with cures; then what the numbers are of; then how samples are spread over
/// classes. Each line once.
pub fn notes(all: &[Scored]) -> Vec<String> {
    let mut lines = Vec::new();
    for scored in all {
        for line in missing(scored) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let mut counted: Vec<String> = Vec::new();
    for Scored { about, .. } in all {
        let n = thousands(about.count as u64);
        let real = about
            .real
            .map_or("an unknown number of".to_string(), thousands);
        let reference = format!("reference {} ({real} images)", about.reference);
        if counted.is_empty() && !differs(all, |scored| &scored.about.samples) {
            counted.push(format!("n = {n} samples of {}", about.samples));
        }
        if !counted.contains(&reference) {
            counted.push(reference);
        }
    }
    if let Some(Scored { about, .. }) = all.first() {
        lines.push(format!(
            "{}; feature net sha256 {}; [low, high] = 95 %",
            counted.join("; "),
            &about.weights[..8]
        ));
    }
    for scored in all {
        let Some(labels) = &scored.labels else {
            continue;
        };
        let line = if differs(all, |scored| &scored.about.samples) {
            format!("{}: {}", scored.about.samples, spread(labels))
        } else {
            spread(labels)
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// `adm: no Precision, Recall: why`, and the cure, once a reason.
fn missing(scored: &Scored) -> Vec<String> {
    let mut lines = Vec::new();
    for column in &scored.columns {
        let mut reasons: Vec<(String, Vec<&str>, Option<&str>)> = Vec::new();
        for measured in &column.measured {
            let Err(why) = &measured.number else { continue };
            let text = why.to_string();
            match reasons.iter_mut().find(|(known, ..)| *known == text) {
                Some((_, names, _)) => names.push(measured.name),
                None => reasons.push((text, vec![measured.name], why.cure())),
            }
        }
        for (why, names, cure) in reasons {
            let (samples, reference) = (&scored.about.samples, &scored.about.reference);
            let of = match cure {
                _ if scored.alone => String::new(),
                // Whatever the samples are, this reference does not give it.
                Some(_) => format!("against {reference}: "),
                None => format!("{samples} against {reference}: "),
            };
            let names = names.join(", ");
            lines.push(format!("{of}{}: no {names}: {why}", column.preset));
            lines.extend(cure.map(|cure| format!("{} {cure}", paint("hint:", Paint::Cyan))));
        }
    }
    lines
}

/// `labels: 1,000 classes, 37 to 62 images each`
fn spread(labels: &Spread) -> String {
    let n = |count: usize| thousands(count as u64);
    let mut parts = Vec::new();
    let (least, most, none) = (labels.least, labels.most, labels.images - labels.labelled);
    if labels.classes > 0 {
        let classes = match labels.of.filter(|of| *of > labels.classes) {
            Some(of) => format!("{} of {} classes", n(labels.classes), n(of)),
            None if labels.classes == 1 => "1 class".to_string(),
            None => format!("{} classes", n(labels.classes)),
        };
        let told = if labels.folders { " (folders)" } else { "" };
        parts.push(match (least, most) {
            _ if labels.classes == 1 => format!("{classes}{told}"),
            (1, 1) => format!("{classes}{told}, balanced, 1 image each"),
            _ if least == most => format!("{classes}{told}, balanced, {} images each", n(most)),
            _ => format!("{classes}{told}, {} to {} images each", n(least), n(most)),
        });
        if none > 0 {
            parts.push(format!(
                "{} of {} images have none",
                n(none),
                n(labels.images)
            ));
        }
    }
    if !labels.unread.is_empty() {
        let unread = labels.unread.join("; ");
        parts.push(format!("not known ({unread}); the scores need none"));
    }
    format!("labels: {}", parts.join("; "))
}
