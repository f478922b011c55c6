//! Values to places along an axis, with ticks at round numbers.

use crate::report::rows::names::is_share;
use crate::report::rows::values::{number, text};

/// An axis of a chart: where values lie in 0..=1, and what is written where.
pub struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    pub ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Linear,
    Log,
}

impl Scale {
    /// The place of a value, 0 at the low end and 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        let (low, high, value) = match self.kind {
            Kind::Linear => (self.low, self.high, value),
            Kind::Log => (self.low.ln(), self.high.ln(), value.ln()),
        };
        (value - low) / (high - low)
    }

    pub fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }

    /// The scale of a metric: round ends, zero where it is near, logarithmic where values span more than 40 times.
    pub fn of_metric(metric: &str, values: &[f64]) -> Self {
        let (mut low, mut high) = ends(values);
        if low > 0.0 && high > 40.0 * low {
            return Self::log(low, high);
        }
        if low >= 0.0 && low < 0.35 * high {
            low = 0.0;
        }
        if high - low < 1e-9 * high.abs().max(1e-9) {
            let room = 0.1 * high.abs().max(0.1);
            (low, high) = (low - room, high + room);
        }
        let step = step(high - low, 5.0);
        let (mut first, mut last) = ((low / step).floor(), (high / step).ceil());
        if is_share(metric) {
            first = first.max(0.0);
            last = last.min((1.0 / step).ceil());
        }
        let count = (last - first).round() as usize;
        let at = |i: usize| (first + i as f64) * step;
        Self {
            kind: Kind::Linear,
            low: at(0),
            high: at(count),
            ticks: (0..=count)
                .map(|i| (at(i), format!("{:.*}", decimals(step), at(i) + 0.0)))
                .collect(),
        }
    }

    /// The scale of an axis of the experiment: its own values as ticks; log-spaced where they double or span more than
    /// 20 times, even where they are no numbers. At least `inset` of the axis, below 0.5, lies beyond the outermost numbers at
    /// either end.
    pub fn of_values(values: &[toml::Value], inset: f64) -> Self {
        let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
        let Some(numbers) = numbers.filter(|n| n.len() > 1) else {
            let ticks = values.iter().enumerate();
            let ticks = ticks.map(|(i, v)| (i as f64, text(v))).collect();
            let (low, high) = (-0.5, values.len() as f64 - 0.5);
            return Self {
                kind: Kind::Linear,
                low,
                high,
                ticks,
            };
        };
        let (low, high) = ends(&numbers);
        let inset = inset / (1.0 - 2.0 * inset);
        if low > 0.0 && (geometric(&numbers) || high > 20.0 * low) {
            let room = (high / low).powf(inset.max(0.06));
            let (low, high) = (low / room, high * room);
            return Self {
                kind: Kind::Log,
                low,
                high,
                ticks: own(values, &numbers),
            };
        }
        let room = inset.max(0.04) * (high - low);
        let mut sorted = numbers.clone();
        sorted.sort_by(f64::total_cmp);
        let crowded = sorted.windows(2).any(|w| w[1] - w[0] < 0.05 * (high - low));
        let ticks = if crowded {
            Self::of_metric("", &numbers).ticks
        } else {
            own(values, &numbers)
        };
        let inside = |t: &(f64, String)| t.0 >= low - room && t.0 <= high + room;
        Self {
            kind: Kind::Linear,
            low: low - room,
            high: high + room,
            ticks: ticks.into_iter().filter(inside).collect(),
        }
    }

    fn log(low: f64, high: f64) -> Self {
        let mut ticks = Vec::new();
        let wide = high / low > 1000.0;
        let digits: &[f64] = if wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let power = |p: i32, d: f64| d * 10f64.powi(p);
        for p in low.log10().floor() as i32 - 1..=high.log10().ceil() as i32 {
            ticks.extend(digits.iter().map(|d| (power(p, *d), p)));
        }
        let first = ticks.iter().rposition(|t| t.0 <= low).unwrap_or(0);
        let last = ticks.iter().position(|t| t.0 >= high);
        let last = last.unwrap_or(ticks.len() - 1);
        let label = |(v, p): &(f64, i32)| (*v, format!("{:.*}", (-p).max(0) as usize, v));
        Self {
            kind: Kind::Log,
            low: ticks[first].0,
            high: ticks[last].0,
            ticks: ticks[first..=last].iter().map(label).collect(),
        }
    }
}

fn own(values: &[toml::Value], numbers: &[f64]) -> Vec<(f64, String)> {
    let texts = values.iter().map(text);
    numbers.iter().copied().zip(texts).collect()
}

fn ends(values: &[f64]) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    match finite().next() {
        None => (0.0, 1.0),
        Some(_) => (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        ),
    }
}

/// The round step that cuts a span into about `parts`.
fn step(span: f64, parts: f64) -> f64 {
    let rough = span / parts;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|s| s * power);
    steps
        .into_iter()
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

/// Decimals that a step needs to be told exactly.
fn decimals(step: f64) -> usize {
    let exact = |d: &usize| {
        let scaled = step * 10f64.powi(*d as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    };
    (0..9).find(exact).unwrap_or(9)
}

/// True where each value is the former times a constant of 1.5 or more.
fn geometric(numbers: &[f64]) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ratios: Vec<f64> = sorted.windows(2).map(|w| w[1] / w[0]).collect();
    sorted.len() > 2
        && ratios[0] >= 1.5
        && ratios.iter().all(|r| (r / ratios[0] - 1.0).abs() < 0.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_values_are_evenly_spaced() {
        let values = [16, 32, 64].map(toml::Value::Integer);
        let scale = Scale::of_values(&values, 0.0);
        let place = [16.0, 32.0, 64.0].map(|v| scale.place(v));
        assert!((place[1] - 0.5).abs() < 1e-9);
        assert!((place[2] - place[1] - (place[1] - place[0])).abs() < 1e-9);
    }

    #[test]
    fn the_outermost_values_have_the_room_that_is_asked_for() {
        for values in [[1, 2, 4], [1, 2, 3]] {
            let values = values.map(toml::Value::Integer);
            let place = |inset| Scale::of_values(&values, inset).place(1.0);
            assert!((place(0.1) - 0.1).abs() < 1e-9);
            assert!(place(0.0) > 0.03);
        }
    }

    #[test]
    fn values_of_far_apart_sizes_all_have_their_ticks() {
        let values = [5, 10, 25, 100, 1000].map(toml::Value::Integer);
        let scale = Scale::of_values(&values, 0.0);
        let labels: Vec<&str> = scale.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(labels, ["5", "10", "25", "100", "1000"]);
        let place = [5.0, 10.0, 25.0, 100.0, 1000.0].map(|v| scale.place(v));
        assert!(place.windows(2).all(|w| w[1] - w[0] > 0.1), "{place:?}");
    }

    #[test]
    fn shares_stay_between_zero_and_one() {
        let scale = Scale::of_metric("recall", &[0.9, 0.97, 0.999]);
        let last = scale.ticks.last().unwrap();
        assert_eq!(last.1.parse::<f64>().unwrap(), 1.0);
    }

    #[test]
    fn ticks_are_round() {
        let scale = Scale::of_metric("fd", &[2.9, 11.3]);
        let labels: Vec<&str> = scale.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(labels, ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]);
    }
}
