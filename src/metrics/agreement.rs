//! How often a classifier sees in an image the class that was asked for.

use crate::metrics::bootstrap::share_interval;
use anyhow::{Result, ensure};

/// A share in [0, 1], its 95 % interval and the images it was measured on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

impl Share {
    /// The share of `true`, with Wilson's interval.
    pub fn of(hits: &[bool]) -> Share {
        let hit = hits.iter().filter(|&&h| h).count();
        let (low, high) = share_interval(hit, hits.len());
        Share {
            value: hit as f64 / hits.len().max(1) as f64,
            low,
            high,
            count: hits.len(),
        }
    }
}

/// The share of rows of `logits` `[n, k]` whose largest value is at the asked `label` (`[n]`);
/// of equal values the first counts. A row with a NaN agrees with nothing.
pub fn agreement(logits: &[f32], k: usize, labels: &[i64]) -> Result<Share> {
    ensure!(
        k > 0 && !labels.is_empty() && logits.len() == labels.len() * k,
        "{} scores are not {} rows of {k} classes",
        logits.len(),
        labels.len()
    );
    if let Some(label) = labels.iter().find(|&&l| l < 0 || l >= k as i64) {
        anyhow::bail!("label {label} is outside 0..{k}");
    }
    let hits: Vec<bool> = logits
        .chunks_exact(k)
        .zip(labels)
        .map(|(row, &label)| {
            let label = label as usize;
            !row.iter().any(|v| v.is_nan())
                && row[..label].iter().all(|v| *v < row[label])
                && row[label..].iter().all(|v| *v <= row[label])
        })
        .collect();
    Ok(Share::of(&hits))
}
