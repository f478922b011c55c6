//! Programs that fail, hang, leave processes behind or write something else.

use crate::any_model::study::{ELASTIC, Study, WHOLE, running, sampled};
use std::time::{Duration, Instant};

/// A study whose sampling fails, and what is said of it.
#[track_caller]
fn fails(command: &str, more: &str, parts: &[&str]) -> Study {
    let study = Study::of(&sampled(command, more));
    let answer = study.sweep(&[]).ends_with(1);
    for part in parts {
        assert!(
            answer.stderr.contains(part),
            "{part}\nis not in\n{}",
            answer.stderr
        );
    }
    let stored = study.stored("sample");
    assert!(!stored.contains(&"manifest.json".to_string()), "{stored:?}");
    study
}

#[test]
fn too_few_images_are_told_with_both_numbers() {
    let command = r#"["python3", "sample.py", "--out", "{out}", "--count", "3"]"#;
    fails(
        command,
        "count = 5",
        &[
            "sample.command ended well and made 3 images, 5 were asked for",
            "hint: ",
        ],
    );
}

#[test]
fn images_of_another_size_are_refused() {
    fails(
        WHOLE,
        "count = 5\nsize = 64",
        &["has 32 by 32 pixels, and sample.size = 64"],
    );
}

#[test]
fn an_exit_code_is_told_with_the_end_of_the_output() {
    let program = r#"["python3", "-c", "import sys\nfor i in range(50): print('step', i)\nsys.exit('no such checkpoint')", "{out}"]"#;
    let study = fails(
        program,
        "count = 5\nretries = 1",
        &[
            "try 2 of 2",
            "ended with exit code 1",
            "| step 49",
            "| no such checkpoint",
            "log.txt has the whole output",
        ],
    );
    let log = study.log("sample");
    assert_eq!(log.matches("! no such checkpoint").count(), 2, "{log}");
    assert!(log.contains("| step 0"), "{log}");
    // The same command makes it again once the program is mended.
    study.write("study.toml", &sampled(WHOLE, "count = 5"));
    study.sweep(&[]).succeeds();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    fails(
        r#"["no-such-sampler", "{out}"]"#,
        "count = 5",
        &["sample.command cannot be run", "no-such-sampler", "hint: "],
    );
}

#[test]
fn a_program_that_hangs_is_ended_with_all_its_processes() {
    let started = Instant::now();
    fails(
        r#"["sh", "-c", "sleep 4871 & sleep 4871", "{out}"]"#,
        "count = 5\ntimeout = \"1s\"",
        &["was still running after its timeout of 1 s, and was ended"],
    );
    assert!(started.elapsed() < Duration::from_secs(25));
    assert_eq!(running("sleep 4871"), 0);
}

#[test]
fn processes_that_are_left_behind_are_ended_and_counted() {
    let command =
        r#"["sh", "-c", "sleep 4872 & exec python3 sample.py --out {out} --count {count}"]"#;
    let study = Study::of(&sampled(command, "count = 5"));
    study.sweep(&[]).succeeds();
    assert_eq!(running("sleep 4872"), 0);
    let log = study.log("sample");
    assert!(
        log.contains("left 1 of its processes running when it ended"),
        "{log}"
    );
}

#[test]
fn a_full_disk_under_the_program_fails_its_cell_alone() {
    let text = sampled(
        r#"["sh", "-c", "python3 sample.py --out $1 --count $2 > {vars.log}", "sh", "{out}", "{count}"]"#,
        "count = 5\n[vars]\nlog = \"/dev/null\"\n[grid]\nvars.log = [\"/dev/full\", \"/dev/null\"]",
    );
    let study = Study::of(&text);
    let answer = study.sweep(&[]).ends_with(1);
    answer.says("No space left on device").says("1 job failed");
    let whole = study.stored("sample");
    assert_eq!(
        whole.iter().filter(|name| *name == "manifest.json").count(),
        1
    );
    assert!(!whole.contains(&"made".to_string()), "{whole:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_runs() {
    let refuses = |text: &str, parts: &[&str]| {
        let study = Study::of(text);
        let mut answer = study.sweep(&[]).refuses();
        for part in parts {
            answer = answer.says(part);
        }
        assert!(study.results("sample").is_empty());
    };
    let axis = "count = 5\n[vars]\ncfg = 1\n[grid]\nvars.cfg = [1, 2]";
    refuses(&sampled(WHOLE, axis), &["vars.cfg", "hint: "]);
    let seeds = "count = 5\n[grid]\nsample.seed = [0, 1]";
    let seedless = r#"["python3", "sample.py", "--out", "{out}", "--count", "{count}"]"#;
    refuses(&sampled(seedless, seeds), &["sample.seed", "{seed}"]);
    refuses(
        &sampled(
            r#"["python3", "sample.py", "--out", "{outt}"]"#,
            "count = 5",
        ),
        &["{outt}", "did you mean `{out}`"],
    );
    refuses(
        &sampled(r#"["python3", "sample.py"]"#, "count = 5"),
        &["does not use {out}"],
    );
    refuses(
        &sampled(WHOLE, "count = 5\ninputs = [\"models/**/*.py\"]"),
        &["\"models/**/*.py\" names no file"],
    );
    refuses(
        &sampled(WHOLE, "count = 5\nretires = 2"),
        &["unknown field `retires`", "did you mean `retries`"],
    );
    refuses(
        &sampled(WHOLE, "count = 5\ntimeout = \"soon\""),
        &["sample.timeout", "\"soon\" is not a duration", "hint: "],
    );
    refuses(
        &sampled(WHOLE, "count = 5\ndevices = 2"),
        &["asks for 2 devices", "cpu"],
    );
    refuses(&sampled(ELASTIC, "count = 5\nsteps = 20"), &["steps"]);
}
