//! The numbers that keys of the experiment file take: the check of a value and the schema that editors read are both made
//! from these.

use anyhow::{Result, ensure};
use schemars::Schema;
use schemars::transform::Transform;
use serde_json::{Value, json};
use std::fmt::Display;

/// Which numbers a key takes. None of them holds infinity or what is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 1 and everything above.
    FromOne,
    /// 0 and everything above.
    FromZero,
    /// Everything above 0.
    AboveZero,
    /// 0 to 1, both included.
    ZeroToOne,
    /// 0 to 1, without 1.
    ZeroToBelowOne,
    /// 1, 2 or 3, for whole numbers.
    OneToThree,
}

/// A number of any type that a key has.
pub trait Number: Copy + Display {
    /// The same number; counts above 2^53 are rounded, which no range minds.
    fn real(self) -> f64;
}

impl Number for f64 {
    fn real(self) -> f64 {
        self
    }
}

impl Number for usize {
    fn real(self) -> f64 {
        self as f64
    }
}

impl Number for u64 {
    fn real(self) -> f64 {
        self as f64
    }
}

impl Range {
    pub fn holds(self, value: impl Number) -> bool {
        let value = value.real();
        match self {
            Range::FromOne => value.is_finite() && value >= 1.0,
            Range::FromZero => value.is_finite() && value >= 0.0,
            Range::AboveZero => value.is_finite() && value > 0.0,
            Range::ZeroToOne => (0.0..=1.0).contains(&value),
            Range::ZeroToBelowOne => (0.0..1.0).contains(&value),
            Range::OneToThree => (1.0..=3.0).contains(&value),
        }
    }

    /// That `key` may be `value`.
    ///
    /// # Errors
    /// A value outside, with the key and what it takes.
    pub fn check(self, key: &str, value: impl Number) -> Result<()> {
        let said = match self {
            Range::FromOne => "is below 1",
            Range::FromZero => "is not a number from 0 up",
            Range::AboveZero => "is not above 0",
            Range::ZeroToOne => "is outside 0..=1",
            Range::ZeroToBelowOne => "is outside 0..1 (1 left out)",
            Range::OneToThree => "is outside 1..=3",
        };
        ensure!(self.holds(value), "{key} = {value} {said}");
        Ok(())
    }

    /// JSON Schema's keywords for it.
    fn keywords(self) -> &'static [(&'static str, u8)] {
        match self {
            Range::FromOne => &[("minimum", 1)],
            Range::FromZero => &[("minimum", 0)],
            Range::AboveZero => &[("exclusiveMinimum", 0)],
            Range::ZeroToOne => &[("minimum", 0), ("maximum", 1)],
            Range::ZeroToBelowOne => &[("minimum", 0), ("exclusiveMaximum", 1)],
            Range::OneToThree => &[("minimum", 1), ("maximum", 3)],
        }
    }
}

/// Writes the range into the schema of a key that is one number.
impl Transform for Range {
    fn transform(&mut self, schema: &mut Schema) {
        for (keyword, bound) in self.keywords() {
            schema.insert(keyword.to_string(), json!(bound));
        }
    }
}

/// Writes a range into the schema of a key that is a list of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Each(pub Range);

impl Transform for Each {
    fn transform(&mut self, schema: &mut Schema) {
        let items = schema.get_mut("items").and_then(Value::as_object_mut);
        if let Some(items) = items {
            for (keyword, bound) in self.0.keywords() {
                items.insert(keyword.to_string(), json!(bound));
            }
        }
    }
}

/// Refuses an empty list, or a table without keys.
pub fn not_empty(schema: &mut Schema) {
    let is_list = schema.get("items").is_some();
    let keyword = if is_list { "minItems" } else { "minProperties" };
    schema.insert(keyword.to_string(), json!(1));
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn bounds_are_inside_or_outside_as_their_names_say() {
        let inside = |range: Range, values: &[f64]| -> Vec<bool> {
            values.iter().map(|value| range.holds(*value)).collect()
        };
        assert_eq!(
            inside(Range::FromOne, &[0.0, 1.0, f64::INFINITY]),
            [false, true, false]
        );
        assert_eq!(
            inside(Range::FromZero, &[-0.1, 0.0, f64::NAN]),
            [false, true, false]
        );
        assert_eq!(
            inside(Range::AboveZero, &[0.0, 1e-9, f64::INFINITY]),
            [false, true, false]
        );
        assert_eq!(
            inside(Range::ZeroToOne, &[-0.1, 0.0, 1.0, 1.1]),
            [false, true, true, false]
        );
        assert_eq!(
            inside(Range::ZeroToBelowOne, &[0.0, 0.9, 1.0]),
            [true, true, false]
        );
        assert_eq!(
            inside(Range::OneToThree, &[0.0, 1.0, 3.0, 4.0]),
            [false, true, true, false]
        );
    }
}
