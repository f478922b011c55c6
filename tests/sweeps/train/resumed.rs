//! Training is exact: killed and resumed, it ends at the same bits.

use crate::support::process::on_threads;
use fidrunner::experiment::file::experiment::{Experiment, Training};
use fidrunner::experiment::key::Key;
use fidrunner::io::checkpoint::Checkpoint;
use fidrunner::jobs::context::{JobContext, Progress, Stopped};
use fidrunner::jobs::inputs::pinned::pinned;
use fidrunner::jobs::train::TrainJob;
use fidrunner::stages::train::run;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub const UNET: &str = r#"
name = "tiny"
[model]
preset = "shapes16"
[model.arch]
channel_mult = [1, 1]
attention = [8]
[train]
data = "shapes"
steps = 6
batch = 4
learning_rate = 1e-3
ema = 0.9
warmup = 2
anneal = "cosine"
dropout = 0.1
schedule_sampler = "loss-second-moment"
flip = true
checkpoint_every = 2
keep = [4]
"#;

pub const CLASSIFIER: &str = r#"
name = "tiny"
[model]
kind = "classifier"
preset = "shapes16-classifier"
[model.arch]
channel_mult = [1, 1]
[train]
data = "shapes"
steps = 5
batch = 4
learning_rate = 1e-3
weight_decay = 0.05
checkpoint_every = 2
"#;

pub const SUPERRES: &str = r#"
name = "tiny"
[model]
kind = "superres"
preset = "imagenet64-to-256"
resolution = 16
[model.arch]
channels = 32
res_blocks = 1
channel_mult = [1, 1]
heads = 2
classes = 10
attention = []
low_resolution = 8
[train]
data = "shapes"
steps = 4
batch = 2
learning_rate = 1e-3
checkpoint_every = 2
"#;

pub const FEATURES: &str = r#"
name = "tiny"
[model]
kind = "features"
preset = "shapes-features"
[train]
data = "shapes"
steps = 4
batch = 4
learning_rate = 1e-3
checkpoint_every = 2
"#;

/// Trains in `out`; with `stop_after`, as if it were interrupted once that many steps are done.
pub fn train(text: &str, out: &Path, stop_after: Option<u64>) -> anyhow::Result<()> {
    let spec: Experiment = toml::from_str(text)?;
    let mut model = spec.model.clone();
    let Some(Training::Net(mut train)) = spec.train else {
        panic!("{:?} trains no net", spec.train);
    };
    if let Some(steps) = stop_after {
        // Progress is told at log lines only, so the interruption is a shorter run's saved state.
        train.checkpoint_every = steps;
    }
    model.checkpoint = None;
    let label_features = train.label_features.as_deref();
    let label_features = label_features.map(|path| pinned("train.label_features", path));
    let label_features = label_features.transpose()?;
    let job = TrainJob {
        model,
        train,
        data_digest: None,
        start: None,
        label_features,
        teacher: None,
    };
    let stop = AtomicBool::new(false);
    let input = |_: &Key| PathBuf::new();
    let tell = |_: Progress| {};
    let context = JobContext::new(candle_core::Device::Cpu, out, out, &input, &tell, &stop)?;
    match stop_after {
        None => run::run(&job, &context),
        Some(steps) => std::thread::scope(|scope| {
            // The saved state appears by rename when the step is done; then the run is told to stop.
            let watch = scope.spawn(|| {
                while !out.join("training.safetensors").exists() {
                    std::thread::yield_now();
                }
                stop.store(true, Ordering::Relaxed);
            });
            let ended = run::run(&job, &context);
            let _ = watch.join();
            assert!(steps > 0);
            ended
        }),
    }
}

/// Names and bits of a file's weights.
pub fn weights(path: &Path) -> Vec<(String, Vec<u32>)> {
    let file = Checkpoint::open(path).expect("weights");
    let tensors = file.tensors(&candle_core::Device::Cpu).expect("tensors");
    let bits = |t: &candle_core::Tensor| {
        t.flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .map(|v| v.to_bits())
            .collect()
    };
    tensors
        .iter()
        .map(|(name, t)| (name.clone(), bits(t)))
        .collect()
}

/// Whether a training that is stopped ends as one that is not.
pub fn resumes_exactly(text: &str) {
    let (whole, halves) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(text, whole.path(), None).unwrap();
    let stopped = train(text, halves.path(), Some(2)).unwrap_err();
    assert!(stopped.is::<Stopped>(), "{stopped:#}");
    assert!(halves.path().join("training.safetensors").exists());
    train(text, halves.path(), None).unwrap();
    assert!(!halves.path().join("training.safetensors").exists());
    let file = "model.safetensors";
    assert!(
        weights(&whole.path().join(file)) == weights(&halves.path().join(file)),
        "the resumed weights differ"
    );
    let trained = weights(&whole.path().join(file));
    assert!(
        trained
            .iter()
            .any(|(_, bits)| bits.iter().any(|b| *b != trained[0].1[0]))
    );
}

/// What the log of a training says in a column, where it says anything.
pub fn logged(text: &str, column: &str) -> Vec<f64> {
    let dir = tempfile::tempdir().unwrap();
    train(text, dir.path(), None).unwrap();
    let log = std::fs::read_to_string(dir.path().join("log.csv")).unwrap();
    let mut lines = log.lines();
    let place = lines.next().unwrap().split(',').position(|c| c == column);
    let values = lines.filter_map(|line| line.split(',').nth(place?));
    values.filter_map(|value| value.parse().ok()).collect()
}

#[test]
fn a_unet_resumed_ends_at_the_same_bits() {
    resumes_exactly(UNET);
}

#[test]
fn a_damaged_state_is_set_aside_and_the_training_begins_anew() {
    let whole = tempfile::tempdir().unwrap();
    train(UNET, whole.path(), None).unwrap();
    for cut in [true, false] {
        let damaged = tempfile::tempdir().unwrap();
        train(UNET, damaged.path(), Some(2)).unwrap_err();
        let state = damaged.path().join("training.safetensors");
        let mut bytes = std::fs::read(&state).unwrap();
        let last = bytes.len() - 100;
        if cut {
            bytes.truncate(last);
        } else {
            bytes[last] ^= 1;
        }
        std::fs::write(&state, bytes).unwrap();
        train(UNET, damaged.path(), None).unwrap();
        let log = std::fs::read_to_string(damaged.path().join("log.txt")).unwrap();
        assert!(log.contains("training.safetensors was damaged ("), "{log}");
        assert!(damaged.path().join("training.safetensors.broken").exists());
        let [a, b] = [&whole, &damaged].map(|f| weights(&f.path().join("model.safetensors")));
        assert!(a == b, "the weights differ");
    }
}

#[test]
fn a_classifier_resumed_ends_at_the_same_bits() {
    resumes_exactly(CLASSIFIER);
}

#[test]
fn a_super_resolution_net_resumed_ends_at_the_same_bits() {
    resumes_exactly(SUPERRES);
}

#[test]
fn a_feature_net_resumed_ends_at_the_same_bits() {
    resumes_exactly(FEATURES);
}

#[test]
fn a_training_that_recomputes_activations_goes_the_same_way_and_resumes_exactly() {
    for text in [UNET, CLASSIFIER, SUPERRES] {
        let recomputed = format!("{text}gradient_checkpointing = true\n");
        resumes_exactly(&recomputed);
        let [kept, recomputed] = [text, &recomputed].map(|text| logged(text, "loss")[0]);
        let apart = (kept - recomputed).abs() / kept;
        assert!(apart < 1e-4, "{kept} and {recomputed}");
    }
}

#[test]
fn a_training_in_bfloat16_resumes_exactly() {
    for text in [UNET, CLASSIFIER, SUPERRES] {
        for more in ["", "gradient_checkpointing = true\n"] {
            resumes_exactly(&format!("{text}dtype = \"bf16\"\n{more}"));
        }
    }
}

#[test]
fn a_training_in_bfloat16_follows_the_one_in_f32() {
    let longer = |text: &str| {
        let steps = text.find("steps = ").unwrap();
        let rest = text[steps..].find('\n').unwrap();
        format!("{}steps = 100{}", &text[..steps], &text[steps + rest..])
    };
    for text in [UNET, CLASSIFIER, SUPERRES] {
        let text = longer(text).replace("keep = [4]\n", "");
        let exact = logged(&text, "loss");
        let halves = logged(&format!("{text}dtype = \"bf16\"\n"), "loss");
        println!("f32 {exact:?}, bf16 {halves:?}");
        assert_eq!((exact.len(), halves.len()), (2, 2));
        assert!(exact[1] < exact[0], "{exact:?}");
        for (exact, halves) in exact.iter().zip(&halves) {
            assert!(exact != halves && (exact - halves).abs() / exact < 0.01);
        }
    }
}

#[test]
fn a_classifier_in_bfloat16_is_judged_in_f32() {
    // Too small a step to move a weight.
    let still = CLASSIFIER
        .replace("1e-3", "1e-30")
        .replace("weight_decay = 0.05\n", "");
    let still = still.replace("checkpoint_every = 2", "checkpoint_every = 5");
    let halves = format!("{still}dtype = \"bf16\"\n");
    let differ = |column: &str| logged(&still, column) != logged(&halves, column);
    assert!(differ("gradient_norm"));
    for quartile in 0..4 {
        assert!(!differ(&format!("validation_loss_q{quartile}")));
    }
}

#[test]
fn a_kept_checkpoint_names_its_training_seconds() {
    let dir = tempfile::tempdir().unwrap();
    train(UNET, dir.path(), None).unwrap();
    let text = std::fs::read_to_string(dir.path().join("checkpoints.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let files: Vec<&str> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["model-000004.safetensors", "model.safetensors"]);
    let seconds: Vec<f64> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["seconds"].as_f64().unwrap())
        .collect();
    assert!(seconds[0] > 0.0 && seconds[1] > seconds[0]);
    let log = std::fs::read_to_string(dir.path().join("log.csv")).unwrap();
    assert!(
        log.lines().next().unwrap().contains("loss_q3") && log.lines().count() == 2,
        "{log}"
    );
    let file = Checkpoint::open(&dir.path().join("model.safetensors")).unwrap();
    assert!(
        file.metadata()["runner"].contains("\"steps\":6"),
        "{:?}",
        file.metadata()
    );
}

#[test]
fn the_thread_count_does_not_reach_the_weights() {
    let runs: Vec<Vec<(String, Vec<u32>)>> = [1, 2]
        .iter()
        .map(|&threads| {
            let dir = tempfile::tempdir().unwrap();
            on_threads(threads, || train(CLASSIFIER, dir.path(), None)).unwrap();
            weights(&dir.path().join("model.safetensors"))
        })
        .collect();
    assert!(
        runs[0] == runs[1],
        "one and two threads end at different bits"
    );
}
