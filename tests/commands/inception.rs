//! A sweep in Inception's world: the numbers of `runner score` on the same images, to the bit, by the preset's rules.

use crate::support::inception;
use crate::support::program::{Runner, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder with Inception's weights by the golden rule, real images and two references made of them.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk {
            folder: tempfile::tempdir().unwrap(),
        };
        inception::write(&desk.path("inception.safetensors"));
        std::fs::create_dir(desk.path("real")).unwrap();
        let mut all = Vec::new();
        for i in 0..8 {
            let pixels = Scene::of(Stream::Validation, i).render(16);
            write_png(&desk.path(&format!("real/{i}.png")), &pixels, 16, 16).unwrap();
            all.extend(pixels);
        }
        let reference = desk.runner(&["reference", "real", "--out", "ours.npz"]);
        reference
            .args(["--weights", "inception.safetensors"])
            .succeeds();
        // As the ADM evaluator's reference batches are: moments, and images for precision and recall.
        let mut ours = Npz::open(&desk.path("ours.npz")).unwrap();
        let (mu, sigma) = ours.moments("mu", "sigma").unwrap();
        let (mu_s, sigma_s) = ours.moments("mu_s", "sigma_s").unwrap();
        let (d, s) = (mu.len(), mu_s.len());
        let moments = [
            ("mu", Array::f64(&[d], mu)),
            ("sigma", Array::f64(&[d, d], sigma)),
            ("mu_s", Array::f64(&[s], mu_s)),
            ("sigma_s", Array::f64(&[s, s], sigma_s)),
        ];
        npz::write(&desk.path("bare.npz"), &moments).unwrap();
        let mut batch = moments.to_vec();
        batch.push(("arr_0", Array::u8(&[8, 16, 16, 3], all)));
        npz::write(&desk.path("batch.npz"), &batch).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runner(&self, arguments: &[&str]) -> Runner {
        Runner::new().at(self.folder.path()).args(arguments)
    }

    /// An experiment of seven images in parts of three, so that no batch is the one that `runner score` takes.
    fn experiment(&self, eval: &str, rest: &str) {
        let net = shipped("experiments/shapes/unet16.safetensors");
        let text = format!(
            "name = \"small\"\n[model]\ncheckpoint = \"{}\"\n[sample]\nsteps = 2\ncount = 7\npart = 3\n[eval]\nfeatures = \"inception\"\nweights = \"inception.safetensors\"\n{eval}\n{rest}",
            net
        );
        std::fs::write(self.path("small.toml"), text).unwrap();
    }

    /// Files of the store's results called so.
    fn stored(&self, name: &str) -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(self.path(".runner")).sort_by_file_name();
        let files = all.into_iter().flatten().map(|file| file.into_path());
        let named = |path: &PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(name)
        };
        files.filter(named).collect()
    }

    /// The record and the scores of every stored cell.
    fn cells(&self) -> Vec<(Value, Vec<Value>)> {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let cell = |path: &PathBuf| {
            let scores = read(&path.with_file_name("scores.json"));
            (
                serde_json::from_str(&read(path)).unwrap(),
                serde_json::from_str(&scores).unwrap(),
            )
        };
        self.stored("evaluator.json").iter().map(cell).collect()
    }

    /// What `runner score` says of the sweep's images, by metric, without the sweep's store.
    fn scored(&self, reference: &str, preset: &str) -> BTreeMap<String, Value> {
        let images = self.stored("images-");
        assert_eq!(images.len(), 3);
        let score = self.runner(&["--store", "other", "score"]).args(images);
        let score = score.args(["--reference", reference, "--preset", preset, "--json"]);
        let scored = score
            .args(["--weights", "inception.safetensors"])
            .succeeds();
        let lines = scored.json_lines().into_iter();
        let named = |line: Value| Some((line["metric"].as_str()?.to_string(), line));
        lines.filter_map(named).collect()
    }
}

/// Value, bounds and count of a score, wherever it is written.
fn numbers(score: &Value) -> [Value; 4] {
    ["value", "low", "high", "count"].map(|key| score[key].clone())
}

#[test]
fn a_sweep_gives_the_numbers_of_runner_score_to_the_bit() {
    let desk = Desk::new();
    desk.experiment(
        "reference = \"ours.npz\"\nmetrics = [\"fid\", \"sfid\", \"is\", \"precision\", \"recall\"]",
        "[grid]\neval.reference = [\"ours.npz\", \"batch.npz\"]\n",
    );
    let table = desk.runner(&["sweep", "small.toml"]).succeeds().stdout;
    for label in ["FID", "sFID", "IS", "rules of adm"] {
        assert!(table.contains(label), "{label} is not in\n{table}");
    }
    assert!(
        !table.contains("FD (") && !table.contains("(inception)"),
        "{table}"
    );
    let cells = desk.cells();
    assert_eq!(cells.len(), 2);
    let (mut counted, mut values) = (Vec::new(), Vec::new());
    for (record, scores) in &cells {
        let reference = match record["reference_count"].as_u64() {
            Some(_) => "ours.npz",
            None => "batch.npz",
        };
        counted.push(reference);
        let expected = desk.scored(reference, "adm");
        assert_eq!(scores.len(), 5);
        for score in scores {
            let metric = score["metric"].as_str().unwrap();
            assert_eq!(
                numbers(score),
                numbers(&expected[metric]),
                "{reference} {metric}"
            );
        }
        values.push(scores.iter().map(numbers).collect::<Vec<_>>());
        let digest =
            |name: &str| fidrunner::experiment::key::digest_file(&desk.path(name)).unwrap();
        assert_eq!(record["preset"], "adm");
        assert_eq!(record["samples_count"], 7);
        assert_eq!(record["weights"], digest("inception.safetensors"));
        assert_eq!(record["reference"], digest(reference));
    }
    counted.sort();
    assert_eq!(counted, ["batch.npz", "ours.npz"]);
    for path in desk.stored("influences.npz") {
        let mut file = Npz::open(&path).unwrap();
        assert_eq!(file.names(), ["fid", "sfid", "is", "precision"]);
        let fid = file.f64("fid").unwrap().data;
        assert_eq!(fid.len(), 7);
        assert!(fid.iter().any(|v| v.abs() > 1e-6));
        assert!(fid.iter().sum::<f64>().abs() < 1e-6 * fid.iter().map(|v| v.abs()).sum::<f64>());
    }
    // The same images behind both references: those of `ours` are read, those of `batch` described.
    assert_eq!(values[0], values[1]);
    let again = desk.runner(&["sweep", "small.toml"]).succeeds().stderr;
    assert!(!again.contains("done    cell"), "{again}");
}

#[test]
fn another_preset_has_its_own_rules_and_metrics() {
    let desk = Desk::new();
    desk.experiment(
        "reference = \"batch.npz\"\npreset = \"dgm-eval\"\nmetrics = [\"kid\", \"fid\", \"density\", \"coverage\"]",
        "",
    );
    let table = desk.runner(&["sweep", "small.toml"]).succeeds().stdout;
    assert!(
        table.contains("KID") && table.contains("rules of dgm-eval"),
        "{table}"
    );
    let (record, scores) = desk.cells().remove(0);
    assert_eq!(record["preset"], "dgm-eval");
    assert_eq!(record["preprocessing"], "torch");
    let names: Vec<&str> = scores
        .iter()
        .map(|s| s["metric"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["kid", "fid", "density", "coverage"]);
    let expected = desk.scored("batch.npz", "dgm-eval");
    for score in &scores {
        let metric = score["metric"].as_str().unwrap();
        assert_eq!(numbers(score), numbers(&expected[metric]), "{metric}");
    }
    for (eval, words) in [
        (
            "reference = \"bare.npz\"\nmetrics = [\"fid\", \"recall\"]",
            "bare.npz holds statistics alone, and recall compare images",
        ),
        (
            "reference = \"batch.npz\"\npreset = \"dgm-eval\"\nmetrics = [\"is\"]",
            "is cannot be measured: 7 images cannot be shared out into 10 splits",
        ),
        (
            "reference = \"ours.npz\"\npreset = \"clean-fid\"\nmetrics = [\"fid\"]",
            "resized by `tf1`",
        ),
    ] {
        desk.experiment(eval, "");
        let refused = desk.runner(&["sweep", "small.toml"]).run().says(words);
        assert_ne!(refused.code, Some(0));
    }
}

#[test]
fn differences_between_cells_of_one_noise_have_paired_intervals() {
    let desk = Desk::new();
    desk.experiment(
        "reference = \"ours.npz\"\nmetrics = [\"fid\", \"is\", \"precision\", \"recall\"]",
        "[grid]\nsample.steps = [2, 3]\n[report]\ndeltas = true\n",
    );
    desk.runner(&["sweep", "small.toml"]).succeeds();
    assert_eq!(desk.stored("influences.npz").len(), 2);
    desk.runner(&["report", "small.toml", "--out", "report"])
        .succeeds();
    let table = std::fs::read_to_string(desk.path("report/table.md")).unwrap();
    let (_, differences) = table.split_once("Differences from").unwrap();
    let mut lines = differences.lines().filter(|line| line.starts_with('|'));
    let head: Vec<&str> = lines.next().unwrap().split('|').map(str::trim).collect();
    let last: Vec<&str> = lines
        .next_back()
        .unwrap()
        .split('|')
        .map(str::trim)
        .collect();
    let cell = |label: &str| last[head.iter().position(|c| c.starts_with(label)).unwrap()];
    for metric in ["FID", "IS", "precision"] {
        assert!(cell(metric).contains('['), "{metric}\n{differences}");
    }
    // Recall is a share of the real images: the samples' noise pairs nothing of it.
    assert!(!cell("recall").contains('['), "{differences}");
}
