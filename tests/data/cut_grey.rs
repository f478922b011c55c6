//! Images of 16-bit grey whose values are cut off at 255 are counted, also out of stored parts.

use fidrunner::data::gallery::Gallery;
use fidrunner::data::survey::{Facts, Oddity, Survey};
use fidrunner::jobs::files::parts::Part;
use fidrunner::stages::describe::described::{self, Described};
use fidrunner::stages::describe::extract::Rows;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma};
use std::path::Path;

fn write_grey16(path: &Path, values: [u16; 4]) {
    let picture = ImageBuffer::<Luma<u16>, _>::from_raw(2, 2, values.to_vec()).unwrap();
    let picture = DynamicImage::from(picture);
    picture.save_with_format(path, ImageFormat::Png).unwrap();
}

fn told(survey: &Survey) -> String {
    let found = survey.findings(1, &|i| format!("image {i}"));
    let mut cut = found.iter().filter(|f| f.oddity == Oddity::Cut);
    let line = cut.next().unwrap().to_string();
    assert!(cut.next().is_none());
    line
}

#[test]
fn one_pixel_that_is_cut_is_told_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    write_grey16(&images.join("0.png"), [0, 1, 2, 255]);
    write_grey16(&images.join("1.png"), [0, 1, 2, 256]);
    write_grey16(&images.join("2.png"), [9, 9, 9, 7]);
    let gallery = Gallery::open(&[images.to_str().unwrap()]).unwrap();
    let facts: Vec<Facts> = (0..3)
        .map(|i| Facts::of_decoded(&gallery.read_noted(i).unwrap()))
        .collect();
    assert_eq!(
        facts.iter().map(|f| f.cut).collect::<Vec<_>>(),
        [false, true, false]
    );
    let wanted = "1 of 3 images are 16-bit grey with values above 255: image 1; those values are read as 255";
    let path = folder.path().join("part.npz");
    let rows = Rows {
        pool: vec![0.5; 6],
        ..Rows::default()
    };
    described::write(&path, rows, &facts).unwrap();
    let stored = Described::of(vec![Part { range: 0..3, path }])
        .survey()
        .unwrap();
    assert_eq!(stored.facts, facts);
    let line = told(&stored);
    assert!(line.starts_with(wanted), "{line}");
}
