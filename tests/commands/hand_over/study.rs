//! A small study of a shipped net: two cells of eight images, of which one is drawn and scored.

use crate::desk::Desk;
use crate::support::program::{Answer, shipped};

/// The cells, by their steps of sampling.
pub const STEPS: [u64; 2] = [2, 3];

/// `small.toml` in a folder of its own, its first cell finished.
pub fn half_done() -> Desk {
    let desk = Desk::empty();
    let text = format!(
        r#"
name = "small"
[model]
checkpoint = "{}"
[sample]
steps = 2
count = 8
classes = [3, 1]
[eval]
features = "shapes"
weights = "{}"
reference = "{}"
metrics = ["fd", "precision"]
[grid]
sample.steps = {STEPS:?}
"#,
        shipped("experiments/shapes/unet16.safetensors"),
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes16.npz"),
    );
    desk.write("small.toml", &text);
    desk.done(&[
        "sweep",
        "small.toml",
        "--only",
        "sample.steps=2",
        "--device",
        "cpu",
    ]);
    desk
}

/// The report of the whole study in these formats, in the folder `reports/small`.
pub fn report(desk: &Desk, formats: &str) -> Answer {
    let report = ["report", "small.toml", "--format", formats];
    desk.runner(&report).succeeds()
}

/// The one line of table.csv whose cell has this number, by the names of its columns.
pub fn line(desk: &Desk, cell: &str) -> Vec<(String, String)> {
    let table = std::fs::read_to_string(desk.path("reports/small/table.csv")).unwrap();
    let mut lines = table
        .lines()
        .map(|line| line.split(',').map(str::to_string));
    let names = lines.next().unwrap();
    let line = lines.find(|line| line.clone().next().as_deref() == Some(cell));
    names.zip(line.unwrap()).collect()
}

/// A number in that line.
pub fn number(line: &[(String, String)], column: &str) -> f64 {
    let (_, text) = line.iter().find(|(name, _)| name == column).unwrap();
    text.parse()
        .unwrap_or_else(|_| panic!("{column} is {text:?}"))
}
