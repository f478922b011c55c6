//! `runner score` from the command line: the same numbers for any cut of the work, and words for what is wrong.

mod golden_files;

use golden_files::{golden, inception};
use runner::data::shapes::{Scene, Stream};
use runner::io::image::file::write_png;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FEATURES: &str = "experiments/shapes/features.safetensors";
const REFERENCE: &str = "reference_stats/shapes32.npz";

fn score(store: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runner"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--store", store.to_str().unwrap(), "score"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Scenes `range` of the validation stream as PNGs at 32 pixels.
fn scenes(folder: &Path, range: std::ops::Range<u64>) {
    std::fs::create_dir_all(folder).unwrap();
    for i in range {
        let pixels = Scene::of(Stream::Validation, i).render(32);
        write_png(&folder.join(format!("{i:05}.png")), &pixels, 32, 32).unwrap();
    }
}

/// Values by preset and metric; nothing for those that could not be had.
fn values(output: &Output) -> BTreeMap<(String, String), f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", said(output));
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines
        .filter_map(|line| {
            let word = |key: &str| line[key].as_str().map(str::to_string);
            Some(((word("preset")?, word("metric")?), line["value"].as_f64()?))
        })
        .collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Part files of a store and when they were written.
fn parts(store: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = walkdir::WalkDir::new(store.join("described"))
        .into_iter()
        .flatten();
    let mut files: Vec<_> = files
        .filter(|f| f.file_type().is_file())
        .map(|f| {
            (
                f.path().to_path_buf(),
                f.metadata().unwrap().modified().unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn real_images_score_near_zero_and_more_of_them_touch_no_part() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, store) = (
        dir.path().join("a"),
        dir.path().join("b"),
        dir.path().join("store"),
    );
    scenes(&a, 0..200);
    scenes(&b, 200..300);
    let arguments = [
        "--reference",
        REFERENCE,
        "--weights",
        FEATURES,
        "--json",
        "--part",
        "100",
    ];
    let first = score(&store, &[&[a.to_str().unwrap()], &arguments[..]].concat());
    let fd = values(&first)[&("own net".into(), "fd".into())];
    // A twentieth of what a Gaussian fitted to the pixels scores.
    assert!(fd > 0.0 && fd < 0.015, "{fd}");
    let made = parts(&store);
    assert_eq!(made.len(), 2);
    let again = score(&store, &[&[a.to_str().unwrap()], &arguments[..]].concat());
    assert_eq!(again.stdout, first.stdout);
    let both = [a.to_str().unwrap(), b.to_str().unwrap()];
    let more = values(&score(&store, &[&both[..], &arguments[..]].concat()));
    assert!(more[&("own net".into(), "fd".into())] < fd);
    let grown = parts(&store);
    assert_eq!(grown.len(), 3);
    assert!(made.iter().all(|part| grown.contains(part)));
}

#[test]
fn shards_of_two_stores_give_the_bits_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("images");
    scenes(&images, 0..150);
    let arguments = [
        images.to_str().unwrap(),
        "--reference",
        REFERENCE,
        "--weights",
        FEATURES,
        "--json",
        "--part",
        "40",
    ];
    let whole = score(&dir.path().join("whole"), &arguments);
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for (store, shard) in [(&one, "1/2"), (&two, "2/2")] {
        let done = score(store, &[&arguments[..], &["--shard", shard]].concat());
        assert!(
            done.status.success() && done.stdout.is_empty(),
            "{}",
            said(&done)
        );
    }
    for (path, _) in parts(&two) {
        let to = one.join(path.strip_prefix(&two).unwrap());
        std::fs::copy(&path, to).unwrap();
    }
    let merged = score(&one, &arguments);
    assert!(whole.status.success(), "{}", said(&whole));
    assert_eq!(merged.stdout, whole.stdout);
}

#[test]
fn odd_samples_and_wrong_flags_are_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let (images, store) = (dir.path().join("images"), dir.path().join("store"));
    scenes(&images, 0..20);
    std::fs::copy(images.join("00003.png"), images.join("copy.png")).unwrap();
    write_png(&images.join("flat.png"), &[90; 32 * 32 * 3], 32, 32).unwrap();
    let path = images.to_str().unwrap();
    let fine = score(
        &store,
        &[path, "--reference", REFERENCE, "--weights", FEATURES],
    );
    let words = said(&fine);
    assert!(fine.status.success(), "{words}");
    assert!(
        words.contains("1 of 22 images are copies of earlier ones"),
        "{words}"
    );
    assert!(
        words.contains("1 of 22 images are of one colour"),
        "{words}"
    );
    for (arguments, expected) in [
        (
            vec![path, "--reference", "nowhere.npz", "--weights", FEATURES],
            "nowhere.npz",
        ),
        (
            vec![path, "--reference", REFERENCE, "--weights", "nowhere.pth"],
            "hint: published weights are",
        ),
        (
            vec![
                path,
                "--reference",
                REFERENCE,
                "--weights",
                FEATURES,
                "--shard",
                "3/2",
            ],
            "K in 1..=N",
        ),
        (
            vec![
                path,
                "--reference",
                REFERENCE,
                "--weights",
                FEATURES,
                "--metrics",
                "fid,x",
            ],
            "--metrics x",
        ),
        (
            vec![
                path,
                "--reference",
                REFERENCE,
                "--weights",
                "experiments/shapes/unet16.safetensors",
            ],
            "a net of kind \"features\" is needed",
        ),
    ] {
        let output = score(&store, &arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(expected),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn every_preset_scores_a_set_against_itself_and_makes_references_that_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (images, store) = (dir.path().join("images"), dir.path().join("store"));
    std::fs::create_dir_all(&images).unwrap();
    for name in ["airplane", "automobile", "bird", "cat", "deer", "dog"] {
        let name = format!("cifar_{name}_0.png");
        let from = golden(&format!("eval/images/{name}"));
        std::fs::copy(from, images.join(&name)).unwrap();
    }
    let (path, weights) = (
        images.to_str().unwrap(),
        dir.path().join("inception.safetensors"),
    );
    inception(&weights);
    let weights = weights.to_str().unwrap();
    let against = |reference: &str, rest: &[&str]| {
        let sides = [path, "--reference", reference, "--weights", weights];
        score(&store, &[&sides[..], rest].concat())
    };
    let all = against(path, &["--preset", "all", "--json"]);
    let found = values(&all);
    let presets: std::collections::BTreeSet<&String> = found.keys().map(|(p, _)| p).collect();
    assert_eq!(presets.len(), 8);
    for ((preset, metric), value) in &found {
        match metric.as_str() {
            "fid" | "sfid" => assert!(value.abs() < 1e-6, "{preset} {metric} {value}"),
            "precision" | "recall" if preset == "adm" => {
                assert_eq!(*value, 1.0, "{preset} {metric}")
            }
            _ => {}
        }
    }
    assert!(
        said(&all).contains("no published file whose digest is known"),
        "{}",
        said(&all)
    );
    let out = dir.path().join("reference.npz");
    let made = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["--store", store.to_str().unwrap(), "reference", path])
        .args(["--weights", weights, "--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let out = out.to_str().unwrap();
    let adm = against(out, &["--json"]);
    let fid = values(&adm)[&("adm".into(), "fid".into())];
    assert!(fid.abs() < 1e-6, "{fid}");
    let other = against(out, &["--preset", "clean-fid"]);
    assert!(
        said(&other).contains("resized by `tf1`"),
        "{}",
        said(&other)
    );
}
