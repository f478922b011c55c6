//! A report as a whole: it stands alone, takes names as text, is the same twice, and never calls another net's distance FID.

use crate::support::reports::{EXPERIMENT, SMALL, parse, read, report, rows, small};
use fidrunner::experiment::grid::template::escape;
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::table::sheet;

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
fn axes_that_move_together_are_told_apart_from_those_that_are_crossed() {
    let said = |zip: &str| {
        let sweep = parse(&EXPERIMENT.replace("[grid]\n", &format!("[[zip]]\n{zip}\n[grid]\n")));
        let rows = rows(&sweep);
        let dir = tempfile::tempdir().unwrap();
        write(&report(&sweep, &rows), dir.path(), &[Format::Html]).unwrap();
        let page = read(dir.path(), "index.html");
        let start = page.find("<p>").unwrap() + 3;
        page[start..][..page[start..].find(". ").unwrap()].to_string()
    };
    let crossed = "resolution [16, 32, 64] × scale [0, 1, 5, 10]";
    assert_eq!(
        said("sample.steps = [25, 50]\nsample.eta = [0, 0.5]"),
        "24 cells: resolution [16, 32, 64] × steps [25, 50] × scale [0, 1, 5, 10]"
    );
    assert_eq!(
        said("sample.steps = [25, 25, 50]\nsample.eta = [0, 0.5, 0]"),
        format!("36 cells: steps [25, 50] with eta [0, 0.5] × {crossed}")
    );
    assert_eq!(
        said(
            "sample.steps = [25, 25, 50]\nsample.eta = [0, 0.5, 0]\nsample.count = [900, 900, 800]"
        ),
        format!("36 cells: steps [25, 50] with eta [0, 0.5] × {crossed}")
    );
    assert_eq!(
        said(
            "sample.steps = [25, 25, 50, 50]\nsample.eta = [0, 0.5, 0, 0]\nsample.count = [900, 900, 800, 900]"
        ),
        format!("48 cells: 4 combinations of steps, eta and count × {crossed}")
    );
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
fn claims_are_one_table_in_which_a_source_stands_once() {
    let claim = |source: &str, says: &str, better: usize, than: usize| {
        format!(
            "[[claim]]\nsource = \"{source}\"\nsays = \"{says}\"\nmetric = \"fd\"\n\
             better.sample.steps = {better}\nthan.sample.steps = {than}\n"
        )
    };
    let claims = [
        claim("A paper", "fifty beat twenty-five", 50, 25),
        claim("A paper", "a hundred beat fifty", 100, 50),
        claim("Another", "twenty-five | fifty", 25, 50),
    ];
    let sweep = parse(&format!("{SMALL}{}", claims.concat()));
    let (_, rows) = small();
    let dir = tempfile::tempdir().unwrap();
    write(
        &report(&sweep, &rows),
        dir.path(),
        &[Format::Html, Format::Md],
    )
    .unwrap();
    let markdown = read(dir.path(), "table.md");
    let (_, table) = markdown.split_once("\nClaims tested:\n\n").unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert_eq!(
        lines[0],
        "| source | finding | difference | sees | verdict |"
    );
    assert!(
        lines[2].starts_with(
            "| A paper | fifty beat twenty-five | FD (shapes) with steps 50 minus that with steps 25 -1.000"
        ) && lines[2].ends_with(" | ? not decided |"),
        "{table}"
    );
    assert_eq!(
        lines[3],
        "|  | a hundred beat fifty | FD (shapes) with steps 100 minus that with steps 50 |  | – not measured |"
    );
    assert!(
        lines[4].starts_with("| Another | twenty-five \\| fifty |"),
        "{table}"
    );
    let page = read(dir.path(), "index.html");
    let (_, table) = page.split_once("<h2>Claims tested</h2>").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    assert_eq!(
        table.matches("rowspan=\"2\">A paper<").count(),
        1,
        "{table}"
    );
    assert_eq!(table.matches("A paper").count(), 1, "{table}");
    assert_eq!(
        table.matches("class=\"verdict open\"").count(),
        3,
        "{table}"
    );
    assert!(!table.contains(">where<"), "{table}");
}

#[test]
fn hostile_names_are_only_text() {
    let hostile = r#"a<script>alert(1)</script>&\input{x}_50%$"#;
    let text = SMALL.replace(
        "sample.steps = [25, 50, 100]",
        &format!("model.checkpoint = ['{}', 'b|c']", escape(hostile)),
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

#[test]
fn formats_are_told_when_one_is_unknown() {
    let error = "ps".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown format `ps`; allowed: html, csv, parquet, md, tex, svg, png, pdf, bib, tensorboard, card"
    );
    assert_eq!("tex".parse::<Format>().unwrap(), Format::Tex);
}
