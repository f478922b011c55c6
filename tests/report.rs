//! The report: its tables byte for byte, its labels, what it says of missing cells, and that it stands alone.

mod report_fixture;

use polars::prelude::{ParquetReader, SerReader};
use report_fixture::{EXPERIMENT, parse, rows};
use runner::experiment::grid::sweep::Sweep;
use runner::io::numpy::npz::{self, Array};
use runner::report::chart::figures;
use runner::report::findings::overall;
use runner::report::page::write::{Format, write};
use runner::report::rows::input::Report;
use runner::report::table::{frame, sheet, terminal};
use runner::run::results::{Row, Score};
use std::path::Path;

const SMALL: &str = r#"
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

fn small() -> (Sweep, Vec<Row>) {
    let sweep = parse(SMALL);
    let score = |metric: &str, value: f64, half: f64| Score {
        metric: metric.into(),
        value,
        low: value - half,
        high: value + half,
        count: 1000,
    };
    let mut rows = rows(&sweep);
    let digest = "3f1c9a02".repeat(8);
    for row in &mut rows {
        row.provenance = vec![("shapes16.npz".into(), format!("sha256 {digest}"))];
    }
    rows[0].scores = vec![score("fd", 3.5, 0.25), score("recall", 0.5, 0.125)];
    rows[1].scores = vec![score("fd", 2.5, 0.25), score("recall", 0.25, 0.125)];
    rows[2].scores = Vec::new();
    rows[2].missing = Some("failed".into());
    (sweep, rows)
}

fn report<'a>(sweep: &'a Sweep, rows: &'a [Row]) -> Report<'a> {
    Report::new(sweep, rows)
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

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
bold: best; \\[low, high\\] = 95 % bootstrap over images, of shares Wilson's  
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
  \caption{small. n = 1,000 images a cell. seed 3. reference shapes16 sha256 3f1c9a02. feature net features. Bold: best; [low, high] = 95 \% bootstrap over images, of shares Wilson's.}
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
* lowest; [low, high] = 95 % bootstrap over images, of shares Wilson's
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
fn a_report_without_any_score_can_be_written() {
    let (sweep, mut rows) = small();
    for row in &mut rows {
        row.scores.clear();
        row.missing = Some("not run".into());
    }
    let charts =
        "[[chart]]\nx = \"sample.steps\"\ny = [\"all\"]\n[[chart]]\nx = \"recall\"\ny = [\"fd\"]\n";
    let charted = parse(&format!("{SMALL}{charts}"));
    let dir = tempfile::tempdir().unwrap();
    write(&report(&charted, &rows), dir.path(), &Format::ALL).unwrap();
    assert!(read(dir.path(), "table.md").contains("missing (not run)"));
    assert!(sheet::sheet(&report(&sweep, &rows)).is_ok());
}

#[test]
fn shapes_metrics_are_never_called_fid() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let dir = tempfile::tempdir().unwrap();
    let paths = write(&report(&sweep, &rows), dir.path(), &Format::ALL).unwrap();
    let mut texts = 0;
    for path in paths {
        let ending = path.extension().unwrap().to_str().unwrap();
        if matches!(ending, "html" | "md" | "tex" | "svg") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.to_lowercase().contains("fid"), "{}", path.display());
            texts += 1;
        }
    }
    assert!(texts > 10);
    assert!(read(dir.path(), "fd-vs-resolution.svg").contains("FD (shapes)"));
}

#[test]
fn charts_name_their_series_and_have_pixels() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let figures = figures::figures(&report(&sweep, &rows)).unwrap();
    let named = |name: &str| figures.iter().find(|f| f.name == name).unwrap();
    let seed_study = named("fd-vs-resolution").svg();
    for name in [
        "scale 0",
        "scale 1",
        "scale 5",
        "scale 10",
        "resolution (pixels a side)",
    ] {
        assert!(
            seed_study.contains(&format!("\n{name}\n").replace('\n', "")),
            "{name}"
        );
    }
    let trade = named("precision-vs-recall").svg();
    assert!(trade.contains("resolution 64") && trade.contains("guidance scale"));
    let png = image::load_from_memory(&named("fd-vs-scale").png().unwrap())
        .unwrap()
        .to_rgb8();
    assert_eq!(png.dimensions(), (1520, 960));
    let coloured = png.pixels().filter(|p| p[0].abs_diff(p[2]) > 60).count();
    assert!(coloured > 2000, "{coloured} coloured pixels");
}

#[test]
fn points_over_an_unshown_axis_are_averaged_and_said_to_be() {
    let with_seeds = EXPERIMENT.replace("[grid]\n", "[grid]\nsample.seed = [0, 1]\n");
    let sweep = parse(&with_seeds);
    let rows = rows(&sweep);
    assert_eq!(rows.len(), 24);
    let figures = figures::figures(&report(&sweep, &rows)).unwrap();
    let svg = figures[0].svg();
    assert!(svg.contains("mean FD (shapes)"));
    assert!(svg.contains("each point is the mean over seed = 0, 1"));
}

#[test]
fn the_page_needs_nothing_outside_of_itself() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let dir = tempfile::tempdir().unwrap();
    write(&report(&sweep, &rows), dir.path(), &[Format::Html]).unwrap();
    let page = read(dir.path(), "index.html");
    for word in ["<script", "<link", "@import", "url(", "href="] {
        assert!(!page.contains(word), "{word}");
    }
    for source in page.split("src=\"").skip(1) {
        assert!(source.starts_with("data:image/png;base64,"));
    }
    let addresses: Vec<&str> = page.split("http").skip(1).collect();
    assert!(
        addresses
            .iter()
            .all(|a| a.starts_with("://www.w3.org/2000/svg"))
    );
}

#[test]
fn hostile_names_are_only_text() {
    let hostile = r#"a<script>alert(1)</script>&\input{x}_50%$"#;
    let text = SMALL.replace(
        "sample.steps = [25, 50, 100]",
        &format!("model.checkpoint = ['{hostile}', 'b|c']"),
    );
    let sweep = parse(&text);
    let mut rows = rows(&sweep);
    rows[1].missing = Some(format!("{hostile}\nsecond line"));
    rows[1].scores.clear();
    let mut shown = report(&sweep, &rows);
    shown.resolved = &text;
    let warnings = [hostile.to_string()];
    shown.warnings = &warnings;
    let dir = tempfile::tempdir().unwrap();
    write(&shown, dir.path(), &Format::ALL).unwrap();
    let page = read(dir.path(), "index.html");
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let tex = read(dir.path(), "table.tex");
    assert!(!tex.contains("\\input"));
    assert!(tex.contains("\\textbackslash{}input\\{x\\}\\_50\\%\\$"));
    let markdown = read(dir.path(), "table.md");
    assert!(!markdown.contains("<script") && markdown.contains("b\\|c"));
}

#[test]
fn the_best_is_found_among_cells_that_share_a_reference() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let sheet = sheet::sheet(&report(&sweep, &rows)).unwrap();
    let best = |line: &&sheet::Line| line.entries[0].as_ref().unwrap().best;
    let cells: Vec<usize> = sheet.lines.iter().filter(best).map(|l| l.cell).collect();
    assert_eq!(cells, [1, 5, 10]);
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
    for (row, cell) in rows.iter_mut().zip(&sweep.cells) {
        (row.at, row.axes) = (cell.at.clone(), cell.axes.clone());
    }
    let report = report(&sweep, &rows);
    let sheet = sheet::sheet(&report).unwrap();
    assert_eq!(sheet.axes, ["steps", "sampler"]);
    assert_eq!(sheet.lines[2].at, ["50", "ddim"]);
    let told = overall::findings(&report).summary.join(" ");
    assert!(
        told.contains("FD (shapes) is lowest at steps 50, sampler ddpm: 2.50 [2.25, 2.75]."),
        "{told}"
    );
}

#[test]
fn findings_take_their_direction_from_the_numbers() {
    let (sweep, mut rows) = small();
    let summary = |rows: &[Row]| overall::findings(&report(&sweep, rows)).summary.join(" ");
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

#[test]
fn a_second_report_is_the_same_and_takes_only_our_stale_files_away() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let dir = tempfile::tempdir().unwrap();
    let first = write(&report(&sweep, &rows), dir.path(), &Format::ALL).unwrap();
    let bytes: Vec<Vec<u8>> = first.iter().map(|p| std::fs::read(p).unwrap()).collect();
    write(&report(&sweep, &rows), dir.path(), &Format::ALL).unwrap();
    for (path, bytes) in first.iter().zip(&bytes) {
        assert!(std::fs::read(path).unwrap() == *bytes, "{}", path.display());
    }
    std::fs::write(dir.path().join("notes.svg"), "mine").unwrap();
    std::fs::write(dir.path().join("recall-vs-scale.svg"), "edited").unwrap();
    let uncharted = parse(EXPERIMENT.split("[[chart]]").next().unwrap());
    write(&report(&uncharted, &rows), dir.path(), &[Format::Svg]).unwrap();
    assert!(!dir.path().join("fd-vs-scale.svg").exists());
    assert!(dir.path().join("fd-vs-scale.png").exists());
    assert_eq!(read(dir.path(), "notes.svg"), "mine");
    assert_eq!(read(dir.path(), "recall-vs-scale.svg"), "edited");
}

/// Images 0..80 of 16 × 16 in two parts, image i of cell c all in one colour: (40 c, 3 i, 7).
fn store_samples(folder: &Path, cell: u8) {
    std::fs::create_dir_all(folder).unwrap();
    for (from, to) in [(0, 40), (40, 80)] {
        let image = |i: u8| [40 * cell, 3 * i, 7].repeat(16 * 16);
        let pixels: Vec<u8> = (from..to).flat_map(image).collect();
        let path = folder.join(format!("images-{from:06}-{to:06}.npz"));
        npz::write(&path, &[("arr_0", Array::u8(&[40, 16, 16, 3], pixels))]).unwrap();
    }
}

#[test]
fn sample_grids_show_each_image_in_its_place() {
    let sweep = parse(EXPERIMENT);
    let mut rows = rows(&sweep);
    let dir = tempfile::tempdir().unwrap();
    for (cell, row) in rows.iter_mut().enumerate().take(4) {
        let folder = dir.path().join(format!("cell{cell}"));
        store_samples(&folder, cell as u8);
        row.samples = Some(folder);
    }
    let out = dir.path().join("report");
    write(&report(&sweep, &rows), &out, &[Format::Png, Format::Html]).unwrap();
    let open = |name: &str| image::open(out.join(name)).unwrap().to_rgb8();
    let mosaic = open("mosaic-1.png");
    for (row, column) in [(0, 0), (3, 9), (4, 0), (5, 9)] {
        let pixel = mosaic.get_pixel(4 + column * 100 + 48, 4 + row * 100 + 48);
        assert_eq!(pixel.0, [40, 3 * (row * 10 + column) as u8, 7]);
    }
    let overview = open("overview-resolution-16.png");
    let (right, bottom) = overview.dimensions();
    assert_eq!(overview.get_pixel(right - 52, bottom - 52).0, [120, 27, 7]);
    assert_eq!(overview.get_pixel(right - 152, bottom - 352).0, [0, 24, 7]);
    let page = read(&out, "index.html");
    assert_eq!(page.matches("data:image/").count(), 4);
}

#[test]
fn formats_are_told_when_one_is_unknown() {
    let error = "pdf".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown format `pdf`; allowed: html, csv, parquet, md, tex, svg, png"
    );
    assert_eq!("tex".parse::<Format>().unwrap(), Format::Tex);
}
