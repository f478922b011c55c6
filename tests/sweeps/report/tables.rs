//! A report's tables byte for byte, what they say of missing cells, and what is found in them.

use crate::support::reports::{EXPERIMENT, SMALL, parse, read, report, rows, small};
use fidrunner::report::chart::figures;
use fidrunner::report::findings::overall;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::table::{frame, sheet, terminal};
use fidrunner::run::results::Row;
use polars::prelude::{ParquetReader, SerReader};

#[test]
fn the_csv_has_one_row_a_cell_and_nothing_for_what_is_missing() {
    let (_, rows) = small();
    let csv = frame::csv(&frame::frame(&rows).unwrap()).unwrap();
    let expected = "\
cell,steps,fd,fd_low,fd_high,fd_count,recall,recall_low,recall_high,recall_count,state
0,25,3.5,3.25,3.75,1000,0.5,0.375,0.625,1000,done
1,50,2.5,2.25,2.75,1000,0.25,0.125,0.375,1000,done
2,100,,,,,,,,,failed
";
    assert_eq!(String::from_utf8(csv).unwrap(), expected);
}

#[test]
fn the_parquet_file_reads_back_as_the_frame() {
    let (_, rows) = small();
    let frame = frame::frame(&rows).unwrap();
    let bytes = frame::parquet(&frame).unwrap();
    let back = ParquetReader::new(std::io::Cursor::new(&bytes))
        .finish()
        .unwrap();
    assert!(back.equals_missing(&frame));
    assert_eq!(bytes, frame::parquet(&frame).unwrap());
}

#[test]
fn the_markdown_and_latex_tables_are_these_bytes() {
    let (sweep, rows) = small();
    let dir = tempfile::tempdir().unwrap();
    write(
        &report(&sweep, &rows),
        dir.path(),
        &[Format::Md, Format::Tex],
    )
    .unwrap();
    let markdown = "\
| steps | FD (shapes) ↓ | recall ↑ |
| ---: | :--- | :--- |
| 25 | 3.50 [3.25, 3.75] | **0.500** [0.375, 0.625] |
| 50 | **2.50** [2.25, 2.75] | 0.250 [0.125, 0.375] |
| 100 | missing (failed) |  |

n = 1,000 images a cell  
seed 3  
reference shapes16 sha256 3f1c9a02  
feature net features  
bold: best, and all whose paired difference from it may be 0; \\[low, high\\] = 95 % bootstrap over images, Wilson's for proportions  
";
    assert_eq!(read(dir.path(), "table.md"), markdown);
    let latex = r"% needs \usepackage{booktabs,graphicx}
\begin{table}
  \centering
  \small
  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
  \begin{tabular}{rll}
    \toprule
    steps & FD (shapes) $\downarrow$ & recall $\uparrow$ \\
    \midrule
    25 & 3.50 {\scriptsize [3.25, 3.75]} & \textbf{0.500} {\scriptsize [0.375, 0.625]} \\
    50 & \textbf{2.50} {\scriptsize [2.25, 2.75]} & 0.250 {\scriptsize [0.125, 0.375]} \\
    100 & \emph{missing (failed)} &  \\
    \bottomrule
  \end{tabular}}
  \caption{small. n = 1,000 images a cell. seed 3. reference shapes16 sha256 3f1c9a02. feature net features. Bold: best, and all whose paired difference from it may be 0; [low, high] = 95 \% bootstrap over images, Wilson's for proportions.}
  \label{tab:small}
\end{table}
";
    assert_eq!(read(dir.path(), "table.tex"), latex);
}

#[test]
fn the_terminal_table_drops_intervals_from_the_right_to_fit() {
    let (sweep, rows) = small();
    let sheet = sheet::sheet(&report(&sweep, &rows)).unwrap();
    let wide = "\x20 steps  FD (shapes)          recall
     25  3.50 [3.25, 3.75]    0.500 [0.375, 0.625]
     50  2.50 [2.25, 2.75] *  0.250 [0.125, 0.375]
    100  missing (failed)
";
    assert_eq!(terminal::table(&sheet, 80), wide);
    let caption = "\
n = 1,000 images a cell; seed 3; reference shapes16 sha256 3f1c9a02; feature net features
* lowest, and all whose paired difference from it may be 0; [low, high] = 95 % bootstrap over images, Wilson's for proportions
";
    assert_eq!(terminal::caption(&report(&sweep, &rows), &sheet), caption);
    let narrow = terminal::table(&sheet, 40);
    assert!(narrow.contains("3.50 [3.25, 3.75]    0.500\n"), "{narrow}");
}

#[test]
fn a_missing_cell_is_shown_everywhere() {
    let (sweep, rows) = small();
    let dir = tempfile::tempdir().unwrap();
    write(&report(&sweep, &rows), dir.path(), &Format::ALL).unwrap();
    assert!(read(dir.path(), "index.html").contains("missing (failed)"));
    assert!(read(dir.path(), "index.html").contains("Missing cells: 1 of 3."));
    assert!(read(dir.path(), "table.csv").contains("2,100,,,,,,,,,failed"));
}

#[test]
fn the_best_and_what_is_not_told_from_it_are_found_among_cells_that_share_a_reference() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let sheet = sheet::sheet(&report(&sweep, &rows)).unwrap();
    let best = |line: &&sheet::Line| line.entries[0].as_ref().unwrap().best;
    let cells: Vec<usize> = sheet.lines.iter().filter(best).map(|l| l.cell).collect();
    // The intervals of cells 9 and 10 overlap.
    assert_eq!(cells, [1, 5, 9, 10]);
}

#[test]
fn one_cell_alone_is_no_best_and_counts_its_own_images() {
    let sweep = parse(&EXPERIMENT.replace("[0, 1, 5, 10]", "[0]"));
    let mut rows = rows(&sweep);
    for row in &mut rows {
        row.scores.last_mut().unwrap().count = 5000;
    }
    let report = report(&sweep, &rows);
    let sheet = sheet::sheet(&report).unwrap();
    let entries = sheet.lines.iter().flat_map(|l| l.entries.iter().flatten());
    assert!(entries.into_iter().all(|e| !e.best));
    assert!(terminal::caption(&report, &sheet).contains("n = 10,000 images a cell;"));
    let svg = figures::figures(&report).unwrap()[1].svg();
    assert!(svg.contains("intervals: 95 % bootstrap over images"));
}

#[test]
fn rows_are_sorted_from_the_good_end_with_missing_ones_last() {
    let (sweep, rows) = small();
    let mut sorted = report(&sweep, &rows);
    for (key, cells) in [
        ("fd", [1, 0, 2]),
        ("recall", [0, 1, 2]),
        ("sample.steps", [0, 1, 2]),
    ] {
        sorted.sort = Some(key);
        let lines = sheet::sheet(&sorted).unwrap().lines;
        assert_eq!(
            lines.iter().map(|l| l.cell).collect::<Vec<_>>(),
            cells,
            "{key}"
        );
    }
    sorted.sort = Some("fdd");
    let error = sheet::sheet(&sorted).err().unwrap().to_string();
    assert_eq!(
        error,
        "--sort fdd: no such column; allowed: steps, fd, recall"
    );
}

#[test]
fn zipped_lists_tell_cells_apart_where_the_first_does_not() {
    let zip =
        "[[zip]]\nsample.steps = [25, 50, 50]\nsample.sampler = [\"ddpm\", \"ddpm\", \"ddim\"]\n";
    let sweep = parse(&SMALL.replace("[grid]\nsample.steps = [25, 50, 100]\n", zip));
    let (_, mut rows) = small();
    for (row, cell) in rows.iter_mut().zip(sweep.cells.iter()) {
        (row.at, row.axes) = (cell.at.clone(), cell.axes.clone());
    }
    let report = report(&sweep, &rows);
    let sheet = sheet::sheet(&report).unwrap();
    assert_eq!(sheet.axes, ["steps", "sampler"]);
    assert_eq!(sheet.lines[2].at, ["50", "ddim"]);
    let told = overall::findings(&report).unwrap().summary.join(" ");
    assert!(
        told.contains("FD (shapes) is lowest at steps 50, sampler ddpm: 2.50 [2.25, 2.75]."),
        "{told}"
    );
}

#[test]
fn findings_take_their_direction_from_the_numbers() {
    let (sweep, mut rows) = small();
    let summary = |rows: &[Row]| {
        overall::findings(&report(&sweep, rows))
            .unwrap()
            .summary
            .join(" ")
    };
    let told = summary(&rows);
    assert!(
        told.contains("FD (shapes) is lowest at steps 50 (2.50)."),
        "{told}"
    );
    assert!(
        told.contains("Recall does not change beyond its intervals"),
        "{told}"
    );
    for score in &mut rows[1].scores {
        (score.low, score.high) = (score.value, score.value);
    }
    assert!(summary(&rows).contains("Recall falls from steps 25 to steps 50 (-0.250)."));
    rows[1].scores[1].value = 0.75;
    (rows[1].scores[1].low, rows[1].scores[1].high) = (0.7, 0.8);
    assert!(summary(&rows).contains("Recall rises from"));
    for row in &mut rows[..2] {
        (row.scores[1].low, row.scores[1].high) = (f64::NAN, f64::NAN);
    }
    assert!(summary(&rows).contains("Recall rises from"));
}
