//! `runner likelihood` and `runner reconstruct`: what they print and write, killed and gone on with, and what they refuse.

use crate::support::archs::shipped_without_variance;
use crate::support::program::{Runner, files_ending, repository};
use fidrunner::io::numpy::npz::Npz;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const NET: &str = "experiments/shapes/unet16.safetensors";

/// The command `verb` about `count` images of `data`, run in `folder`; a net of the repository is named from its root.
fn asked(folder: &Path, verb: &str, net: &str, data: &str, count: usize) -> Runner {
    let net = if net.starts_with("experiments/") {
        repository(net)
    } else {
        PathBuf::from(net)
    };
    let runner = Runner::new().at(folder).arg(verb).arg(net);
    runner.args([data, "--count", &count.to_string()])
}

#[test]
fn likelihood_prints_numbers_and_writes_what_it_is_asked_for() {
    let desk = tempfile::tempdir().unwrap();
    let likelihood = asked(desk.path(), "likelihood", NET, "shapes", 4).args(["--steps", "8"]);
    let answer = likelihood.args(["--out", "terms.npz", "--json"]).succeeds();
    let told: Value = serde_json::from_str(&answer.stdout).unwrap();
    let mut terms = Npz::open(&desk.path().join("terms.npz")).unwrap();
    let vb = terms.f64("vb_terms").unwrap().data;
    assert_eq!(vb.len(), 8);
    for (name, told) in [
        ("vb_terms", &told["terms"]["vb"]),
        ("mse_terms", &told["terms"]["mse"]),
        ("xstart_mse_terms", &told["terms"]["xstart_mse"]),
    ] {
        let told: Vec<f64> = serde_json::from_value(told.clone()).unwrap();
        let kept = terms.f64(name).unwrap().data;
        assert_eq!(kept.len(), 8);
        let close = kept
            .iter()
            .zip(&told)
            .all(|(a, b)| (a - b).abs() < 1e-12 * a);
        assert!(close && told.len() == 8, "{kept:?} {told:?}");
    }
    let clock: Vec<f64> = serde_json::from_value(told["terms"]["timestep"].clone()).unwrap();
    assert_eq!((clock.len(), clock[0], clock[7]), (8, 999.0, 0.0));
    let kept = terms.f64("prior").unwrap().data;
    let told_prior = told["prior"].as_f64().unwrap();
    assert!(kept.len() == 1 && (kept[0] - told_prior).abs() < 1e-12 * told_prior);
    let bits = told["bits_per_dimension"].as_f64().unwrap();
    let prior = told["prior"].as_f64().unwrap();
    assert!((vb.iter().sum::<f64>() + prior - bits).abs() < 1e-4 * bits);
    let quarters = told["quarters"].as_array().unwrap();
    let sum: f64 = quarters.iter().map(|q| q["vb"].as_f64().unwrap()).sum();
    assert!((sum + prior - bits).abs() < 1e-4 * bits);
}

#[test]
fn a_killed_run_goes_on_with_the_parts_that_are_whole() {
    let desk = tempfile::tempdir().unwrap();
    let likelihood = |store: &str| {
        let asked = asked(desk.path(), "likelihood", NET, "shapes", 12);
        asked
            .args(["--batch", "2", "--steps", "60", "--json"])
            .args(["--store", store])
    };
    let parts = || files_ending(&desk.path().join("killed"), "npz");
    let mut child = likelihood("killed")
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while parts().is_empty() {
        assert!(since.elapsed().as_secs() < 120, "no part in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let first = parts();
    assert!(first.len() < 6, "it was done before it was killed");
    let times = |paths: &[PathBuf]| -> Vec<_> {
        let time = |p: &PathBuf| std::fs::metadata(p).unwrap().modified().unwrap();
        paths.iter().map(time).collect()
    };
    let before = times(&first);
    let resumed = likelihood("killed").succeeds();
    assert_eq!(times(&first), before, "a whole part was made again");
    assert_eq!(parts().len(), 6);
    assert_eq!(resumed.stdout, likelihood("whole").succeeds().stdout);
}

#[test]
fn what_does_not_fit_is_refused() {
    let desk = tempfile::tempdir().unwrap();
    for (name, prefix) in [("plain", ""), ("others", "disc_")] {
        let folder = desk.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..2u8 {
            let picture = image::RgbImage::from_pixel(16, 16, image::Rgb([i, 9, 9]));
            picture
                .save(folder.join(format!("{prefix}{i}.png")))
                .unwrap();
        }
    }
    shipped_without_variance(&desk.path().join("nameless.safetensors"), Some(&[]));
    let needed = "and a denoiser of images (a unet) is needed";
    for (net, data, more, said) in [
        ("experiments/shapes/classifier16.safetensors", "shapes", &["--steps", "4"][..],
            format!("is a classifier, {needed}")),
        ("experiments/shapes/upsampler64.safetensors", "shapes", &["--steps", "4"],
            format!("is a super-resolution net, {needed}")),
        ("experiments/shapes/features.safetensors", "shapes", &["--steps", "4"],
            format!("is a feature net, {needed}")),
        (NET, "no-such.tar", &["--steps", "4"], "no-such.tar".to_string()),
        (NET, "plain", &["--steps", "4"],
            "labels of plain: the net asks which of 10 classes an image is of, and the data has none".to_string()),
        (NET, "others", &["--steps", "4"], "labels of others: the net has no class \"disc\"".to_string()),
        ("nameless.safetensors", "others", &["--steps", "4"],
            "of 10 classes an image is of, and the data has 1; the checkpoint knows no names".to_string()),
        (NET, "shapes", &["--steps", "2000"], "--steps 2000".to_string()),
        (NET, "shapes", &["--steps", "4", "--out", "nowhere/terms.npz"],
            "--out nowhere/terms.npz: a file in a folder that exists is needed".to_string()),
    ] {
        let likelihood = asked(desk.path(), "likelihood", net, data, 2).args(more);
        let refused = likelihood.refuses().says(&said);
        assert!(refused.stdout.is_empty());
        assert!(!desk.path().join(".runner").exists(), "{said}: something was stored");
    }
}

#[test]
fn reconstruct_prints_a_row_for_each_of_the_steps_and_writes_sheets() {
    let desk = tempfile::tempdir().unwrap();
    let reconstruct = || {
        asked(desk.path(), "reconstruct", NET, "shapes", 4)
            .args(["--steps", "3", "--steps", "ddim5"])
            .args(["--interpolate", "4", "--out", "rebuilt"])
    };
    let text = reconstruct().succeeds().stdout;
    assert_eq!(text.lines().count(), 3, "{text}");
    for (name, wide, high) in [("reconstruction", 4, 3), ("interpolation", 4, 2)] {
        let path = desk.path().join(format!("rebuilt/{name}.png"));
        let (w, h) = image::image_dimensions(&path).unwrap();
        assert_eq!((w, h), (4 + 100 * wide, 4 + 100 * high), "{name}");
    }
    let lines = reconstruct().arg("--json").succeeds().json_lines();
    assert_eq!(lines.len(), 2);
    for (line, (asked, steps)) in lines.iter().zip([("3", 3), ("ddim5", 5)]) {
        assert_eq!(
            (&line["asked"], &line["steps"]),
            (&asked.into(), &steps.into())
        );
        let error = line["error"].as_f64().unwrap();
        assert!((line["psnr"].as_f64().unwrap() + 10.0 * error.log10()).abs() < 1e-9);
        let row = text.lines().find(|row| row.trim_start().starts_with(asked));
        assert!(row.unwrap().contains(&format!("{error:.6}")), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_made() {
    let desk = tempfile::tempdir().unwrap();
    let classifier = "experiments/shapes/classifier16.safetensors";
    for (net, steps, said) in [
        (
            classifier,
            "4",
            "is a classifier, and a denoiser of images (a unet) is needed",
        ),
        (NET, "ddim45", "no whole stride takes 45 of 1000 steps"),
        (NET, "1", "from which no image can be drawn"),
    ] {
        let reconstruct = asked(desk.path(), "reconstruct", net, "shapes", 2);
        reconstruct
            .args(["--steps", "2", "--steps", steps, "--out", "rebuilt"])
            .refuses()
            .says(said);
        let left = std::fs::read_dir(desk.path()).unwrap().count();
        assert_eq!(left, 0, "{said}: something was made");
    }
}
