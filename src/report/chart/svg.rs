//! A picture to SVG text. Strokes of one look that follow each other are one path, and what all texts share stands at
//! the root: a page holds several charts, and the repository those of every study.

use crate::report::chart::canvas::FONT;
use crate::report::chart::picture::{Anchor, At, Colour, Mark, Picture};
use std::fmt::Write;

/// Units of the view box a pixel, so that whole coordinates are fine enough.
const GRAIN: f64 = 10.0;
/// How far below its middle, in font sizes, a text stands so that digits are centred.
const DROP: f64 = 0.09;

/// A whole SVG document of `width` × `height` pixels, with nothing of the outside in it.
pub fn svg(picture: &Picture) -> String {
    let (width, height) = (unit(picture.width.ceil()), unit(picture.height.ceil()));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" fill=\"none\" stroke-linejoin=\"round\" font-family=\"{FONT}\">\n<title>{}</title>\n\
         <path fill=\"#fff\" d=\"M0 0H{width}V{height}H0Z\"/>\n",
        picture.width,
        picture.height,
        escape(&picture.title)
    );
    for marks in picture.marks.chunk_by(joined) {
        element(&mut out, marks);
    }
    out.push_str("</svg>\n");
    out
}

/// Whether two marks are strokes of one look.
fn joined(a: &Mark, b: &Mark) -> bool {
    matches!((a, b), (
        Mark::Line { colour: a, width: v, .. },
        Mark::Line { colour: b, width: w, .. },
    ) if a == b && v == w)
}

/// Marks that are one element: strokes of one look, or a single mark.
fn element(out: &mut String, marks: &[Mark]) {
    match marks {
        [Mark::Line { colour, width, .. }, ..] => {
            let paths = marks.iter().map(|mark| match mark {
                Mark::Line { points, .. } => path(points),
                _ => String::new(),
            });
            let (stroke, width, paths) = (hex(*colour), unit(*width), paths.collect::<String>());
            add(
                out,
                format_args!("<path stroke=\"{stroke}\" stroke-width=\"{width}\" d=\"{paths}\"/>"),
            );
        }
        [single, ..] => mark(out, single),
        [] => {}
    }
}

/// A mark that is no stroke.
fn mark(out: &mut String, mark: &Mark) {
    match mark {
        Mark::Line { .. } => {}
        Mark::Fill {
            points,
            colour,
            alpha,
        } => {
            let opacity = if *alpha < 1.0 {
                format!(" fill-opacity=\"{alpha}\"")
            } else {
                String::new()
            };
            let (fill, path) = (hex(*colour), path(points));
            add(
                out,
                format_args!("<path fill=\"{fill}\"{opacity} d=\"{path}Z\"/>"),
            );
        }
        Mark::Disc { at, radius, colour } => {
            let (x, y, r, fill) = (unit(at.0), unit(at.1), unit(*radius), hex(*colour));
            add(
                out,
                format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"{fill}\"/>"),
            );
        }
        Mark::Text {
            at,
            text,
            size,
            colour,
            anchor,
        } => {
            let (x, y) = (unit(at.0), unit(at.1 + DROP * size));
            let anchor = match anchor {
                Anchor::Left => "start",
                Anchor::Centre => "middle",
                Anchor::Right => "end",
            };
            let (size, fill, text) = (unit(*size), hex(*colour), escape(text));
            add(
                out,
                format_args!(
                    "<text x=\"{x}\" y=\"{y}\" dy=\".5ex\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
                     fill=\"{fill}\">\n{text}\n</text>"
                ),
            );
        }
    }
}

/// A line of the document. Writing into a `String` cannot fail.
fn add(out: &mut String, element: std::fmt::Arguments) {
    let _ = writeln!(out, "{element}");
}

/// `M581 3960L5806 3960`.
fn path(points: &[At]) -> String {
    let mut out = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        let verb = if i == 0 { 'M' } else { 'L' };
        let _ = write!(out, "{verb}{} {}", unit(*x), unit(*y));
    }
    out
}

fn unit(pixels: f64) -> i64 {
    (pixels * GRAIN).round() as i64
}

fn hex((red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
