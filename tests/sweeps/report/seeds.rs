//! What a report says of seeds and counts, and how small its page is.

use crate::support::reports::{EXPERIMENT, parse, rows};
use base64::Engine;
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::report::findings::overall::findings;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::rows::input::Report;
use fidrunner::report::table::{caption, sheet};
use fidrunner::run::results::Row;

fn seeded() -> String {
    EXPERIMENT.replace("[grid]\n", "[grid]\nsample.seed = [0, 1]\n")
}

#[test]
fn no_finding_is_told_of_a_seed() {
    let sweep = parse(&seeded());
    let rows = rows(&sweep);
    let found = findings(&Report::new(&sweep, &rows));
    let groups = found.groups.iter();
    let sentences = groups.flat_map(|g| g.sentences.iter().chain([&g.name]));
    for sentence in found.summary.iter().skip(1).chain(sentences) {
        assert!(!sentence.contains("seed"), "{sentence}");
    }
    assert_eq!(found.summary[0], "Scores below are means over 2 seeds.");
    assert!(found.summary[1].starts_with("FD (shapes) is lowest at scale 1 for resolution 16"));
}

#[test]
fn seeds_alone_have_no_findings() {
    let (head, _) = EXPERIMENT.split_once("[[zip]]").unwrap();
    let sweep = parse(&format!("{head}[grid]\nsample.seed = [0, 1]\n"));
    let rows = rows(&sweep);
    let found = findings(&Report::new(&sweep, &rows));
    assert!(found.summary.is_empty() && found.groups.is_empty());
}

#[test]
fn a_change_that_one_seed_contradicts_is_not_told_as_one() {
    let sweep = parse(&seeded());
    let mut rows = rows(&sweep);
    let told = |rows: &[Row]| findings(&Report::new(&sweep, rows)).summary.join(" ");
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
