//! The page's section on what was read, where it was made, and under which keys it is stored.

use crate::report::page::excerpt::{Excerpt, SHOWN};
use crate::report::rows::input::Report;
use crate::report::rows::values::thousands;
use crate::report::table::caption::{self, Fact};
use crate::report::table::html::scrolling;
use crate::run::results::Row;
use maud::{Markup, html};

/// Where the results came from: what all cells share, then what is each cell's own, and its keys.
pub fn provenance(report: &Report, excerpt: Option<&Excerpt>) -> Markup {
    let facts = caption::provenance(report.rows);
    // What differs from cell to cell, such as the time it took, is told apart from what they share.
    let (shared, own): (Vec<_>, Vec<_>) = facts.into_iter().partition(|f| f.values.len() <= 4);
    let cells = report.rows.len();
    html! {
        section {
            h2 { "Provenance" }
            (scrolling("What all cells share", &html! { table.facts { tbody { @for fact in &shared { (told(fact, cells)) } } } }))
            @if !own.is_empty() {
                details {
                    summary { "Where and how each cell was made" }
                    (scrolling("Where and how each cell was made", &html! { table.facts { tbody { @for fact in &own { (told_first(fact, cells, excerpt)) } } } }))
                }
            }
            (keys(report, excerpt))
        }
    }
}

/// The address of each stage's result, by cell.
fn keys(report: &Report, excerpt: Option<&Excerpt>) -> Markup {
    let shown = |row: &&Row| excerpt.is_none_or(|excerpt| excerpt.cells.contains(&row.cell));
    let mut stages: Vec<&String> = Vec::new();
    for (stage, _) in report.rows.iter().flat_map(|r| &r.keys) {
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    html! {
        @if !stages.is_empty() {
            details {
                @match excerpt {
                    Some(_) => {
                        summary { "Store keys of the cells in the table of scores" }
                        p { "Of cells that differ in their seeds alone the first; `runner status FILE --json` tells those of all." }
                    }
                    None => { summary { "Store keys of every cell" } }
                }
                (scrolling("Store keys", &html! { table {
                    thead { tr { th.axis { "cell" } @for stage in &stages { th { (stage) } } } }
                    tbody { @for row in report.rows.iter().filter(shown) { (keys_of(row, &stages)) } }
                } }))
            }
        }
    }
}

/// The beginning of each key of a cell, the whole key where the pointer rests on it.
fn keys_of(row: &Row, stages: &[&String]) -> Markup {
    let key = |stage: &String| row.keys.iter().find(|(known, _)| known == stage);
    html! {
        tr {
            td.axis { (row.cell) }
            @for stage in stages {
                td { @if let Some((_, key)) = key(stage) { code title=(key) { (key.get(..16).unwrap_or(key)) } } }
            }
        }
    }
}

/// As `told`, of many values in a large study the first.
fn told_first(fact: &Fact, cells: usize, excerpt: Option<&Excerpt>) -> Markup {
    let more = fact.values.len().saturating_sub(SHOWN);
    if excerpt.is_none() || more == 0 {
        return told(fact, cells);
    }
    let first = Fact {
        name: fact.name.clone(),
        values: fact.values[..SHOWN].to_vec(),
    };
    html! {
        (told(&first, cells))
        tr { th {} td.long { "and " (thousands(more)) " more: each result's manifest.json in the store has its own" } }
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
