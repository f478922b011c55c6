//! Whole sweeps of a program: killed and resumed, changed, and two at once.

use crate::any_model::study::{ELASTIC, Study, WHOLE, eval, sampled};
use std::time::{Duration, Instant};

const GRID: &str = "count = 20\npart = 5\n[vars]\nspread = 3\ndistance = 8\n[grid]\nvars.spread = [2, 4]\nvars.distance = [4, 12]\n";

fn swept() -> String {
    let command = ELASTIC.replace(
        ']',
        ", \"--spread\", \"{vars.spread}\", \"--distance\", \"{vars.distance}\"]",
    );
    let inputs = "inputs = [\"sample.py\"]\nsize = 32\n";
    sampled(
        &command,
        &format!("{inputs}{GRID}{}", eval("[\"fd\", \"precision\"]")),
    )
}

#[test]
fn a_sweep_that_is_killed_goes_on_to_the_same_table() {
    let whole = Study::of(&swept());
    whole.sweep(&[]).succeeds();
    let table = whole.table();
    assert_eq!(table.lines().count(), 5, "{table}");
    for column in ["spread", "distance", "fd", "precision"] {
        assert!(table.contains(column), "{table}");
    }
    let cut = Study::of(&swept());
    let mut kills = 0;
    for wait in [300, 700, 1100, 1500] {
        let mut child = cut.sweep(&[]).command().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        if child.try_wait().unwrap().is_none() {
            kills += 1;
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }
    assert!(
        kills > 0,
        "no run was still at work when it was to be killed"
    );
    cut.sweep(&[]).succeeds();
    assert_eq!(cut.table(), table);
    let left = cut.stored("sample");
    assert!(
        !left.iter().any(|name| name == "made" || name == "redrawn"),
        "{left:?}"
    );
}

#[test]
fn an_input_that_changes_makes_its_own_cells_again_and_is_named() {
    let command = r#"["python3", "{vars.sampler}", "--out", "{out}", "--count", "{count}"]"#;
    let more = "inputs = [\"{vars.sampler}\"]\ncount = 4\n[vars]\nsampler = \"a.py\"\n[grid]\nvars.sampler = [\"a.py\", \"b.py\"]";
    let study = Study::of(&sampled(command, more));
    let text = std::fs::read_to_string(study.path("sample.py")).unwrap();
    study.write("a.py", &text);
    study.write("b.py", &text);
    study.sweep(&[]).succeeds();
    study.write("b.py", &text.replace("SIDE = 32", "SIDE = 16"));
    let why = study.runner(&["plan", "study.toml", "--why"]).succeeds();
    why.clone().prints("b.py has other contents");
    let answer = study.sweep(&[]).succeeds().says("1 of 2 jobs to run");
    assert!(answer.stderr.contains("b.py"));
    assert_eq!(study.results("sample").len(), 3);
}

#[test]
fn two_sweeps_share_one_device_one_command_at_a_time() {
    // Each call notes when it began and ended.
    let program = r#"["sh", "-c", "echo begin >> trace; sleep 0.3; python3 sample.py --out {out} --count {count} --seed {seed}; echo end >> trace"]"#;
    let text = |seeds: &str| {
        sampled(
            program,
            &format!("count = 2\n[grid]\nsample.seed = {seeds}"),
        )
    };
    let study = Study::of(&text("[0, 1, 2]"));
    study.write("other.toml", &text("[10, 11, 12]"));
    let first = study.sweep(&[]).command().spawn().unwrap();
    let other = study.runner(&["sweep", "other.toml", "--store", "other"]);
    other.succeeds();
    assert!(first.wait_with_output().unwrap().status.success());
    let trace = std::fs::read_to_string(study.path("trace")).unwrap();
    assert_eq!(trace, "begin\nend\n".repeat(6));
}

#[test]
fn ctrl_c_ends_the_program_and_the_same_command_goes_on() {
    let slow = r#"["sh", "-c", "sleep 4873; exit 3", "{out}"]"#;
    let study = Study::of(&sampled(slow, "count = 2"));
    let child = study.sweep(&[]).command().spawn().unwrap();
    let started = Instant::now();
    while crate::any_model::study::running("sleep 4873") == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    // SAFETY: the process is a child of ours that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let out = child.wait_with_output().unwrap();
    assert_eq!(
        out.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(crate::any_model::study::running("sleep 4873"), 0);
    study.write("study.toml", &sampled(WHOLE, "count = 2"));
    study.sweep(&[]).succeeds();
}
