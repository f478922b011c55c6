//! Two stages in one cell: what a sweep of them makes, scores and shows, and which stage is made again.

use crate::desk::Desk;
use crate::support::archs::{CLASSES, save_heard, tiny};
use crate::support::program::{files_ending, shipped};
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::io::numpy::npz::Npz;
use fidrunner::jobs::stage::Stage;
use fidrunner::run::plan::Plan;
use fidrunner::run::results::rows;
use fidrunner::run::store::Store;
use std::path::Path;

/// Base images of 16 pixels, since the shipped references are of 16 and more, and large ones of 32 by either of two counts
/// of steps; and the base images as they are.
const FILE: &str = r#"
name = "two"
[model]
checkpoint = "BASE"
[sample]
steps = 2
count = 12
part = 3
seed = 5
[upsample]
checkpoint = "UPSAMPLER"
steps = 3
batch = 3
part = 4
[eval]
features = "shapes"
weights = "FEATURES"
reference = "a"
metrics = ["fd"]
[[zip]]
upsample.checkpoint = ["none", "UPSAMPLER"]
eval.reference = ["REFERENCE16", "REFERENCE32"]
[grid]
upsample.steps = [2, 3]
"#;

/// A folder with the two nets and the experiment in `two.toml`, and that file's text.
fn desk() -> (Desk, String) {
    let desk = Desk::empty();
    let (base, upsampler) = (
        desk.path("base.safetensors"),
        desk.path("upsampler.safetensors"),
    );
    save_heard(&Arch::Unet(tiny(16, None, CLASSES)), &base);
    save_heard(&Arch::SuperRes(tiny(32, Some(16), CLASSES)), &upsampler);
    let text = [
        ("BASE", base.display().to_string()),
        ("UPSAMPLER", upsampler.display().to_string()),
        (
            "FEATURES",
            shipped("experiments/shapes/features.safetensors"),
        ),
        ("REFERENCE16", shipped("reference_stats/shapes16.npz")),
        ("REFERENCE32", shipped("reference_stats/shapes32.npz")),
    ]
    .iter()
    .fold(FILE.to_string(), |text, (name, path)| {
        text.replace(name, path)
    });
    desk.write("two.toml", &text);
    (desk, text)
}

/// Pixels a side of the images in a folder.
fn side(folder: &Path) -> usize {
    let part = files_ending(folder, "npz").remove(0);
    Npz::open(&part).unwrap().u8("arr_0").unwrap().shape[1]
}

#[test]
fn a_sweep_scores_and_shows_the_large_images() {
    let (desk, text) = desk();
    desk.done(&["sweep", "two.toml", "--device", "cpu"]);

    let store = Store::new(&desk.path(".runner"));
    let sweep = sweep(&text, &[], &[]).unwrap();
    let plan = Plan::of(&sweep, &store, None).unwrap();
    let count = |stage: &str| {
        plan.items
            .iter()
            .filter(|i| i.job.stage().name() == stage)
            .count()
    };
    // The base samples are one result, and so are the two cells that score them as they are.
    assert_eq!(
        [count("sample"), count("upsample"), count("features")],
        [1, 2, 3]
    );
    assert!(plan.to_run().is_empty());
    let rows = rows(&plan, &store);
    let sides = rows.iter().map(|row| side(row.samples.as_ref().unwrap()));
    assert_eq!(sides.collect::<Vec<_>>(), [16, 16, 32, 32]);
    let fd = |n: usize| rows[n].scores[0].value;
    assert!(fd(0) == fd(1) && fd(0) != fd(2) && fd(2) != fd(3));

    // Forgetting the second stage leaves the first, and what was scored without it.
    let again = plan.from_stage(Stage::Upsample);
    let again = again.iter().map(|&n| plan.items[n].job.stage().name());
    assert_eq!(
        again.collect::<Vec<_>>(),
        [
            "upsample", "features", "metrics", "upsample", "features", "metrics"
        ]
    );
    let samples = plan.items.iter();
    let first = samples.map(|item| item.job.stage().name());
    let first = first.into_iter().position(|stage| stage == "sample");
    let text = plan.text(first.unwrap()).unwrap();
    assert!(!text.contains("upsample"), "{text}");
    what_commands_say_of_two_stages(&desk);
}

fn what_commands_say_of_two_stages(desk: &Desk) {
    desk.runner(&["plan", "two.toml", "--only", "upsample=none"])
        .succeeds()
        .prints("2 of 4 cells");
    desk.runner(&["status", "two.toml"])
        .succeeds()
        .prints("sample  upsample  features");
    desk.runner(&["plan", "two.toml", "--why"])
        .args(["--set", "grid.upsample.steps=[3, 4]"])
        .succeeds()
        .prints("upsample.steps: ");
}
