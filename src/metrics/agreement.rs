//! How often a classifier sees in an image the class that was asked for.

use crate::metrics::intervals::normal::Z;
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
    Ok(Share::of(&agreeing(logits, k, labels)?))
}

/// Which rows agree with their label, as [`agreement`] counts them: `[n]`.
pub fn agreeing(logits: &[f32], k: usize, labels: &[i64]) -> Result<Vec<bool>> {
    ensure!(
        k > 0 && !labels.is_empty() && logits.len() == labels.len() * k,
        "{} scores are not {} rows of {k} classes",
        logits.len(),
        labels.len()
    );
    if let Some(label) = labels.iter().find(|&&l| l < 0 || l >= k as i64) {
        anyhow::bail!("label {label} is outside 0..{k}");
    }
    let rows = logits.chunks_exact(k).zip(labels);
    Ok(rows
        .map(|(row, &label)| {
            let label = label as usize;
            !row.iter().any(|v| v.is_nan())
                && row[..label].iter().all(|v| *v < row[label])
                && row[label..].iter().all(|v| *v <= row[label])
        })
        .collect())
}

/// Wilson's 95 % interval of a share of `count` images of which `hits` have a property.
///
/// It stays honest at shares of 0 and 1, where the images' spread alone would claim no error at
/// all.
pub fn share_interval(hits: usize, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (count as f64, hits as f64 / count as f64);
    let grow = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / grow;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / grow;
    (
        (centre - half).max(0.0).min(p),
        (centre + half).min(1.0).max(p),
    )
}
