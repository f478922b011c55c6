//! `runner gallery`: finished reports on one page, and the page of the repository.

use crate::support::program::{Runner, repository};
use std::path::Path;

/// A report with this head and a chart.
fn report(folder: &Path, name: &str, head: &str) {
    let own = folder.join("reports").join(name);
    std::fs::create_dir_all(&own).unwrap();
    let page = format!("<!DOCTYPE html><html><head>{head}</head><body></body></html>");
    std::fs::write(own.join("index.html"), page).unwrap();
    std::fs::write(own.join("fd-vs-scale.svg"), "<svg/>").unwrap();
}

#[test]
fn the_page_shows_a_chart_and_a_sentence_of_each_report_and_names_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let image = "<meta property=\"og:image\" content=\"fd-vs-scale.svg\">";
    let described = "<meta name=\"description\" content=\"FD &lt; 1 at &quot;2&quot; | 3.\">";
    report(folder, "b", &format!("{described}{image}"));
    report(folder, "a", &format!("{described}{image}"));
    report(folder, "old", image);
    let outside = "<meta property=\"og:image\" content=\"../b/fd-vs-scale.svg\">";
    report(folder, "outside", &format!("{described}{outside}"));
    let runner = || Runner::new().at(folder);
    let told = runner().args(["gallery", "--out", "docs/gallery.md"]);
    std::fs::create_dir(folder.join("docs")).unwrap();
    told.succeeds()
        .says("reports/old is left out: its page does not say what was found")
        .says("reports/outside is left out: it has no chart as SVG");
    let page = std::fs::read_to_string(folder.join("docs/gallery.md")).unwrap();
    let (a, b) = (page.find("## a\n"), page.find("## b\n"));
    assert!(a.is_some() && a < b, "{page}");
    assert!(page.contains("(../reports/b/fd-vs-scale.svg)"), "{page}");
    assert!(page.contains("FD &lt; 1 at \"2\" \\| 3."), "{page}");
    assert!(
        page.contains("runner gallery reports --out docs/gallery.md"),
        "{page}"
    );
    // For a page here the links go down.
    runner()
        .arg("gallery")
        .succeeds()
        .prints("(reports/a/fd-vs-scale.svg)");
    runner()
        .args(["gallery", "docs"])
        .refuses()
        .says("docs holds no report with a chart");
    runner()
        .args(["gallery", "nowhere"])
        .refuses()
        .says("reading nowhere");
}

#[test]
fn the_gallery_of_the_repository_is_that_of_its_reports() {
    let out = tempfile::tempdir().unwrap();
    let root = repository("");
    let page = root.join("docs/gallery.md");
    let kept = std::fs::read_to_string(&page).unwrap();
    // Written beside the page, so that the links are the same; the command is named as in the page.
    let made = out.path().join("gallery.md");
    Runner::new()
        .at(&root)
        .args(["gallery", "reports", "--out"])
        .arg(&made)
        .succeeds();
    let links = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("Made by"));
        let lines = lines.map(|line| {
            let mut line = line.to_string();
            while let Some(start) = line.find("](") {
                let end = line[start..]
                    .find("reports/")
                    .map_or(line.len(), |at| start + at);
                line.replace_range(start..end, "] (");
            }
            line
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        links(&std::fs::read_to_string(made).unwrap()),
        links(&kept),
        "docs/gallery.md is not that of reports: run `runner gallery reports --out docs/gallery.md`"
    );
}
