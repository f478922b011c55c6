//! `runner score` of batches whatever stands beside their images: labels of every kind, and statistics.

use crate::desk::Desk;
use crate::support::files::{npy, zip_of};
use crate::support::program::{Answer, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use fidrunner::io::numpy::npz::{self, Array};
use serde_json::json;
use zip::CompressionMethod;

/// Eight scenes of 32 pixels as the npy file of a batch.
fn scenes() -> Vec<u8> {
    let pixels: Vec<u8> = (0..8)
        .flat_map(|i| Scene::of(Stream::Validation, i).render(32))
        .collect();
    npy("|u1", false, "(8, 32, 32, 3)", &pixels)
}

/// A folder with `plain.npz`, the scenes alone, and `labelled.npz`, the same with this `arr_1`.
fn desk(labels: &[u8]) -> Desk {
    let desk = Desk::empty();
    let write = |name: &str, files: &[(&str, &[u8])]| {
        zip_of(&desk.path(name), CompressionMethod::Stored, files.to_vec());
    };
    let images = scenes();
    write("plain.npz", &[("arr_0.npy", &images)]);
    write(
        "labelled.npz",
        &[("arr_0.npy", &images), ("arr_1.npy", labels)],
    );
    desk
}

fn score(desk: &Desk, samples: &str, reference: &str) -> Answer {
    let weights = shipped("experiments/shapes/features.safetensors");
    let score = [
        "score",
        samples,
        "--reference",
        reference,
        "--weights",
        &weights,
    ];
    desk.runner(&score)
        .args(["--device", "cpu", "--metrics", "fd", "--json"])
        .succeeds()
}

/// The distance of eight images to themselves, and the line of JSON on their labels.
fn labels(desk: &Desk, samples: &str, reference: &str) -> (Answer, Option<serde_json::Value>) {
    let answer = score(desk, samples, reference);
    let lines = answer.json_lines();
    let fd = lines
        .iter()
        .find(|line| line["metric"] == "fd")
        .expect("a distance");
    assert!(fd["value"].as_f64().unwrap().abs() < 1e-6, "{fd}");
    assert_eq!(fd["samples_count"], 8);
    let told = lines.iter().find_map(|line| line.get("labels").cloned());
    (answer, told)
}

#[test]
fn a_score_has_no_need_of_labels_and_tells_their_balance() {
    let hot: Vec<u8> = (0..80)
        .flat_map(|k| if k % 10 == (k / 10) % 4 { 1f32 } else { 0. }.to_le_bytes())
        .collect();
    let numbers: Vec<u8> = [5u8, 5, 5, 5, 5, 5, 7, 7].to_vec();
    let text = b"c\0\0\0a\0\0\0t\0\0\0".repeat(8);
    for (array, line, counts) in [
        (
            npy("<f4", false, "(8, 10)", &hot),
            "labels: 4 of 10 classes, balanced, 2 images each\n",
            json!([4, 10, 2, 2, 8]),
        ),
        (
            npy("|u1", false, "(8,)", &numbers),
            "labels: 2 classes, 2 to 6 images each\n",
            json!([2, null, 2, 6, 8]),
        ),
        (
            npy("<U3", false, "(8,)", &text),
            "labels: not known (labelled.npz: `arr_1` is not read: it holds text (\"<U3\"), and floats, integers and bools are read); the scores need none\n",
            json!([0, null, 0, 0, 0]),
        ),
        (
            npy("|u1", false, "(6,)", &[0; 6]),
            "labels: not known (labelled.npz: `arr_1` has 6 labels for 8 pictures); the scores need none\n",
            json!([0, null, 0, 0, 0]),
        ),
    ] {
        let desk = desk(&array);
        let (answer, told) = labels(&desk, "labelled.npz", "plain.npz");
        assert!(answer.stderr.contains(line), "{line}{}", answer.stderr);
        let told = told.expect("a line on labels");
        let keys = ["classes", "of", "least", "most", "labelled"];
        assert_eq!(json!(keys.map(|key| told[key].clone())), counts);
        assert_eq!(told["images"], 8);
        // The reference's labels concern nobody.
        let (answer, told) = labels(&desk, "plain.npz", "labelled.npz");
        assert!(
            told.is_none() && !answer.stderr.contains("labels"),
            "{answer:?}"
        );
    }
}

#[test]
fn class_folders_are_labels_too() {
    let desk = desk(&npy("|u1", false, "(8,)", &[0; 8]));
    for i in 0..8u64 {
        let folder = desk.path(if i < 3 { "out/circle" } else { "out/heart" });
        std::fs::create_dir_all(&folder).unwrap();
        let pixels = Scene::of(Stream::Validation, i).render(32);
        write_png(&folder.join(format!("{i}.png")), &pixels, 32, 32).unwrap();
    }
    let (answer, told) = labels(&desk, "out", "plain.npz");
    let line = "labels: 2 classes (folders), 3 to 5 images each\n";
    assert!(answer.stderr.contains(line), "{answer:?}");
    assert_eq!(told.expect("a line")["folders"], true);
}

#[test]
fn statistics_are_told_by_content_whatever_they_are_called() {
    let desk = desk(&npy("|u1", false, "(8,)", &[0; 8]));
    let weights = shipped("experiments/shapes/features.safetensors");
    let made = [
        "reference",
        "plain.npz",
        "--resolution",
        "32",
        "--count",
        "8",
    ];
    desk.runner(&made)
        .args(["--weights", &weights, "--out", "made.npz"])
        .succeeds();
    for name in [
        "STATISTICS.NPZ",
        "statistics",
        "statistics.pkl",
        "statistics.png",
    ] {
        std::fs::copy(desk.path("made.npz"), desk.path(name)).unwrap();
        let answer = score(&desk, "plain.npz", name);
        let fd = answer.json_lines()[0]["value"].as_f64().unwrap();
        assert!(fd.abs() < 1e-6, "{name}: {fd}");
        let told = desk.done(&["inspect", name]);
        assert!(told.contains("sigma") && told.contains("float64"), "{told}");
        let why = desk.runner(&[
            "score",
            name,
            "--reference",
            "made.npz",
            "--weights",
            &weights,
        ]);
        why.refuses()
            .says("hint: these are statistics of images, which can be a reference but not samples");
    }
}

#[test]
fn images_beside_statistics_are_what_is_scored_and_that_is_said() {
    let desk = desk(&npy("|u1", false, "(8,)", &[0; 8]));
    let d = 64;
    let pixels: Vec<u8> = (0..8)
        .flat_map(|i| Scene::of(Stream::Validation, i).render(32))
        .collect();
    let weights = shipped("experiments/shapes/features.safetensors");
    let made = [
        "reference",
        "plain.npz",
        "--resolution",
        "32",
        "--count",
        "8",
    ];
    desk.runner(&made)
        .args(["--weights", &weights, "--out", "made.npz"])
        .succeeds();
    let mu = npz::Npz::open(&desk.path("made.npz"))
        .unwrap()
        .f64("mu")
        .unwrap();
    let width = mu.data.len();
    assert!(width >= d);
    // As the release's reference batches: statistics of a larger set beside some of its images.
    let mut sigma = vec![0.0; width * width];
    (0..width).for_each(|k| sigma[k * width + k] = 1.0);
    npz::write(
        &desk.path("virtual.npz"),
        &[
            ("arr_0", Array::u8(&[8, 32, 32, 3], pixels)),
            ("mu", Array::f64(&[width], mu.data)),
            ("sigma", Array::f64(&[width, width], sigma)),
        ],
    )
    .unwrap();
    let answer = score(&desk, "virtual.npz", "virtual.npz");
    let said = "1 of 1 files of samples hold mu and sigma beside their images: virtual.npz; the images are scored; \
                guided-diffusion's evaluator and pytorch-fid take the statistics in their place, and a file against itself is 0 there";
    assert!(answer.stderr.contains(said), "{answer:?}");
    let lines = answer.json_lines();
    // The reference is the stored statistics: the eight images are not their own set.
    assert!(lines[0]["value"].as_f64().unwrap() > 0.1, "{answer:?}");
    let oddity = |line: &serde_json::Value| line["finding"]["oddity"] == "stored-statistics";
    assert_eq!(lines.iter().filter(|line| oddity(line)).count(), 1);
}
