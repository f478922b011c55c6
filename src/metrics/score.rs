//! A score and how sure it is.

use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// As in the experiment file: `fd`.
    pub metric: String,
    pub value: f64,
    /// Bounds of the 95 % interval; NaN where there is none.
    #[serde(deserialize_with = "or_nan")]
    pub low: f64,
    #[serde(deserialize_with = "or_nan")]
    pub high: f64,
    /// Images scored.
    pub count: usize,
}

/// JSON knows no NaN: it is written as null.
fn or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}
