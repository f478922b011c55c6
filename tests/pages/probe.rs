//! Pages in frames of several widths, and what is found in each.

use crate::browser::{Scheme, show};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Pixels of a phone, a laptop and a large screen.
pub const WIDTHS: [u64; 3] = [375, 1200, 1600];

const SCRIPT: &str = include_str!("probe.js");

/// A page at one width.
#[derive(Debug)]
pub struct Found {
    pub page: String,
    pub width: u64,
    pub faults: Vec<String>,
    /// The colour behind the page, as `rgb(255, 255, 255)`.
    pub background: String,
    /// Which images of a grid of samples are drawn where, by the button that is chosen; null where there are none.
    pub flipped: Value,
    /// How the table of scores scrolls; null where there is none.
    pub scrolled: Value,
}

/// What one start of the browser found.
pub struct Probed {
    pub found: Vec<Found>,
    pub console: Vec<String>,
}

/// Loads every page at every width.
pub fn probe(browser: &Path, pages: &[PathBuf], scheme: Scheme) -> Probed {
    let folder = tempfile::tempdir().unwrap();
    let frames = pages.iter().flat_map(|page| {
        let page = page.display();
        WIDTHS.map(|width| {
            format!("<iframe data-page=\"{page}\" src=\"file://{page}\" width=\"{width}\" height=\"900\"></iframe>\n")
        })
    });
    let text = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>iframe {{ border: 0; display: block }}</style><script>{SCRIPT}</script></head>\n\
         <body><pre id=\"found\"></pre>{}</body></html>",
        frames.collect::<String>()
    );
    let path = folder.path().join("probe.html");
    std::fs::write(&path, text).unwrap();
    let shown = show(browser, &path, scheme, folder.path());
    let answer = shown.elements.split("<pre id=\"found\">").nth(1);
    let answer = answer.and_then(|rest| rest.split("</pre>").next());
    let answer = answer.unwrap_or_else(|| panic!("no answer: {}", shown.elements));
    let looked: Vec<Value> = serde_json::from_str(answer)
        .unwrap_or_else(|error| panic!("{error}: {answer} {:?}", shown.console));
    assert_eq!(looked.len(), pages.len() * WIDTHS.len());
    for (i, one) in looked.iter().enumerate() {
        // The frames are as wide, and as dark, as they were asked to be.
        assert_eq!(one["width"], WIDTHS[i % WIDTHS.len()], "{one}");
        assert_eq!(one["dark"], scheme == Scheme::Dark, "{one}");
    }
    Probed {
        found: looked.into_iter().map(found).collect(),
        console: shown.console,
    }
}

fn found(one: Value) -> Found {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    Found {
        page: text(&one["page"]),
        width: one["width"].as_u64().unwrap(),
        faults: one["faults"].as_array().unwrap().iter().map(text).collect(),
        background: text(&one["background"]),
        flipped: one["flipped"].clone(),
        scrolled: one["scrolled"].clone(),
    }
}
