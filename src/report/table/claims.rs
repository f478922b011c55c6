//! The claims that were tested as one table: for the page, and for Markdown.

use crate::report::findings::verdicts::{Tested, Verdict};
use crate::report::table::markdown::{escape, pipe};
use maud::{Markup, html};

/// The column of the places that claims are of.
const WHERE: &str = "where";

/// The heads of the columns: `sees` is the smallest difference that the study could have seen; that of places only where some claim is of one.
fn heads(claims: &[Tested]) -> Vec<&'static str> {
    let placed = claims.iter().any(|tested| !tested.place.is_empty());
    let mut heads = vec!["source", "finding", WHERE, "difference", "sees", "verdict"];
    heads.retain(|head| *head != WHERE || placed);
    heads
}

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

/// `holds`, `no difference larger than 0.01`, `not decided: needs about 6 seeds of 2,000 images`.
fn word(tested: &Tested) -> String {
    match (tested.verdict, &tested.bound, &tested.needs) {
        (Verdict::Bounded, Some(bound), _) => format!("no difference larger than {bound}"),
        (Verdict::Undecided, _, Some(needs)) => format!("not decided: needs {needs}"),
        (verdict, _, _) => verdict.word().to_string(),
    }
}

/// The page's table.
pub fn table(claims: &[Tested]) -> Markup {
    let heads = heads(claims);
    html! {
        table.claims {
            thead { tr { @for head in &heads { th scope="col" { (head) } } } }
            @for group in sources(claims) {
                tbody {
                    @for (i, tested) in group.iter().enumerate() {
                        tr { @if i == 0 { th.source scope="rowgroup" rowspan=(group.len()) { (tested.source) } } (row(tested, &heads)) }
                    }
                }
            }
        }
    }
}

/// The cells of a claim behind that of its source, below these heads.
fn row(tested: &Tested, heads: &[&str]) -> Markup {
    html! {
        td { (tested.says) }
        @if heads.contains(&WHERE) { td { (tested.place) } }
        td.difference {
            (tested.compared)
            @if let Some(difference) = &tested.difference { br; span.number { (difference) } }
            @if !tested.each.is_empty() { br; span.range { "one by one " (tested.each.join("; ")) } }
        }
        td { @if let Some(smallest) = &tested.smallest { (smallest) } }
        td { span.verdict.(class(tested.verdict)) title=(tested.sentence()) { span aria-hidden="true" { (mark(tested.verdict)) } " " (word(tested)) } }
    }
}

/// A pipe table in which a source that goes on stands once.
pub fn markdown(claims: &[Tested]) -> String {
    let heads = heads(claims);
    let mut out = pipe(
        &heads
            .iter()
            .map(|head| head.to_string())
            .collect::<Vec<_>>(),
    );
    out.push_str(&pipe(&vec![":---".to_string(); heads.len()]));
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
            let sees = tested.smallest.as_deref().unwrap_or_default();
            let mut cells = vec![
                source,
                &tested.says,
                &tested.place,
                &difference,
                sees,
                &verdict,
            ];
            if !heads.contains(&WHERE) {
                cells.remove(2);
            }
            let cells: Vec<String> = cells.into_iter().map(escape).collect();
            out.push_str(&pipe(&cells));
        }
    }
    out
}
