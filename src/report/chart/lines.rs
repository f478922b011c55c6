//! The line chart: a metric over an axis, one line a value of another, with 95 % intervals and a small dot a seed.

mod data;

use crate::report::chart::crowd;
use crate::report::chart::layout::{Around, GAP, Layout, Legend, Plot, Room, SAMPLE};
use crate::report::chart::lines::data::Data;
use crate::report::chart::palette::{self, Look};
use crate::report::chart::picture::{Anchor, At, Picture};
use crate::report::chart::series::Lines;
use crate::report::chart::ticks::Scale;
use crate::report::rows::names::{self, Better};

/// What a chart says beside its data.
pub struct Words<'a> {
    /// As in the experiment file: `fd`.
    pub metric: &'a str,
    /// `FD (shapes)`.
    pub y: &'a str,
    pub x: &'a str,
}

/// The chart as a picture.
pub fn draw(lines: &Lines, words: &Words, layout: &Layout) -> Picture {
    let all = || lines.series.iter().flat_map(|s| &s.points);
    let mut bounds: Vec<f64> = all().flat_map(|p| [p.low, p.value, p.high]).collect();
    bounds.extend(all().flat_map(|p| &p.seeds));
    bounds.extend(lines.published.iter().map(|p| p.value));
    let y = Scale::of_metric(words.metric, &bounds);
    // The data have at least half of the width.
    let inset = data::reach(lines) / (0.5 * layout.width);
    let x = Scale::of_values(&lines.values, inset.min(0.25));
    let mean = if lines.averaged.is_some() {
        "mean "
    } else {
        ""
    };
    let head = format!("{mean}{}", words.y);
    let names: Vec<&str> = lines.series.iter().map(|s| s.name.as_str()).collect();
    let title = format!("{head} against {}{}", words.x, crowd::lines_of(&names));
    let around = Around {
        head: &head,
        aside: &aside(words.metric, &y),
        names: &names,
        notes: notes(lines),
    };
    let room = layout.room(around, &x, &y);
    let plot = room.plot;
    let mut picture = Picture::new(layout.width, room.height, title);
    axes(&mut picture, layout, &room, &y);
    heads(&mut picture, layout, &room, words.x);
    let looks = looks(lines);
    let data = Data::new(lines, plot, x, y);
    data.draw(&mut picture, &looks);
    let shown = Shown {
        names: &names,
        looks: &looks,
        ends: &data.ends(),
    };
    legend(&mut picture, layout, plot, &shown);
    foot(&mut picture, layout, &room);
    picture
}

/// The look of each series: that of its line in the other charts of the page, but where so many lines would be one gradient
/// and this chart has few.
fn looks(lines: &Lines) -> Vec<Look> {
    let count = lines.series.len();
    if lines.looks > crowd::MOST_LINES && count <= crowd::MOST_LINES {
        return palette::looks(count);
    }
    let all = palette::looks(lines.looks);
    lines.series.iter().map(|series| all[series.look]).collect()
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

/// Grid, frame and tick labels.
pub fn axes(picture: &mut Picture, layout: &Layout, room: &Room, y: &Scale) {
    let (plot, size) = (room.plot, layout.tick);
    for (value, label) in &y.ticks {
        let (_, v) = plot.at(0.0, y.place(*value));
        picture.line(&[(plot.left, v), (plot.right, v)], palette::GRID, 1.0);
        let at = (plot.left - 10.0, v);
        picture.text(at, label, size, palette::INK, Anchor::Right);
    }
    for (i, (u, label)) in room.ticks.iter().enumerate() {
        let foot = (*u, plot.bottom + 5.0);
        picture.line(&[(*u, plot.top), (*u, plot.bottom)], palette::GRID, 1.0);
        picture.line(&[(*u, plot.bottom), foot], palette::FRAME, 1.2);
        let row = (i % room.rows) as f64;
        let at = (*u, plot.bottom + 17.0 + layout.pitch() * row);
        picture.text(at, label, size, palette::INK, Anchor::Centre);
    }
    let corner = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
    picture.line(&corner, palette::FRAME, 1.2);
}

/// `lower is better, log scale`: what is said of a metric and its scale.
fn aside(metric: &str, y: &Scale) -> String {
    let good = match names::better(metric) {
        Some(Better::Lower) => "lower is better",
        Some(Better::Higher) => "higher is better",
        None => "",
    };
    let log = if y.is_log() { "log scale" } else { "" };
    let aside: Vec<&str> = [good, log].into_iter().filter(|t| !t.is_empty()).collect();
    aside.join(", ")
}

/// The y label upright over its axis, the x label under its own.
pub fn heads(picture: &mut Picture, layout: &Layout, room: &Room, x: &str) {
    for head in &room.head {
        let colour = if head.aside {
            palette::QUIET
        } else {
            palette::INK
        };
        picture.text(head.at, &head.text, head.size, colour, Anchor::Left);
    }
    let plot = room.plot;
    let at = (
        0.5 * (plot.left + plot.right),
        plot.bottom + layout.below(room.rows),
    );
    picture.text(at, x, layout.label, palette::INK, Anchor::Centre);
}

/// The notes, the last one lowest.
pub fn foot(picture: &mut Picture, layout: &Layout, room: &Room) {
    for (i, note) in room.notes.iter().rev().enumerate() {
        let at = layout.note_at(room, i);
        picture.text(at, note, layout.note, palette::QUIET, Anchor::Left);
    }
}

/// The series that are named.
pub struct Shown<'a> {
    pub names: &'a [&'a str],
    pub looks: &'a [Look],
    /// The heights at which they end.
    pub ends: &'a [f64],
}

/// Names right of the data in the order of the series, so that numbers stand by size, as near to the ends of the lines as a
/// column of them can; or above the data.
pub fn legend(picture: &mut Picture, layout: &Layout, plot: Plot, shown: &Shown) {
    if shown.names.iter().all(|n| n.is_empty()) {
        return;
    }
    let named = crowd::named(shown.names.len());
    let names = crowd::shown(shown.names);
    let (places, length): (Vec<At>, f64) = match layout.legend(&names) {
        Legend::Beside => {
            let ends: Vec<f64> = named.iter().map(|&i| shown.ends[i]).collect();
            let heights = column(&ends, plot);
            (heights.map(|y| (plot.right + 12.0, y)).collect(), 40.0)
        }
        Legend::Above(starts) => (above(names.len(), &starts, plot), SAMPLE),
    };
    for ((i, name), (x, y)) in named.into_iter().zip(names).zip(places) {
        let look = shown.looks[i];
        let start = x + length + GAP;
        let name = layout.fitted(name, layout.width - start);
        picture.dashes(&[(x, y), (x + length, y)], look.dash, look.colour, 2.2);
        picture.point(look.form, (x + 0.5 * length, y), 4.6, look.colour);
        let at = (start, y);
        picture.text(at, &name, layout.label, palette::INK, Anchor::Left);
    }
}

/// Places row by row in columns that begin at `starts`, the last row just above the data.
fn above(count: usize, starts: &[f64], plot: Plot) -> Vec<At> {
    let rows = count.div_ceil(starts.len());
    let place = |i: usize| {
        let row = i / starts.len();
        let up = 19.0 + 20.0 * (rows - 1 - row) as f64;
        (starts[i % starts.len()], plot.top - up)
    };
    (0..count).map(place).collect()
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
