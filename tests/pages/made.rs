//! A report that is written here: its tables keep their first columns, and its samples flip between two cells.

use crate::browser::{Scheme, found};
use crate::probe::{Found, probe};
use crate::support::reports::{EXPERIMENT, parse, rows};
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::report::page::write::{Format, write};
use fidrunner::report::rows::input::Report;
use std::path::{Path, PathBuf};

/// The page of twelve cells with images of their own.
fn page(folder: &Path) -> PathBuf {
    let sweep = parse(EXPERIMENT);
    let mut rows = rows(&sweep);
    for row in &mut rows {
        let samples = folder.join(format!("cell{}", row.cell));
        std::fs::create_dir_all(&samples).unwrap();
        let shade = row.cell as u32;
        let pixels = (0..6 * 16 * 16 * 3u32).map(|i| (i * (shade + 1) / 7) as u8);
        let images = Array::u8(&[6, 16, 16, 3], pixels.collect());
        npz::write(
            &samples.join("images-000000-000006.npz"),
            &[("arr_0", images)],
        )
        .unwrap();
        row.samples = Some(samples);
    }
    let out = folder.join("report");
    write(&Report::new(&sweep, &rows), &out, &[Format::Html]).unwrap();
    out.join("index.html")
}

/// The page at every width.
fn probed(browser: &Path) -> Vec<Found> {
    let folder = tempfile::tempdir().unwrap();
    let probed = probe(browser, &[page(folder.path())], Scheme::Light);
    assert!(probed.console.is_empty(), "{:?}", probed.console);
    for page in &probed.found {
        assert!(page.faults.is_empty(), "{page:?}");
    }
    probed.found
}

#[test]
fn samples_flip_between_two_cells_at_one_place() {
    let Some(browser) = found() else { return };
    for page in probed(&browser) {
        let shown = |mode: &str| page.flipped[mode].as_array().unwrap().clone();
        let (all, a, b) = (shown("all"), shown("a"), shown("b"));
        assert_eq!((all.len(), a.len(), b.len()), (4, 1, 1), "{page:?}");
        // The first and the last are chosen from the start, and lie where the first lies.
        assert_eq!((&a[0]["row"], &b[0]["row"]), (&0.into(), &3.into()));
        for side in ["left", "top"] {
            assert_eq!(a[0][side], b[0][side], "{page:?}");
        }
        assert_ne!(all[0]["top"], all[3]["top"]);
        assert_eq!(page.flipped["clicked"], true, "{page:?}");
    }
}

#[test]
fn a_wide_table_fits_or_scrolls_behind_its_first_column() {
    let Some(browser) = found() else { return };
    for page in probed(&browser) {
        let of = |name: &str| page.scrolled[name].as_i64().unwrap();
        assert_eq!(page.scrolled["focusable"], true, "{page:?}");
        assert_eq!(of("first"), 0, "{page:?}");
        if page.width < 1000 {
            assert!(of("hidden") > 0 && of("last") < -50, "{page:?}");
        } else {
            assert_eq!((of("hidden"), of("last")), (0, 0), "{page:?}");
        }
    }
}
