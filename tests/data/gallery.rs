//! The images of an evaluation: counted, named, surveyed and handed out in order, whatever they lie in.

use crate::support::files::{npy, refusal, tar_of};
use fidrunner::data::gallery::{Gallery, Unreadable};
use fidrunner::data::loader::{Loader, Make, Order};
use fidrunner::data::resize::input;
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::data::survey::{Facts, Finding, Oddity, Survey};
use fidrunner::experiment::scoring::rules::Preprocessing;
use fidrunner::io::image::file::{Rgb8, encode_png};
use fidrunner::io::numpy::npz::{self, Array};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Numbers in one image's input for Inception.
const INPUT: usize = Preprocessing::Tf1.input_len();

const BOTH: [Preprocessing; 2] = [Preprocessing::Tf1, Preprocessing::Clean];

fn scene(k: u64, side: usize) -> Vec<u8> {
    Scene::of(Stream::Validation, k).render(side)
}

fn write_png(path: &Path, pixels: &[u8], w: usize, h: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, encode_png(pixels, w, h).unwrap()).unwrap();
}

/// Seven images of 24 pixels: folders `0` and `1`, the second first in the order of writing.
fn write_folder(root: &Path) {
    for k in (0..7u64).rev() {
        write_png(
            &root.join(format!("{}/{k}.png", k / 4)),
            &scene(k, 24),
            24,
            24,
        );
    }
    fs::write(root.join("list.txt"), "not a picture").unwrap();
}

fn spec(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}

fn order(gallery: &Gallery, batch: usize, threads: usize) -> Order {
    Order {
        images: 0..gallery.len(),
        batch,
        make: Make::Inputs(BOTH.to_vec()),
        mixed_sizes: false,
        threads,
    }
}

/// Inputs of every image, one after the other, and the facts.
fn loaded(gallery: &Arc<Gallery>, order: Order) -> anyhow::Result<(Vec<Vec<f32>>, Vec<Facts>)> {
    let mut planes = vec![Vec::new(); BOTH.len()];
    let mut facts = Vec::new();
    let start = order.images.start;
    for inputs in Loader::start(gallery.clone(), order)? {
        let inputs = inputs?;
        assert_eq!(inputs.first, start + facts.len());
        facts.extend(inputs.facts);
        for (all, part) in planes.iter_mut().zip(inputs.planes) {
            all.extend(part);
        }
    }
    Ok((planes, facts))
}

#[test]
fn several_collections_are_one_gallery_of_original_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_folder(&at("folder"));
    let wide = encode_png(&scene(20, 30)[..30 * 21 * 3], 30, 21).unwrap();
    tar_of(&at("b.tar"), [("x/wide.png", wide)]);
    let batch = [scene(30, 8), scene(31, 8)].concat();
    npz::write(
        &at("c.npz"),
        &[("arr_0", Array::u8(&[2, 8, 8, 3], batch.clone()))],
    )
    .unwrap();
    let stack = npy("|u1", false, "(2, 8, 8, 3)", &batch);
    fs::write(at("d.npy"), stack).unwrap();
    let specs = ["folder", "b.tar", "c.npz", "d.npy"].map(|name| spec(&at(name)));
    let gallery = Gallery::open(&specs).unwrap();
    assert_eq!(gallery.len(), 12);
    assert_eq!(gallery.read(5).unwrap().data, scene(5, 24));
    assert_eq!(gallery.name(5), format!("{}/1/5.png", specs[0]));
    let wide = gallery.read(7).unwrap();
    assert_eq!((wide.w, wide.h), (30, 21));
    assert_eq!(gallery.name(7), format!("{}/x/wide.png", specs[1]));
    assert_eq!(gallery.read(9).unwrap().data, scene(31, 8));
    assert_eq!(gallery.read(11).unwrap().data, scene(31, 8));
    assert_eq!(gallery.name(11), format!("{}[1]", specs[3]));
    assert!(refusal(gallery.read(12)).contains("there are 12"));
    assert!(refusal(Gallery::open::<String>(&[])).contains("no images are named"));
}

#[test]
fn batches_come_in_order_and_equal_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    let (first, facts) = loaded(&gallery, order(&gallery, 7, 1)).unwrap();
    assert_eq!(first[0].len(), 7 * INPUT);
    for i in 0..7 {
        let mut alone = vec![0f32; INPUT];
        for (k, how) in BOTH.into_iter().enumerate() {
            input::fill(&gallery.read(i).unwrap(), how, &mut alone).unwrap();
            assert!(alone == first[k][i * INPUT..(i + 1) * INPUT], "{i}");
        }
        assert_eq!(facts[i], Facts::of(&gallery.read(i).unwrap()));
    }
    for (batch, threads) in [(1, 4), (2, 3), (3, 0), (100, 16)] {
        let (again, others) = loaded(&gallery, order(&gallery, batch, threads)).unwrap();
        assert!(again == first && others == facts, "{batch} {threads}");
    }
    let part = Order {
        images: 2..6,
        ..order(&gallery, 3, 2)
    };
    let (part, _) = loaded(&gallery, part).unwrap();
    assert!(part[1] == first[1][2 * INPUT..6 * INPUT]);
}

#[test]
fn images_come_as_they_are_where_they_are_resized_later() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    let (_, facts) = loaded(&gallery, order(&gallery, 7, 1)).unwrap();
    for (batch, threads) in [(1, 1), (3, 4), (7, 2)] {
        let order = Order {
            make: Make::Images,
            ..order(&gallery, batch, threads)
        };
        let (mut images, mut seen) = (Vec::new(), Vec::new());
        for inputs in Loader::start(gallery.clone(), order).unwrap() {
            let inputs = inputs.unwrap();
            assert!(inputs.planes.is_empty() && inputs.first == images.len());
            images.extend(inputs.images.into_iter().map(|image| image.data));
            seen.extend(inputs.facts);
        }
        let wanted: Vec<Vec<u8>> = (0..7).map(|i| gallery.read(i).unwrap().data).collect();
        assert!(images == wanted && seen == facts, "{batch} by {threads}");
    }
    // A size that does not fit is told before the image is handed out.
    write_png(&dir.path().join("0/2.png"), &scene(2, 25), 25, 25);
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    let order = Order {
        make: Make::Images,
        ..order(&gallery, 7, 2)
    };
    let first = Loader::start(gallery, order).unwrap().next().unwrap();
    assert!(refusal(first).contains("25 by 25"));
}

#[test]
fn a_loader_that_is_left_early_ends_its_threads() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    for taken in 0..3 {
        let loader = Loader::start(gallery.clone(), order(&gallery, 1, 4)).unwrap();
        assert_eq!(loader.take(taken).count(), taken);
        assert_eq!(Arc::strong_count(&gallery), 1);
    }
    let none = Order {
        images: 3..3,
        ..order(&gallery, 1, 4)
    };
    assert_eq!(Loader::start(gallery.clone(), none).unwrap().count(), 0);
    for bad in [
        Order {
            images: 0..8,
            ..order(&gallery, 1, 1)
        },
        Order {
            batch: 0,
            ..order(&gallery, 1, 1)
        },
        Order {
            make: Make::Inputs(vec![]),
            ..order(&gallery, 1, 1)
        },
    ] {
        assert!(Loader::start(gallery.clone(), bad).is_err());
    }
}

#[test]
fn files_that_cannot_be_read_are_all_listed_before_the_first_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    for k in 0..30 {
        fs::write(dir.path().join(format!("bad{k:02}.jpg")), "no").unwrap();
    }
    for name in ["moving.gif", "old.tif", "plain.ppm"] {
        fs::write(dir.path().join(name), "GIF89a").unwrap();
    }
    let why = Gallery::open(&[spec(dir.path())]).err().expect("an error");
    let all = why.downcast_ref::<Unreadable>().expect("the list");
    assert_eq!((all.files.len(), all.of), (33, 40));
    assert_eq!(all.files[32], "plain.ppm");
    let why = format!("{why:#}");
    assert!(
        why.contains("33 of 40 files") && why.contains("bad00.jpg"),
        "{why}"
    );
    assert!(
        why.contains("and 13 more") && why.contains("\nhint: "),
        "{why}"
    );
}

#[test]
fn a_file_that_breaks_later_ends_the_batches_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    for name in ["0/3.png", "1/5.png"] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    }
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    for threads in [1, 4] {
        for batch in [1, 2, 7] {
            let why = refusal(loaded(&gallery, order(&gallery, batch, threads)));
            assert!(why.contains("0/3.png"), "{why}");
        }
        let mut loader = Loader::start(gallery.clone(), order(&gallery, 2, threads)).unwrap();
        assert!(loader.next().unwrap().is_ok());
        assert!(loader.next().unwrap().is_err());
        assert!(loader.next().is_none());
    }
}

#[test]
fn mixed_sizes_are_an_error_where_the_preset_resizes_batches() {
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path());
    write_png(&dir.path().join("0/2.png"), &scene(2, 25), 25, 25);
    let gallery = Arc::new(Gallery::open(&[spec(dir.path())]).unwrap());
    for batch in [1, 7] {
        let why = refusal(loaded(&gallery, order(&gallery, batch, 3)));
        assert!(
            why.contains("0/2.png is 25 by 25") && why.contains("24 by 24"),
            "{why}"
        );
        assert!(why.contains("\nhint: "), "{why}");
    }
    let mixed = Order {
        mixed_sizes: true,
        ..order(&gallery, 3, 2)
    };
    assert_eq!(loaded(&gallery, mixed).unwrap().1.len(), 7);
}

fn facts(w: usize, h: usize, data: &[u8]) -> Facts {
    let data = data.to_vec();
    Facts::of(&Rgb8 { w, h, data })
}

fn survey(images: impl IntoIterator<Item = (usize, usize, Vec<u8>)>) -> Survey {
    let images = images.into_iter();
    Survey {
        facts: images.map(|(w, h, data)| facts(w, h, &data)).collect(),
    }
}

fn of(found: &[Finding], oddity: Oddity) -> Option<(usize, Vec<String>)> {
    let mut found = found.iter().filter(|f| f.oddity == oddity);
    found.next().map(|f| (f.count, f.first.clone()))
}

#[test]
fn oddities_are_found_counted_and_named() {
    let name = |i: usize| format!("{i}.png");
    let plain = survey((0..6).map(|k| (8, 8, scene(k, 8))));
    assert!(plain.findings(5, &name).is_empty());
    assert!(plain.coloured());
    let grey: Vec<u8> = (0..64).flat_map(|v| [v as u8 * 3; 3]).collect();
    let mut images: Vec<_> = (0..6).map(|k| (8, 8, scene(k, 8))).collect();
    images.push((8, 8, scene(1, 8)));
    images.push((8, 8, vec![77; 192]));
    images.push((8, 8, grey.clone()));
    images.push((4, 16, scene(9, 8)));
    images.push((16, 4, scene(9, 8)));
    let odd = survey(images);
    let found = odd.findings(2048, &name);
    assert_eq!(
        of(&found, Oddity::Copies),
        Some((1, vec!["6.png = 1.png".into()]))
    );
    assert_eq!(
        of(&found, Oddity::Constant),
        Some((1, vec!["7.png".into()]))
    );
    assert_eq!(of(&found, Oddity::Grey), Some((1, vec!["8.png".into()])));
    let sizes = vec!["9.png (4x16)".into(), "10.png (16x4)".into()];
    assert_eq!(of(&found, Oddity::Sizes), Some((2, sizes)));
    assert_eq!(of(&found, Oddity::Few), Some((11, vec![])));
    assert_eq!(of(&found, Oddity::Range), None);
    assert_eq!(odd.sizes()[0], ((8, 8), 9));
    let line = found.iter().find(|f| f.oddity == Oddity::Copies).unwrap();
    let line = line.to_string();
    assert!(
        line.starts_with("1 of 11 images are copies of earlier ones: 6.png = 1.png; "),
        "{line}"
    );
    let beside = odd.findings_beside(&plain, &name);
    let known = vec!["0.png".into(), "1.png".into(), "2.png".into()];
    assert_eq!(of(&beside, Oddity::InReference), Some((7, known)));
    assert_eq!(of(&beside, Oddity::OtherSizes).unwrap().0, 2);
    assert_eq!(of(&beside, Oddity::Grey), None);
    let greys = survey([(8, 8, grey.clone()), (8, 8, grey)]);
    assert_eq!(of(&greys.findings(1, &name), Oddity::Grey), None);
    assert_eq!(
        of(&greys.findings_beside(&plain, &name), Oddity::Grey)
            .unwrap()
            .0,
        2
    );
    let dark = survey([(8, 8, (0..192).map(|v| v % 2).collect())]);
    assert_eq!(
        of(&dark.findings(0, &name), Oddity::Range),
        Some((1, vec![]))
    );
}

#[test]
fn arrays_that_are_no_pictures_say_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("floats.npz");
    let mut values: Vec<f32> = (0..2 * 48).map(|v| v as f32 / 48.0 - 1.0).collect();
    let write = |values: &[f32]| {
        npz::write(
            &path,
            &[("arr_0", Array::f32(&[2, 4, 4, 3], values.to_vec()))],
        )
        .unwrap();
        refusal(Gallery::open(&[spec(&path)]))
    };
    let why = write(&values);
    assert!(
        why.contains("float32 of -1..0.97") && why.contains("x * 127.5"),
        "{why}"
    );
    values.iter_mut().for_each(|v| *v = (*v + 1.0) / 2.0);
    assert!(write(&values).contains("x * 255"));
    values[50] = f32::NAN;
    let why = write(&values);
    assert!(why.contains("NaN"), "{why}");
    let path = dir.path().join("stack.npy");
    let write = |shape: &str, descr: &str, data: &[u8]| {
        fs::write(&path, npy(descr, false, shape, data)).unwrap();
        refusal(Gallery::open(&[spec(&path)]))
    };
    assert!(write("(1, 3, 8, 8)", "|u1", &[0; 192]).contains("transpose"));
    assert!(write("(1, 8, 8, 3)", "|u1", &[0; 191]).contains("truncated"));
    assert!(write("(1, 8, 8, 3)", "|i1", &[0; 192]).contains("int8"));
    let bytes: Vec<u8> = [f32::NAN, 1.0, 2.0, f32::INFINITY]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let why = write("(4, 1)", "<f4", &bytes);
    assert!(
        why.contains("2 of its 4 images") && why.contains("[0]"),
        "{why}"
    );
    assert!(write("(99999, 9999, 9999, 3)", "<f4", &[]).contains("truncated"));
    assert!(write("(9999999999, 9999, 9999, 3)", "<f4", &[]).contains("too large"));
}
