//! Sentences over more sweeps, or more points of one, than a sentence can list.

use crate::report::rows::values::{self, thousands};
use std::collections::HashMap;

/// Sweeps that are told one by one.
pub const MOST_SWEEPS: usize = 24;
/// Places of the best that are counted by name.
const PLACES: usize = 5;

/// `scale 3 in 120, at scale 4 in 80 and elsewhere in 300 of 500 sweeps`: where the best of each sweep lies, the most
/// frequent first.
pub fn counted(places: &[String]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for place in places {
        let at = *known.entry(place).or_insert(counts.len());
        match counts.get_mut(at) {
            Some((_, count)) => *count += 1,
            None => counts.push((place, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = counts.iter().take(PLACES);
    let told: Vec<String> = told
        .map(|(place, count)| format!("{place} in {}", thousands(*count)))
        .collect();
    let others: usize = counts.iter().skip(PLACES).map(|(_, count)| count).sum();
    let others = match others {
        0 => String::new(),
        n => format!(" and elsewhere in {}", thousands(n)),
    };
    format!(
        "{}{others} of {} sweeps",
        told.join(", at "),
        thousands(places.len())
    )
}

/// The steps of a path, or of a long one its ends.
pub fn path(steps: &[String]) -> String {
    match steps {
        [first, .., last] if steps.len() > values::MOST_TOLD => format!(
            "{first}, and so on to {last} ({} values; table.csv has them)",
            thousands(steps.len())
        ),
        _ => steps.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_the_rare_ones_together() {
        let places = |all: &[(&str, usize)]| -> Vec<String> {
            let each = all.iter();
            each.flat_map(|(place, n)| vec![place.to_string(); *n])
                .collect()
        };
        assert_eq!(
            counted(&places(&[("scale 1", 2), ("scale 3", 5)])),
            "scale 3 in 5, at scale 1 in 2 of 7 sweeps"
        );
        let many = [
            ("a", 9),
            ("b", 8),
            ("c", 7),
            ("d", 6),
            ("e", 5),
            ("f", 2),
            ("g", 1),
        ];
        assert_eq!(
            counted(&places(&many)),
            "a in 9, at b in 8, at c in 7, at d in 6, at e in 5 and elsewhere in 3 of 38 sweeps"
        );
    }

    #[test]
    fn a_long_path_is_told_by_its_ends() {
        let steps: Vec<String> = (0..100).map(|i| format!("{i} at step {i}")).collect();
        assert_eq!(path(&steps[..2]), "0 at step 0, 1 at step 1");
        assert_eq!(
            path(&steps),
            "0 at step 0, and so on to 99 at step 99 (100 values; table.csv has them)"
        );
    }
}
