//! The page's samples: under each other, and by the page's own buttons one of two cells at the same place as the other, so
//! that what changes between them is seen. Buttons are inputs of HTML that the style looks at: no script, and where a
//! browser's style cannot look at them there are none.

use crate::report::grids::embedded::{Strip, Strips};
use crate::report::page::excerpt::Excerpt;
use crate::report::table::html::scrolling;
use maud::{Markup, html};

/// The section; nothing where there are no samples.
pub fn samples(overviews: &[Strips], excerpt: Option<&Excerpt>) -> Markup {
    html! {
        @if !overviews.is_empty() {
            section {
                h2 { "Samples" }
                @if let Some(which) = excerpt.and_then(|excerpt| excerpt.which.as_ref()) {
                    p { (which) ". `runner report FILE --only KEY=VALUE` shows the samples of a part of the grid." }
                }
                @for (number, overview) in overviews.iter().enumerate() { (figure(overview, number)) }
            }
        }
    }
}

/// One overview; `number` tells its buttons from those of the others.
fn figure(overview: &Strips, number: usize) -> Markup {
    let several = overview.strips.len() > 1;
    let last = overview.strips.len() - 1;
    let strips = html! {
        table { @for (i, strip) in overview.strips.iter().enumerate() {
            tr {
                th scope="row" { (strip.label) }
                @if several {
                    td.choice {
                        (choice(strip, number, Side { name: "A", chosen: i == 0 }))
                        (choice(strip, number, Side { name: "B", chosen: i == last }))
                    }
                }
                td { img src=(strip.source) width=(strip.width) alt=(alt(overview, strip)); }
            }
        } }
    };
    html! {
        figure.samples {
            figcaption { (overview.title) }
            @if several { (modes(number)) }
            div.stage {
                (scrolling(&format!("samples: {}", overview.title), &strips))
                @if several {
                    label.over.to-b for=(format!("show-b-{number}")) title="show B" { span { "show B" } }
                    label.over.to-a for=(format!("show-a-{number}")) title="show A" { span { "show A" } }
                }
            }
        }
    }
}

/// What is shown: all cells, or one of the two that are chosen.
fn modes(number: usize) -> Markup {
    let mode = |id: &str, words: &str| {
        let name = format!("show-{number}");
        let id_ = format!("show-{id}-{number}");
        html! { label { input.(id) type="radio" name=(name) id=(id_) checked[id == "all"]; " " (words) } }
    };
    html! {
        fieldset.flip {
            legend { "Compare two cells at one place" }
            (mode("all", "all cells"))
            (mode("a", "A alone"))
            (mode("b", "B alone"))
            span.hint { "choose A and B beside the samples; then the arrow keys or a click on them flip between the two" }
        }
    }
}

/// One of the two cells to flip between.
struct Side {
    name: &'static str,
    chosen: bool,
}

fn choice(strip: &Strip, number: usize, side: Side) -> Markup {
    let group = side.name.to_lowercase();
    html! {
        label {
            input.{ "is-" (group) } type="radio" name={ (group) "-" (number) } checked[side.chosen]
                aria-label={ (side.name) ": " (strip.label) };
            (side.name)
        }
    }
}

/// What an image shows, for those who do not see it.
fn alt(overview: &Strips, strip: &Strip) -> String {
    let label = match strip.label.as_str() {
        "" => &overview.title,
        label => label,
    };
    format!("the first samples of {label}")
}
