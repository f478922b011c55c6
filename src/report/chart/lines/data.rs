//! The data of a line chart: lines through points, their intervals, the seeds that points are means of, what is published.

use crate::report::chart::crowd;
use crate::report::chart::layout::Plot;
use crate::report::chart::palette::Look;
use crate::report::chart::picture::{At, Picture};
use crate::report::chart::series::{Lines, Point, Series};
use crate::report::chart::ticks::Scale;
use crate::report::rows::values::{number, same};

/// Lines whose bands may lie over each other and still be told apart.
const MOST_BANDS: usize = 3;
/// Pixels between the points of neighbouring lines where intervals are bars.
const BESIDE: f64 = 7.0;
/// The share of the room between two values of the x axis that such points take at most.
const SHARE: f64 = 0.5;

/// The data and where they lie.
pub struct Data<'a> {
    lines: &'a Lines,
    plot: Plot,
    x: Scale,
    y: Scale,
    /// Whether places on the x scale are the values themselves; else they are their indices.
    numeric: bool,
    /// Whether intervals are bars beside each other: bands would cover each other.
    bars: bool,
}

impl<'a> Data<'a> {
    pub fn new(lines: &'a Lines, plot: Plot, x: Scale, y: Scale) -> Self {
        let numbers = lines.values.iter().all(|v| number(v).is_some());
        Self {
            lines,
            plot,
            x,
            y,
            numeric: lines.values.len() > 1 && numbers,
            bars: bars(lines),
        }
    }

    pub fn draw(&self, picture: &mut Picture, looks: &[Look]) {
        if self.lines.series.len() > crowd::MOST_LINES {
            self.many(picture, looks);
        } else {
            self.intervals(picture, looks);
            self.points(picture, looks);
        }
        self.published(picture, looks);
    }

    /// Where a value of the y scale stands over a number of the x scale.
    fn at(&self, x: f64, value: f64) -> At {
        self.plot.at(self.x.place(x), self.y.place(value))
    }

    /// Where a value stands over the place of a point.
    fn over(&self, p: &Point, value: f64) -> At {
        let own = number(&self.lines.values[p.x]).filter(|_| self.numeric);
        self.at(own.unwrap_or(p.x as f64), value)
    }

    /// The same for the line of the number `series`: beside those of the others where intervals are bars.
    fn place(&self, series: usize, p: &Point, value: f64) -> At {
        let (u, v) = self.over(p, value);
        (u + self.beside(series), v)
    }

    /// Pixels that a line is drawn right of its place.
    fn beside(&self, series: usize) -> f64 {
        if !self.bars {
            return 0.0;
        }
        let steps = (self.lines.series.len() - 1) as f64;
        let across = (BESIDE * steps).min(SHARE * self.nearest());
        across * (series as f64 / steps - 0.5)
    }

    /// Pixels between the two nearest values of the x axis.
    fn nearest(&self) -> f64 {
        let at = |(i, value): (usize, &toml::Value)| {
            let own = number(value).filter(|_| self.numeric);
            self.at(own.unwrap_or(i as f64), 0.0).0
        };
        let mut places: Vec<f64> = self.lines.values.iter().enumerate().map(at).collect();
        places.sort_by(f64::total_cmp);
        let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.fold(self.plot.right - self.plot.left, f64::min)
    }

    /// The number of a published value on the x scale: its own, or its index where values are no numbers.
    fn position(&self, value: &toml::Value) -> f64 {
        let values = &self.lines.values;
        let index = || values.iter().position(|v| same(Some(v), Some(value)));
        let own = number(value).filter(|_| self.numeric);
        own.unwrap_or_else(|| index().unwrap_or(0) as f64)
    }

    fn series<'s>(
        &'s self,
        looks: &'s [Look],
    ) -> impl Iterator<Item = (usize, &'s Series, &'s Look)> {
        let series = self.lines.series.iter().zip(looks).enumerate();
        series.map(|(i, (series, look))| (i, series, look))
    }

    /// Thin lines and small dots, without intervals.
    fn many(&self, picture: &mut Picture, looks: &[Look]) {
        for (_, series, look) in self.series(looks) {
            for run in runs(&series.points) {
                let path: Vec<At> = run.iter().map(|p| self.over(p, p.value)).collect();
                picture.line(&path, look.colour, 0.8);
            }
            for p in &series.points {
                crowd::dot(picture, self.over(p, p.value), look.colour);
            }
        }
    }

    /// The intervals: a band with its edges along neighbouring points, a bar at a point without any; bars everywhere
    /// where bands would cover each other.
    fn intervals(&self, picture: &mut Picture, looks: &[Look]) {
        for (i, series, look) in self.series(looks) {
            for run in runs(&series.points) {
                if let ([_], _) | (_, true) = (run, self.bars) {
                    for p in run {
                        bar(
                            picture,
                            self.place(i, p, p.low),
                            self.place(i, p, p.high),
                            look,
                        );
                    }
                    continue;
                }
                let upper: Vec<At> = run.iter().map(|p| self.place(i, p, p.high)).collect();
                let lower: Vec<At> = run.iter().map(|p| self.place(i, p, p.low)).collect();
                let around = upper.iter().chain(lower.iter().rev()).copied();
                picture.fill(around.collect(), look.colour, 0.14);
                for edge in [upper, lower] {
                    picture.line(&edge, look.colour, 0.7);
                }
            }
        }
    }

    /// Lines, the seeds around them, and points over both.
    fn points(&self, picture: &mut Picture, looks: &[Look]) {
        for (i, series, look) in self.series(looks) {
            for run in runs(&series.points) {
                let path: Vec<At> = run.iter().map(|p| self.place(i, p, p.value)).collect();
                picture.dashes(&path, look.dash, look.colour, 2.2);
            }
            for p in &series.points {
                picture.point(look.form, self.place(i, p, p.value), 4.6, look.colour);
            }
        }
        for (i, series, look) in self.series(looks) {
            for p in &series.points {
                for seed in &p.seeds {
                    crowd::dot(picture, self.place(i, p, *seed), look.colour);
                }
            }
        }
    }

    /// What others have printed.
    fn published(&self, picture: &mut Picture, looks: &[Look]) {
        for p in &self.lines.published {
            let look = looks[p.series];
            let (u, v) = self.at(self.position(&p.x), p.value);
            let at = (u + self.beside(p.series), v);
            picture.hollow(look.form, at, 5.0, look.colour);
        }
    }

    /// The height at which each line ends; the foot of the plot for one without points.
    pub fn ends(&self) -> Vec<f64> {
        let last = |series: &Series| {
            let last = series.points.last();
            last.map_or(self.plot.bottom, |p| self.over(p, p.value).1)
        };
        self.lines.series.iter().map(last).collect()
    }
}

/// Whether intervals are bars beside each other.
fn bars(lines: &Lines) -> bool {
    lines.series.len() > MOST_BANDS && overlap(&lines.series)
}

/// Pixels that the outermost lines are drawn beside their places at most.
pub fn reach(lines: &Lines) -> f64 {
    if !bars(lines) || lines.series.len() > crowd::MOST_LINES {
        return 0.0;
    }
    0.5 * BESIDE * (lines.series.len() - 1) as f64
}

/// Whether the intervals of two lines lie over each other at a value of the x axis.
fn overlap(series: &[Series]) -> bool {
    let meet = |a: &Point, b: &Point| a.x == b.x && a.low.max(b.low) < a.high.min(b.high);
    let any = |a: &Series, b: &Series| a.points.iter().any(|p| b.points.iter().any(|q| meet(p, q)));
    let mut pairs = (0..series.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs.any(|(i, j)| any(&series[i], &series[j]))
}

/// The interval of a point, where it is no part of a band.
fn bar(picture: &mut Picture, low: At, high: At, look: &Look) {
    if low.1 - high.1 < 0.5 {
        return;
    }
    picture.line(&[low, high], look.colour, 1.4);
    for end in [low, high] {
        let cap = [(end.0 - 3.5, end.1), (end.0 + 3.5, end.1)];
        picture.line(&cap, look.colour, 1.4);
    }
}

/// Points along a line; a score that is missing parts it.
fn runs(points: &[Point]) -> Vec<&[Point]> {
    points.chunk_by(|_, next| next.joined).collect()
}
