//! A part of the store whose bytes have changed is set aside, told and made again; the numbers stay.

use crate::support::program::{Runner, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder with an experiment of two cells.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        let text = format!(
            r#"
name = "small"
[model]
checkpoint = "{}"
[sample]
steps = 2
count = 24
part = 6
[eval]
features = "shapes"
weights = "{}"
reference = "{}"
metrics = ["fd", "precision"]
[grid]
sample.seed = [0, 1]
"#,
            shipped("experiments/shapes/unet16.safetensors"),
            shipped("experiments/shapes/features.safetensors"),
            shipped("reference_stats/shapes16.npz"),
        );
        std::fs::write(desk.path("small.toml"), text).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn runner(&self, arguments: &[&str]) -> Output {
        let runner = Runner::new().at(self.0.path()).args(arguments);
        runner.command().output().unwrap()
    }

    /// Sweeps; the table, and what was said.
    fn sweep(&self, extra: &[&str]) -> (String, String) {
        let out = self.runner(&[&["sweep", "small.toml"], extra].concat());
        assert!(out.status.success(), "{}", said(&out));
        let report = self.path("reports/small");
        let slices = walkdir::WalkDir::new(&report).min_depth(1).max_depth(1);
        let slices = slices.into_iter().flatten().map(|entry| entry.into_path());
        let slices: Vec<PathBuf> = slices.filter(|path| path.is_dir()).collect();
        let folder = match (extra, slices.as_slice()) {
            ([], _) => &report,
            (_, [slice]) => slice,
            (_, slices) => panic!("one slice has a report: {slices:?}"),
        };
        let table = std::fs::read_to_string(folder.join("table.csv")).unwrap();
        (table, said(&out))
    }

    /// Files of the store whose names hold `part`, sorted.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(self.path(".runner")).sort_by_file_name();
        let paths = all.into_iter().flatten().map(|file| file.into_path());
        let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().contains(part);
        paths.filter(named).collect()
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Changes one byte in the middle; the length stays.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn broken_images_are_drawn_again_when_more_are_asked_for() {
    let (whole, desk) = (Desk::new(), Desk::new());
    let raised = ["--set", "sample.count=30"];
    whole.sweep(&[]);
    let (expected, _) = whole.sweep(&raised);
    desk.sweep(&[]);
    let images = desk.files("images-000006-000012.npz");
    assert_eq!(images.len(), 2);
    flip(&images[0]);
    cut(&images[1]);
    let (table, words) = desk.sweep(&raised);
    assert_eq!(table, expected);
    for path in &images {
        let name = path.file_name().unwrap().to_string_lossy();
        let told = format!("{name} was damaged");
        assert!(words.contains(&told), "{words}");
        assert!(words.contains(&format!("{name}.broken")), "{words}");
        let folder = path.parent().unwrap();
        let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        assert!(manifest.contains(&told), "{manifest}");
        assert!(!manifest.contains("\"images-000006-000012.npz.broken\":"));
    }
    assert_eq!(desk.files(".broken").len(), 2);
    assert!(desk.sweep(&raised).1.contains("jobs are stored"));
}

#[test]
fn broken_features_are_made_again_for_a_new_metric() {
    let (whole, desk) = (Desk::new(), Desk::new());
    let more = ["--set", "eval.metrics=[\"fd\", \"is\"]"];
    let (expected, _) = whole.sweep(&more);
    desk.sweep(&[]);
    flip(&desk.files("features-000012-000018.npz")[0]);
    // What made them cannot be read either.
    flip(&desk.files("images-000012-000018.npz")[0]);
    let (table, words) = desk.sweep(&more);
    assert_eq!(table, expected);
    assert!(
        words.contains("features-000012-000018.npz was damaged"),
        "{words}"
    );
    assert!(
        words.contains("images-000012-000018.npz was damaged"),
        "{words}"
    );
}

#[test]
fn broken_images_are_not_exported() {
    let desk = Desk::new();
    let draw = ["sweep", "small.toml", "--until", "sample"];
    assert!(desk.runner(&draw).status.success());
    let cell = ["export", "small.toml", "0"];
    assert!(desk.runner(&cell).status.success());
    let images = desk.files("images-000000-000006.npz");
    images.iter().for_each(|path| flip(path));
    let refused = desk.runner(&cell);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("was damaged"), "{}", said(&refused));
    assert!(
        said(&refused).contains("--until sample"),
        "{}",
        said(&refused)
    );
    assert!(desk.runner(&draw).status.success());
    assert!(desk.runner(&cell).status.success());
}

#[test]
fn broken_parts_of_score_and_likelihood_are_made_again() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("images")).unwrap();
    for i in 0..20 {
        let pixels = Scene::of(Stream::Validation, i).render(32);
        write_png(&desk.path(&format!("images/{i:02}.png")), &pixels, 32, 32).unwrap();
    }
    let (weights, reference) = (
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes32.npz"),
    );
    let net = shipped("experiments/shapes/unet16.safetensors");
    let score = [
        "score",
        "images",
        "--reference",
        &reference,
        "--weights",
        &weights,
        "--part",
        "8",
        "--json",
    ];
    let likelihood = [
        "likelihood",
        &net,
        "shapes",
        "--count",
        "6",
        "--batch",
        "2",
        "--steps",
        "3",
        "--json",
    ];
    for (command, kind) in [(&score[..], "described"), (&likelihood[..], "likelihood")] {
        let first = desk.runner(command);
        assert!(first.status.success(), "{}", said(&first));
        let parts = desk.files(".npz").into_iter();
        let mut parts = parts.filter(|path| path.to_string_lossy().contains(kind));
        flip(&parts.nth(1).unwrap());
        let again = desk.runner(command);
        assert_eq!(again.stdout, first.stdout, "{}", said(&again));
        assert!(said(&again).contains("was damaged"), "{}", said(&again));
        let third = desk.runner(command);
        assert!(!said(&third).contains("was damaged"), "{}", said(&third));
    }
}
