//! Values of axes: as text, as numbers, in order.

use crate::run::results::Row;
use std::cmp::Ordering;

/// Endings of files that hold weights or statistics: they say nothing that tells cells apart.
const ENDINGS: [&str; 4] = [".safetensors", ".npz", ".pth", ".pt"];

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
    let mut values: Vec<toml::Value> = Vec::new();
    for value in rows.iter().filter_map(|row| at(row, key)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    if values.iter().all(|v| number(v).is_some()) {
        values.sort_by(|a, b| compare(Some(a), Some(b)));
    }
    values
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
    use super::thousands;

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_281_167), "1,281,167");
    }
}
