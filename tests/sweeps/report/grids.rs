//! Grids of samples: each image in its place.

use crate::support::reports::{EXPERIMENT, parse, read, report, rows};
use fidrunner::io::numpy::npz::{self, Array};
use fidrunner::report::page::write::{Format, write};
use std::path::Path;

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
