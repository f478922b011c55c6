//! The report as one HTML file that needs nothing else: no script, no font, no address outside of itself.

use crate::experiment::file::experiment::Steps;
use crate::report::chart::figures::Figure;
use crate::report::chart::series;
use crate::report::findings::deltas::Differences;
use crate::report::findings::overall::findings;
use crate::report::findings::verdicts::Tested;
use crate::report::grids::mosaic::Mosaic;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::table::caption::{self, Fact};
use crate::report::table::sheet::{self, Sheet};
use crate::report::table::tables::{Shown, cells, head};
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// What the page shows beside the report itself.
pub struct Parts<'a> {
    pub sheet: &'a Sheet,
    pub deltas: Option<&'a Differences>,
    pub claims: &'a [Tested],
    pub figures: &'a [Figure],
    pub mosaics: &'a [Mosaic],
}

/// The whole document.
pub fn page(report: &Report, parts: &Parts) -> Result<String> {
    let name = &report.sweep.name;
    let charts: Vec<(String, String)> = parts
        .figures
        .iter()
        .map(|f| Ok((f.picture.title.clone(), f.svg()?)))
        .collect::<Result<_>>()?;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (name) }
                        p { (statement(report)) }
                        (warnings(report))
                    }
                    (claims(parts.claims))
                    (found(report))
                    section {
                        h2 { "Scores" }
                        (table(parts.sheet))
                        (captioned(report, parts.sheet))
                        @if let Some(deltas) = parts.deltas {
                            h3 { (deltas.title) }
                            (table(&deltas.sheet))
                            p.caption { (deltas.caption) "." }
                        }
                    }
                    @if !charts.is_empty() {
                        section {
                            h2 { "Charts" }
                            div.charts {
                                @for (title, svg) in &charts {
                                    figure aria-label=(title) { (PreEscaped(svg)) }
                                }
                            }
                        }
                    }
                    (samples(parts.mosaics))
                    (provenance(report))
                    section {
                        h2 { "Experiment" }
                        details {
                            summary { "The resolved experiment file" }
                            pre { (report.resolved) }
                        }
                    }
                }
            }
        }
    };
    Ok(document.into_string())
}

/// What was measured, in one paragraph.
fn statement(report: &Report) -> String {
    let rows = report.rows;
    let axes = series::varying(rows).into_iter().map(|key| {
        let values: Vec<String> = series::distinct(rows, &key)
            .iter()
            .map(names::value)
            .collect();
        format!("{} [{}]", series::short(rows, &key), values.join(", "))
    });
    // What is zipped moves together: not every combination is there.
    let crossed = series::swept(rows).is_some();
    let axes = axes
        .collect::<Vec<_>>()
        .join(if crossed { " × " } else { " with " });
    let mut text = match (rows.len(), axes.is_empty()) {
        (1, _) => "One cell".to_string(),
        (n, true) => format!("{n} cells"),
        (n, false) => format!("{n} cells: {axes}"),
    };
    text.push_str(". ");
    if let Some(train) = report.spec().and_then(|s| s.train.as_ref())
        && !caption::swept(report, "train.steps")
    {
        text.push_str(&format!(
            "The net was trained for {} steps. ",
            names::thousands(train.steps as usize)
        ));
    }
    text.push_str(&drawn(report));
    if let Some(eval) = report.eval() {
        let metrics = sheet::metrics(report).into_iter().map(|m| m.label);
        text.push_str(&format!(
            "They were scored by {} on the features of the {} net. ",
            metrics.collect::<Vec<_>>().join(", "),
            eval.features
        ));
        if eval.features != "inception" && caption::asks_frechet(report) {
            text.push_str(
                "Fréchet distances on these features are not comparable with those on Inception features.",
            );
        }
    }
    text.trim_end().to_string()
}

/// How images were drawn, as far as it is common to all cells.
fn drawn(report: &Report) -> String {
    let Some(sample) = report.sample() else {
        return String::new();
    };
    let fixed = |key: &str| !caption::swept(report, key);
    let mut text = match fixed("sample.count") {
        true => format!(
            "{} images a cell were asked for",
            names::thousands(sample.count)
        ),
        false => "Images were asked for".to_string(),
    };
    if fixed("sample.sampler") {
        text.push_str(&format!(
            " with {}",
            format!("{:?}", sample.sampler).to_uppercase()
        ));
    }
    if fixed("sample.steps") {
        match &sample.steps {
            Steps::Count(n) => text.push_str(&format!(" in {n} steps")),
            Steps::Sections(s) => text.push_str(&format!(" in the steps `{s}`")),
        }
    }
    if fixed("sample.seed") {
        text.push_str(&format!(" from seed {}", sample.seed));
    }
    text.push_str(". ");
    text.push_str(&enlarged(report));
    if fixed("sample.seed") && caption::swept(report, "guidance.scale") {
        text.push_str("Cells that differ in guidance alone share the noise and the class of every image index. ");
    }
    text
}

/// How a second net made them larger, as far as it is common to the cells that have one.
fn enlarged(report: &Report) -> String {
    let cells = || report.sweep.cells.iter();
    let stages = || cells().filter_map(|c| c.spec.upsample.as_ref().filter(|u| !u.is_none()));
    let Some(stage) = stages().next() else {
        return String::new();
    };
    let mut text = match stages().count() == report.sweep.cells.len() {
        true => "A super-resolution net made them larger".to_string(),
        false => "In some cells a super-resolution net made them larger".to_string(),
    };
    if stages().all(|other| other.sampler == stage.sampler && other.steps == stage.steps) {
        let steps = match &stage.steps {
            Steps::Count(n) => format!("{n} steps"),
            Steps::Sections(s) => format!("the steps `{s}`"),
        };
        let sampler = format!("{:?}", stage.sampler).to_uppercase();
        text.push_str(&format!(" with {sampler} in {steps}"));
    }
    text + ", each from its stored pixels and with its label. "
}

fn warnings(report: &Report) -> Markup {
    let missing = report.rows.iter().filter(|r| r.missing.is_some()).count();
    html! {
        @if missing > 0 || !report.warnings.is_empty() {
            div.warnings {
                @if missing > 0 { p { "Missing cells: " (missing) " of " (report.rows.len()) "." } }
                @for warning in report.warnings { p { (warning) } }
            }
        }
    }
}

fn claims(claims: &[Tested]) -> Markup {
    html! {
        @if !claims.is_empty() {
            section {
                h2 { "Claims put to the test" }
                ul {
                    @for tested in claims {
                        li { (tested.claim) br; (tested.verdict) }
                    }
                }
            }
        }
    }
}

fn found(report: &Report) -> Markup {
    let findings = findings(report);
    html! {
        @if !findings.summary.is_empty() || !findings.groups.is_empty() {
            section {
                h2 { "Findings in numbers" }
                ul { @for sentence in &findings.summary { li { (sentence) } } }
                details {
                    summary { "Sweep by sweep" }
                    @for group in &findings.groups {
                        @if !group.name.is_empty() { h3 { (group.name) } }
                        ul { @for sentence in &group.sentences { li { (sentence) } } }
                    }
                }
            }
        }
    }
}

fn table(sheet: &Sheet) -> Markup {
    html! {
        div.wide {
            table {
                thead { tr {
                    @for axis in &sheet.axes { th.axis { (axis) } }
                    @for m in &sheet.metrics { th { (head(&m.label, m.better, "↓", "↑")) } }
                } }
                tbody {
                    @for (i, line) in sheet.all().into_iter().enumerate() {
                        tr.part[sheet.parts_before(i)] {
                            @for value in &line.at { td.axis { (value) } }
                            @for (shown, entry) in cells(line, &|e| e.value.clone()).iter().zip(&line.entries) {
                                @match (shown, entry) {
                                    (Shown::Entry(value), Some(entry)) => td {
                                        @if entry.best { strong { (value) } } @else { (value) }
                                        @if let Some(range) = &entry.interval { " " span.range { (range) } }
                                    },
                                    (Shown::Entry(text), None) => td { (text) },
                                    (Shown::Missing(why), _) => td.missing { (why) },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn captioned(report: &Report, sheet: &Sheet) -> Markup {
    let mut parts = caption::parts(report, sheet);
    parts.extend(caption::legend(report, "bold: best"));
    html! { p.caption { (parts.join("; ")) "." } }
}

fn samples(mosaics: &[Mosaic]) -> Markup {
    let image = |m: &Mosaic| {
        let source = format!("data:image/png;base64,{}", STANDARD.encode(&m.png));
        html! { figure.mosaic { img src=(source) alt=(m.title); figcaption { (m.title) } } }
    };
    let (overviews, cells): (Vec<_>, Vec<_>) = mosaics.iter().partition(|m| m.overview);
    html! {
        @if !mosaics.is_empty() {
            section {
                h2 { "Samples" }
                @for m in overviews { (image(m)) }
                @if !cells.is_empty() {
                    details {
                        summary { "The first images of every cell" }
                        @for m in cells { (image(m)) }
                    }
                }
            }
        }
    }
}

fn provenance(report: &Report) -> Markup {
    let facts = caption::provenance(report.rows);
    // What differs from cell to cell, such as the time it took, is told apart from what they share.
    let (shared, own): (Vec<_>, Vec<_>) = facts.into_iter().partition(|f| f.values.len() <= 4);
    let cells = report.rows.len();
    html! {
        section {
            h2 { "Provenance" }
            div.wide { table.facts { tbody { @for fact in &shared { (told(fact, cells)) } } } }
            @if !own.is_empty() {
                details {
                    summary { "Where and how each cell was made" }
                    div.wide { table.facts { tbody { @for fact in &own { (told(fact, cells)) } } } }
                }
            }
            (keys(report))
        }
    }
}

/// The address of each stage's result, by cell.
fn keys(report: &Report) -> Markup {
    let mut stages: Vec<&String> = Vec::new();
    for (stage, _) in report.rows.iter().flat_map(|r| &r.keys) {
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    html! {
        @if !stages.is_empty() {
            details {
                summary { "Store keys of every cell" }
                div.wide { table {
                    thead { tr { th.axis { "cell" } @for stage in &stages { th { (stage) } } } }
                    tbody { @for row in report.rows { tr {
                        td.axis { (row.cell) }
                        @for stage in &stages {
                            @let key = row.keys.iter().find(|(s, _)| s == *stage);
                            td { @if let Some((_, key)) = key { code title=(key) { (key.get(..16).unwrap_or(key)) } } }
                        }
                    } } }
                } }
            }
        }
    }
}

/// One value, or each value with the cells that have it.
fn told(fact: &Fact, cells: usize) -> Markup {
    let everywhere = |own: &Vec<usize>| own.len() == cells;
    html! {
        @for (i, (value, own)) in fact.values.iter().enumerate() {
            tr {
                th { @if i == 0 { (fact.name) } }
                td.long {
                    @if caption::is_digest(value) { code { (value) } } @else { (value) }
                    @if !everywhere(own) { " " span.range { (ranges(own)) } }
                }
            }
        }
    }
}

/// `cells 0 to 3, 7`.
fn ranges(cells: &[usize]) -> String {
    let runs = cells.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    });
    let word = if cells.len() == 1 { "cell" } else { "cells" };
    format!("{word} {}", runs.collect::<Vec<_>>().join(", "))
}
