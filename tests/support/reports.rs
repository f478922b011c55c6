//! Invented rows: twelve of three resolutions and four scales, and three of which one is missing.

use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::report::rows::input::Report;
use fidrunner::run::results::{Row, Score};
use std::path::Path;
use std::sync::Arc;

pub const EXPERIMENT: &str = r#"
name = "guidance"

[model]
checkpoint = "shapes/unet16.safetensors"

[guidance]
checkpoint = "shapes/classifier16.safetensors"
scale = 1.0

[sample]
sampler = "ddim"
steps = 25
count = 10_000

[eval]
features = "shapes"
weights = "shapes/features.safetensors"
reference = "reference_stats/shapes16.npz"
metrics = ["fd", "sfd", "is", "precision", "recall", "agreement"]

[[zip]]
model.resolution = [16, 32, 64]
model.checkpoint = ["shapes/unet16.safetensors", "shapes/unet32.safetensors", "shapes/unet64.safetensors"]
eval.reference = ["reference_stats/shapes16.npz", "reference_stats/shapes32.npz", "reference_stats/shapes64.npz"]

[grid]
guidance.scale = [0, 1, 5, 10]

[[chart]]
x = "model.resolution"
y = ["fd"]
by = "guidance.scale"

[[chart]]
x = "guidance.scale"
y = ["all"]
by = "model.resolution"

[[chart]]
x = "recall"
y = ["precision"]
by = "model.resolution"
"#;

/// The sweep of an experiment file's text.
pub fn parse(text: &str) -> Sweep {
    sweep(text, &[], &[]).unwrap()
}

/// A row for each cell, with scores made up from its resolution and scale.
pub fn rows(sweep: &Sweep) -> Vec<Row> {
    sweep.cells.iter().map(row).collect()
}

/// Invented keys, other ones for every cell.
fn keys(cell: &fidrunner::experiment::grid::sweep::Cell) -> Vec<(String, String)> {
    vec![
        (
            "sample".into(),
            format!("{:08x}{:08x}", 77_171 * (cell.index + 1), 19),
        ),
        (
            "metrics".into(),
            format!("{:08x}{:08x}", 91_193 * (cell.index + 1), 23),
        ),
    ]
}

/// Invented digests and a place of work, other ones for every resolution and cell.
fn provenance(
    cell: &fidrunner::experiment::grid::sweep::Cell,
    side: f64,
) -> Vec<(Arc<str>, Arc<str>)> {
    let told = [
        (
            format!("reference_stats/shapes{side}.npz"),
            format!(
                "sha256 {:016x}{:048x}",
                0xabc_def0_1234_5678u64 ^ side as u64,
                7
            ),
        ),
        (
            "shapes/features.safetensors".into(),
            format!("sha256 {:064x}", 0x6726_825du128 << 96),
        ),
        (
            "sample".into(),
            format!("cpu on node{}, runner 0.1.0", cell.index),
        ),
    ];
    told.map(|(name, text): (String, String)| (name.into(), text.into()))
        .to_vec()
}

fn row(cell: &fidrunner::experiment::grid::sweep::Cell) -> Row {
    let number = |key: &str| match cell.get(key) {
        Some(toml::Value::Integer(i)) => *i as f64,
        Some(toml::Value::Float(f)) => *f,
        _ => 0.0,
    };
    let (side, scale) = (number("model.resolution"), number("guidance.scale"));
    let hard = (side / 16.0).log2();
    let fd = 4.0 + 2.2 * hard + 0.22 * (scale - 1.5 - hard).powi(2);
    let share = |v: f64| (v, 0.012);
    let scores = [
        ("fd", (fd, 0.05 * fd)),
        ("sfd", (1.4 * fd + 2.0, 0.06 * fd)),
        (
            "is",
            (6.0 + 2.4 * (1.0 - (-scale / 3.0).exp()) - 0.3 * hard, 0.08),
        ),
        (
            "precision",
            share(0.70 + 0.025 * scale.sqrt() * 3.0 - 0.04 * hard),
        ),
        ("recall", share(0.66 - 0.035 * scale - 0.05 * hard)),
        (
            "agreement",
            share(0.72 + 0.27 * (1.0 - (-scale / 2.0).exp()) - 0.05 * hard),
        ),
        ("gaussian_fd", (88.0 + 30.0 * hard, 0.0)),
    ];
    let scores = scores.map(|(metric, (value, half))| Score {
        metric: metric.into(),
        value,
        low: value - half,
        high: value + half,
        count: 10_000,
    });
    Row {
        cell: cell.index,
        at: cell.at.clone(),
        axes: cell.axes.clone(),
        scores: scores.to_vec(),
        missing: None,
        step: None,
        made: None,
        samples: None,
        influences: None,
        keys: keys(cell),
        provenance: provenance(cell, side),
    }
}

/// Three cells.
pub const SMALL: &str = r#"
name = "small"
[model]
checkpoint = "unet.safetensors"
[sample]
steps = 25
count = 1000
seed = 3
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "shapes16.npz"
metrics = ["fd", "recall"]
[grid]
sample.steps = [25, 50, 100]
"#;

/// The three cells of [`SMALL`] and their rows; the last one failed.
pub fn small() -> (Sweep, Vec<Row>) {
    let sweep = parse(SMALL);
    let score = |metric: &str, value: f64, half: f64| Score {
        count: 1000,
        ..score(metric, value, half)
    };
    let mut rows = rows(&sweep);
    let digest = "3f1c9a02".repeat(8);
    for row in &mut rows {
        row.provenance = vec![("shapes16.npz".into(), format!("sha256 {digest}").into())];
    }
    rows[0].scores = vec![score("fd", 3.5, 0.25), score("recall", 0.5, 0.125)];
    rows[1].scores = vec![score("fd", 2.5, 0.25), score("recall", 0.25, 0.125)];
    rows[2].scores = Vec::new();
    rows[2].missing = Some("failed".into());
    (sweep, rows)
}

/// A report of these rows and nothing else.
pub fn report<'a>(sweep: &'a Sweep, rows: &'a [Row]) -> Report<'a> {
    Report::new(sweep, rows)
}

/// A score whose interval reaches `half` to either side.
pub fn score(metric: &str, value: f64, half: f64) -> Score {
    Score {
        metric: metric.into(),
        value,
        low: value - half,
        high: value + half,
        count: 100,
    }
}

/// A file of a report.
pub fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// Gives a row influences: image i moves its distance by these.
pub fn influence(row: &mut Row, folder: &Path, moves: Vec<f64>) {
    let path = folder.join(format!("{}.npz", row.cell));
    let array = Array::f64(&[moves.len()], moves);
    npz::write(&path, &[("fd", array)]).unwrap();
    row.influences = Some(path);
}
