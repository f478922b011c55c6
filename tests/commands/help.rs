//! Help, exit codes and what wrong calls are told.

use crate::desk::{Desk, EXPERIMENT};

/// Every command with what the short help says of it, in its order.
pub const COMMANDS: [(&str, &str); 22] = [
    (
        "init",
        "List the studies that ship, or write one here to be changed",
    ),
    ("plan", "Show what a sweep would run, and why"),
    ("sweep", "Run what is missing"),
    (
        "work",
        "Take jobs from the store until nothing is left: a worker, as many as you like",
    ),
    (
        "status",
        "Show how far a sweep is, or what happened in one cell",
    ),
    ("report", "Write tables, charts and sample grids"),
    (
        "gallery",
        "Collect finished reports on one page: a chart and a sentence each",
    ),
    ("export", "Write the samples of a cell as one npz"),
    (
        "pack",
        "Put folders, archives and batches of images into one npz or tar",
    ),
    ("score", "Score images against a reference"),
    (
        "evaluator",
        "Print the five lines of guided-diffusion's evaluator.py",
    ),
    ("reference", "Compute reference statistics of a dataset"),
    (
        "likelihood",
        "Measure bits per dimension of images under a denoiser",
    ),
    (
        "reconstruct",
        "Encode images into noise by DDIM and back, and interpolate",
    ),
    ("inspect", "Show what a checkpoint, npz or key holds"),
    ("fetch", "Get published weights, references and samples"),
    (
        "import",
        "Turn guided-diffusion's flags into an experiment file",
    ),
    (
        "schema",
        "Print every key of the experiment file, for editors or as a page",
    ),
    (
        "verify",
        "Compare every stored file, or a report, with what was written",
    ),
    (
        "clean",
        "Remove stored results that no named experiment needs",
    ),
    (
        "completions",
        "Print a shell's completions of commands and flags",
    ),
    ("man", "Write the manual pages"),
];

#[test]
fn help_names_every_command_and_the_long_one_has_examples() {
    let desk = Desk::new();
    let short = desk.run(&["-h"]).stdout;
    assert!(short.starts_with("Run ablation sweeps of diffusion models and score their images"));
    let lines: String = COMMANDS
        .iter()
        .map(|(command, what)| format!("  {command:<13}{what}\n"))
        .collect();
    // The whole list, so that a new command cannot be forgotten here.
    let (_, listed) = short.split_once("Commands:\n").expect("commands");
    let (listed, _) = listed.split_once("\nOptions:").expect("options");
    assert_eq!(listed, lines);
    desk.runner(&["--help"])
        .succeeds()
        .prints("runner sweep experiments/guidance.toml --device cuda:0,cuda:1");
    for (command, _) in COMMANDS {
        let help = desk.runner(&[command, "--help"]).succeeds();
        help.prints("Examples:\n");
    }
}

#[test]
fn no_command_and_a_wrong_flag_exit_with_2() {
    let desk = Desk::new();
    for args in [
        &[][..],
        &["plan"],
        &["sweep", "a.toml", "--stpes"],
        &["swep", "a.toml"],
    ] {
        desk.refused(args);
    }
}

#[test]
fn errors_name_the_file_and_hints_stand_apart() {
    let desk = Desk::new();
    let missing = desk.refused(&["plan", "none.toml"]);
    assert!(missing.starts_with("error: none.toml: cannot be read: "));

    desk.write("typo.toml", &EXPERIMENT.replace("steps = 25", "stpes = 25"));
    let typo = desk.refused(&["plan", "typo.toml"]);
    assert!(typo.starts_with(
        "error: typo.toml: TOML parse error at line 11, column 1\n   |\n11 | stpes = 25\n   | ^^^^^\nunknown field `stpes`, expected one of "
    ), "{typo}");

    let axis = desk.refused(&["plan", "a.toml", "--set", "guidance.scale=9"]);
    assert_eq!(
        axis,
        "error: a.toml: --set guidance.scale=9: `guidance.scale` is an axis of [grid] with 4 values\n\n\
         hint: to run one slice, use `--only guidance.scale=4`; to replace the axis, use `--set grid.guidance.scale=[9]`\n"
    );
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let desk = Desk::new();
    let wrong = desk.refused(&["sweep", "a.toml", "--device", "gpu"]);
    assert!(wrong.starts_with("error: `gpu` is not a device; write `cpu`, `cuda:0`"));
    if cfg!(not(feature = "cuda")) {
        assert_eq!(
            desk.refused(&["sweep", "a.toml", "--device", "cuda:0"]),
            "error: no such device `cuda:0`: this build has no CUDA; available: cpu\n"
        );
    }
}

#[test]
fn inspect_refuses_what_it_does_not_know() {
    let desk = Desk::new();
    for (what, expected) in [
        (
            "zzz",
            "error: `zzz` is neither a file nor the first digits of a key\n",
        ),
        (
            "abcd",
            "error: no result in .runner has a key that starts with abcd\n",
        ),
    ] {
        assert_eq!(desk.refused(&["inspect", what]), expected);
    }
    let broken = desk.refused(&["inspect", "reference.npz"]);
    assert!(broken.starts_with("error: reading reference.npz: "));
}
