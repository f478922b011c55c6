//! Whether a metric changes from one variant to another, whatever images and seeds are drawn again.

use crate::report::rows::names;
use crate::report::rows::seeds::{self, Variant};
use crate::run::differences::difference;
use crate::run::results::Score;
use anyhow::Result;

/// A variant and its score of a metric.
pub type Told<'a> = (&'a Variant<'a>, &'a Score);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    Rises,
    Falls,
    Unclear,
}

/// Clear where the interval of the difference does not hold 0. Where there is none, or studies are too large to compare
/// (`compared` is false), where the scores' intervals do not touch and every seed moves the same way.
///
/// # Errors
/// Where a stored file of influences cannot be read.
pub fn trend((from, a): Told, (to, b): Told, compared: bool) -> Result<Trend> {
    let pairs = seeds::pairs(&from.cells, &to.cells);
    if compared
        && let Some((low, high)) = difference(&pairs, &a.metric)?.and_then(|by| by.interval())
    {
        return Ok(if low > 0.0 {
            Trend::Rises
        } else if high < 0.0 {
            Trend::Falls
        } else {
            Trend::Unclear
        });
    }
    let (a_low, a_high) = bounds(a);
    let (b_low, b_high) = bounds(b);
    let moves = |sign: f64| {
        let mut changes = pairs.iter().filter_map(|(from, to)| {
            let [from, to] = [from, to].map(|row| names::score(row, &a.metric));
            Some(to?.value - from?.value)
        });
        changes.all(|change| change * sign > 0.0)
    };
    Ok(if b_low > a_high && moves(1.0) {
        Trend::Rises
    } else if b_high < a_low && moves(-1.0) {
        Trend::Falls
    } else {
        Trend::Unclear
    })
}

/// The interval; the value itself where there is none.
pub fn bounds(score: &Score) -> (f64, f64) {
    if score.low.is_finite() && score.high.is_finite() {
        (score.low, score.high)
    } else {
        (score.value, score.value)
    }
}
