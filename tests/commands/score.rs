//! `runner score` from the command line: the same numbers for any cut of the work, and words for what is wrong.

use crate::support::golden::golden;
use crate::support::inception;
use crate::support::program::{Answer, Runner};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FEATURES: &str = "experiments/shapes/features.safetensors";
const REFERENCE: &str = "reference_stats/shapes32.npz";

/// A call that keeps what it describes in `store`.
fn keeping(store: &Path, verb: &str) -> Runner {
    Runner::new().arg("--store").arg(store).arg(verb)
}

fn score(store: &Path, arguments: &[&str]) -> Answer {
    keeping(store, "score").args(arguments).succeeds()
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
fn values(answer: &Answer) -> BTreeMap<(String, String), f64> {
    let lines = answer.json_lines().into_iter();
    lines
        .filter_map(|line| {
            let word = |key: &str| line[key].as_str().map(str::to_string);
            Some(((word("preset")?, word("metric")?), line["value"].as_f64()?))
        })
        .collect()
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
        assert!(done.stdout.is_empty(), "{done:?}");
    }
    for (path, _) in parts(&two) {
        let to = one.join(path.strip_prefix(&two).unwrap());
        std::fs::copy(&path, to).unwrap();
    }
    let merged = score(&one, &arguments);
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
    let with = |weights: &str, rest: &[&str]| {
        let sides = [path, "--reference", REFERENCE, "--weights", weights];
        keeping(&store, "score").args(sides).args(rest)
    };
    with(FEATURES, &[])
        .succeeds()
        .says("1 of 22 images are copies of earlier ones")
        .says("1 of 22 images are of one colour");
    let nowhere = ["--reference", "nowhere.npz", "--weights", FEATURES];
    let nowhere = keeping(&store, "score").arg(path).args(nowhere);
    nowhere.refuses().says("nowhere.npz");
    with("nowhere.pth", &[])
        .refuses()
        .says("hint: `runner fetch inception`");
    with(FEATURES, &["--shard", "3/2"])
        .refuses()
        .says("K in 1..=N");
    with(FEATURES, &["--metrics", "fd,x"])
        .refuses()
        .says("--metrics x");
    with("experiments/shapes/unet16.safetensors", &[])
        .refuses()
        .says("a net of kind \"features\" is needed");
}

/// The golden images of the size that most of them have, since some presets resize whole batches.
fn of_one_size() -> Vec<PathBuf> {
    let mut sizes: BTreeMap<(u32, u32), Vec<PathBuf>> = BTreeMap::new();
    for name in inception::case().images() {
        let path = golden(&format!("eval/images/{name}.png"));
        let size = image::image_dimensions(&path).unwrap();
        sizes.entry(size).or_default().push(path);
    }
    sizes.into_values().max_by_key(Vec::len).expect("images")
}

#[test]
fn every_preset_scores_a_set_against_itself_and_makes_references_that_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (images, store) = (dir.path().join("images"), dir.path().join("store"));
    std::fs::create_dir_all(&images).unwrap();
    for from in of_one_size() {
        std::fs::copy(&from, images.join(from.file_name().unwrap())).unwrap();
    }
    let (path, weights) = (
        images.to_str().unwrap(),
        dir.path().join("inception.safetensors"),
    );
    inception::write(&weights);
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
    all.says("no published file whose digest is known");
    let out = dir.path().join("reference.npz");
    let out = out.to_str().unwrap();
    keeping(&store, "reference")
        .args([path, "--weights", weights, "--out", out])
        .succeeds();
    let adm = against(out, &["--json"]);
    let fid = values(&adm)[&("adm".into(), "fid".into())];
    assert!(fid.abs() < 1e-6, "{fid}");
    let other = keeping(&store, "score").args([path, "--reference", out, "--weights", weights]);
    other
        .args(["--preset", "clean-fid"])
        .run()
        .says("resized by `tf1`");
}
