//! Whether the nets of a study were trained until more steps change little.

use crate::experiment::file::experiment::Experiment;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::seeds::{self, Variant};
use crate::report::rows::values::{at, number, thousands};
use std::collections::BTreeMap;

/// The axis of the training step at which a net is sampled.
const TRAINED: &str = "sample.trained_steps";
/// The axis of how long a net is trained.
const STEPS: &str = "train.steps";
/// The last step of a training is compared with this part of it: another quarter of the steps lies between.
const BEFORE: f64 = 0.8;
/// A change of the Fréchet distance below which a net counts as trained out.
const LITTLE: f64 = 0.05;

/// A sentence on how the last fifth of the training changed the Fréchet distance, or that it was not measured; none of a
/// study that trains no denoiser or has no Fréchet distance.
pub fn trained(report: &Report) -> Option<String> {
    let train = report.spec().and_then(Experiment::net_train)?;
    let metrics = names::metrics(report.rows);
    let metric = metrics.iter().find(|metric| names::ranks(metric))?;
    let label = names::label(metric, report.world());
    let changes = changes(report, metric, train.updates() as f64);
    let largest = changes.iter().copied().reduce(f64::max);
    let Some(largest) = largest else {
        return Some(format!(
            "Whether longer training would change {label} was not measured."
        ));
    };
    let percent = 100.0 * largest;
    let longer = "longer training would change these scores";
    let little = largest < LITTLE;
    Some(match changes.len() {
        1 => format!(
            "The last fifth of the training changed {label} by {percent:.1} % for the one net of which it was measured: {}.",
            if little { "it is trained out" } else { longer }
        ),
        n if little => format!(
            "The last fifth of the training changed {label} of {} nets by {percent:.1} % at most: they are trained out.",
            thousands(n)
        ),
        n => format!(
            "The last fifth of the training changed {label} by up to {percent:.0} %, and by 5 % or more for {} of {} nets: \
             {longer}.",
            thousands(changes.iter().filter(|change| **change >= LITTLE).count()),
            thousands(n)
        ),
    })
}

/// How far the last fifth of the training moved the distance of each net, as a share, by means over seeds. A cell that does
/// not say after how many updates is of a net at the end of its `updates`.
fn changes(report: &Report, metric: &str, updates: f64) -> Vec<f64> {
    let variants = seeds::variants(report.rows);
    let mut nets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let elsewhere = |variant: &Variant| {
        let others = report.axes.changing().map(|axis| axis.key.as_str());
        let others = others.filter(|key| *key != TRAINED);
        report.axes.place(&variant.row, others)
    };
    for variant in &variants {
        let told = |key| at(&variant.row, key).and_then(number);
        let step = told(TRAINED).or_else(|| told(STEPS)).unwrap_or(updates);
        if let Some(score) = names::score(&variant.row, metric) {
            let net = nets.entry(elsewhere(variant)).or_default();
            net.push((step, score.value));
        }
    }
    let change = |net: Vec<(f64, f64)>| {
        let last = net.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let before = net
            .iter()
            .find(|(step, _)| (step / last.0 - BEFORE).abs() < 0.01)?;
        Some((before.1 / last.1 - 1.0).abs())
    };
    nets.into_values().filter_map(change).collect()
}
