//! The table of differences: what is compared with what, and what seeds add to it.

use crate::support::reports::{influence, parse, report, rows, score};
use fidrunner::experiment::grid::sweep::Sweep;
use fidrunner::report::findings::deltas::{caption, deltas, title};
use fidrunner::report::table::sheet::{Sheet, sheet};
use fidrunner::run::results::Row;

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
model.arch.heads = [1, 2, 4]
"#;

/// Cells with these Fréchet distances, in grid order; none where one failed.
fn cells(sweep: &Sweep, fd: &[Option<f64>]) -> Vec<Row> {
    let mut rows = rows(sweep);
    for (row, fd) in rows.iter_mut().zip(fd) {
        row.scores = fd.iter().map(|v| score("fd", *v, 0.25)).collect();
        row.missing = fd.is_none().then(|| "failed".to_string());
    }
    rows
}

fn table(sweep: &Sweep, rows: &[Row]) -> Sheet {
    along(sweep, rows, &[])
}

/// The differences along the axis of these keys.
fn along(sweep: &Sweep, rows: &[Row], keys: &[String]) -> Sheet {
    let report = report(sweep, rows);
    deltas(&sheet(&report).unwrap(), &report, keys).unwrap()
}

fn text(sheet: &Sheet, line: usize, metric: usize) -> Option<String> {
    let entry = sheet.lines[line].entries[metric].as_ref()?;
    let mark = if entry.best { "*" } else { "" };
    let notes = entry.interval.clone().unwrap_or_default();
    Some(format!("{mark}{} {notes}", entry.value).trim().to_string())
}

/// 100 images that move a score to and fro by `size`.
fn waves(size: f64) -> Vec<f64> {
    (0..100)
        .map(|i| if i % 2 == 0 { size } else { -size })
        .collect()
}

#[test]
fn differences_are_told_from_the_first_row() {
    let sweep = parse(&EXPERIMENT.replace("train.seed = [0, 1]\n", ""));
    let rows = cells(&sweep, &[Some(3.5), Some(2.5), None]);
    let sheet = table(&sweep, &rows);
    assert_eq!(sheet.axes, ["heads"]);
    assert_eq!(text(&sheet, 0, 0).unwrap(), "3.50");
    assert_eq!(text(&sheet, 1, 0).unwrap(), "-1.00");
    assert_eq!(text(&sheet, 2, 0), None);
    assert_eq!(sheet.lines[2].missing.as_deref(), Some("failed"));
    assert_eq!(
        title(&report(&sweep, &rows), &[]),
        "Differences from the first row of each reference"
    );
    assert!(caption(&rows).ends_with("bold: the interval does not contain 0"));
}

#[test]
fn a_variant_is_one_line_and_each_seed_is_compared_with_its_own() {
    let sweep = parse(EXPERIMENT);
    let fd = [3.5, 2.5, 3.25, 4.5, 3.75, 4.75];
    let rows = cells(&sweep, &fd.map(Some));
    let sheet = table(&sweep, &rows);
    assert_eq!(sheet.axes, ["heads"]);
    let at: Vec<&str> = sheet.lines.iter().map(|l| l.at[0].as_str()).collect();
    assert_eq!(at, ["1", "2", "4"]);
    assert_eq!(text(&sheet, 0, 0).unwrap(), "4.00");
    assert_eq!(text(&sheet, 1, 0).unwrap(), "-0.88 (-1.00; -0.75)");
    assert_eq!(text(&sheet, 2, 0).unwrap(), "+0.00 (-0.25; +0.25)");
    assert!(title(&report(&sweep, &rows), &[]).ends_with(", means over 2 seeds"));
    assert!(caption(&rows).contains("95 % over seeds and images"));
}

#[test]
fn seeds_of_the_guiding_classifier_repeat_a_variant_too() {
    let guided = EXPERIMENT
        .replace("train.seed = [0, 1]", "guidance.train.seed = [0, 1]")
        .replace("model.arch.heads = [1, 2, 4]", "guidance.scale = [1, 5]")
        .replace(
            "[sample]",
            "[guidance]\npreset = \"shapes16-classifier\"\n[guidance.train]\ndata = \"shapes\"\nsteps = 10\nbatch = 4\nlearning_rate = 1e-3\n[sample]",
        );
    let sweep = parse(&guided);
    let rows = cells(&sweep, &[3.5, 2.5, 3.25, 2.75].map(Some));
    let sheet = table(&sweep, &rows);
    assert_eq!(sheet.axes, ["scale"]);
    assert_eq!(text(&sheet, 1, 0).unwrap(), "-0.75 (-1.00; -0.50)");
    assert!(title(&report(&sweep, &rows), &[]).ends_with(", means over 2 seeds"));
}

#[test]
fn a_difference_stands_out_where_images_and_seeds_agree() {
    let (sweep, folder) = (parse(EXPERIMENT), tempfile::tempdir().unwrap());
    // Both seeds alike at 2 heads; at 4 heads they lie apart, so that two of them decide nothing of others.
    let mut rows = cells(&sweep, &[3.5, 2.5, 3.6, 4.5, 3.5, 3.5].map(Some));
    for row in &mut rows {
        let size = if row.cell % 3 == 0 { 0.0 } else { 1.0 };
        influence(row, folder.path(), waves(size));
    }
    let sheet = table(&sweep, &rows);
    let two = text(&sheet, 1, 0).unwrap();
    assert!(
        two.starts_with("*-1.00 [-1.") && two.ends_with("(-1.00; -1.00)"),
        "{two}"
    );
    let four = text(&sheet, 2, 0).unwrap();
    assert!(
        four.starts_with("-0.45 [-") && four.ends_with("(+0.10; -1.00)"),
        "{four}"
    );
    // Half a standard error of ±1 over 100 images is 0.2: the same images twice are no more of them.
    let low: f64 = two["*-1.00 [".len()..][..5].parse().unwrap();
    assert!((-1.24..=-1.16).contains(&low), "{two}");
}

#[test]
fn a_seed_that_failed_leaves_the_others_to_speak() {
    let sweep = parse(EXPERIMENT);
    let rows = cells(
        &sweep,
        &[Some(3.5), Some(2.5), None, None, Some(3.75), Some(4.75)],
    );
    let sheet = table(&sweep, &rows);
    assert_eq!(text(&sheet, 0, 0).unwrap(), "3.50");
    assert_eq!(text(&sheet, 1, 0).unwrap(), "-1.00");
    // Its only cell has no first row of its own seed.
    assert_eq!(text(&sheet, 2, 0), None);
}

#[test]
fn along_an_axis_each_stand_on_the_others_has_a_first_row_of_its_own() {
    let steps = "sample.steps = [25, 50]";
    let sweep = parse(&format!("{EXPERIMENT}{steps}\n"));
    // Seed, heads, steps: more heads are worth 1 at 25 steps and nothing at 50.
    let at_25 = [3.5, 2.5, 1.5];
    let fd: Vec<_> = [0.0, 1.0]
        .iter()
        .flat_map(|seed| at_25.iter().flat_map(move |v| [v + seed, 2.0 + seed]))
        .map(Some)
        .collect();
    let rows = cells(&sweep, &fd);
    let heads = ["model.arch.heads".to_string()];
    let sheet = along(&sweep, &rows, &heads);
    assert_eq!(sheet.axes, ["heads", "steps"]);
    let lines: Vec<String> = (0..6).map(|i| text(&sheet, i, 0).unwrap()).collect();
    assert_eq!(
        lines,
        [
            "4.00",
            "2.50",
            "-1.00 (-1.00; -1.00)",
            "+0.00 (+0.00; +0.00)",
            "-2.00 (-2.00; -2.00)",
            "+0.00 (+0.00; +0.00)"
        ]
    );
    assert_eq!(
        title(&report(&sweep, &rows), &heads),
        "Differences from heads 1, all else equal, means over 2 seeds"
    );
}

#[test]
fn rows_are_compared_along_an_axis_that_there_is() {
    let text = format!("{EXPERIMENT}[report]\ndeltas = \"sample.eta\"\n");
    let error = fidrunner::experiment::grid::sweep::sweep(&text, &[], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "report.deltas = \"sample.eta\" is not an axis (train.seed, model.arch.heads)"
    );
}
