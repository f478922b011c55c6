//! A score and how sure it is.

use serde::{Deserialize, Deserializer, Serialize};

/// A metric's value with its 95 % interval, which holds the value, and the images behind it.
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

impl Score {
    /// A score whose interval is widened, where rounding asks for it, to hold its value.
    pub fn new(metric: &str, value: f64, (low, high): (f64, f64), count: usize) -> Score {
        Score {
            metric: metric.to_string(),
            value,
            low: low.min(value),
            high: high.max(value),
            count,
        }
    }

    /// A score without an interval.
    pub fn bare(metric: &str, value: f64, count: usize) -> Score {
        Score {
            metric: metric.to_string(),
            value,
            low: f64::NAN,
            high: f64::NAN,
            count,
        }
    }
}

/// JSON knows no NaN: it is written as null.
fn or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}
