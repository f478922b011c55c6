//! What a reference offers, by the names and shapes in its file: known before hours are spent on samples.

use crate::experiment::scoring::metric::{Metric, Need};
use crate::experiment::scoring::rules::Rules;
use crate::io::numpy::npz::Npz;
use crate::io::statistics::Container;
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Statistics alone.
    Statistics,
    /// Statistics and, as `arr_0`, images of the set: the ADM evaluator's reference batches.
    StatisticsAndImages,
    Images,
}

/// Tells by content, whatever the file is called; of arrays the names are looked at, not the data.
pub fn holds(path: &Path) -> Result<Holds> {
    if path.is_dir() {
        return Ok(Holds::Images);
    }
    Ok(match Container::of(path)? {
        Container::Torch | Container::Pickle => Holds::Statistics,
        Container::Npz => {
            let file = Npz::open(path)?;
            match (file.has("mu"), file.has("arr_0")) {
                (true, true) => Holds::StatisticsAndImages,
                (true, false) => Holds::Statistics,
                _ => Holds::Images,
            }
        }
        Container::Npy | Container::Other => Holds::Images,
    })
}

/// Fails where a reference cannot give what rules need, before hours are spent on samples.
pub fn check_offer(path: &Path, rules: &Rules) -> Result<()> {
    let kind = holds(path)?;
    let (mut features, mut spatial) = (kind != Holds::Statistics, kind == Holds::Images);
    if kind != Holds::Images && Container::of(path)? == Container::Npz {
        let file = Npz::open(path)?;
        // Features of other tools' files do not say which net and resizing made them.
        features |= file.has("meta") && file.has("features");
        spatial |= file.has("mu_s") && file.has("sigma_s");
    }
    let ids = |need| needing(rules, need).map(Metric::id).collect::<Vec<_>>();
    ensure!(
        features || !rules.compares_images(),
        "{} holds statistics alone, and {} compare images\nhint: take them out, or name the images as the reference, or a file that `runner reference` makes of them",
        path.display(),
        ids(Need::RealFeatures).join(", ")
    );
    if let Some(metric) = needing(rules, Need::Spatial).next().filter(|_| !spatial) {
        bail!(
            "{} has no spatial statistics, which {metric} needs\nhint: take `{metric}` out, or name a reference of the ADM evaluator or of `runner reference`",
            path.display(),
            metric = metric.id()
        );
    }
    Ok(())
}

/// What the rules measure that has a need.
fn needing(rules: &Rules, need: Need) -> impl Iterator<Item = Metric> {
    let metrics = rules.metrics.iter().map(|(metric, _)| *metric);
    metrics.filter(move |metric| metric.needs(need))
}
