//! A study by its name, wherever an experiment file is taken.

use super::{Installed, keys, share};
use crate::support::program::{Runner, files_ending, repository};
use std::fs;

const SLICE: [&str; 6] = [
    "--set",
    "sample.count=12",
    "--only",
    "model.resolution=16",
    "--only",
    "guidance.scale=0",
];

#[test]
fn a_study_runs_by_its_name_in_an_empty_folder() {
    let installed = Installed::new();
    let named = |verb: &str| installed.runner(&[verb, "guidance"]).args(SLICE);
    let file = installed.at("prefix/share/fidrunner/experiments/guidance.toml");
    let told = format!(
        "guidance: the study that ships with runner, {}\n",
        file.display()
    );
    for verb in ["plan", "sweep", "status", "report"] {
        let answer = named(verb).succeeds();
        assert!(answer.stderr.starts_with(&told), "{}", answer.stderr);
    }
    let reports = installed.at("work/reports/guidance");
    assert_eq!(files_ending(&reports, "html").len(), 1);
    assert!(installed.at("work/.runner/sample").is_dir());
    let export = ["export", "guidance", "0", "--out", "a.npz"];
    installed.runner(&export).args(SLICE).succeeds();
    assert!(installed.at("work/a.npz").is_file());
    // The study is whole, so what was made with another count is of no use to it.
    installed
        .runner(&["clean", "guidance"])
        .succeeds()
        .says("would free");
}

#[test]
fn names_and_paths_give_the_keys_of_the_checkout() {
    let installed = Installed::new();
    let here = |file: &str| keys(Runner::new().args(["plan", file, "--json"]));
    let want = here("experiments/guidance.toml");
    assert_eq!(installed.plan("guidance"), want);
    assert_eq!(installed.plan("experiments/guidance.toml"), want);
    // A program of the checkout has the checkout's files.
    let away = Runner::new().at(&installed.at("work"));
    assert_eq!(keys(away.args(["plan", "guidance", "--json"])), want);
    let want = here("experiments/imagenet/wallclock.toml");
    assert_eq!(installed.plan("imagenet/wallclock"), want);
    // A link to the program is the program.
    let link = installed.at("work/linked");
    std::os::unix::fs::symlink(installed.at("prefix/bin/runner"), &link).unwrap();
    let linked = Runner::of(&link).at(&installed.at("work"));
    assert_eq!(
        keys(linked.args(["plan", "steps", "--json"])),
        here("experiments/steps.toml")
    );
}

#[test]
fn a_variable_names_the_folder_of_the_studies() {
    let installed = Installed::without_files();
    installed.runner(&["plan", "guidance"]).refuses().says(
        "error: guidance: cannot be read: No such file or directory (os error 2)\n\nhint: name an experiment file; no studies ship beside this program",
    );
    let with = |folder: &str| {
        let runner = installed.runner(&["plan", "guidance", "--json"]);
        runner.env("RUNNER_SHARE", folder)
    };
    let shipped = share().display().to_string();
    let want = keys(Runner::new().args(["plan", "experiments/guidance.toml", "--json"]));
    assert_eq!(keys(with(&shipped)), want);
    with("/no/such/folder")
        .refuses()
        .says("error: guidance: RUNNER_SHARE=/no/such/folder: there is no such folder\n\nhint: set RUNNER_SHARE to the folder that holds `experiments`");
    installed
        .runner(&["init"])
        .refuses()
        .says("the files that ship with runner are not beside ");
    // What has a path of its own needs none of them.
    let own = text_of_study("mine");
    installed.write("mine.toml", &own);
    installed.plan("mine.toml");
}

/// A study that reads no file.
fn text_of_study(name: &str) -> String {
    format!(
        "name = \"{name}\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n"
    )
}

#[test]
fn what_is_in_the_working_folder_comes_first() {
    let installed = Installed::new();
    let plan = |file: &str| installed.runner(&["plan", file]).succeeds();
    installed.write("guidance.toml", &text_of_study("mine"));
    plan("guidance")
        .says("guidance: guidance.toml of this folder\n")
        .prints("mine: ");
    installed.write("guidance", &text_of_study("bare"));
    let answer = plan("guidance").prints("bare: ");
    assert_eq!(answer.stderr, "");

    fs::create_dir(installed.at("work/steps")).unwrap();
    installed
        .runner(&["plan", "steps"])
        .refuses()
        .says("error: steps: cannot be read: it is a folder\n\nhint: name an experiment file; the study of that name is ")
        .says("/experiments/steps.toml\n");
}

#[test]
fn unknown_names_are_told_with_those_that_are_near() {
    let installed = Installed::new();
    let refused = |verb: &str, name: &str| installed.runner(&[verb, name]).refuses().stderr;
    let missing = "cannot be read: No such file or directory (os error 2)";
    for verb in ["plan", "sweep", "status", "report", "clean"] {
        assert_eq!(
            refused(verb, "guidence"),
            format!(
                "error: guidence: {missing}; no study of that name ships\n\nhint: the studies `guidance` and `imagenet/guidance` ship; `runner init` lists the studies that ship\n"
            )
        );
    }
    assert_eq!(
        refused("plan", "imagenet/ddim52"),
        format!(
            "error: imagenet/ddim52: {missing}; no study of that name ships\n\nhint: the study `imagenet/ddim25` ships; `runner init` lists the studies that ship\n"
        )
    );
    assert_eq!(
        refused("plan", "mine/none.toml"),
        format!(
            "error: mine/none.toml: {missing}\n\nhint: `runner init` lists the studies that ship\n"
        )
    );
    // Nothing outside the shipped folder is taken for one of its files.
    let outside = "../fidrunner/experiments/guidance.toml";
    assert!(refused("plan", outside).contains(missing));
    assert!(repository("experiments/guidance.toml").is_file());
}
