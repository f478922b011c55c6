//! Values of axes: as text, as numbers, in order.

use crate::run::results::Row;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Endings of files that hold weights or statistics: they say nothing that tells cells apart.
const ENDINGS: [&str; 4] = [".safetensors", ".npz", ".pth", ".pt"];

/// Values of an axis that a sentence lists.
pub const MOST_TOLD: usize = 32;

/// A value of an axis as people write it: `0.5`, `16`, `ddim`; a path by its file name, without an ending of `ENDINGS`.
pub fn text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(s) => match s.rsplit_once('/') {
            Some((_, name)) if !name.is_empty() => {
                let stem = ENDINGS.iter().find_map(|end| name.strip_suffix(end));
                stem.filter(|s| !s.is_empty()).unwrap_or(name).to_string()
            }
            _ => s.clone(),
        },
        toml::Value::Float(f) => f.to_string(),
        other => other.to_string(),
    }
}

/// The value as a finite number, where it is one.
pub fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(i) => Some(*i as f64),
        toml::Value::Float(f) if f.is_finite() => Some(*f),
        _ => None,
    }
}

/// The row's value of an axis, by its full key.
pub fn at<'a>(row: &'a Row, key: &str) -> Option<&'a toml::Value> {
    row.at.iter().find(|(k, _)| k == key).map(|(_, v)| v)
}

/// Every key that a row has a value of, in the order of the first row that has it.
pub fn keys(rows: &[Row]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in rows.iter().flat_map(|r| &r.at) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// A text that two values share where they are equal, types and all: what a set or a map of values is keyed by.
pub fn exact(value: &toml::Value) -> String {
    match value {
        // 0.0 and -0.0 are equal and are written differently.
        toml::Value::Float(f) if *f == 0.0 => "0.0".to_string(),
        other => other.to_string(),
    }
}

/// The same for a row's values of some keys; having none counts as a value.
pub fn exact_place<'a>(row: &Row, keys: impl Iterator<Item = &'a str>) -> Vec<Option<String>> {
    keys.map(|key| at(row, key).map(exact)).collect()
}

/// How many places of some keys the rows stand at.
pub fn places<S: AsRef<str>>(rows: &[Row], keys: &[S]) -> usize {
    let place = |row| exact_place(row, keys.iter().map(AsRef::as_ref));
    rows.iter().map(place).collect::<HashSet<_>>().len()
}

/// Whether two values of an axis are one: 1 and 1.0 are.
pub fn same(a: Option<&toml::Value>, b: Option<&toml::Value>) -> bool {
    match (a.and_then(number), b.and_then(number)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Numbers by size and before everything else, which goes by its text.
pub fn compare(a: Option<&toml::Value>, b: Option<&toml::Value>) -> Ordering {
    match (a.and_then(number), b.and_then(number)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.map(text).cmp(&b.map(text)),
    }
}

/// True where the key takes more than one value over the rows; having none counts as a value.
pub fn varies(rows: &[Row], key: &str) -> bool {
    let mut values = rows.iter().map(|row| at(row, key));
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// The distinct values of a key in order: numbers by size, others as they come.
pub fn distinct(rows: &[Row], key: &str) -> Vec<toml::Value> {
    let mut seen: HashSet<String> = HashSet::new();
    let all = rows.iter().filter_map(|row| at(row, key));
    let fresh = all.filter(|value| seen.insert(exact(value)));
    let mut values: Vec<toml::Value> = fresh.cloned().collect();
    if values.iter().all(|v| number(v).is_some()) {
        values.sort_by(|a, b| compare(Some(a), Some(b)));
    }
    values
}

/// Where each value stands among these, by its `exact` text.
pub fn order(values: &[toml::Value]) -> HashMap<String, usize> {
    values.iter().map(exact).zip(0..).collect()
}

/// `25, 50, 100`; of more than are read the ends and their number: `0 to 999 (1,000 values)`.
pub fn told(values: &[toml::Value]) -> String {
    match values {
        [first, .., last] if values.len() > MOST_TOLD => format!(
            "{} to {} ({} values)",
            text(first),
            text(last),
            thousands(values.len())
        ),
        _ => values.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

/// `50000` → `50,000`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{exact, thousands, told};

    #[test]
    fn a_sentence_lists_few_values_and_tells_the_ends_of_many() {
        let values = |n: i64| (0..n).map(toml::Value::Integer).collect::<Vec<_>>();
        assert_eq!(told(&values(3)), "0, 1, 2");
        assert_eq!(told(&values(1000)), "0 to 999 (1,000 values)");
    }

    #[test]
    fn equal_values_have_one_text_and_others_their_own() {
        let texts = [
            toml::Value::Integer(1),
            toml::Value::Float(1.0),
            toml::Value::String("1".into()),
            toml::Value::Boolean(true),
            toml::Value::String("true".into()),
        ];
        let texts: std::collections::HashSet<String> = texts.iter().map(exact).collect();
        assert_eq!(texts.len(), 5);
        let zero = [0.0, -0.0].map(|zero| exact(&toml::Value::Float(zero)));
        assert_eq!(zero[0], zero[1]);
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_281_167), "1,281,167");
    }
}
