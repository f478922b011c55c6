//! Bits per dimension and reconstructions of real images, through the stages and through the command line.

use candle_core::Device;
use runner::diffusion::bpd::bits_per_dim;
use runner::diffusion::noise::Noise;
use runner::io::npz::Npz;
use runner::stages::inversion::{between, invert};
use runner::stages::likelihood::likelihood;
use runner::stages::subject::{Question, Subject};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

const NET: &str = "experiments/shapes/unet16.safetensors";

fn question<'a>(store: &'a Path, count: u64, batch: usize) -> Question<'a> {
    Question {
        checkpoint: Path::new(NET),
        preset: None,
        data: "shapes",
        count: Some(count),
        batch,
        store,
    }
}

fn bits(store: &Path, count: u64, batch: usize, seed: u64) -> (f64, Vec<f64>) {
    let question = question(store, count, batch);
    let subject = Subject::open(&question, &Device::Cpu).unwrap();
    let found = likelihood(&subject, "4", seed, &|_| {}, &AtomicBool::new(false)).unwrap();
    assert!(found.interval.0 < found.bits && found.bits < found.interval.1);
    (found.bits, found.terms.iter().map(|t| t.vb).collect())
}

fn parts(store: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(store).into_iter().flatten();
    let mut files: Vec<PathBuf> = files
        .map(|e| e.into_path())
        .filter(|p| p.extension().is_some_and(|e| e == "npz"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_bound_is_that_of_the_algebra_for_any_batch_and_any_order_of_work() {
    let stores = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let whole = bits(stores[0].path(), 6, 6, 0);
    assert_eq!(bits(stores[1].path(), 6, 4, 0), whole);
    // Two images first, then all six: the part that is there is not made again.
    bits(stores[2].path(), 2, 2, 0);
    let first = parts(stores[2].path());
    let made = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    assert_eq!(bits(stores[2].path(), 6, 4, 0), whole);
    let after = std::fs::metadata(&first[0]).unwrap().modified().unwrap();
    assert_eq!(made, after);
    assert_ne!(bits(stores[0].path(), 6, 6, 1).0, whole.0);

    let question = question(stores[0].path(), 6, 6);
    let subject = Subject::open(&question, &Device::Cpu).unwrap();
    let images: Vec<u64> = (0..6).collect();
    let schedule = subject.schedule("4").unwrap();
    let x0 = subject.images(&images).unwrap();
    let denoise = subject.denoiser(subject.labels(&images).unwrap());
    let noise = Noise::apart(0, "likelihood");
    let noise = |step: u64| noise.tensor(&images, step, (3, 16, 16), &Device::Cpu);
    let reading = subject.reading(&schedule, true);
    let go_on = &mut |_| ControlFlow::Continue(());
    let own = bits_per_dim(reading, &x0, &denoise, &noise, go_on).unwrap();
    let total = own.unwrap().total.to_vec1::<f32>().unwrap();
    let mean = total.iter().map(|v| f64::from(*v)).sum::<f64>() / 6.0;
    assert_eq!(mean, whole.0);
    let sum: f64 = whole.1.iter().sum();
    assert!((sum - whole.0).abs() < 1e-4 * whole.0, "{sum} {}", whole.0);
}

#[test]
fn more_steps_bring_images_back_and_a_path_ends_at_its_ends() {
    let store = tempfile::tempdir().unwrap();
    let question = question(store.path(), 4, 4);
    let subject = Subject::open(&question, &Device::Cpu).unwrap();
    let run = |steps: &str| invert(&subject, steps, 4, &|_| {}, &AtomicBool::new(false)).unwrap();
    let (few, many) = (run("5"), run("50"));
    assert!(many.error < 0.1 * few.error, "{} {}", many.error, few.error);
    // The error is that of the images that are shown.
    let each = 3 * 16 * 16;
    let x0 = subject.images(&[0, 1, 2, 3]).unwrap();
    let x0 = x0.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let squares = x0.iter().zip(&many.shown);
    let squares = squares.map(|(a, b)| f64::from((a - b) / 2.0).powi(2));
    let error = squares.sum::<f64>() / x0.len() as f64;
    assert!((error - many.error).abs() < 1e-4 * error);

    let path = between(&subject, "50", &many.latents, 2, 3).unwrap();
    assert_eq!(path.len(), 6 * each);
    let image = |i: usize| &path[i * each..][..each];
    for (at, end) in [(0, 0), (2, 1), (3, 2), (5, 3)] {
        let shown = &many.shown[end * each..][..each];
        let gap = image(at).iter().zip(shown);
        let gap = gap.fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(gap < 1e-3, "image {at} of the path is {gap} off its end");
    }
    let apart = image(1).iter().zip(image(0));
    assert!(apart.map(|(a, b)| (a - b).abs()).sum::<f32>() / each as f32 > 0.02);
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let args = args
        .iter()
        .map(|arg| match arg.starts_with("experiments/") {
            true => root.join(arg).display().to_string(),
            false => arg.to_string(),
        });
    Command::new(env!("CARGO_BIN_EXE_runner"))
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn the_commands_print_numbers_and_write_what_they_are_asked_for() {
    let desk = tempfile::tempdir().unwrap();
    let args = [
        "likelihood",
        NET,
        "shapes",
        "--count",
        "4",
        "--steps",
        "8",
        "--out",
        "terms.npz",
        "--json",
    ];
    let out = run(desk.path(), &args);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let mut terms = Npz::open(&desk.path().join("terms.npz")).unwrap();
    let vb = terms.f64("vb_terms").unwrap().data;
    assert_eq!(vb.len(), 8);
    for name in ["mse_terms", "xstart_mse_terms"] {
        assert_eq!(terms.f64(name).unwrap().data.len(), 8);
    }
    let bits = told["bits_per_dimension"].as_f64().unwrap();
    let prior = told["prior"].as_f64().unwrap();
    assert!((vb.iter().sum::<f64>() + prior - bits).abs() < 1e-4 * bits);
    let quarters = told["quarters"].as_array().unwrap();
    let sum: f64 = quarters.iter().map(|q| q["vb"].as_f64().unwrap()).sum();
    assert!((sum + prior - bits).abs() < 1e-4 * bits);

    let args = [
        "reconstruct",
        NET,
        "shapes",
        "--count",
        "4",
        "--steps",
        "3",
        "--steps",
        "ddim5",
        "--interpolate",
        "4",
        "--out",
        "rebuilt",
    ];
    let out = run(desk.path(), &args);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    for (name, wide, high) in [("reconstruction", 4, 3), ("interpolation", 4, 2)] {
        let path = desk.path().join(format!("rebuilt/{name}.png"));
        let (w, h) = image::image_dimensions(&path).unwrap();
        assert_eq!((w, h), (4 + 100 * wide, 4 + 100 * high), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let desk = tempfile::tempdir().unwrap();
    let classifier = "experiments/shapes/classifier16.safetensors";
    for (net, data, more, said) in [
        (
            classifier,
            "shapes",
            "4",
            "is a classifier, and a denoiser of images (a unet) is needed",
        ),
        (NET, "no-such.tar", "4", "no-such.tar"),
        (
            NET,
            "plain",
            "2",
            "the net asks which of 10 classes an image is of, and plain has none",
        ),
        (NET, "shapes", "2000", "--steps 2000"),
    ] {
        let plain = desk.path().join("plain");
        std::fs::create_dir_all(&plain).unwrap();
        for i in 0..2u8 {
            let picture = image::RgbImage::from_pixel(16, 16, image::Rgb([i, 9, 9]));
            picture.save(plain.join(format!("{i}.png"))).unwrap();
        }
        let out = run(
            desk.path(),
            &["likelihood", net, data, "--count", "2", "--steps", more],
        );
        let talk = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{talk}");
        assert!(talk.contains(said), "{said}\nis not in\n{talk}");
    }
}
