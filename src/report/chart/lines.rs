//! The line chart: a metric over an axis, one line a value of another, with 95 % intervals and a small dot a seed.

mod data;
mod plot;

use crate::report::chart::canvas::text_width;
use crate::report::chart::crowd;
use crate::report::chart::lines::data::Data;
use crate::report::chart::palette::{self, Look};
use crate::report::chart::picture::{Anchor, Picture};
use crate::report::chart::series::Lines;
use crate::report::chart::ticks::Scale;
use crate::report::rows::names::{self, Better};

pub use crate::report::chart::lines::plot::Plot;

pub const WIDTH: f64 = 760.0;
pub const HEIGHT: f64 = 480.0;
pub const TICK: f64 = 15.0;
pub const LABEL: f64 = 16.5;
pub const NOTE: f64 = 12.5;

/// What a chart says beside its data.
pub struct Words<'a> {
    /// As in the experiment file: `fd`.
    pub metric: &'a str,
    /// `FD (shapes)`.
    pub y: &'a str,
    pub x: &'a str,
}

/// The chart as a picture.
pub fn draw(lines: &Lines, words: &Words) -> Picture {
    let all = || lines.series.iter().flat_map(|s| &s.points);
    let mut bounds: Vec<f64> = all().flat_map(|p| [p.low, p.value, p.high]).collect();
    bounds.extend(all().flat_map(|p| &p.seeds));
    bounds.extend(lines.published.iter().map(|p| p.value));
    let y = Scale::of_metric(words.metric, &bounds);
    let x = Scale::of_values(&lines.values);
    let mean = if lines.averaged.is_some() {
        "mean "
    } else {
        ""
    };
    let head = format!("{mean}{}", words.y);
    let names: Vec<&str> = lines.series.iter().map(|s| s.name.as_str()).collect();
    let title = format!("{head} against {}{}", words.x, crowd::lines_of(&names));
    let mut picture = Picture::new(WIDTH, HEIGHT, title);
    let plot = room(&y, &names, notes(lines).len());
    axes(&mut picture, plot, &x, &y);
    heads(&mut picture, plot, &head, words, &y);
    let looks = palette::looks(lines.series.len());
    let data = Data::new(lines, plot, x, y);
    data.draw(&mut picture, &looks);
    legend(&mut picture, plot, &names, &looks, &data.ends());
    for (i, note) in notes(lines).iter().rev().enumerate() {
        let at = (plot.left, HEIGHT - 12.0 - 17.0 * i as f64);
        picture.text(at, note, NOTE, palette::QUIET, Anchor::Left);
    }
    picture
}

fn notes(lines: &Lines) -> Vec<String> {
    let mut notes = Vec::new();
    let points = || lines.series.iter().flat_map(|s| &s.points);
    if let Some(base) = &lines.base {
        notes.push(format!("base: {base}; the others by what they change"));
    }
    if let Some(over) = &lines.averaged {
        notes.push(format!("each point is the mean over {over}"));
    }
    let many = crowd::lines_note(lines.series.len());
    let mut last = Vec::new();
    if many.is_none() && points().any(|p| p.low < p.high) {
        last.push("intervals: 95 % bootstrap over images".to_string());
    }
    if many.is_none() && points().any(|p| p.seeds.len() > 1) {
        last.push("small dots: the seeds".to_string());
    }
    if !lines.published.is_empty() {
        last.push("hollow: published".to_string());
    }
    if lines.missing > 0 {
        last.push(format!("{} cells missing", lines.missing));
    }
    last.extend(many);
    if !last.is_empty() {
        notes.push(last.join("; "));
    }
    notes
}

/// The data's rectangle, with room for the labels around it and so many lines of notes below.
pub fn room(y: &Scale, names: &[&str], notes: usize) -> Plot {
    let widest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(0.0, f64::max);
    let ticks = widest(&mut y.ticks.iter().map(|t| text_width(&t.1, TICK)));
    let legend = widest(&mut names.iter().map(|n| text_width(n, LABEL)));
    let legend = if legend > 0.0 { legend + 72.0 } else { 24.0 };
    Plot {
        left: 26.0 + ticks,
        right: WIDTH - legend.min(0.5 * WIDTH),
        top: 52.0,
        bottom: HEIGHT
            - match notes {
                0 => 62.0,
                n => 67.0 + 17.0 * n as f64,
            },
    }
}

/// Grid, frame and tick labels.
pub fn axes(picture: &mut Picture, plot: Plot, x: &Scale, y: &Scale) {
    for (value, label) in &y.ticks {
        let (_, v) = plot.at(0.0, y.place(*value));
        picture.line(&[(plot.left, v), (plot.right, v)], palette::GRID, 1.0);
        picture.text(
            (plot.left - 10.0, v),
            label,
            TICK,
            palette::INK,
            Anchor::Right,
        );
    }
    let shown: Vec<(f64, String)> = x
        .ticks
        .iter()
        .map(|(value, label)| (plot.at(x.place(*value), 0.0).0, cut(label)))
        .collect();
    let half = |label: &str| 0.5 * text_width(label, TICK);
    let shown = if shown.len() > crowd::MOST_TICKS {
        crowd::clear(shown, |tick| (tick.0, half(&tick.1)))
    } else {
        shown
    };
    let touch = |a: &(f64, String), b: &(f64, String)| b.0 - a.0 < half(&a.1) + half(&b.1) + 8.0;
    // Labels too long for one row stand on two, in turn.
    let rows = 1 + usize::from(shown.windows(2).any(|w| touch(&w[0], &w[1])));
    for (i, (u, label)) in shown.iter().enumerate() {
        let foot = (*u, plot.bottom + 5.0);
        picture.line(&[(*u, plot.top), (*u, plot.bottom)], palette::GRID, 1.0);
        picture.line(&[(*u, plot.bottom), foot], palette::FRAME, 1.2);
        let down = plot.bottom + 17.0 + if i % rows == 1 { 14.0 } else { 0.0 };
        picture.text((*u, down), label, TICK, palette::INK, Anchor::Centre);
    }
    let corner = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
    picture.line(&corner, palette::FRAME, 1.2);
}

/// A label of at most 24 characters.
fn cut(label: &str) -> String {
    if label.chars().count() > 24 {
        label.chars().take(23).chain(['…']).collect()
    } else {
        label.to_string()
    }
}

/// The y label upright over its axis, the x label under its own.
fn heads(picture: &mut Picture, plot: Plot, head: &str, words: &Words, y: &Scale) {
    picture.text((16.0, 24.0), head, LABEL + 1.0, palette::INK, Anchor::Left);
    let good = match names::better(words.metric) {
        Some(Better::Lower) => "lower is better",
        Some(Better::Higher) => "higher is better",
        None => "",
    };
    let log = if y.is_log() { "log scale" } else { "" };
    let aside: Vec<&str> = [good, log].into_iter().filter(|t| !t.is_empty()).collect();
    let after = 16.0 + text_width(head, LABEL + 1.0) + 12.0;
    picture.text(
        (after, 24.5),
        &aside.join(", "),
        NOTE + 1.0,
        palette::QUIET,
        Anchor::Left,
    );
    let centre = 0.5 * (plot.left + plot.right);
    picture.text(
        (centre, plot.bottom + 48.0),
        words.x,
        LABEL,
        palette::INK,
        Anchor::Centre,
    );
}

/// Names right of the data in the order of the series, so that numbers stand by size; as near to the ends of the lines
/// (`ends`, heights) as a column of them can.
pub fn legend(picture: &mut Picture, plot: Plot, names: &[&str], looks: &[Look], ends: &[f64]) {
    if names.iter().all(|n| n.is_empty()) {
        return;
    }
    let named = crowd::named(names.len());
    let ends: Vec<f64> = named.iter().map(|&i| ends[i]).collect();
    for (i, y) in named.into_iter().zip(column(&ends, plot)) {
        let (name, look, x) = (names[i], looks[i], plot.right + 12.0);
        picture.dashes(&[(x, y), (x + 40.0, y)], look.dash, look.colour, 2.2);
        picture.point(look.form, (x + 20.0, y), 4.6, look.colour);
        picture.text((x + 47.0, y), name, LABEL, palette::INK, Anchor::Left);
    }
}

/// Heights one below the other, their middle at the mean of `ends` where the plot has room.
fn column(ends: &[f64], plot: Plot) -> impl Iterator<Item = f64> {
    let steps = ends.len().saturating_sub(1) as f64;
    let gap = ((plot.bottom - plot.top) / steps.max(1.0)).min(24.0);
    let mean = ends.iter().sum::<f64>() / ends.len() as f64;
    let last = plot.bottom - gap * steps;
    let first = (mean - 0.5 * gap * steps).min(last).max(plot.top);
    (0..ends.len()).map(move |i| first + gap * i as f64)
}
