//! `runner pack`: folders, archives and batches to one npz or one tar.

use crate::desk::Desk;
use crate::support::files::{names, tar_of, zip_of};
use fidrunner::data::gallery::Gallery;
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::{encode_png, write_png};
use fidrunner::io::numpy::npz::{self, Array, Npz};
use zip::CompressionMethod;

const SIDE: usize = 16;

/// Scene `i`, [16, 16, 3].
fn scene(i: u64) -> Vec<u8> {
    Scene::of(Stream::Validation, i).render(SIDE)
}

fn png(i: u64) -> Vec<u8> {
    encode_png(&scene(i), SIDE, SIDE).unwrap()
}

fn save(desk: &Desk, name: &str, i: u64) {
    let path = desk.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(&path, &scene(i), SIDE, SIDE).unwrap();
}

/// Pixels of these scenes one after the other.
fn pixels(scenes: &[u64]) -> Vec<u8> {
    scenes.iter().flat_map(|&i| scene(i)).collect()
}

/// Asserts that an npz holds these scenes and labels and nothing else.
#[track_caller]
fn holds(desk: &Desk, name: &str, scenes: &[u64], labels: Option<&[i64]>) {
    let mut npz = Npz::open(&desk.path(name)).unwrap();
    let images = npz.u8("arr_0").unwrap();
    assert_eq!(images.shape, [scenes.len(), SIDE, SIDE, 3]);
    assert!(images.data == pixels(scenes), "other pixels");
    assert_eq!(npz.has("arr_1"), labels.is_some());
    if let Some(labels) = labels {
        let found = npz.i64("arr_1").unwrap();
        assert_eq!(
            (found.shape, found.data),
            (vec![labels.len()], labels.to_vec())
        );
    }
}

/// A batch with these scenes and labels.
fn batch(desk: &Desk, name: &str, scenes: &[u64], labels: Option<&[i64]>) {
    let shape = [scenes.len(), SIDE, SIDE, 3];
    let mut arrays = vec![("arr_0", Array::u8(&shape, pixels(scenes)))];
    arrays.extend(labels.map(|l| ("arr_1", Array::i64(&[l.len()], l.to_vec()))));
    npz::write(&desk.path(name), &arrays).unwrap();
}

#[test]
fn a_folder_becomes_an_npz_in_natural_order_that_is_the_folder() {
    let desk = Desk::empty();
    for (name, i) in [("img2.png", 2), ("img10.png", 10), ("img1.png", 1)] {
        save(&desk, &format!("samples/{name}"), i);
    }
    desk.write("samples/notes.txt", "no picture");
    let answer = desk
        .runner(&["pack", "samples", "--out", "a.npz"])
        .succeeds();
    let size = std::fs::metadata(desk.path("a.npz")).unwrap().len();
    let told = format!(
        "a.npz: 3 images of 16 by 16 pixels, no labels, {:.1} kB\n",
        size as f64 / 1e3
    );
    assert_eq!(answer.stdout, told);
    answer
        .says("samples: left out are 1 file that is no picture (samples/notes.txt)")
        .says("the images have no labels, and none are written");
    holds(&desk, "a.npz", &[1, 2, 10], None);
    // The same call gives the same bytes, and nothing is left beside the file.
    let first = std::fs::read(desk.path("a.npz")).unwrap();
    desk.done(&["pack", "samples", "--out", "a.npz"]);
    assert!(std::fs::read(desk.path("a.npz")).unwrap() == first);
    assert_eq!(names(desk.root()), ["a.npz", "samples"]);
    // Sizes of zip64, for sets of more than 4 GiB.
    assert!(
        first.windows(4).any(|w| w == [1, 0, 16, 0]),
        "the extra field 0x0001 of 16 bytes"
    );
}

#[test]
fn sources_of_every_kind_come_in_the_order_in_which_they_are_named() {
    let desk = Desk::empty();
    zip_of(
        &desk.path("z.zip"),
        CompressionMethod::Deflated,
        [("b.png", png(1)), ("a.png", png(2))],
    );
    tar_of(&desk.path("t.tar"), [("x.png", png(3))]);
    save(&desk, "folder/y.png", 4);
    batch(&desk, "n.npz", &[6, 5], None);
    let all = ["z.zip", "n.npz", "folder", "t.tar"];
    desk.runner(&["pack"])
        .args(all)
        .args(["--out", "a.npz"])
        .succeeds();
    holds(&desk, "a.npz", &[2, 1, 6, 5, 4, 3], None);
    let first = desk
        .runner(&["pack"])
        .args(all)
        .args(["--out", "b.npz", "--count", "3"]);
    first.succeeds().says("taken are the first 3 of 6 images");
    holds(&desk, "b.npz", &[2, 1, 6], None);
    let more = desk
        .runner(&["pack"])
        .args(all)
        .args(["--out", "c.npz", "--count", "7"])
        .refuses();
    more.says("--count 7: there are 6 images in z.zip n.npz folder t.tar");
    assert!(!desk.path("c.npz").exists());
}

#[test]
fn labels_come_from_folders_arrays_and_dataset_json() {
    let desk = Desk::empty();
    for (name, i) in [
        ("a/dog/1.png", 1),
        ("a/cat/2.png", 2),
        ("b/ape/3.png", 3),
        ("b/dog/4.png", 4),
    ] {
        save(&desk, name, i);
    }
    // Classes of both sources in one numbering.
    desk.runner(&["pack", "a", "b", "--out", "a.npz"])
        .succeeds()
        .says("labels: class folders in the order of their names, 0 = ape, 1 = cat, 2 = dog")
        .prints("labels of 3 classes (1 to 2 images each)");
    holds(&desk, "a.npz", &[2, 1, 3, 4], Some(&[1, 2, 0, 2]));

    batch(&desk, "n.npz", &[7, 8], Some(&[5, 900]));
    save(&desk, "j/00000/x.png", 9);
    save(&desk, "j/00001/y.png", 10);
    desk.write(
        "j/dataset.json",
        r#"{"labels": [["00000/x.png", 3], ["00001/y.png", 3]]}"#,
    );
    save(&desk, "k/10/x.png", 11);
    save(&desk, "k/9/x.png", 12);
    desk.done(&["pack", "n.npz", "j", "k", "--out", "b.npz"]);
    holds(
        &desk,
        "b.npz",
        &[7, 8, 9, 10, 12, 11],
        Some(&[5, 900, 3, 3, 9, 10]),
    );

    // Labels of some and of none, and numbers beside names, are no labels of a set.
    batch(&desk, "plain.npz", &[7], None);
    for other in ["plain.npz", "a"] {
        let why = desk.refused(&["pack", "n.npz", other, "--out", "c.npz"]);
        assert!(why.contains("the sources differ in their labels"), "{why}");
        assert!(why.contains("n.npz (2 images): numbers"), "{why}");
        assert!(
            why.contains("--labels FILE") && why.contains("--no-labels"),
            "{why}"
        );
        assert!(!desk.path("c.npz").exists());
        desk.done(&["pack", "n.npz", other, "--out", "d.npz", "--no-labels"]);
        assert!(!Npz::open(&desk.path("d.npz")).unwrap().has("arr_1"));
    }
    // What is not taken does not count.
    desk.done(&[
        "pack",
        "n.npz",
        "plain.npz",
        "--count",
        "2",
        "--out",
        "e.npz",
    ]);
    holds(&desk, "e.npz", &[7, 8], Some(&[5, 900]));
    batch(&desk, "short.npz", &[1, 2], Some(&[1]));
    let why = desk.refused(&["pack", "short.npz", "--out", "c.npz"]);
    assert!(why.contains("`arr_1` has 1 labels for 2 pictures"), "{why}");
}

#[test]
fn labels_come_from_a_file() {
    let desk = Desk::empty();
    save(&desk, "a/1.png", 1);
    save(&desk, "a/2.png", 2);
    save(&desk, "b/1.png", 3);
    let pack = |labels: &str, sources: &[&str]| {
        let call = desk.runner(&["pack", "--out", "a.npz", "--labels", labels]);
        call.args(sources.to_vec())
    };
    desk.write("one.csv", "file,label\n2.png,7\n1.png,4\n3.png,1\n");
    pack("one.csv", &["a"])
        .succeeds()
        .says("one.csv: 1 labels are of no image that is packed: 3.png");
    holds(&desk, "a.npz", &[1, 2], Some(&[4, 7]));
    desk.write("order.json", "[9, 8, 7]");
    pack("order.json", &["a", "b"]).succeeds();
    holds(&desk, "a.npz", &[1, 2, 3], Some(&[9, 8, 7]));
    desk.write(
        "full.json",
        r#"{"labels": [["a/1.png", 1], ["a/2.png", 2], ["b/1.png", 3]]}"#,
    );
    pack("full.json", &["a/", "b"]).succeeds();
    holds(&desk, "a.npz", &[1, 2, 3], Some(&[1, 2, 3]));

    let before = std::fs::read(desk.path("a.npz")).unwrap();
    pack("one.csv", &["a", "b"])
        .refuses()
        .says("1.png is a/1.png and b/1.png");
    pack("order.json", &["a"])
        .refuses()
        .says("it has 3 labels for 2 images");
    desk.write("less.csv", "1.png,4\n");
    pack("less.csv", &["a"])
        .refuses()
        .says("it has no label for 1 of 2 images: a/2.png");
    desk.write("words.csv", "1.png,cat\n2.png,dog\n");
    pack("words.csv", &["a"])
        .refuses()
        .says("line 2: \"dog\" is no class");
    pack("none.csv", &["a"]).refuses().says("none.csv");
    assert!(std::fs::read(desk.path("a.npz")).unwrap() == before);
}

#[test]
fn what_cannot_be_packed_is_refused_and_nothing_is_left() {
    let desk = Desk::empty();
    save(&desk, "a/1.png", 1);
    let wide = Scene::of(Stream::Validation, 2).render(32);
    write_png(&desk.path("a/2.png"), &wide, 32, 32).unwrap();
    let why = desk.refused(&["pack", "a", "--out", "a.npz"]);
    assert!(
        why.contains(
            "a/2.png is 32 by 32 pixels, a/1.png is 16 by 16: packed images are of one size"
        ),
        "{why}"
    );
    assert_eq!(names(desk.root()), ["a"]);
    std::fs::write(desk.path("a/2.png"), &png(2)[..200]).unwrap();
    let why = desk.refused(&["pack", "a", "--out", "a.tar"]);
    assert!(why.contains("reading 2.png of a"), "{why}");
    assert_eq!(names(desk.root()), ["a"]);
    std::fs::remove_file(desk.path("a/2.png")).unwrap();
    for (out, part) in [
        ("a.zip", ".npz and .tar are"),
        ("no/a.npz", "writing no/a.npz"),
    ] {
        let why = desk.refused(&["pack", "a", "--out", out]);
        assert!(why.contains(part), "{why}");
    }
    batch(&desk, "n.npz", &[1], None);
    let why = desk.refused(&["pack", "a", "./n.npz", "--out", "n.npz"]);
    assert!(why.contains("--out n.npz is one of the sources"), "{why}");
    holds(&desk, "n.npz", &[1], None);
}

#[test]
fn a_tar_holds_the_same_images_and_labels() {
    let desk = Desk::empty();
    for (name, i) in [("a/dog/10.png", 1), ("a/dog/9.png", 2), ("a/cat/1.png", 3)] {
        save(&desk, name, i);
    }
    desk.done(&["pack", "a", "--out", "a.tar"]);
    desk.done(&["pack", "a", "--out", "a.npz"]);
    holds(&desk, "a.npz", &[3, 2, 1], Some(&[0, 1, 1]));
    let open = |name: &str| Gallery::open(&[desk.path(name).to_str().unwrap()]).unwrap();
    let (tar, npz) = (open("a.tar"), open("a.npz"));
    assert_eq!((tar.len(), npz.len()), (3, 3));
    for i in 0..3 {
        assert!(
            tar.read(i).unwrap().data == npz.read(i).unwrap().data,
            "image {i}"
        );
    }
    assert_eq!(tar.given_labels().unwrap(), Some(vec![0, 1, 1]));
    assert_eq!(npz.given_labels().unwrap(), Some(vec![0, 1, 1]));
    assert!(tar.name(2).ends_with("a.tar/000002.png"));
    // Packed again it is the same batch.
    desk.done(&["pack", "a.tar", "--out", "b.npz"]);
    let bytes = |name: &str| std::fs::read(desk.path(name)).unwrap();
    assert!(bytes("a.npz") == bytes("b.npz"));
    desk.done(&["pack", "b.npz", "--out", "b.tar"]);
    assert!(bytes("a.tar") == bytes("b.tar"));
}

#[test]
fn a_packed_set_scores_as_its_folder() {
    let desk = Desk::empty();
    for i in 0..12 {
        save(&desk, &format!("all/{}/{i}.png", i % 3), i);
    }
    desk.done(&["pack", "all", "--out", "all.npz"]);
    let weights = crate::support::program::shipped("experiments/shapes/features.safetensors");
    let reference = crate::support::program::shipped("reference_stats/shapes16.npz");
    let scores = ["all", "all.npz"].map(|samples| {
        let score = desk.runner(&[
            "score",
            samples,
            "--metrics",
            "fd",
            "--json",
            "--device",
            "cpu",
        ]);
        let score = score.args(["--reference", &reference, "--weights", &weights]);
        let lines = score.succeeds().json_lines();
        let line = lines.iter().find(|line| line["metric"] == "fd").unwrap();
        line["value"].as_f64().unwrap()
    });
    // Sums in f64 of the same features in another order.
    assert!((scores[0] / scores[1] - 1.0).abs() < 1e-9, "{scores:?}");
}
