//! What a chart leaves out where it has more than can be read, and the words that say so.

use crate::report::chart::picture::{At, Picture};

/// Lines beyond which their colours run from one end to the other, and a few are named.
pub const MOST_LINES: usize = 24;
/// Names of so many lines then.
const NAMED: usize = 16;
/// Dots beyond which a chart of two metrics shows the dots alone.
pub const MOST_DOTS: usize = 400;
/// Small dots of single seeds beyond which a chart shows the means alone.
pub const MOST_SEEDS: usize = 1000;
/// Ticks beyond which those that would touch are left out.
pub const MOST_TICKS: usize = 24;
/// Names of lines in what is read aloud.
const MOST_TOLD: usize = 8;
/// Pixels of a dot's radius where there are many.
const RADIUS: f64 = 2.2;

/// Which of `count` lines are named: all, or some at even distances with the first and the last.
pub fn named(count: usize) -> Vec<usize> {
    if count <= MOST_LINES {
        return (0..count).collect();
    }
    (0..NAMED).map(|i| i * (count - 1) / (NAMED - 1)).collect()
}

/// Those of `names` that are shown.
pub fn shown<'a>(names: &[&'a str]) -> Vec<&'a str> {
    named(names.len()).into_iter().map(|i| names[i]).collect()
}

/// What is said of lines that are not named; none where all are.
pub fn lines_note(count: usize) -> Option<String> {
    (count > MOST_LINES).then(|| {
        format!("{count} lines, coloured in their order, {NAMED} of them named; intervals: see table.csv")
    })
}

/// What is said of dots without anything around them; none where nothing is left out.
pub fn dots_note(count: usize) -> Option<String> {
    (count > MOST_DOTS).then(|| {
        format!(
            "{count} points, without the lines that join them, labels and intervals: see table.csv"
        )
    })
}

/// What is said of colours that are not named; none where all are.
pub fn names_note(count: usize) -> Option<String> {
    (count > MOST_LINES).then(|| format!("{count} colours in order, {NAMED} named"))
}

/// `, a line for each of scale 0, scale 1 and 3 more`, to be read aloud; empty where there is one without a name.
pub fn lines_of(names: &[&str]) -> String {
    let named: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !name.is_empty())
        .collect();
    let told = named
        .iter()
        .take(MOST_TOLD)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match named.len() {
        0 => String::new(),
        1 => format!(": {told}"),
        n if n > MOST_TOLD => format!(", a line for each of {told} and {} more", n - MOST_TOLD),
        _ => format!(", a line for each of {told}"),
    }
}

/// A dot among many.
pub fn dot(picture: &mut Picture, at: At, colour: (u8, u8, u8)) {
    picture.disc(at, RADIUS, colour);
}

/// Of labels with their middles and half widths, from left to right, those that stand clear of the one before.
pub fn clear<T>(ticks: Vec<T>, span: impl Fn(&T) -> (f64, f64)) -> Vec<T> {
    let mut end = f64::NEG_INFINITY;
    let fits = |tick: &T| {
        let (middle, half) = span(tick);
        let free = middle - half >= end;
        if free {
            end = middle + half + 8.0;
        }
        free
    };
    let mut fits = fits;
    ticks.into_iter().filter(|tick| fits(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lines_are_all_named_and_of_many_the_ends_and_some_between() {
        assert_eq!(named(3), [0, 1, 2]);
        assert_eq!(named(24).len(), 24);
        let some = named(500);
        assert_eq!((some.len(), some[0], some[15]), (16, 0, 499));
        assert_eq!(lines_note(24), None);
        assert!(lines_note(500).unwrap().starts_with("500 lines"));
        assert_eq!(dots_note(400), None);
        assert!(dots_note(401).unwrap().contains("table.csv"));
    }

    #[test]
    fn labels_that_would_touch_are_left_out() {
        let ticks: Vec<f64> = (0..10).map(f64::from).collect();
        let kept = clear(ticks, |tick| (tick * 10.0, 8.0));
        assert_eq!(kept, [0.0, 3.0, 6.0, 9.0]);
    }
}
