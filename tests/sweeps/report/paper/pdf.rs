//! Charts as PDF: the page that is asked for, texts as text in a font that is inside, nothing that changes.

use super::of_column;
use super::pdf_file::PdfFile;
use crate::support::files::names;
use crate::support::reports::{EXPERIMENT, parse, read, report, rows};
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::report::chart::figures::{Figure, laid_out};
use fidrunner::report::chart::layout::Layout;
use fidrunner::report::chart::pdf::document::pdf;
use fidrunner::report::chart::picture::{Anchor, Form, Mark, Picture};
use fidrunner::report::page::write::{Format, write};
use std::collections::BTreeSet;

/// The charts of an experiment's text as its column has them.
fn figures(text: &str) -> Vec<Figure> {
    let sweep = parse(text);
    let rows = rows(&sweep);
    let layout = Layout::of(sweep.cells[0].spec.report.column);
    laid_out(&report(&sweep, &rows), &layout).unwrap()
}

fn texts_of(picture: &Picture) -> Vec<&str> {
    let texts = picture.marks.iter().filter_map(|mark| match mark {
        Mark::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.filter(|text| !text.is_empty()).collect()
}

#[test]
fn a_chart_has_the_width_that_the_file_asks_for() {
    for (text, width) in [
        (EXPERIMENT.to_string(), 570.0),
        (of_column("single"), 234.0),
        (of_column("double"), 486.0),
    ] {
        for figure in figures(&text) {
            let (found, height) = PdfFile::read(figure.pdf().unwrap()).size();
            assert_eq!(found, width, "{}", figure.name);
            assert!(height > 0.4 * width && height < 1.3 * width, "{height}");
        }
    }
}

#[test]
fn every_text_is_text_of_eight_points_on_the_page() {
    for column in ["single", "double"] {
        for figure in figures(&of_column(column)) {
            let file = PdfFile::read(figure.pdf().unwrap());
            let (width, height) = file.size();
            let shown = file.texts();
            let read: Vec<&str> = shown.iter().map(|text| text.text.as_str()).collect();
            assert_eq!(read, texts_of(&figure.picture), "{}", figure.name);
            assert!(read.len() > 10);
            for text in &shown {
                let place = format!("{column} {}: {text:?} of {width}", figure.name);
                assert_eq!(text.size, 8.0, "{place}");
                assert!(text.x.0 >= 0.0 && text.x.1 <= width, "{place}");
                assert!(text.y >= 2.0 && text.y <= height - 6.0, "{place}");
            }
        }
    }
}

#[test]
fn texts_of_a_column_do_not_cover_each_other() {
    // Labels at the points of a chart of two metrics may touch its lines, and each other where points do.
    let figures = figures(&of_column("single"));
    for figure in figures
        .iter()
        .filter(|figure| !figure.name.contains("-vs-recall"))
    {
        let shown = PdfFile::read(figure.pdf().unwrap()).texts();
        for (i, a) in shown.iter().enumerate() {
            for b in &shown[..i] {
                let beside = a.x.1 <= b.x.0 || b.x.1 <= a.x.0;
                let apart = (a.y - b.y).abs() >= 7.5;
                assert!(beside || apart, "{}: {a:?} on {b:?}", figure.name);
            }
        }
    }
}

#[test]
fn long_names_and_many_labels_stay_in_a_column() {
    let text = of_column("single").replace("name = \"guidance\"", "name = \"long\"");
    let text = text.replace("[16, 32, 64]", "[\"ddim\", \"ddpm\", \"uni_pc_bh2\"]");
    let text = text.replace("model.resolution", "sample.sampler");
    let text = text.replace(
        "guidance.scale = [0, 1, 5, 10]",
        "guidance.scale = [0, 0.123456789, 5, 12345.678912345, 1e-7, 20, 30, 40, 50, 60]",
    );
    for figure in figures(&text) {
        let file = PdfFile::read(figure.pdf().unwrap());
        let (width, _) = file.size();
        for shown in file.texts() {
            assert!(
                shown.x.0 >= -1.0 && shown.x.1 <= width + 1.0,
                "{}: {shown:?}",
                figure.name
            );
        }
    }
}

#[test]
fn names_that_would_take_half_of_the_width_stand_above_the_data() {
    let by = "by = [\"model.resolution\", \"model.checkpoint\", \"eval.reference\"]";
    let axis = EXPERIMENT.replace("by = \"model.resolution\"", by);
    let page = figures(&axis);
    let double = figures(&format!("{axis}\n[report]\ncolumn = \"double\"\n"));
    for figure in page.iter().chain(&double) {
        let file = PdfFile::read(figure.pdf().unwrap());
        let ((width, height), shown) = (file.size(), file.texts());
        let named = shown
            .iter()
            .filter(|text| text.text.starts_with("resolution 32, checkpoint"));
        let named = named.count();
        // A chart of two metrics tells its lines apart by fewer words.
        let lines = figure.name.contains("-vs-scale");
        assert_eq!(named, usize::from(lines), "{}", figure.name);
        for text in &shown {
            let inside = text.x.0 >= 0.0 && text.x.1 <= width;
            assert!(
                inside && text.y >= 2.0 && text.y < height,
                "{}: {text:?}",
                figure.name
            );
        }
        let names = shown
            .iter()
            .filter(|text| text.text.starts_with("resolution "));
        let lowest = names.map(|text| text.y).fold(height, f64::min);
        let axis = shown.iter().filter(|text| text.text.parse::<f64>().is_ok());
        let ticks = axis.map(|text| text.y).fold(0.0, f64::max);
        assert!(
            !lines || ticks < lowest,
            "{}: {ticks} {lowest}",
            figure.name
        );
    }
}

#[test]
fn the_font_is_inside_and_cut_down_to_the_characters() {
    let figure = &figures(&of_column("single"))[0];
    let file = PdfFile::read(figure.pdf().unwrap());
    let font = file.stream("/FontFile2 ");
    assert_eq!(font[..4], [0, 1, 0, 0], "a TrueType font");
    assert!(font.len() < 30_000, "{}", font.len());
    let characters: BTreeSet<char> = texts_of(&figure.picture).join("").chars().collect();
    let widths = file.dictionaries("/W [")[0]
        .split_once("/W [0 [")
        .unwrap()
        .1;
    let widths = widths.split(']').next().unwrap().split_whitespace().count();
    // The box that stands for what a font does not have comes first.
    assert_eq!(widths, characters.len() + 1);
    for name in file.dictionaries("/BaseFont /") {
        assert!(name.contains("+Ubuntu-Light"), "{name}");
    }
    for word in ["/Type0", "/CIDFontType2", "/Identity-H"] {
        assert_eq!(file.dictionaries(word).len(), 1, "{word}");
    }
    assert!(file.dictionaries("/Subtype /Type3").is_empty());
}

#[test]
fn a_pdf_is_small_and_the_same_every_time() {
    for figure in figures(&of_column("double")) {
        let file = PdfFile::read(figure.pdf().unwrap());
        assert!(file.bytes.len() < 40_000, "{}", file.bytes.len());
        assert_eq!(file.bytes, figure.pdf().unwrap());
        for word in ["Date", "/ID", "/Metadata"] {
            assert!(file.dictionaries(word).is_empty(), "{word}");
        }
    }
}

#[test]
fn marks_are_drawn_from_the_lower_left_corner_in_points() {
    let mut picture = Picture::new(100.0, 50.0, "a \u{2192} title".into());
    picture.line(&[(0.0, 0.0), (100.0, 50.0)], (255, 0, 51), 2.0);
    picture.fill(
        vec![(10.0, 10.0), (20.0, 10.0), (20.0, 20.0)],
        (0, 0, 0),
        0.25,
    );
    picture.point(Form::Disc, (50.0, 25.0), 4.0, (0, 0, 255));
    picture.text((50.0, 25.0), "a(b)\\c", 10.0, (0, 0, 0), Anchor::Right);
    let file = PdfFile::read(pdf(&picture, 0.5).unwrap());
    assert_eq!(file.size(), (50.0, 25.0));
    let content = String::from_utf8_lossy(&file.content()).into_owned();
    let line = "1 0 0.2 RG\n1 w\n0 25 m\n50 0 l\nS\n";
    assert!(content.contains(line), "{content}");
    let fill = "/A0 gs\n0 0 0 rg\n5 20 m\n10 20 l\n10 15 l\nh\nf\n/A1 gs\n";
    assert!(content.contains(fill), "{content}");
    // The circle of radius 2 points begins at its right end and runs through its highest.
    assert!(content.contains("0 0 1 rg\n27 12.5 m\n"), "{content}");
    assert!(content.contains(" 25 14.5 c\n"), "{content}");
    let shown = &file.texts()[0];
    assert_eq!(shown.text, "a(b)\\c");
    assert!((shown.x.1 - 25.0).abs() < 0.01, "{shown:?}");
    assert!(file.dictionaries("/ca 0.25")[0].contains("/A1"));
}

#[test]
fn a_character_that_the_font_does_not_have_is_a_box() {
    let mut picture = Picture::new(100.0, 50.0, "a".into());
    picture.text((0.0, 25.0), "\u{6f22}", 10.0, (0, 0, 0), Anchor::Left);
    let bytes = pdf(&picture, 1.0).unwrap();
    let file = PdfFile::read(bytes);
    let content = file.content();
    assert!(content.windows(4).any(|w| w == b" Tj\n") || content.ends_with(b" Tj\nET"));
}

#[test]
fn pdfs_stand_beside_the_svgs_where_they_are_asked_for() {
    let text = of_column("single");
    let sweep = parse(&text);
    let rows = rows(&sweep);
    let report = report(&sweep, &rows);
    let dir = tempfile::tempdir().unwrap();
    write(&report, dir.path(), &Format::ALL).unwrap();
    let named = |ending: &str| -> Vec<String> {
        let files = names(dir.path());
        let ending = format!(".{ending}");
        files
            .iter()
            .filter_map(|n| n.strip_suffix(&ending))
            .map(String::from)
            .collect()
    };
    assert!(named("pdf").is_empty() && named("bib").is_empty());
    let svg = read(dir.path(), "fd-vs-scale.svg");
    write(&report, dir.path(), &[Format::Pdf]).unwrap();
    assert_eq!(named("pdf"), named("svg"));
    assert!(named("pdf").len() > 5);
    // The page stays as it is.
    assert!(svg.contains("width=\"760\""));
    let uncharted = parse(EXPERIMENT.split("[[chart]]").next().unwrap());
    write(
        &crate::support::reports::report(&uncharted, &rows),
        dir.path(),
        &[Format::Pdf],
    )
    .unwrap();
    assert!(named("pdf").is_empty());
}

#[test]
fn a_width_without_charts_is_refused() {
    let uncharted = EXPERIMENT.split("[[chart]]").next().unwrap();
    let error = sweep(
        &format!("{uncharted}[report]\ncolumn = \"single\"\n"),
        &[],
        &[],
    )
    .unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "report.column is the width of charts, and the file has no [[chart]]\nhint: add a [[chart]], or leave report.column out"
    );
    let error = sweep(&of_column("triple"), &[], &[]).unwrap_err();
    assert!(format!("{error:#}").contains("`single`"), "{error:#}");
}
