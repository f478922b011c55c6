//! Claims of others: what they may say, and the verdicts that scores, intervals and seeds give.

use crate::support::reports::{influence, parse, report, rows, score};
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::report::findings::verdicts::{Tested, tested};
use fidrunner::run::results::Row;
use std::path::Path;

const EXPERIMENT: &str = r#"
name = "ablation"
[model]
preset = "shapes16"
[train]
data = "shapes"
steps = 10
batch = 4
learning_rate = 1e-3
[sample]
steps = 25
count = 100
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "shapes16.npz"
metrics = ["fd", "recall"]
[grid]
train.seed = [0, 1]
sample.steps = [10, 50]
model.arch.heads = [1, 4]
[[claim]]
source = "A paper, table 2"
says = "four heads beat one"
metric = "fd"
better.model.arch.heads = 4
than.model.arch.heads = 1
"#;

/// Cells with these Fréchet distances, in grid order; every image pulls to and fro by `size` against the first cell.
fn cells(sweep: &Sweep, fd: [f64; 8], size: f64, folder: &Path) -> Vec<Row> {
    let mut rows = rows(sweep);
    for (row, fd) in rows.iter_mut().zip(fd) {
        row.scores = vec![score("fd", fd, 0.25)];
        let cell = row.cell;
        let sign = |i: usize| {
            if (i + cell).is_multiple_of(2) {
                size
            } else {
                -size
            }
        };
        influence(row, folder, (0..100).map(sign).collect());
    }
    rows
}

fn verdicts(sweep: &Sweep, rows: &[Row]) -> Vec<Tested> {
    tested(&report(sweep, rows)).unwrap()
}

#[test]
fn the_verdict_follows_the_sign_the_interval_and_every_seed() {
    let (sweep, folder) = (parse(EXPERIMENT), tempfile::tempdir().unwrap());
    let said = |fd: [f64; 8], size: f64| {
        let rows = cells(&sweep, fd, size, folder.path());
        let found = verdicts(&sweep, &rows);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].source, "A paper, table 2");
        assert_eq!(found[0].says, "four heads beat one");
        assert_eq!(found[0].compared, "FD (shapes): heads 4 minus heads 1");
        found[0].words.clone()
    };
    let better = [3.0, 2.0, 3.0, 2.0, 5.0, 4.0, 5.0, 4.0];
    let sure = said(better, 0.01);
    assert!(
        sure.starts_with(
            "Holds here: FD (shapes) with heads 4 minus that with heads 1 is -1.000 [-1.00"
        ),
        "{sure}"
    );
    assert!(
        sure.ends_with(", pair by pair -1.000; -1.000; -1.000; -1.000."),
        "{sure}"
    );
    let worse = said(better.map(|fd| 9.0 - fd), 0.01);
    assert!(worse.starts_with("The contrary holds here: "), "{worse}");
    // Images that say anything, or one pair that says otherwise, decide nothing.
    let vague = said(better, 100.0);
    assert!(vague.starts_with("Not decided here: "), "{vague}");
    let split = said([3.0, 1.0, 3.0, 1.0, 5.0, 3.0, 5.0, 5.5], 0.01);
    assert!(split.starts_with("Not decided here: "), "{split}");
}

#[test]
fn a_claim_of_a_place_compares_the_cells_there_only() {
    let text = format!("{EXPERIMENT}at.sample.steps = 50\n");
    let (sweep, folder) = (parse(&text), tempfile::tempdir().unwrap());
    // Worse by far at 10 steps, better at 50.
    let fd = [3.0, 9.0, 3.0, 2.0, 5.0, 9.0, 5.0, 4.0];
    let mut rows = cells(&sweep, fd, 0.01, folder.path());
    let said = verdicts(&sweep, &rows).remove(0).words;
    assert!(
        said.starts_with("Holds here: at steps 50, FD (shapes)"),
        "{said}"
    );
    assert!(said.ends_with("pair by pair -1.000; -1.000."), "{said}");
    rows.iter_mut().for_each(|row| row.scores.clear());
    assert_eq!(
        verdicts(&sweep, &rows).remove(0).words,
        "Not measured here."
    );
}

#[test]
fn what_a_claim_names_must_be_in_the_file() {
    for (old, new, said) in [
        (
            "better.model.arch.heads = 4",
            "better.model.arch.heads = 3",
            "[[claim]] 1: model.arch.heads = 3 is not on the axis, which has 1, 4",
        ),
        (
            "than.model.arch.heads = 1",
            "than.sample.steps = 10",
            "[[claim]] 1: better (model.arch.heads) and than (sample.steps) must name the same axes",
        ),
        (
            "than.model.arch.heads = 1",
            "than.model.arch.heads = 4",
            "[[claim]] 1: better and than are the same cells",
        ),
        (
            "metric = \"fd\"",
            "metric = \"is\"",
            "[[claim]] 1: metric = \"is\" is not a metric of [eval]",
        ),
        (
            "says = \"four heads beat one\"",
            "says = \"\"",
            "[[claim]] 1: says is empty",
        ),
        (
            "than.model.arch.heads = 1",
            "than.model.arch.heads = 1\nat.sample.eta = 0",
            "[[claim]] 1: sample.eta is not an axis (train.seed, sample.steps, model.arch.heads)",
        ),
    ] {
        assert!(EXPERIMENT.contains(old));
        let error = sweep(&EXPERIMENT.replace(old, new), &[], &[]).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}
