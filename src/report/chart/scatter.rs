//! One metric against another: points joined in the order of an axis and labelled with its value, around each a small dot
//! for every seed that it is the mean over.

use crate::report::chart::canvas::text_width;
use crate::report::chart::crowd;
use crate::report::chart::layout::{Around, Layout, Plot};
use crate::report::chart::lines;
use crate::report::chart::palette::{self, Look};
use crate::report::chart::picture::{Anchor, At, Picture};
use crate::report::chart::ticks::Scale;
use crate::report::rows::axes::{self, Axis};
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::seeds::{self, Variant};
use crate::report::rows::values::{at, exact, order, text};
use crate::run::results::{Row, Score};
use std::collections::HashMap;

/// Two metrics as in the experiment file, and as people read them.
pub struct Pair<'a> {
    pub x: (&'a str, &'a str),
    pub y: (&'a str, &'a str),
}

#[derive(Clone)]
struct Dot {
    x: Score,
    y: Score,
    label: String,
    /// Both metrics of each seed, where the dot is the mean over several.
    seeds: Vec<(f64, f64)>,
}

struct Trace {
    name: String,
    dots: Vec<Dot>,
}

/// How the rows of a report become traces.
struct Tracing<'a> {
    report: &'a Report<'a>,
    pair: &'a Pair<'a>,
    /// The axis that joins and labels the dots of a trace.
    order: Option<&'a Axis>,
}

/// The chart; one line for each value of `by` and of every other axis but the one that gives the order.
/// Published rows are drawn hollow on the trace that they belong to.
pub fn draw(report: &Report, pair: &Pair, by: &[String], layout: &Layout) -> Picture {
    let order = report.axes.changing().rfind(|axis| !by.contains(&axis.key));
    let tracing = Tracing {
        report,
        pair,
        order,
    };
    let traces = tracing.traces(&seeds::variants(report.rows));
    let printed = tracing.printed(&traces);
    let dots = || traces.iter().flat_map(|t| &t.dots);
    let many = crowd::dots_note(dots().count());
    let shown: Vec<&Dot> = dots().chain(printed.iter().map(|(_, dot)| dot)).collect();
    let x = Scale::of_metric(pair.x.0, &ends(&shown, |d| &d.x, |seed| seed.0));
    let y = Scale::of_metric(pair.y.0, &ends(&shown, |d| &d.y, |seed| seed.1));
    let names: Vec<&str> = traces.iter().map(|t| t.name.as_str()).collect();
    let title = format!(
        "{} against {}{}",
        pair.y.1,
        pair.x.1,
        crowd::lines_of(&names)
    );
    let joined = order.map(|axis| axis.key.as_str());
    let told = || note(joined, &shown, !printed.is_empty());
    let more = crowd::names_note(traces.len()).map(|more| format!("; {more}"));
    let around = Around {
        head: pair.y.1,
        aside: "",
        names: &names,
        notes: vec![many.clone().unwrap_or_else(told) + &more.unwrap_or_default()],
    };
    let room = layout.room(around, &x, &y);
    let plot = room.plot;
    let mut picture = Picture::new(layout.width, room.height, title);
    lines::axes(&mut picture, layout, &room, &y);
    let at = |x_: f64, y_: f64| plot.at(x.place(x_), y.place(y_));
    let looks = palette::looks(traces.len());
    if many.is_some() {
        for (trace, look) in traces.iter().zip(&looks) {
            for dot in &trace.dots {
                crowd::dot(&mut picture, at(dot.x.value, dot.y.value), look.colour);
            }
        }
    } else {
        dots_and_lines(&mut picture, &traces, &looks, &at);
    }
    for (trace, dot) in &printed {
        let look = looks[*trace];
        picture.hollow(look.form, at(dot.x.value, dot.y.value), 5.0, look.colour);
    }
    if many.is_none() {
        let spots = shown.iter();
        let spots = spots.map(|d| (at(d.x.value, d.y.value), d.label.as_str()));
        let paths = traces.iter().flat_map(|t| along(t, &at)).collect();
        labels(
            &mut picture,
            (layout, plot),
            &spots.collect::<Vec<_>>(),
            paths,
        );
    }
    let last = |t: &Trace| {
        let last = t.dots.last();
        last.map_or(plot.bottom, |d| at(d.x.value, d.y.value).1)
    };
    let heights: Vec<f64> = traces.iter().map(last).collect();
    let named = lines::Shown {
        names: &names,
        looks: &looks,
        ends: &heights,
    };
    lines::legend(&mut picture, layout, plot, &named);
    lines::heads(&mut picture, layout, &room, pair.x.1);
    lines::foot(&mut picture, layout, &room);
    picture
}

/// What a scale has to hold of the dots: one metric with its intervals, and that of the seeds.
fn ends(dots: &[&Dot], metric: fn(&Dot) -> &Score, of_seed: fn(&(f64, f64)) -> f64) -> Vec<f64> {
    let scores = dots.iter().map(|dot| metric(dot));
    let ends = scores.flat_map(|s| [s.low, s.value, s.high]);
    let seeds = dots.iter().flat_map(|dot| &dot.seeds).map(of_seed);
    ends.chain(seeds).filter(|v| v.is_finite()).collect()
}

impl Tracing<'_> {
    /// One trace a combination of the axes but `order`, its dots in that axis's order.
    fn traces(&self, variants: &[Variant]) -> Vec<Trace> {
        let steps = order(self.order.map_or(&[][..], |axis| &axis.values));
        let step = |v: &&Variant| steps.get(&exact(self.value(&v.row)?)).copied();
        let mut traces: Vec<Trace> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let parting: Vec<&Axis> = self.parting().collect();
        let orders: Vec<_> = parting.iter().map(|axis| order(&axis.values)).collect();
        let places = |v: &&Variant| {
            let each = parting.iter().zip(&orders);
            let each = each.map(|(axis, order)| order.get(&exact(at(&v.row, &axis.key)?)).copied());
            each.collect::<Vec<Option<usize>>>()
        };
        // Named in the order of every axis's values, filled in that of one.
        let mut named: Vec<&Variant> = variants.iter().collect();
        named.sort_by_cached_key(places);
        for variant in named {
            let name = self.name(&variant.row);
            if !known.contains_key(&name) {
                known.insert(name.clone(), traces.len());
                let dots = Vec::new();
                traces.push(Trace { name, dots });
            }
        }
        let mut sorted: Vec<&Variant> = variants.iter().collect();
        sorted.sort_by_cached_key(step);
        for variant in sorted {
            let trace = known.get(&self.name(&variant.row));
            if let (Some(&trace), Some(mut dot)) = (trace, self.dot(&variant.row)) {
                if self.report.rows.len() <= crowd::MOST_SEEDS {
                    dot.seeds = self.seeds(variant);
                }
                traces[trace].dots.push(dot);
            }
        }
        traces
    }

    /// Both metrics of each cell of a variant; none where there is one cell.
    fn seeds(&self, variant: &Variant) -> Vec<(f64, f64)> {
        let both = |row: &&Row| {
            let [x, y] = [self.pair.x.0, self.pair.y.0].map(|metric| names::score(row, metric));
            Some((x?.value, y?.value))
        };
        let found: Vec<(f64, f64)> = variant.cells.iter().filter_map(both).collect();
        if found.len() > 1 { found } else { Vec::new() }
    }

    /// Published rows that say both metrics and where they belong, each with its trace.
    fn printed(&self, traces: &[Trace]) -> Vec<(usize, Dot)> {
        let place = |row: &Row| {
            let name = self.name(row);
            let trace = traces.iter().position(|t| t.name == name)?;
            Some((trace, self.dot(row)?))
        };
        self.report.published.iter().filter_map(place).collect()
    }

    /// The axes that part the traces: all that vary, but the one that joins their dots, and seeds.
    fn parting(&self) -> impl Iterator<Item = &Axis> {
        let order = self.order.map(|axis| axis.key.as_str());
        let changing = self.report.axes.changing();
        changing.filter(move |axis| Some(axis.key.as_str()) != order)
    }

    /// `resolution 16, steps 25`: the trace that a row belongs to.
    fn name(&self, row: &Row) -> String {
        let keys = self.parting().map(|axis| axis.key.as_str());
        self.report.axes.place(row, keys)
    }

    fn value<'r>(&self, row: &'r Row) -> Option<&'r toml::Value> {
        self.order.and_then(|axis| at(row, &axis.key))
    }

    /// A row's scores; none where it lacks one.
    fn dot(&self, row: &Row) -> Option<Dot> {
        Some(Dot {
            x: names::score(row, self.pair.x.0)?.clone(),
            y: names::score(row, self.pair.y.0)?.clone(),
            label: self.value(row).map(text).unwrap_or_default(),
            seeds: Vec::new(),
        })
    }
}

/// Intervals at the bottom, lines over them, points at the top.
fn dots_and_lines(
    picture: &mut Picture,
    traces: &[Trace],
    looks: &[Look],
    at: &dyn Fn(f64, f64) -> At,
) {
    for (trace, look) in traces.iter().zip(looks) {
        for dot in &trace.dots {
            crosses(picture, dot, look.colour, at);
        }
        let path: Vec<At> = trace
            .dots
            .iter()
            .map(|d| at(d.x.value, d.y.value))
            .collect();
        picture.dashes(&path, look.dash, look.colour, 2.2);
    }
    for (trace, look) in traces.iter().zip(looks) {
        for dot in &trace.dots {
            picture.point(look.form, at(dot.x.value, dot.y.value), 4.8, look.colour);
        }
    }
    for (trace, look) in traces.iter().zip(looks) {
        for seed in trace.dots.iter().flat_map(|dot| &dot.seeds) {
            crowd::dot(picture, at(seed.0, seed.1), look.colour);
        }
    }
}

/// The intervals of both metrics, thin and pale.
fn crosses(picture: &mut Picture, dot: &Dot, colour: (u8, u8, u8), at: &dyn Fn(f64, f64) -> At) {
    let pale = |c: u8| (255.0 - 0.45 * (255.0 - c as f64)) as u8;
    let colour = (pale(colour.0), pale(colour.1), pale(colour.2));
    let (x, y) = (&dot.x, &dot.y);
    if x.low < x.high {
        picture.line(&[at(x.low, y.value), at(x.high, y.value)], colour, 1.4);
    }
    if y.low < y.high {
        picture.line(&[at(x.value, y.low), at(x.value, y.high)], colour, 1.4);
    }
}

/// Places every few pixels on a trace's line, which labels should stay clear of.
fn along(trace: &Trace, at: &dyn Fn(f64, f64) -> At) -> Vec<At> {
    let mut places = Vec::new();
    for pair in trace.dots.windows(2) {
        let [from, to] = [&pair[0], &pair[1]].map(|d| at(d.x.value, d.y.value));
        let count = ((to.0 - from.0).hypot(to.1 - from.1) / 6.0).ceil();
        for i in 1..count as usize {
            let f = i as f64 / count;
            places.push((from.0 + f * (to.0 - from.0), from.1 + f * (to.1 - from.1)));
        }
    }
    places
}

/// Each label beside its point, on the side where it has most air.
fn labels(
    picture: &mut Picture,
    (layout, plot): (&Layout, Plot),
    spots: &[(At, &str)],
    mut busy: Vec<At>,
) {
    let size = layout.mark;
    for (at, label) in spots.iter().filter(|(_, l)| !l.is_empty()) {
        let half = 0.5 * text_width(label, size);
        let spot = |turn: usize| {
            let (sin, cos) = (turn as f64 * std::f64::consts::FRAC_PI_8).sin_cos();
            (at.0 + cos * (half + 13.0), at.1 - sin * 17.0)
        };
        let air = |p: &At| {
            let others = spots.iter().map(|s| s.0).filter(|o| o != at);
            let others = others.chain(busy.iter().copied());
            // Text is wider than high: what is beside it is nearer than it looks.
            let near = others.map(|o| ((o.0 - p.0) / (1.0 + half / 12.0)).hypot(o.1 - p.1));
            let wide = p.0 > plot.left + half && p.0 < plot.right - half;
            let high = p.1 > plot.top - 12.0 && p.1 < plot.bottom - 8.0;
            near.fold(40.0, f64::min) - if wide && high { 0.0 } else { 100.0 }
        };
        let mut best = spot(4);
        // Upright first, then ever further down on either side.
        for turn in [2, 6, 3, 5, 1, 7, 0, 8, 15, 9, 14, 10, 13, 11, 12] {
            if air(&spot(turn)) > air(&best) + 1.0 {
                best = spot(turn);
            }
        }
        picture.text(best, label, size, palette::INK, Anchor::Centre);
        busy.push(best);
    }
}

/// What joins the dots, by the full key of an axis, what their crosses are, and what is not large.
fn note(order: Option<&str>, dots: &[&Dot], published: bool) -> String {
    let mut parts = Vec::new();
    if let Some(key) = order {
        let title = axes::title(key);
        parts.push(format!(
            "points joined in order of {title}, labelled with it"
        ));
    }
    if published {
        parts.push("hollow: published".to_string());
    }
    // The chart has room for one line.
    let over = if parts.is_empty() { " over images" } else { "" };
    parts.push(format!("crosses: 95 % bootstrap intervals{over}"));
    if dots.iter().any(|dot| !dot.seeds.is_empty()) {
        parts.push("small dots: the seeds".to_string());
    }
    parts.join("; ")
}
