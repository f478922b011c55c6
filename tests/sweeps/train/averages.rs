//! Several averages of one training: each with the bits of a training of its own, and exact over a kill.

use super::resumed::{train, weights};
use fidrunner::experiment::file::experiment::Experiment;
use fidrunner::experiment::nets::resolve::resolve;
use fidrunner::io::checkpoint::Checkpoint;
use fidrunner::jobs::inputs::averages::PostHoc;
use fidrunner::nets::inventory;
use fidrunner::stages::post_hoc::Synthesised;
use std::collections::BTreeSet;
use std::path::Path;

fn text(steps: u64, averages: &str) -> String {
    format!(
        r#"
name = "tiny"
[model]
preset = "shapes16"
[model.arch]
channels = 8
channel_mult = [1, 1]
heads = 1
attention = [8]
[train]
data = "shapes"
steps = {steps}
batch = 2
learning_rate = 1e-3
checkpoint_every = 2
{averages}
"#
    )
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".safetensors"))
        .collect()
}

fn trained(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    train(text, folder.path(), None).unwrap();
    folder
}

#[test]
fn further_averages_leave_the_first_as_it_is_and_are_exact_over_a_kill() {
    let keep = "keep = [3]";
    let one = trained(&text(6, &format!("ema = 0.9\n{keep}")));
    let other = trained(&text(6, &format!("ema = 0.5\n{keep}")));
    let many = format!("ema = [0.9, 0.5]\n{keep}\npower_ema.every = 4");
    let whole = trained(&text(6, &many));
    assert_eq!(
        files(one.path()).into_iter().collect::<Vec<_>>(),
        ["model-000003.safetensors", "model.safetensors"]
    );
    let at = |folder: &tempfile::TempDir, name: &str| weights(&folder.path().join(name));
    for (mine, alone) in [
        ("model.safetensors", "model.safetensors"),
        ("model-000003.safetensors", "model-000003.safetensors"),
    ] {
        let bytes = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(alone)).unwrap();
        assert!(bytes(&whole) == bytes(&one), "{mine} of several differs");
        let further = mine.replace(".safetensors", "-ema-0.5.safetensors");
        assert!(
            at(&whole, &further) == at(&other, alone),
            "{further} differs"
        );
    }
    let halves = tempfile::tempdir().unwrap();
    train(&text(6, &many), halves.path(), Some(2)).unwrap_err();
    train(&text(6, &many), halves.path(), None).unwrap();
    assert_eq!(files(halves.path()), files(whole.path()));
    assert_eq!(files(whole.path()).len(), 4 + 6);
    for name in files(whole.path()) {
        assert!(
            at(&whole, &name) == at(&halves, &name),
            "{name} differs after a kill"
        );
    }
    let log = std::fs::read_to_string(whole.path().join("log.txt")).unwrap();
    let told =
        "averages: EMA 0.9, 0.5; power-function averages of sigma_rel 0.05, 0.1, 3 snapshots each";
    assert!(log.contains(told), "{log}");
}

/// All weights of a file, or of what is made of several, one after the other.
fn flat(names: &BTreeSet<String>, of: &dyn Fn(&str) -> candle_core::Tensor) -> Vec<f64> {
    let values = names
        .iter()
        .flat_map(|name| of(name).flatten_all().unwrap().to_vec1::<f32>().unwrap());
    values.map(f64::from).collect()
}

#[test]
fn a_net_of_snapshots_is_near_the_one_that_is_tracked() {
    let cpu = candle_core::Device::Cpu;
    let (steps, every) = (96, 6);
    let snapshots = trained(&text(steps, &format!("power_ema.every = {every}")));
    let direct = trained(&text(
        steps,
        "power_ema = { sigma_rel = [0.075], every = 48 }",
    ));
    let spec: Experiment = toml::from_str(&text(steps, "")).unwrap();
    let (arch, _) = resolve(&spec.model, None).unwrap();
    let first: std::collections::HashMap<_, _> =
        inventory::initial(&arch, 0).unwrap().into_iter().collect();
    let names: BTreeSet<String> = first.keys().cloned().collect();
    let start = flat(&names, &|name| first[name].clone());
    for at in [48, steps] {
        let wanted = PostHoc {
            sigma_rel: 0.075,
            at,
            widths: vec![0.05, 0.10],
            steps: (1..=at / every).map(|n| n * every).collect(),
        };
        let made = Synthesised::open(snapshots.path(), &wanted).unwrap();
        let got = flat(&names, &|name| made.tensor(name, &cpu).unwrap());
        let file = direct
            .path()
            .join(format!("power-{at:06}-0.075.safetensors"));
        let file = Checkpoint::open(&file).unwrap();
        let want = flat(&names, &|name| file.tensor(name, &cpu).unwrap());
        let distance = |a: &[f64], b: &[f64]| -> f64 {
            let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let off = distance(&got, &want) / distance(&want, &start);
        println!(
            "at {at}: off by {off:.1e} of the movement, profile by {:.1e}",
            made.error
        );
        assert!(off <= 1e-3, "off by {off:e}");
    }
}
