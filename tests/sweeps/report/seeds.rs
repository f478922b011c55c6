//! What a report says of seeds and counts, and how small its page is.

use crate::support::reports::{EXPERIMENT, SMALL, parse, read, rows, score};
use base64::Engine;
use fidrunner::experiment::grid::sweep::Sweep;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::report::chart::figures::figures;
use fidrunner::report::chart::picture::Mark;
use fidrunner::report::findings::overall::findings;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::rows::input::Report;
use fidrunner::report::table::{caption, sheet, terminal};
use fidrunner::run::results::Row;

fn seeded() -> String {
    EXPERIMENT.replace("[grid]\n", "[grid]\nsample.seed = [0, 1]\n")
}

#[test]
fn no_finding_is_told_of_a_seed() {
    let sweep = parse(&seeded());
    let rows = rows(&sweep);
    let found = findings(&Report::new(&sweep, &rows)).unwrap();
    let groups = found.groups.iter();
    let sentences = groups.flat_map(|g| g.sentences.iter().chain([&g.name]));
    for sentence in found.summary.iter().skip(1).chain(sentences) {
        assert!(!sentence.contains("seed"), "{sentence}");
    }
    assert_eq!(
        found.summary[0],
        "Scores below are means over 2 seeds, ± their standard deviation."
    );
    assert!(found.summary[1].starts_with("FD (shapes) is lowest at scale 1 for resolution 16"));
}

/// A study of three numbers of steps from three seeds of drawing, and its rows.
fn repeated() -> (Sweep, Vec<Row>) {
    let sweep = parse(&SMALL.replace("[grid]\n", "[grid]\nsample.seed = [0, 1, 2]\n"));
    let mut rows = rows(&sweep);
    // Seed, steps.
    let fd = [3.0, 2.0, 9.0, 4.0, 2.0, 9.0, 5.0, 2.0, 9.0];
    for (row, fd) in rows.iter_mut().zip(fd) {
        row.scores = vec![score("fd", fd, 0.25), score("recall", 0.1 * fd, 0.01)];
    }
    (sweep, rows)
}

#[test]
fn a_table_has_a_line_a_variant_and_the_csv_every_cell() {
    let (sweep, rows) = repeated();
    let dir = tempfile::tempdir().unwrap();
    let formats = [Format::Html, Format::Md, Format::Tex, Format::Csv];
    write(&Report::new(&sweep, &rows), dir.path(), &formats).unwrap();
    let markdown = read(dir.path(), "table.md");
    assert!(
        markdown.starts_with(
            "| steps | FD (shapes) ↓ | recall ↑ |\n| ---: | :--- | :--- |\n\
             | 25 | 4.00 ± 1.00 | 0.400 ± 0.100 |\n\
             | 50 | **2.00** ± 0.00 | 0.200 ± 0.000 |\n\
             | 100 | 9.00 ± 0.00 | **0.900** ± 0.000 |\n\n"
        ),
        "{markdown}"
    );
    assert!(markdown.contains("± = standard deviation over 3 seeds  \n"));
    assert!(!markdown.contains("[low, high]"));
    let latex = read(dir.path(), "table.tex");
    assert!(
        latex.contains(r"25 & 4.00 {\scriptsize $\pm$ 1.00} &"),
        "{latex}"
    );
    let page = read(dir.path(), "index.html");
    assert!(page.contains("9 cells: steps [25, 50, 100], each with 3 seeds."));
    assert!(page.contains("4.00 <span class=\"range\">± 1.00</span>"));
    assert_eq!(read(dir.path(), "table.csv").lines().count(), 10);
    assert!(read(dir.path(), "table.csv").starts_with("cell,seed,steps,fd,"));
    let shown = terminal::table(&sheet::sheet(&Report::new(&sweep, &rows)).unwrap(), 80);
    assert!(
        shown.contains("   25  4.00 ± 1.00    0.400 ± 0.100\n"),
        "{shown}"
    );
}

#[test]
fn a_seed_that_failed_leaves_the_mean_of_the_others_or_the_interval_of_one() {
    let (sweep, mut rows) = repeated();
    for cell in [0, 1, 4] {
        rows[cell].scores.clear();
        rows[cell].missing = Some("failed".into());
    }
    let report = Report::new(&sweep, &rows);
    let shown = terminal::table(&sheet::sheet(&report).unwrap(), 80);
    assert!(shown.contains("4.50 ± 0.71"), "{shown}");
    assert!(shown.contains("2.00 [1.75, 2.25] *"), "{shown}");
    let legend = caption::legend(&report, "").unwrap();
    assert!(
        legend.starts_with("± = standard deviation over up to 3 seeds; [low, high] = 95 %"),
        "{legend}"
    );
}

#[test]
fn nothing_is_sorted_by_a_seed() {
    let (sweep, rows) = repeated();
    let mut report = Report::new(&sweep, &rows);
    report.sort = Some("seed");
    let error = sheet::sheet(&report).err().unwrap().to_string();
    assert_eq!(
        error,
        "--sort seed: no such column; allowed: steps, fd, recall"
    );
    report.sort = Some("fd");
    let lines = sheet::sheet(&report).unwrap().lines;
    let cells: Vec<_> = lines.into_iter().map(|line| line.cells).collect();
    assert_eq!(cells, [[1, 4, 7], [0, 3, 6], [2, 5, 8]]);
}

#[test]
fn charts_have_a_small_dot_a_seed_around_each_mean() {
    let charts = "[[chart]]\nx = \"sample.steps\"\ny = [\"fd\"]\nby = \"sample.seed\"\n\
                  [[chart]]\nx = \"recall\"\ny = [\"fd\"]\n";
    let (_, rows) = repeated();
    let small = SMALL.replace("[grid]\n", "[grid]\nsample.seed = [0, 1, 2]\n");
    let sweep = parse(&format!("{small}{charts}"));
    let figures = figures(&Report::new(&sweep, &rows)).unwrap();
    assert_eq!(figures.len(), 2);
    for figure in figures {
        let dots = |wanted: f64| {
            let marks = figure.picture.marks.iter();
            let dots = marks.filter(|mark| match mark {
                Mark::Disc { radius, .. } => (radius - wanted).abs() < 0.01,
                _ => false,
            });
            dots.count()
        };
        let svg = figure.svg();
        // Nine cells in three means, which a white edge surrounds.
        let large = if figure.name == "fd-vs-steps" {
            4.6
        } else {
            4.8
        };
        assert_eq!((dots(2.2), dots(large)), (9, 3), "{}", figure.name);
        assert!(svg.contains("small dots: the seeds"), "{svg}");
        assert!(!svg.contains("seed 1"), "{svg}");
    }
}

#[test]
fn seeds_alone_have_no_findings() {
    let (head, _) = EXPERIMENT.split_once("[[zip]]").unwrap();
    let sweep = parse(&format!("{head}[grid]\nsample.seed = [0, 1]\n"));
    let rows = rows(&sweep);
    let found = findings(&Report::new(&sweep, &rows)).unwrap();
    assert!(found.summary.is_empty() && found.groups.is_empty());
}

#[test]
fn a_change_that_one_seed_contradicts_is_not_told_as_one() {
    let sweep = parse(&seeded());
    let mut rows = rows(&sweep);
    let told = |rows: &[Row]| {
        findings(&Report::new(&sweep, rows))
            .unwrap()
            .summary
            .join(" ")
    };
    assert!(told(&rows).contains("Class agreement rises in 3 of 3 sweeps"));
    for row in &mut rows {
        let at = |key: &str| {
            row.at
                .iter()
                .find(|(k, _)| k == key)
                .unwrap()
                .1
                .as_integer()
        };
        let turned = at("sample.seed") == Some(1) && at("guidance.scale") == Some(10);
        let scores = row.scores.iter_mut();
        for score in scores.filter(|s| turned && s.metric == "agreement") {
            (score.low, score.high) = (
                score.low - score.value + 0.5,
                score.high - score.value + 0.5,
            );
            score.value = 0.5;
        }
    }
    let told = told(&rows);
    assert!(!told.contains("Class agreement rises"), "{told}");
}

#[test]
fn a_caption_says_what_is_counted() {
    let sweep = parse(EXPERIMENT);
    let mut rows = rows(&sweep);
    for score in rows.iter_mut().flat_map(|r| &mut r.scores) {
        score.count = match score.metric.as_str() {
            "recall" => 5000,
            "gaussian_fd" => 2000,
            _ => 350,
        };
    }
    let said = |rows: &[Row]| {
        let report = Report::new(&sweep, rows);
        let parts = caption::parts(&report, &sheet::sheet(&report).unwrap());
        parts
            .into_iter()
            .find(|part| part.starts_with("n = "))
            .unwrap()
    };
    assert_eq!(
        said(&rows),
        "n = 350 images a cell; recall counts 5,000 reference images"
    );
    rows[0].scores[3].count = 300;
    assert_eq!(
        said(&rows),
        "n = 350 images a cell; precision counts 300 to 350 images; recall counts 5,000 reference images"
    );
}

#[test]
fn a_page_holds_each_image_once_and_lossless() {
    let sweep = parse(&seeded());
    let mut rows = rows(&sweep);
    let dir = tempfile::tempdir().unwrap();
    for row in &mut rows {
        // Cells 0 and 2 have the same images.
        let shade = if row.cell == 2 { 0 } else { row.cell as u8 };
        let folder = dir.path().join(format!("cell{}", row.cell));
        std::fs::create_dir_all(&folder).unwrap();
        let pixels = (0..10 * 16 * 16 * 3u32)
            .map(|i| (i * i / 7) as u8 ^ shade)
            .collect();
        let images = Array::u8(&[10, 16, 16, 3], pixels);
        npz::write(
            &folder.join("images-000000-000010.npz"),
            &[("arr_0", images)],
        )
        .unwrap();
        row.samples = Some(folder);
    }
    let out = dir.path().join("report");
    write(&Report::new(&sweep, &rows), &out, &[Format::Html]).unwrap();
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    let sources: Vec<&str> = page
        .split("src=\"")
        .skip(1)
        .map(|p| p.split('"').next().unwrap())
        .collect();
    // One a variant: the second seed is not shown, and two of the twelve have the same images.
    assert_eq!(sources.len(), 11);
    for (i, source) in sources.iter().enumerate() {
        assert!(!sources[..i].contains(source));
        assert!(source.starts_with("data:image/png") || source.starts_with("data:image/webp"));
    }
    let bytes = sources[0].split_once("base64,").unwrap().1;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(bytes)
        .unwrap();
    let strip = image::load_from_memory(&bytes).unwrap().to_rgb8();
    assert_eq!(strip.dimensions(), (6 * 17 - 1, 16));
    let at = |i: u32| (i * i / 7) as u8;
    assert_eq!(strip.get_pixel(0, 0).0, [at(0), at(1), at(2)]);
    let second = 16 * 16 * 3;
    assert_eq!(
        strip.get_pixel(17, 0).0,
        [at(second), at(second + 1), at(second + 2)]
    );
}
