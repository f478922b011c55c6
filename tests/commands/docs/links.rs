//! Links within the repository.

use super::pages::{Page, all};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A heading's anchor as GitHub makes it: lower case, spaces to hyphens, other punctuation away.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).collect()
}

/// The targets of `[text](target)`.
fn targets(page: &Page) -> Vec<String> {
    let parts = page.text.split("](").skip(1);
    let target = |part: &str| part.split(')').next().unwrap().to_string();
    parts.map(target).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut seen = 0;
    for page in all() {
        let folder = page.path.parent().unwrap();
        for target in targets(&page) {
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() {
                page.path.clone()
            } else {
                folder.join(path)
            };
            let told = format!("{}: {target}", page.path.display());
            assert!(path.exists(), "{told}");
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                assert!(anchors(&text).contains(heading), "{told}: no such heading");
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} links are found");
}

#[test]
fn the_index_leads_to_every_page_and_the_readme_to_the_index() {
    let index = fs::read_to_string("docs/README.md").unwrap();
    for page in all() {
        let name = page.path.strip_prefix("docs").map(Path::to_path_buf);
        let Some(name) = name.ok().filter(|name| name.as_os_str() != "README.md") else {
            continue;
        };
        let link = format!("]({})", name.display());
        assert!(index.contains(&link), "docs/README.md has no {link}");
    }
    let readme = fs::read_to_string("README.md").unwrap();
    assert!(readme.contains("(docs/README.md)"));
}
