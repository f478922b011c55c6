//! Published scores beside the measured ones: checked in the file, marked in tables, hollow in charts; and the ImageNet
//! files that hold the paper's.

use crate::support::reports::{EXPERIMENT, parse, report, rows};
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use fidrunner::experiment::scoring::metric::Metric;
use fidrunner::report::chart::figures;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::table::{sheet, terminal};
use fidrunner::run::results::Row;
use std::path::Path;

const PRINTED: &str = r#"
[[published]]
source = "A. Author 2021, table 4"
at.model.resolution = 16
at.guidance.scale = 2.5
scores = { fd = 3.25, precision = 0.8, recall = 0.5 }

[[published]]
source = "B. Author 2022"
at.model.resolution = 32
at.guidance.scale = 40
scores = { fd = 4.125 }

[[published]]
source = "A. Author 2021, table 4"
at.guidance.scale = 1
scores = { sfd = 9 }
"#;

fn with_printed() -> (Sweep, Vec<Row>) {
    let sweep = parse(&format!("{EXPERIMENT}{PRINTED}"));
    let rows = rows(&sweep);
    (sweep, rows)
}

fn message(printed: &str) -> String {
    let error = sweep(&format!("{EXPERIMENT}{printed}"), &[], &[]).expect_err(printed);
    format!("{error:#}")
}

#[test]
fn published_rows_name_axes_and_metrics_of_their_file() {
    let row = |at: &str, scores: &str| {
        format!("[[published]]\nsource = \"s\"\n{at}\nscores = {{ {scores} }}\n")
    };
    let scale = "at.guidance.scale = 1";
    assert_eq!(
        message(&row("at.sample.steps = 25", "fd = 1")),
        "[[published]] 1: at.sample.steps is not one of the axes, which are model.resolution, model.checkpoint, eval.reference, guidance.scale"
    );
    assert_eq!(
        message(&row("at.model.checkpoint = \"a\"", "fd = 1")),
        "[[published]] 1: at.model.checkpoint = \"a\" is not on the axis, which has shapes/unet16.safetensors, shapes/unet32.safetensors, shapes/unet64.safetensors"
    );
    assert!(
        message(&row(scale, "fid = 1"))
            .starts_with("[[published]] 1: scores.fid is not a metric of [eval] (fd, ")
    );
    assert_eq!(
        message(&row(scale, "fd = nan")),
        "[[published]] 1: scores.fd = NaN is not a number"
    );
    assert_eq!(message(&row(scale, "")), "[[published]] 1: scores is empty");
    assert_eq!(
        message(&row("at = {}", "fd = 1")),
        "[[published]] 1: at names no axis"
    );
    assert!(message(&row(scale, "fdd = 1")).contains("unknown variant `fdd`"));
    assert_eq!(
        message("[[published]]\nsource = \" \"\nat.guidance.scale = 1\nscores = { fd = 1 }"),
        "[[published]] 1: source is empty"
    );
}

#[test]
fn tables_have_published_lines_marked_with_their_source_and_never_best() {
    let (sweep, rows) = with_printed();
    let report = report(&sweep, &rows);
    let sheet = sheet::sheet(&report).unwrap();
    assert_eq!((sheet.lines.len(), sheet.published.len()), (12, 3));
    let entries: Vec<_> = sheet
        .published
        .iter()
        .map(|l| l.entries[0].clone())
        .collect();
    let first = entries[0].as_ref().unwrap();
    assert_eq!((first.value.as_str(), first.best), ("3.25", false));
    assert_eq!(entries[1].as_ref().unwrap().value, "4.125");
    assert_eq!(sheet.published[0].at, ["16", "2.5"]);
    assert_eq!(sheet.published[2].at, ["", "1"]);
    let shown = terminal::table(&sheet, 200);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[13].contains("3.25 (published 1)") && lines[13].contains("0.80"),
        "{shown}"
    );
    assert!(lines[14].contains("4.125 (published 2)"), "{shown}");
    assert!(lines[15].contains("9.00 (published 1)"), "{shown}");
    assert!(
        terminal::table(&sheet, 20).contains("9.00 (published 1)"),
        "marks stay"
    );
    let caption = terminal::caption(&report, &sheet);
    assert!(
        caption.contains("published 1: A. Author 2021, table 4; published 2: B. Author 2022"),
        "{caption}"
    );
    let folder = tempfile::tempdir().unwrap();
    let formats = [Format::Md, Format::Tex, Format::Csv, Format::Html];
    write(&report, folder.path(), &formats).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let csv = read("table.csv");
    let line = csv.lines().nth(13).unwrap();
    assert!(line.starts_with(",16,,,2.5,3.25,,,,"), "{csv}");
    assert!(
        line.ends_with("\"published: A. Author 2021, table 4\""),
        "{line}"
    );
    assert!(read("table.md").contains("| 16 | 2.5 | 3.25 (published 1) |"));
    assert!(read("table.tex").contains("3.25 {\\scriptsize (published 1)}"));
    assert!(read("index.html").contains("(published 1)"));
}

#[test]
fn charts_have_published_scores_hollow_where_they_lie_on_the_axes() {
    let hollow = |figure: &figures::Figure| {
        // The white within the edge, smaller than any point's own white edge.
        let marks = figure.picture.marks.iter();
        marks
            .filter(|mark| match mark {
                fidrunner::report::chart::picture::Mark::Disc { radius, colour, .. } => {
                    *radius < 4.0 && *colour == (255, 255, 255)
                }
                _ => false,
            })
            .count()
    };
    let plain = parse(EXPERIMENT);
    let plain_rows = rows(&plain);
    for figure in figures::figures(&report(&plain, &plain_rows)).unwrap() {
        assert_eq!(hollow(&figure), 0, "{}", figure.name);
        assert!(!figure.svg().contains("hollow"));
    }
    let (sweep, rows) = with_printed();
    let figures = figures::figures(&report(&sweep, &rows)).unwrap();
    let named = |name: &str| figures.iter().find(|f| f.name == name).unwrap();
    // Between the measured scales; 40 lies beyond them, and 2.5 is no line of the chart by scale.
    assert_eq!(hollow(named("fd-vs-scale")), 1);
    assert!(named("fd-vs-scale").svg().contains("hollow: published"));
    assert_eq!(hollow(named("fd-vs-resolution")), 0);
    assert_eq!(hollow(named("precision-vs-recall")), 1);
    assert!(
        named("precision-vs-recall")
            .svg()
            .contains("hollow: published")
    );
}

#[test]
fn charts_of_what_is_not_measured_yet_show_what_is_published() {
    let (sweep, mut rows) = with_printed();
    for row in &mut rows {
        row.scores.clear();
        row.missing = Some("not run".into());
    }
    for figure in figures::figures(&report(&sweep, &rows)).unwrap() {
        figure.svg();
    }
    let folder = tempfile::tempdir().unwrap();
    write(&report(&sweep, &rows), folder.path(), &Format::ALL).unwrap();
}

#[test]
fn every_imagenet_file_has_the_papers_scores_on_its_own_axes() {
    let read = |name: &str| {
        let path = Path::new("experiments/imagenet").join(name);
        parse(&std::fs::read_to_string(path).unwrap())
    };
    for (name, rows) in [
        ("guidance.toml", 9),
        ("uncond256.toml", 3),
        ("ddim25.toml", 3),
        ("lsun.toml", 9),
        ("upsample.toml", 4),
        ("architecture.toml", 14),
        ("attention.toml", 7),
        ("adagn.toml", 2),
        ("conditional.toml", 6),
    ] {
        let sweep = read(name);
        assert_eq!(sweep.published.len(), rows, "{name}");
        let tables = ["attention.toml", "adagn.toml"];
        assert_eq!(sweep.charts.is_empty(), tables.contains(&name), "{name}");
        for row in &sweep.published {
            assert!(row.source.contains("arXiv 2105.05233"), "{row:?}");
        }
    }
    let guidance = read("guidance.toml");
    let strong = &guidance.published[6];
    assert_eq!(strong.scores[&Metric::Fid], 9.11);
    assert_eq!(strong.scores[&Metric::Recall], 0.32);
}
