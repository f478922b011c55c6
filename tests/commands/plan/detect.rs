//! `runner plan --detect D`: what a study sees and what it would need, from the cells that are scored.

use crate::support::program::{Runner, repository};
use std::path::Path;

/// Three steps of a small net from each of three seeds, sampled in two and three steps.
fn study(folder: &Path) {
    let root = repository("");
    let root = root.display();
    let text = format!(
        r#"
name = "study"
[model]
preset = "shapes16"
[model.arch]
channels = 8
channel_mult = [1, 2]
heads = 1
[train]
data = "shapes"
steps = 3
batch = 4
learning_rate = 1e-3
ema = 0.5
[sample]
steps = 2
count = 12
[eval]
features = "shapes"
weights = "{root}/experiments/shapes/features.safetensors"
reference = "{root}/reference_stats/shapes16.npz"
metrics = ["fd", "recall"]
[grid]
train.seed = [0, 1, 2]
sample.steps = [2, 3]
[[claim]]
source = "a paper"
says = "more steps are better"
metric = "fd"
better.sample.steps = 3
than.sample.steps = 2
"#
    );
    std::fs::write(folder.join("study.toml"), text).expect("the experiment");
}

fn runner(folder: &Path, args: &[&str]) -> Runner {
    Runner::new().at(folder).args(args)
}

#[test]
fn a_pilot_tells_what_each_claim_sees_and_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    study(folder);
    let nothing = runner(folder, &["plan", "study.toml", "--detect", "0.01"]).refuses();
    nothing
        .says("no comparison of this study has scores with an interval yet")
        .says("hint: a pilot is enough: `runner sweep study.toml");
    runner(folder, &["sweep", "study.toml"]).succeeds();
    let seen = |difference: &str| {
        let plan = runner(folder, &["plan", "study.toml", "--detect", difference]);
        plan.succeeds().stdout
    };
    let large = seen("1e6");
    let line = large
        .lines()
        .find(|line| line.contains("more steps are better"));
    let line = line.expect("the claim");
    assert!(line.contains("3 seeds of 12 images"), "{large}");
    assert!(line.ends_with("it does"), "{large}");
    let small = seen("1e-9");
    assert!(
        small.contains("more than 20 seeds and 16 times the images"),
        "{small}"
    );
    // Between them: somewhat less than it sees now needs more.
    let words: Vec<&str> = line.split("  ").filter(|w| !w.is_empty()).collect();
    let sees: f64 = words[3].trim().parse().expect("what it sees");
    let half = seen(&format!("{}", 0.8 * sees));
    let line = half
        .lines()
        .find(|line| line.contains("more steps are better"));
    let needs = line
        .and_then(|line| line.rsplit("  ").next())
        .expect("what it needs");
    assert!(
        needs.contains(" seeds of ") && !needs.contains("3 seeds of 12 images"),
        "{half}"
    );
    // Without a claim by it, each variant against the first.
    let recall = seen("recall=0.5");
    assert!(recall.contains("  steps 3  "), "{recall}");
}

#[test]
fn what_cannot_be_detected_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    study(folder.path());
    for (asked, said) in [
        ("0", "a difference above 0 is needed, such as 0.01"),
        ("nan", "a difference above 0 is needed"),
        ("what=1", "`what` is no metric, such as fd"),
        (
            "kid=1",
            "--detect: kid is not among eval.metrics (fd, recall)",
        ),
    ] {
        runner(folder.path(), &["plan", "study.toml", "--detect", asked])
            .refuses()
            .says(said);
    }
}
