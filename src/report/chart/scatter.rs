//! One metric against another: points joined in the order of an axis and labelled with its value.

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
    let order = report.axes.varying().rfind(|axis| !by.contains(&axis.key));
    let tracing = Tracing {
        report,
        pair,
        order,
    };
    let traces = tracing.traces();
    let printed = tracing.printed(&traces);
    let order = order.map(|axis| axis.key.as_str());
    let dots = || traces.iter().flat_map(|t| &t.dots);
    let many = crowd::dots_note(dots().count());
    let shown = || dots().chain(printed.iter().map(|(_, dot)| dot));
    let bounds = |pick: fn(&Dot) -> &Score| -> Vec<f64> {
        let ends = shown().map(pick).flat_map(|s| [s.low, s.value, s.high]);
        ends.filter(|v| v.is_finite()).collect()
    };
    let x = Scale::of_metric(pair.x.0, &bounds(|d| &d.x));
    let y = Scale::of_metric(pair.y.0, &bounds(|d| &d.y));
    let title = format!("{} against {}", pair.y.1, pair.x.1);
    let names: Vec<&str> = traces.iter().map(|t| t.name.as_str()).collect();
    let around = Around {
        head: pair.y.1,
        aside: "",
        names: &names,
        notes: vec![noted(order, &printed, &traces)],
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
        let spots: Vec<(At, &str)> = shown()
            .map(|d| (at(d.x.value, d.y.value), d.label.as_str()))
            .collect();
        let paths = traces.iter().flat_map(|t| along(t, &at)).collect();
        labels(&mut picture, (layout, plot), &spots, paths);
    }
    let ends = traces.iter().map(|t| {
        let last = t.dots.last();
        last.map_or(plot.bottom, |d| at(d.x.value, d.y.value).1)
    });
    let named = lines::Shown {
        names: &names,
        looks: &looks,
        ends: &ends.collect::<Vec<_>>(),
    };
    lines::legend(&mut picture, layout, plot, &named);
    lines::heads(&mut picture, layout, &room, pair.x.1);
    lines::foot(&mut picture, layout, &room);
    picture
}

impl Tracing<'_> {
    /// One trace a combination of the axes but `order`, its dots in that axis's order.
    fn traces(&self) -> Vec<Trace> {
        let steps = order(self.order.map_or(&[][..], |axis| &axis.values));
        let step = |row: &&Row| steps.get(&exact(self.value(row)?)).copied();
        let mut traces: Vec<Trace> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let parting: Vec<&Axis> = self.parting().collect();
        let orders: Vec<_> = parting.iter().map(|axis| order(&axis.values)).collect();
        let places = |row: &&Row| {
            let each = parting.iter().zip(&orders);
            let each = each.map(|(axis, order)| order.get(&exact(at(row, &axis.key)?)).copied());
            each.collect::<Vec<Option<usize>>>()
        };
        // Named in the order of every axis's values, filled in that of one.
        let mut named: Vec<&Row> = self.report.rows.iter().collect();
        named.sort_by_cached_key(places);
        for row in named {
            let name = self.name(row);
            if !known.contains_key(&name) {
                known.insert(name.clone(), traces.len());
                let dots = Vec::new();
                traces.push(Trace { name, dots });
            }
        }
        let mut sorted: Vec<&Row> = self.report.rows.iter().collect();
        sorted.sort_by_cached_key(step);
        for row in sorted {
            let trace = known.get(&self.name(row));
            if let (Some(&trace), Some(dot)) = (trace, self.dot(row)) {
                traces[trace].dots.push(dot);
            }
        }
        traces
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

    /// The axes that part the traces: all that vary, but the one that joins their dots.
    fn parting(&self) -> impl Iterator<Item = &Axis> {
        let order = self.order.map(|axis| axis.key.as_str());
        let varying = self.report.axes.varying();
        varying.filter(move |axis| Some(axis.key.as_str()) != order)
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

/// The note at the foot.
fn noted(order: Option<&str>, printed: &[(usize, Dot)], traces: &[Trace]) -> String {
    let dots = traces.iter().map(|trace| trace.dots.len()).sum();
    let note = crowd::dots_note(dots).unwrap_or_else(|| note(order, printed));
    match crowd::names_note(traces.len()) {
        Some(more) => format!("{note}; {more}"),
        None => note,
    }
}

/// What joins the dots, by the full key of an axis, and what their crosses are.
fn note(order: Option<&str>, printed: &[(usize, Dot)]) -> String {
    let intervals = if printed.is_empty() {
        "crosses: 95 % bootstrap intervals over images"
    } else {
        "hollow: published; crosses: 95 % bootstrap intervals"
    };
    match order {
        Some(key) => format!(
            "points joined in order of {0}, labelled with it; {intervals}",
            axes::title(key)
        ),
        None => intervals.to_string(),
    }
}
