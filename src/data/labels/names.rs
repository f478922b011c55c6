//! Names of classes: their synonyms, and those that a misspelt one is nearest to.

/// Suggestions that an unknown name gets.
const NEAREST: usize = 3;
/// Characters of an unknown name that are compared: its length is the user's, and the comparison is quadratic.
const COMPARED: usize = 100;

/// The comma-separated names of one class.
pub(crate) fn synonyms(name: &str) -> impl Iterator<Item = &str> {
    name.split(',').map(str::trim)
}

/// `"Heart" (1)` for the names that a misspelt one is nearest to.
pub(crate) fn nearest(names: &[String], asked: &str) -> Vec<String> {
    let lower: String = asked.to_lowercase().chars().take(COMPARED).collect();
    let far = |name: &str| strsim::levenshtein(&lower, &name.to_lowercase());
    let mut ranked: Vec<(usize, usize)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (synonyms(name).map(far).min().unwrap_or(usize::MAX), i))
        .collect();
    ranked.sort();
    let first = ranked.iter().take(NEAREST);
    first
        .map(|&(_, i)| format!("{:?} ({i})", names[i]))
        .collect()
}
