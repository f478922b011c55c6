//! Bits per dimension of real images, through the stage and through the command line.

use candle_core::Device;
use runner::data::shapes::{CLASSES, Stream};
use runner::data::source::{Augment, Source};
use runner::diffusion::likelihood::bpd::bits_per_dim;
use runner::diffusion::random::noise::Noise;
use runner::experiment::nets::arch::{Arch, Card};
use runner::io::checkpoint::{self, Checkpoint};
use runner::io::numpy::npz::Npz;
use runner::jobs::context::Watch;
use runner::stages::ask::likelihood::likelihood;
use runner::stages::ask::subject::{Question, Subject};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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
    let found = likelihood(
        &subject,
        "4",
        seed,
        Watch {
            tell: &|_| {},
            warn: &|_| {},
            stop: &AtomicBool::new(false),
        },
    )
    .unwrap();
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
fn the_command_prints_numbers_and_writes_what_it_is_asked_for() {
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

/// The shipped net without its variance half, as a checkpoint of its own; `known` are the names that its card has.
fn fixed(path: &Path, known: Option<&[&str]>) {
    let file = Checkpoint::open(Path::new(NET)).unwrap();
    let mut card: Card = serde_json::from_str(&file.metadata()["runner"]).unwrap();
    let Arch::Unet(arch) = &mut card.arch else {
        panic!("{NET} is a UNet")
    };
    arch.learn_sigma = false;
    if let Some(known) = known {
        card.classes = known.iter().map(|name| name.to_string()).collect();
    }
    let tensors = file.tensors(&Device::Cpu).unwrap().into_iter();
    let tensors = tensors.map(|(name, tensor)| match name.starts_with("out.2.") {
        true => (name, tensor.narrow(0, 0, 3).unwrap().contiguous().unwrap()),
        false => (name, tensor),
    });
    let metadata = [("runner".to_string(), serde_json::to_string(&card).unwrap())].into();
    checkpoint::write(path, &tensors.collect::<Vec<_>>(), &metadata).unwrap();
}

#[test]
fn a_fixed_variance_has_the_same_errors_and_a_bound_of_its_own() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("fixed.safetensors");
    fixed(&path, None);
    let found = |checkpoint: &Path| {
        let question = Question {
            checkpoint,
            ..question(desk.path(), 3, 3)
        };
        let subject = Subject::open(&question, &Device::Cpu).unwrap();
        likelihood(
            &subject,
            "20",
            0,
            Watch {
                tell: &|_| {},
                warn: &|_| {},
                stop: &AtomicBool::new(false),
            },
        )
        .unwrap()
    };
    let (learned, fixed) = (found(Path::new(NET)), found(&path));
    for (a, b) in learned.terms.iter().zip(&fixed.terms) {
        assert_eq!(
            (a.timestep, a.mse, a.xstart_mse),
            (b.timestep, b.mse, b.xstart_mse)
        );
    }
    assert_eq!(learned.prior, fixed.prior);
    // With a fixed variance a term of the bound is the error of x0, weighted: the Kullback-Leibler divergence of two
    // Gaussians whose means differ by coef1 (x0 - its estimate). The last step's is no divergence.
    let mut differ = 0;
    let question = question(desk.path(), 3, 3);
    let subject = Subject::open(&question, &Device::Cpu).unwrap();
    let schedule = subject.schedule("20").unwrap();
    for (k, (term, other)) in fixed.terms.iter().zip(&learned.terms).enumerate() {
        let i = 19 - k;
        if i == 0 {
            continue;
        }
        let (now, prev) = (schedule.alpha_bar[i], schedule.alpha_bar_prev[i]);
        let beta = 1.0 - now / prev;
        let narrow = beta * (1.0 - prev) / (1.0 - now);
        let coef1 = beta * prev.sqrt() / (1.0 - now);
        let ratio = narrow / beta;
        let apart = coef1 * coef1 * term.xstart_mse / beta;
        let divergence = 0.5 * (-1.0 - ratio.ln() + ratio + apart) / std::f64::consts::LN_2;
        let off = (term.vb - divergence).abs();
        assert!(
            off < 1e-4 * divergence + 1e-6,
            "step {i}: {} {divergence}",
            term.vb
        );
        differ += usize::from((term.vb - other.vb).abs() > 0.01 * term.vb);
    }
    assert!(differ > 10, "the learned variance was not read");
}

/// Ten validation images of the shapes world, one a class, as PNG files `CLASS_i.png`.
fn folder_of_shapes(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let source = Source::open("shapes", Stream::Validation, 16).unwrap();
    let plain = Augment {
        flip: false,
        crop: None,
    };
    for i in 0..10 {
        let example = source.get(i, plain).unwrap();
        let name = &source.classes()[example.label.unwrap() as usize];
        let picture = image::RgbImage::from_raw(16, 16, example.pixels).unwrap();
        picture
            .save(folder.join(format!("{name}_{i}.png")))
            .unwrap();
    }
}

#[test]
fn images_of_a_folder_are_asked_by_the_names_that_the_net_knows() {
    let desk = tempfile::tempdir().unwrap();
    let data = desk.path().join("images");
    folder_of_shapes(&data);
    let question = Question {
        data: data.to_str().unwrap(),
        ..question(desk.path(), 10, 10)
    };
    let subject = Subject::open(&question, &Device::Cpu).unwrap();
    let all: Vec<u64> = (0..10).collect();
    let labels = subject
        .labels(&all)
        .unwrap()
        .unwrap()
        .to_vec1::<u32>()
        .unwrap();
    let mut sorted = CLASSES;
    sorted.sort();
    let names: Vec<&str> = labels
        .iter()
        .map(|label| CLASSES[*label as usize])
        .collect();
    assert_eq!(names, sorted);
    assert_ne!(CLASSES, sorted, "else the order would prove nothing");
}

#[test]
fn a_killed_run_goes_on_with_the_parts_that_are_whole() {
    let desk = tempfile::tempdir().unwrap();
    let args = [
        "likelihood",
        NET,
        "shapes",
        "--count",
        "12",
        "--batch",
        "2",
        "--steps",
        "60",
        "--json",
    ];
    let command = |store: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command
            .args(args)
            .arg("--store")
            .arg(desk.path().join(store));
        command
    };
    let mut child = command("killed").stdout(Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    while parts(&desk.path().join("killed")).is_empty() {
        assert!(since.elapsed().as_secs() < 120, "no part in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let first = parts(&desk.path().join("killed"));
    assert!(first.len() < 6, "it was done before it was killed");
    let times = |paths: &[PathBuf]| -> Vec<_> {
        let time = |p: &PathBuf| std::fs::metadata(p).unwrap().modified().unwrap();
        paths.iter().map(time).collect()
    };
    let before = times(&first);
    let resumed = command("killed").output().unwrap();
    assert!(resumed.status.success());
    assert_eq!(times(&first), before, "a whole part was made again");
    assert_eq!(parts(&desk.path().join("killed")).len(), 6);
    assert_eq!(resumed.stdout, command("whole").output().unwrap().stdout);
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
    fixed(&desk.path().join("nameless.safetensors"), Some(&[]));
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
        let args = [&["likelihood", net, data, "--count", "2"], more].concat();
        let out = run(desk.path(), &args);
        let talk = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{talk}");
        assert!(talk.contains(&said), "{said}\nis not in\n{talk}");
        assert!(out.stdout.is_empty());
        assert!(!desk.path().join(".runner").exists(), "{said}: something was stored");
    }
}
