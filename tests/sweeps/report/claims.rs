//! Claims of others: what they may say, and the verdicts that scores, intervals and seeds give.

use crate::support::reports::{influence, parse, report, rows, score};
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::report::findings::trained::trained;
use fidrunner::report::findings::verdicts::{Tested, Verdict, tested};
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

/// The one claim of `text` for these distances.
fn said(text: &str, fd: [f64; 8], size: f64) -> Tested {
    let (sweep, folder) = (parse(text), tempfile::tempdir().unwrap());
    let rows = cells(&sweep, fd, size, folder.path());
    let mut found = verdicts(&sweep, &rows);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

const BETTER: [f64; 8] = [3.0, 2.0, 3.0, 2.0, 5.0, 4.0, 5.0, 4.0];

#[test]
fn the_verdict_follows_the_sign_and_the_interval_over_seeds_and_images() {
    let sure = said(EXPERIMENT, BETTER, 0.01);
    assert_eq!(sure.verdict, Verdict::Holds);
    assert_eq!(sure.source, "A paper, table 2");
    assert_eq!(sure.says, "four heads beat one");
    assert_eq!(sure.each, ["-1.000", "-1.000"]);
    let sentence = sure.sentence();
    assert!(
        sentence.starts_with(
            "Holds here: FD (shapes) with heads 4 minus that with heads 1 is -1.000 [-1.00"
        ),
        "{sentence}"
    );
    // The images of both seeds and both counts of steps are the same: 0.002 a cell, 2.8 standard errors.
    assert!(
        sentence.ends_with(" (-1.000; -1.000); this study could have seen 0.006."),
        "{sentence}"
    );
    let worse = said(EXPERIMENT, BETTER.map(|fd| 9.0 - fd), 0.01);
    assert_eq!(worse.verdict, Verdict::Contrary);
    // Images that say anything, or seeds far apart, decide nothing.
    let vague = said(EXPERIMENT, BETTER, 100.0);
    assert_eq!(vague.verdict, Verdict::Undecided);
    assert_eq!(vague.needs.as_deref(), Some("far more seeds and images"));
    let split = said(EXPERIMENT, [3.0, 1.0, 3.0, 1.0, 5.0, 4.5, 5.0, 4.5], 0.01);
    assert_eq!(split.verdict, Verdict::Undecided);
    assert_eq!(split.each, ["-2.000", "-0.500"]);
    assert!(
        split.needs.as_deref().unwrap().starts_with("about "),
        "{split:?}"
    );
    assert!(
        split
            .needs
            .as_deref()
            .unwrap()
            .ends_with(" seeds of 100 images"),
        "{split:?}"
    );
}

#[test]
fn a_difference_that_is_too_small_to_be_the_papers_is_ruled_out() {
    // Nothing apart but by the images, whose interval reaches to 0.004 around 0.
    let equal = [3.0, 3.0, 3.0, 3.0, 5.0, 5.0, 5.0, 5.0];
    let unknown = said(EXPERIMENT, equal, 0.01);
    assert_eq!(unknown.verdict, Verdict::Undecided);
    assert_eq!(unknown.bound.as_deref(), Some("0.004"));
    // A tenth of 4 is 0.4.
    let large = format!("{EXPERIMENT}effect = 0.1\n");
    let ruled_out = said(&large, equal, 0.01);
    assert_eq!(ruled_out.verdict, Verdict::Bounded);
    assert!(
        ruled_out
            .sentence()
            .starts_with("No such difference here: ")
            && ruled_out
                .sentence()
                .contains("; no difference larger than 0.004; "),
        "{}",
        ruled_out.sentence()
    );
    assert_eq!(ruled_out.needs, None);
    // Less than the interval's end: more images would tell.
    let small = said(&format!("{EXPERIMENT}effect = 0.0009\n"), equal, 0.01);
    assert_eq!(small.verdict, Verdict::Undecided);
    let needs = small.needs.unwrap();
    assert!(needs.starts_with("about 2 seeds of "), "{needs}");
}

#[test]
fn a_claim_of_a_place_compares_the_cells_there_only() {
    let text = format!("{EXPERIMENT}at.sample.steps = 50\n");
    let (sweep, folder) = (parse(&text), tempfile::tempdir().unwrap());
    // Worse by far at 10 steps, better at 50.
    let fd = [3.0, 9.0, 3.0, 2.0, 5.0, 9.0, 5.0, 4.0];
    let mut rows = cells(&sweep, fd, 0.01, folder.path());
    let said = verdicts(&sweep, &rows).remove(0);
    assert_eq!(
        (said.verdict, said.place.as_str()),
        (Verdict::Holds, "at steps 50")
    );
    assert!(
        said.sentence()
            .starts_with("Holds here: at steps 50, FD (shapes)"),
        "{}",
        said.sentence()
    );
    assert_eq!(said.each, ["-1.000", "-1.000"]);
    rows.iter_mut().for_each(|row| row.scores.clear());
    let nothing = verdicts(&sweep, &rows).remove(0);
    assert_eq!(nothing.verdict, Verdict::NotMeasured);
    assert_eq!(nothing.sentence(), "Not measured here.");
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
            "metric = \"fd\"",
            "metric = \"fd\"\neffect = 0.0",
            "[[claim]] 1: effect = 0 is not above 0",
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

#[test]
fn a_report_says_whether_its_nets_are_trained_out() {
    let steps = EXPERIMENT
        .replace("steps = 10\nbatch", "steps = 10\nkeep = [8]\nbatch")
        .replace("sample.steps = [10, 50]", "sample.trained_steps = [8, 10]");
    let told = |text: &str, fd: [f64; 8]| {
        let (sweep, folder) = (parse(text), tempfile::tempdir().unwrap());
        let rows = cells(&sweep, fd, 0.01, folder.path());
        trained(&report(&sweep, &rows)).unwrap()
    };
    // Seed, steps, heads: means over the seeds fall from 4.0 to 3.9 with one head, and stay at 3.0 with four.
    let little = told(&steps, [4.0, 3.0, 3.8, 3.0, 4.0, 3.0, 4.0, 3.0]);
    assert_eq!(
        little,
        "The last fifth of the training changed FD (shapes) of 2 nets by 2.6 % at most: they are trained out."
    );
    let much = told(&steps, [4.0, 3.0, 3.0, 3.0, 4.0, 3.0, 3.0, 3.0]);
    assert!(
        much.contains("by up to 33 %, and by 5 % or more for 1 of 2 nets"),
        "{much}"
    );
    // One net is looked at before its end too; the other cells do not say when.
    let one = EXPERIMENT
        .replace("steps = 10\nbatch", "steps = 10\nkeep = [8]\nbatch")
        .replace("sample.steps = [10, 50]", "sample.steps = [10]")
        .replace("model.arch.heads = [1, 4]", "")
        + "[[case]]\nmodel.arch.heads = [1, 4, 8]\n[[case]]\nmodel.arch.heads = 4\nsample.trained_steps = 8\n";
    assert_eq!(
        told(&one, [4.0, 3.0, 2.0, 3.3, 4.0, 3.0, 2.0, 3.3]),
        "The last fifth of the training changed FD (shapes) by 10.0 % for the one net of which it was measured: \
         longer training would change these scores."
    );
    assert_eq!(
        told(EXPERIMENT, BETTER),
        "Whether longer training would change FD (shapes) was not measured."
    );
}
