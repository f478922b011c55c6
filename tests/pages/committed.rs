//! The committed reports, each at every width in both schemes.

use crate::browser::{SCHEMES, Scheme, found};
use crate::probe::probe;
use crate::support::program::repository;
use std::path::PathBuf;

#[test]
fn committed_pages_have_no_fault_at_any_width_in_light_and_dark() {
    let Some(browser) = found() else { return };
    let reports = std::fs::read_dir(repository("reports")).unwrap();
    let pages = reports.map(|entry| entry.unwrap().path().join("index.html"));
    let mut pages: Vec<PathBuf> = pages.filter(|page| page.is_file()).collect();
    pages.sort();
    assert!(pages.len() >= 14, "{pages:?}");
    for scheme in SCHEMES {
        let probed = probe(&browser, &pages, scheme);
        let faulty: Vec<_> = probed
            .found
            .iter()
            .filter(|page| !page.faults.is_empty())
            .collect();
        assert!(faulty.is_empty(), "{scheme:?}: {faulty:#?}");
        assert!(probed.console.is_empty(), "{:#?}", probed.console);
        for page in &probed.found {
            let dark = page.background != "rgb(255, 255, 255)";
            assert_eq!(dark, scheme == Scheme::Dark, "{}", page.page);
        }
    }
}
