//! The report as one HTML file that needs nothing else: no script, no font, no address outside of itself.

use crate::report::chart::figures::Figure;
use crate::report::findings::brief::brief;
use crate::report::findings::deltas::Differences;
use crate::report::findings::overall::{Findings, findings};
use crate::report::findings::verdicts::Tested;
use crate::report::grids::embedded::Strips;
use crate::report::page::excerpt::{Excerpt, first_lines};
use crate::report::page::provenance::provenance;
use crate::report::page::samples::samples;
use crate::report::page::statement::statement;
use crate::report::rows::input::Report;
use crate::report::table::html::{scrolling, table};
use crate::report::table::sheet::Sheet;
use crate::report::table::{caption, claims};
use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// What a report says in tables and sentences.
pub struct Texts<'a> {
    pub sheet: &'a Sheet,
    pub deltas: Option<&'a Differences>,
    pub claims: &'a [Tested],
}

/// What the page shows beside the report itself.
pub struct Parts<'a> {
    pub texts: &'a Texts<'a>,
    pub figures: &'a [Figure],
    pub overviews: &'a [Strips],
    /// The cells that are shown, where those are not all.
    pub excerpt: Option<&'a Excerpt>,
}

/// The whole document.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn page(report: &Report, parts: &Parts) -> Result<String> {
    let findings = findings(report)?;
    let name = &report.sweep.name;
    let shown = html! {
        header {
            h1 { (name) }
            p { (statement(report)) }
            (warnings(report))
        }
        (claims(parts.texts.claims))
        (found(&findings))
        (scores(report, parts))
        (charts(parts.figures))
        (samples(parts.overviews, parts.excerpt))
        (provenance(report, parts.excerpt))
        section {
            h2 { "Experiment" }
            details {
                summary { "The resolved experiment file" }
                pre { (report.resolved) }
            }
        }
    };
    let first = parts.figures.first();
    let head = html! {
        @if let Some(sentence) = brief(&findings, parts.texts.claims) { meta name="description" content=(sentence); }
        @if let Some(figure) = first { meta property="og:image" content={ (figure.name) ".svg" }; }
    };
    Ok(document(name, &head, &shown))
}

/// A document of the title `title` in the style of all pages. `more` stands at the end of its head, where it may add to the
/// style.
pub fn document(title: &str, more: &Markup, shown: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
                (more)
            }
            body { main { (shown) } }
        }
    };
    document.into_string()
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
                h2 { "Claims tested" }
                (scrolling("Claims tested", &claims::table(claims)))
            }
        }
    }
}

fn found(findings: &Findings) -> Markup {
    html! {
        @if !findings.summary.is_empty() || !findings.groups.is_empty() {
            section {
                h2 { "Findings in numbers" }
                ul { @for sentence in &findings.summary { li { (sentence) } } }
                @if !findings.groups.is_empty() {
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
}

fn scores(report: &Report, parts: &Parts) -> Markup {
    let texts = parts.texts;
    html! {
        section {
            h2 { "Scores" }
            @match parts.excerpt.and_then(|excerpt| Some((excerpt, excerpt.which.as_ref()?))) {
                Some((excerpt, which)) => {
                    p { (which) "; table.csv, table.md and table.tex have all of them." }
                    (table(&excerpt.sheet, "Scores"))
                }
                None => { (table(texts.sheet, "Scores")) }
            }
            (captioned(report, texts.sheet))
            @if let Some(deltas) = texts.deltas {
                h3 { (deltas.title) }
                @match first_lines(&deltas.sheet) {
                    Some((sheet, words)) => { p { (words) "." } (table(&sheet, &deltas.title)) }
                    None => { (table(&deltas.sheet, &deltas.title)) }
                }
                p.caption { (deltas.caption) "." }
            }
        }
    }
}

fn charts(figures: &[Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section {
                h2 { "Charts" }
                div.charts {
                    @for figure in figures {
                        figure { (PreEscaped(figure.svg())) }
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
