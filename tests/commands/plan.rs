//! `runner plan`: the grid, the jobs, their costs and reasons; of files that are imported and of those of the paper.

mod detect;
mod estimates;
mod paths;
mod simulated;

use crate::desk::Desk;
use crate::support::program::{Answer, Runner};
use std::io::Read;

#[test]
fn plan_shows_the_grid_the_jobs_and_what_they_cost() {
    let desk = Desk::new();
    let text = desk.done(&["plan", "a.toml"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "guidance64: 8 cells = steps [25, 50] x scale [0, 0.5, 1, 4]"
    );
    assert_eq!(lines[2], "  stage     jobs  stored  to run  cost");
    assert_eq!(lines[3], "  sample       8       0       8  300 k evals");
    assert_eq!(lines[5], "  metrics      8       0       8  8,000 images");
    assert!(text.contains("  reference: reference.npz  sha256 "));
    assert!(!desk.path(".runner").exists(), "a plan writes nothing");
}

#[test]
fn plan_tells_why_and_speaks_json() {
    let desk = Desk::new();
    let only = ["--only", "scale=0,4", "--only", "steps=50"];
    let text = desk
        .run(&[&["plan", "a.toml", "--why"], &only[..]].concat())
        .stdout;
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .starts_with("     4  steps=50 scale=0")
    );
    assert!(text.contains("nothing stored yet"));
    let lines = desk
        .run(&["plan", "a.toml", "--json", "--until", "sample"])
        .json_lines();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[7]["spec"]["guidance"]["scale"], 4.0);
    assert_eq!(
        lines[0]["spec"]["sample"]["batch"], 50,
        "defaults are written out"
    );
    assert_eq!(lines[0]["state"], "to run");
}

#[test]
fn a_plan_piped_into_head_ends_quietly() {
    let desk = Desk::new();
    let values: Vec<String> = (1..=900).map(|n| n.to_string()).collect();
    let set = format!("grid.sample.steps=[{}]", values.join(","));
    let plan = desk.runner(&["plan", "a.toml", "--json", "--set", &set]);
    let mut child = plan.command().spawn().unwrap();
    let mut first = [0; 16];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut first).unwrap();
    drop(pipe);
    let answer = Answer::of(child.wait_with_output().unwrap());
    assert_eq!((answer.stderr.as_str(), answer.code), ("", Some(0)));
}

#[test]
fn a_missing_checkpoint_and_an_unknown_preset_are_found_by_the_plan() {
    let desk = Desk::new();
    desk.runner(&["plan", "a.toml", "--set", "model.checkpoint=gone.pt"])
        .refuses()
        .says("cell 0 (steps=25 scale=0): a file is missing: model.checkpoint = \"gone.pt\" cannot be read");
    desk.run(&["plan", "a.toml", "--set", "model.preset=imagnet64"])
        .says("there is no preset `imagnet64`; the presets are imagenet64, ");
}

/// guided-diffusion's command line for 256 pixels of its unconditional net with guidance, of its README.
const FLAGS: &str = "--attention_resolutions 32,16,8 --diffusion_steps 1000 --learn_sigma True \
    --resblock_updown True --use_scale_shift_norm True \
    --batch_size 4 --num_samples 100 --timestep_respacing 250 \
    --class_cond False --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --classifier_scale 10.0 --classifier_path models/256x256_classifier.pt --model_path models/256x256_diffusion_uncond.pt";

#[test]
fn the_printed_file_is_planned_at_once() {
    let desk = Desk::empty();
    desk.write("a.toml", &desk.done(&["import", "--flags", FLAGS]));
    let plan = desk.runner(&["plan", "a.toml"]).succeeds();
    assert!(
        plan.stdout
            .starts_with("imagenet256-uncond-guided: 1 cell\n"),
        "{plan:?}"
    );
    assert!(
        plan.stderr
            .ends_with("runner fetch imagenet256-uncond imagenet256-classifier\n"),
        "{plan:?}"
    );
}

/// The plan of a file of the repository where nothing is stored and nothing fetched.
fn plan(file: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let plan = Runner::new().args(["plan", file, "--store"]);
    let plan = plan.arg(folder.path().join("store"));
    plan.arg("--cache")
        .arg(folder.path().join("cache"))
        .succeeds()
}

#[test]
fn the_imagenet_files_are_planned_without_any_weights() {
    let guidance = plan("experiments/imagenet/guidance.toml");
    assert!(
        guidance.stdout.starts_with(
            "imagenet-guidance: 19 cells = resolution/scale [64/0, 64/1, 64/5, 64/10, 64/30, 128/0, "
        ),
        "{guidance:?}"
    );
    let mut lines = guidance.stdout.lines();
    let line = lines.find(|line| line.contains("resolution=64 scale=30"));
    let words: Vec<&str> = line
        .unwrap()
        .split("  ")
        .filter(|w| !w.is_empty())
        .map(str::trim)
        .collect();
    assert_eq!(
        words,
        [
            "4",
            "resolution=64 scale=30",
            "12.5 M",
            "12.5 M",
            "not known",
            "1.6 GB"
        ]
    );
    guidance
        .prints("  sample      19       0      19  238 M evals\n")
        .says("runner fetch imagenet64 inception imagenet64-reference imagenet64-classifier imagenet128 ");
    plan("experiments/imagenet/uncond256.toml")
        .prints("3 cells = scale [0, 1, 10]")
        .says("runner fetch imagenet256-uncond inception imagenet256-reference imagenet256-classifier");
    plan("experiments/imagenet/ddim25.toml").prints("3 cells = resolution [128, 256, 512]");
    plan("experiments/imagenet/eds.toml")
        .prints("4 cells = case [unconditional, unconditional EDS, conditional, conditional EDS]")
        .prints("  sample       4       0       4  50 M evals");
    plan("experiments/imagenet/dpm-solver.toml")
        .prints("  sample      12       0      12  2.1 M evals");
    plan("experiments/imagenet/edm.toml")
        .prints("case/steps [DDPM/250, Heun/18, Heun/40, Heun stochastic/256]")
        .prints("  sample       4       0       4  43.8 M evals");
    plan("experiments/imagenet/upsample.toml")
        .prints("  upsample     4       0       4  50 M evals\n")
        .prints("preset=imagenet128-to-512 scale=0.5")
        .says("imagenet64-to-256 ");
    plan("experiments/imagenet/lsun.toml").prints("9 cells = preset [lsun-bedroom, lsun-cat, lsun-horse] x steps [1000, 50,50,50,50,50, 90,60,60,20,20]");
}

#[test]
fn trainings_are_planned_before_their_images_are_there() {
    for name in [
        "architecture",
        "attention",
        "adagn",
        "wallclock",
        "classifier",
    ] {
        let plan = plan(&format!("experiments/imagenet/{name}.toml"));
        let start = format!("imagenet-{name}: ");
        assert!(plan.stdout.starts_with(&start), "{plan:?}");
        plan.prints("  train ")
            .prints("not here yet: train.data = data/imagenet/train\n")
            .says("imagenet128-reference");
    }
    // Seven trainings give the nets of five counts of steps each.
    plan("experiments/imagenet/wallclock.toml")
        .prints("  train        7       0       7  8.4 M steps\n")
        .prints("  sample      35 ");
}
