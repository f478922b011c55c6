//! References of statistics alone: what they give is measured, what they do not give is left out and said.

use super::world::{INCEPTION, evaluator, inception_desk, scenes, score};
use crate::desk::Desk;
use crate::support::program::{Answer, shipped};
use fidrunner::io::numpy::npz::Npz;
use serde_json::Value;

const WHY: &str = "no Precision, Recall: the reference holds statistics alone, and samples are compared with its images\n";

#[test]
fn statistics_alone_give_the_lines_that_they_can() {
    let desk = inception_desk();
    scenes(&desk, "out", 12..22, 16);
    let whole = evaluator(&desk, "batch.npz", "out").succeeds();
    let lines = |answer: &Answer| -> Vec<String> {
        let lines = answer.stdout.lines();
        lines.map(str::to_string).collect()
    };
    let bare = evaluator(&desk, "bare.npz", "out").succeeds();
    assert_eq!(lines(&bare), lines(&whole)[..3]);
    bare.says(WHY).says("hint: give the reference's images");
    let plain = evaluator(&desk, "plain.npz", "out").succeeds();
    assert_eq!(lines(&plain), lines(&whole)[..2]);
    plain
        .says(WHY)
        .says("adm: no sFID: the reference has no spatial statistics, mu_s and sigma_s\n");
    // What is committed to repositories, by `runner reference`: the same without the images' features.
    let made = desk.runner(&[
        "reference",
        "real",
        "--out",
        "small.npz",
        "--statistics-only",
    ]);
    made.args(["--weights", INCEPTION]).succeeds();
    let mut small = Npz::open(&desk.path("small.npz")).unwrap();
    let names = ["mu", "sigma", "mu_s", "sigma_s", "count", "meta"];
    assert_eq!(small.names(), names);
    let mut ours = Npz::open(&desk.path("ours.npz")).unwrap();
    for name in &names[..4] {
        let (small, ours) = (small.f64(name).unwrap(), ours.f64(name).unwrap());
        assert_eq!((small.shape, small.data), (ours.shape, ours.data));
    }
    let size = |name: &str| std::fs::metadata(desk.path(name)).unwrap().len();
    let features = 12 * 2048 * 4;
    assert!(size("ours.npz") - size("small.npz") >= features);
    let small = evaluator(&desk, "small.npz", "out").succeeds();
    assert_eq!(lines(&small), lines(&whole)[..3]);
    small.says(WHY).says("without --statistics-only");
    fidelity(&desk);
}

/// torch-fidelity's own keys, flat, with what could be measured.
fn fidelity(desk: &Desk) {
    let call = |reference: &str| {
        let call = desk.runner(&["score", "out", "--reference", reference]);
        let call = call.args(["--preset", "torch-fidelity", "--json"]);
        let answer = call.args(["--weights", INCEPTION]).succeeds();
        let lines = answer.json_lines();
        assert_eq!(lines.len(), 1, "one object\n{}", answer.stdout);
        lines.into_iter().next().unwrap()
    };
    let all = [
        "inception_score_mean",
        "inception_score_std",
        "frechet_inception_distance",
        "kernel_inception_distance_mean",
        "kernel_inception_distance_std",
        "precision",
        "recall",
        "f_score",
    ];
    let numbers = |object: &Value| -> Vec<String> {
        let object = object.as_object().unwrap().iter();
        let flat = object.filter(|(_, value)| value.is_number());
        flat.map(|(key, _)| key.clone()).collect()
    };
    let by_images = call("real");
    // Ten images are fewer than a subset of the kernel distance has.
    let kernel = |key: &&str| key.starts_with("kernel");
    let measured: Vec<&str> = all.into_iter().filter(|key| !kernel(key)).collect();
    assert_eq!(numbers(&by_images), measured);
    let scores = by_images["scores"].as_array().unwrap();
    let names: Vec<&str> = scores.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, all);
    for score in scores {
        let name = score["name"].as_str().unwrap();
        if kernel(&name) {
            assert_eq!(score["value"], Value::Null);
            let why = score["why"].as_str().unwrap();
            assert!(why.contains("subsets of 1000 images"), "{why}");
        } else {
            assert_eq!(score["value"], by_images[name], "{name}");
            assert_eq!(score["samples"], "out");
        }
    }
    assert_eq!(by_images["findings"][0]["oddity"], "few");
    assert!(by_images.get("labels").is_none() && by_images.get("left_out").is_none());
    let by_statistics = call("plain.npz");
    assert_eq!(numbers(&by_statistics), measured[..3]);
    for key in &measured[..3] {
        let (one, other) = (&by_statistics[key], &by_images[key]);
        assert_eq!(one, other, "{key}");
    }
    // Every other preset has a line a score.
    let call = ["score", "out", "--reference", "plain.npz", "--json"];
    let lines = desk.runner(&call).args(["--weights", INCEPTION]);
    let lines = lines.succeeds().json_lines();
    assert_eq!(lines[0]["name"], "Inception Score");
}

#[test]
fn statistics_of_an_own_net_are_left_alone_too() {
    let desk = Desk::empty();
    scenes(&desk, "real", 0..40, 32);
    scenes(&desk, "out", 40..80, 32);
    let made = ["real", "--resolution", "32", "--count", "40", "--out"];
    for (out, more) in [
        ("whole.npz", None),
        ("small.npz", Some("--statistics-only")),
    ] {
        let call = desk.runner(&["reference"]).args(made).arg(out).args(more);
        let weights = shipped(super::world::FEATURES);
        call.args(["--weights", &weights]).succeeds();
    }
    let names = |name: &str| Npz::open(&desk.path(name)).unwrap().names();
    let left = names("whole.npz");
    let left: Vec<_> = left.iter().filter(|name| *name != "features").collect();
    assert_eq!(left, names("small.npz").iter().collect::<Vec<_>>());
    let call = score(&desk, &["out", "--reference", "small.npz"]).succeeds();
    let said =
        call.says("own net: no KD, precision, recall, density, coverage: the reference holds");
    let rows = said.stdout.lines().map(|line| line.split_whitespace());
    let rows: Vec<Vec<&str>> = rows.map(Iterator::collect).collect();
    let row = |name: &str| rows.iter().find(|row| row[0] == name).unwrap();
    assert_eq!(row("recall")[1], "-");
    assert!(row("FD")[1].parse::<f64>().unwrap() > 0.0);
}
