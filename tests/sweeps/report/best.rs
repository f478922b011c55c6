//! What a table marks: the best, and all whose paired difference from it may be 0.

use crate::support::reports::{SMALL, influence, parse, read, report, rows, score};
use fidrunner::experiment::grid::sweep::Sweep;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::table::sheet::sheet;
use fidrunner::run::results::Row;
use std::path::{Path, PathBuf};

/// Cells over these values of the steps, all of them drawn from each of the seeds.
fn study(steps: usize, seeds: &str) -> Sweep {
    let values: Vec<String> = (1..=steps).map(|n| n.to_string()).collect();
    let list = format!(
        "sample.seed = {seeds}\nsample.steps = [{}]",
        values.join(", ")
    );
    parse(&SMALL.replace("sample.steps = [25, 50, 100]", &list))
}

/// Rows of these Fréchet distances, in grid order, with intervals of `half` to each side.
fn scored(sweep: &Sweep, fd: &[f64], half: f64) -> Vec<Row> {
    let mut rows = rows(sweep);
    for (row, fd) in rows.iter_mut().zip(fd) {
        row.scores = vec![score("fd", *fd, half)];
    }
    rows
}

/// Whether the distance of each line is marked.
fn marked(sweep: &Sweep, rows: &[Row]) -> Vec<bool> {
    let sheet = sheet(&report(sweep, rows)).unwrap();
    let entries = sheet.lines.iter().map(|line| line.entries[0].as_ref());
    entries.map(|entry| entry.unwrap().best).collect()
}

/// 100 images that move a score to and fro by `size`.
fn waves(size: f64) -> Vec<f64> {
    (0..100)
        .map(|i| if i % 2 == 0 { size } else { -size })
        .collect()
}

#[test]
fn pairs_of_images_tell_apart_what_intervals_do_not() {
    let (sweep, folder) = (study(3, "[0]"), tempfile::tempdir().unwrap());
    let mut rows = scored(&sweep, &[3.0, 3.2, 3.2], 0.5);
    assert_eq!(marked(&sweep, &rows), [true, true, true]);
    // The same images pull the second score as they pull the first, and the third the other way.
    for (row, size) in rows.iter_mut().zip([2.0, 2.01, -2.0]) {
        influence(row, folder.path(), waves(size));
    }
    assert_eq!(marked(&sweep, &rows), [true, false, true]);
}

#[test]
fn seeds_of_the_noise_are_more_images() {
    let (sweep, folder) = (study(3, "[0, 1]"), tempfile::tempdir().unwrap());
    // Seed, steps: the second is worse whatever images are drawn again, the third by 0.2 where both draws move it by
    // 0.14.
    let fd = [3.0, 3.5, 3.5, 3.0, 3.5, 2.9];
    let mut rows = scored(&sweep, &fd, 0.5);
    for (row, size) in rows.iter_mut().zip([1.0, 1.0, -1.0, 1.0, 1.0, -1.0]) {
        influence(row, folder.path(), waves(size));
    }
    assert_eq!(marked(&sweep, &rows), [true, false, true]);
}

#[test]
fn what_is_far_from_the_best_is_told_from_it_without_its_images() {
    let sweep = study(3, "[0]");
    let mut rows = scored(&sweep, &[3.0, 3.1, 9.0], 0.25);
    rows[2].influences = Some(PathBuf::from("gone.npz"));
    assert_eq!(marked(&sweep, &rows), [true, true, false]);
    for row in &mut rows {
        row.influences = Some(PathBuf::from("gone.npz"));
    }
    let error = sheet(&report(&sweep, &rows)).err().unwrap();
    assert!(format!("{error:#}").contains("gone.npz"));
}

#[test]
fn of_many_cells_the_best_alone_is_marked_and_the_caption_says_so() {
    let said = |cells: usize, folder: &Path| {
        let sweep = study(cells, "[0]");
        let fd: Vec<f64> = (0..cells).map(|i| 3.0 + 0.01 * i as f64).collect();
        let rows = scored(&sweep, &fd, 0.5);
        write(&report(&sweep, &rows), folder, &[Format::Md]).unwrap();
        let marks = marked(&sweep, &rows).into_iter().filter(|best| *best);
        (marks.count(), read(folder, "table.md"))
    };
    let folder = tempfile::tempdir().unwrap();
    let (marks, text) = said(500, folder.path());
    assert_eq!(marks, 100);
    assert!(text.contains("bold: best, and all whose paired difference from it may be 0;"));
    let (marks, text) = said(501, folder.path());
    assert_eq!(marks, 1);
    assert!(text.contains("\nbold: best; "), "{text}");
}
