//! `runner init`: the list of studies, and a study written to be changed.

use super::{Installed, studies, text};
use crate::support::program::files_ending;
use std::path::Path;

#[test]
fn every_study_is_listed_with_what_it_asks() {
    let installed = Installed::new();
    let listed = installed.runner(&["init"]).succeeds();
    let again = installed.runner(&["init", "--list"]).succeeds();
    assert_eq!(listed.stdout, again.stdout);
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for line in listed.stdout.lines() {
        let (name, about) = line.trim().split_once("  ").expect("two columns");
        assert!(about.trim().len() > 15 && line.len() < 160, "{line}");
        lines.push((name, about.trim()));
    }
    let mut names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    names.sort();
    let mut want: Vec<String> = studies().into_iter().map(|(name, _)| name).collect();
    want.sort();
    assert_eq!(names, want);
    let about = "Classifier guidance on the shapes world";
    assert!(lines.contains(&("guidance", about)), "{}", listed.stdout);
    assert!(files_ending(&installed.at("work"), "toml").is_empty());
}

#[test]
fn every_study_is_written_whole_and_plans_as_the_shipped_one() {
    let installed = Installed::new();
    for (name, path) in studies() {
        installed.runner(&["init", &name]).succeeds().says(&format!(
            "`runner plan {name}.toml` shows what it would run, `runner sweep {name}.toml` runs it\n"
        ));
        let written = text(&installed.at("work").join(format!("{name}.toml")));
        let without_comments = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        assert_eq!(without_comments(&written), without_comments(&text(&path)));
        assert!(!written.contains(&format!("runner sweep experiments/{name}")));
        if path.extension().is_some_and(|end| end == "toml") {
            assert!(
                written.starts_with("#:schema ./runner.schema.json\n"),
                "{name}"
            );
            let schema = installed
                .at("work")
                .join(&name)
                .with_file_name("runner.schema.json");
            assert_eq!(
                text(&schema),
                text(Path::new("experiments/schema.json")),
                "{name}"
            );
        }
        let own = installed.plan(&format!("{name}.toml"));
        let shipped = installed.at("prefix/share/fidrunner");
        let folder = if name.starts_with("any_model/") {
            "examples"
        } else {
            "experiments"
        };
        let shipped = shipped.join(folder).join(format!("{name}.toml"));
        assert_eq!(
            own,
            installed.plan(&shipped.display().to_string()),
            "{name}"
        );
        for file in std::fs::read_dir(installed.at("work")).unwrap().flatten() {
            let path = file.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn what_a_study_starts_from_and_runs_comes_with_it() {
    let installed = Installed::new();
    let answer = installed.runner(&["init", "imagenet/wallclock"]).succeeds();
    assert!(
        answer
            .stderr
            .starts_with("wrote imagenet/wallclock.toml\nwrote imagenet/architecture.toml\n"),
        "{}",
        answer.stderr
    );
    // What is there as it would be written stays.
    std::fs::remove_file(installed.at("work/imagenet/wallclock.toml")).unwrap();
    installed
        .runner(&["init", "imagenet/wallclock"])
        .succeeds()
        .says("imagenet/architecture.toml is there already\n");
    installed.write("imagenet/architecture.toml", "# mine\n");
    std::fs::remove_file(installed.at("work/imagenet/wallclock.toml")).unwrap();
    installed
        .runner(&["init", "imagenet/wallclock"])
        .refuses()
        .says("error: imagenet/architecture.toml: there is such a file already, and nothing was written\n");
    assert!(!installed.at("work/imagenet/wallclock.toml").exists());
    installed
        .runner(&["init", "any_model/gaussians"])
        .succeeds();
    assert!(installed.at("work/any_model/sample.py").is_file());
}

#[test]
fn nothing_is_overwritten_and_no_stranger_is_written() {
    let installed = Installed::new();
    installed.write("guidance.toml", "# mine\n");
    installed.runner(&["init", "guidance"]).refuses().says(
        "error: guidance.toml: there is such a file already, and nothing was written\n\nhint: move it away, or run `runner init` in another folder\n",
    );
    assert_eq!(text(&installed.at("work/guidance.toml")), "# mine\n");
    installed.runner(&["init", "stpes"]).refuses().says(
        "error: stpes: no study of that name ships\n\nhint: the studies `steps` and `imagenet/steps` ship; `runner init` lists the studies that ship\n",
    );
    for name in [
        "../guidance",
        "/tmp/guidance",
        "experiments/guidance.toml",
        "",
    ] {
        installed.runner(&["init", name]).refuses();
    }
    installed.runner(&["init", "steps", "--list"]).refuses();
}
