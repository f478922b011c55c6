//! A report of more cells than a page shows: what is left out is told, and the files have all.

use crate::support::reports::{SMALL, parse, read, report, rows, score};
use fidrunner::experiment::grid::sweep::Sweep;
use fidrunner::report::page::write::{Format, write};
use fidrunner::run::results::Row;

const FORMATS: [Format; 4] = [Format::Html, Format::Csv, Format::Md, Format::Svg];

/// A study of `scales` times twenty cells with two charts, and its rows: cell n has a distance of n + 1.
fn study(scales: usize) -> (Sweep, Vec<Row>) {
    let list = |n: usize| {
        let values: Vec<String> = (0..n).map(|value| (value + 2).to_string()).collect();
        values.join(", ")
    };
    let charts = "[[chart]]\nx = \"sample.steps\"\ny = [\"fd\"]\nby = \"sample.eta\"\n\
                  [[chart]]\nx = \"recall\"\ny = [\"fd\"]\n";
    let etas: Vec<String> = (0..scales).map(|n| format!("0.{n:03}")).collect();
    let text = SMALL.replace(
        "sample.steps = [25, 50, 100]",
        &format!(
            "sample.eta = [{}]\nsample.steps = [{}]\n{charts}",
            etas.join(", "),
            list(20)
        ),
    );
    let text = text.replace("[sample]\n", "[sample]\nsampler = \"ddim\"\n");
    let sweep = parse(&text);
    let mut rows = rows(&sweep);
    for row in &mut rows {
        let share = 0.2 + 0.0005 * row.cell as f64;
        row.scores = vec![
            score("fd", row.cell as f64 + 1.0, 0.25),
            score("recall", share, 0.001),
        ];
        row.provenance.clear();
    }
    (sweep, rows)
}

fn written(scales: usize) -> tempfile::TempDir {
    let (sweep, rows) = study(scales);
    let dir = tempfile::tempdir().unwrap();
    write(&report(&sweep, &rows), dir.path(), &FORMATS).unwrap();
    dir
}

/// Lines of the page's table of scores.
fn table_lines(page: &str) -> usize {
    let scores = page.split("<h2>Scores</h2>").nth(1).unwrap();
    let body = scores.split("<tbody>").nth(1).unwrap();
    let body = body.split("</tbody>").next().unwrap();
    body.matches("<tr").count()
}

#[test]
fn a_page_of_many_cells_shows_the_best_and_the_files_have_all() {
    let dir = written(30);
    let page = read(dir.path(), "index.html");
    assert!(
        page.contains("The 100 of 600 cells with the lowest FD (shapes); table.csv, table.md and table.tex have all of them."),
        "{page}"
    );
    assert_eq!(table_lines(&page), 100);
    assert!(page.contains("<strong>1.00</strong>") && page.contains("100.00"));
    assert!(
        !page.contains(">101.00 <"),
        "the hundred and first is not shown"
    );
    assert_eq!(read(dir.path(), "table.csv").lines().count(), 601);
    let cells = read(dir.path(), "table.md");
    assert!(cells.contains("600.00"));
    assert!(page.contains("Store keys of the cells in the table of scores"));
}

#[test]
fn a_page_of_five_hundred_cells_shows_all() {
    let dir = written(25);
    let page = read(dir.path(), "index.html");
    assert_eq!(table_lines(&page), 500);
    assert!(!page.contains(" of 500 cells"));
    assert!(page.contains("Store keys of every cell"));
}

#[test]
fn a_study_of_few_variants_from_many_seeds_shows_each_once() {
    let seeds: Vec<String> = (0..300).map(|seed| seed.to_string()).collect();
    let text = SMALL.replace(
        "sample.steps = [25, 50, 100]",
        &format!(
            "sample.steps = [25, 50]\nsample.seed = [{}]",
            seeds.join(", ")
        ),
    );
    let sweep = parse(&text);
    let mut rows = rows(&sweep);
    for row in &mut rows {
        row.scores = vec![score("fd", row.cell as f64 + 1.0, 0.25)];
        row.provenance.clear();
    }
    let dir = tempfile::tempdir().unwrap();
    write(&report(&sweep, &rows), dir.path(), &FORMATS).unwrap();
    let page = read(dir.path(), "index.html");
    assert_eq!(table_lines(&page), 2);
    assert!(!page.contains(" of 2 variants") && page.contains("over 300 seeds"));
    let (_, keys) = page
        .split_once("Store keys of the cells in the table of scores")
        .unwrap();
    let (keys, _) = keys.split_once("</table>").unwrap();
    assert_eq!(keys.matches("<td class=\"axis\">").count(), 2, "{keys}");
    assert_eq!(read(dir.path(), "table.csv").lines().count(), 601);
}

#[test]
fn crowded_charts_say_what_they_leave_out() {
    let dir = written(30);
    let lines = read(dir.path(), "fd-vs-steps.svg");
    assert!(
        lines.contains(
            "30 lines, coloured in their order, 16 of them named; intervals: see table.csv"
        ),
        "{lines}"
    );
    assert_eq!(lines.matches("\neta ").count(), 16);
    let dots = read(dir.path(), "fd-vs-recall.svg");
    assert!(
        dots.contains(
            "600 points, without the lines that join them, labels and intervals: see table.csv"
        ),
        "{dots}"
    );
    assert_eq!(dots.matches("<circle").count(), 600 + 2 * 16);
}

#[test]
fn sentences_over_many_sweeps_count_instead_of_listing() {
    let dir = written(30);
    let page = read(dir.path(), "index.html");
    // Along the steps, the last axis of numbers, the first is the best of each of the thirty sweeps.
    assert!(
        page.contains("FD (shapes) is lowest at steps 2 in 30 of 30 sweeps."),
        "{page}"
    );
    assert!(page.contains("<h3>6 more sweeps</h3>"));
    assert!(page.contains("table.csv has their cells."));
}
