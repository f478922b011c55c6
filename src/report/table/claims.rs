//! The claims that were tested as one table: for the page, and for Markdown.

use crate::report::findings::verdicts::{Tested, Verdict};
use crate::report::table::markdown::{escape, pipe};
use maud::{Markup, html};

const HEADS: [&str; 5] = ["source", "finding", "where", "difference", "verdict"];

/// Claims of one source that follow each other, so that it is said once.
fn sources(claims: &[Tested]) -> impl Iterator<Item = &[Tested]> {
    claims.chunk_by(|a, b| a.source == b.source)
}

/// The mark of a verdict, told by its form.
fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "✓",
        Verdict::Contrary => "✗",
        Verdict::Bounded => "≈",
        Verdict::Undecided => "?",
        Verdict::NotMeasured => "–",
    }
}

/// The class of a verdict, for its colour.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Contrary => "contrary",
        Verdict::Bounded => "bounded",
        Verdict::Undecided | Verdict::NotMeasured => "open",
    }
}

/// `holds`, `no difference larger than 0.01`.
fn word(tested: &Tested) -> String {
    match &tested.bound {
        Some(bound) => format!("no difference larger than {bound}"),
        None => tested.verdict.word().to_string(),
    }
}

/// The rows of the page's table.
pub fn rows(claims: &[Tested]) -> Markup {
    html! {
        table.claims {
            thead { tr { @for head in HEADS { th scope="col" { (head) } } } }
            @for group in sources(claims) {
                tbody {
                    @for (i, tested) in group.iter().enumerate() {
                        tr { @if i == 0 { th.source scope="rowgroup" rowspan=(group.len()) { (tested.source) } } (row(tested)) }
                    }
                }
            }
        }
    }
}

/// The places of a claim behind its source.
fn row(tested: &Tested) -> Markup {
    html! {
        td { (tested.says) }
        td { (tested.place) }
        td.difference {
            (tested.compared)
            @if let Some(difference) = &tested.difference { br; span.number { (difference) } }
            @if !tested.each.is_empty() { br; span.range { "pair by pair " (tested.each.join("; ")) } }
        }
        td { span.verdict.(class(tested.verdict)) title=(tested.words) { span aria-hidden="true" { (mark(tested.verdict)) } " " (word(tested)) } }
    }
}

/// A pipe table in which a source that goes on stands once.
pub fn markdown(claims: &[Tested]) -> String {
    let mut out = pipe(&HEADS.map(String::from));
    out.push_str(&pipe(&HEADS.map(|_| ":---".to_string())));
    for group in sources(claims) {
        for (i, tested) in group.iter().enumerate() {
            let source = if i == 0 { tested.source.as_str() } else { "" };
            let mut difference = tested.compared.clone();
            if let Some(found) = &tested.difference {
                difference.push_str(&format!(" {found}"));
            }
            if !tested.each.is_empty() {
                difference.push_str(&format!(" ({})", tested.each.join("; ")));
            }
            let verdict = format!("{} {}", mark(tested.verdict), word(tested));
            let cells = [source, &tested.says, &tested.place, &difference, &verdict];
            out.push_str(&pipe(&cells.map(escape)));
        }
    }
    out
}
