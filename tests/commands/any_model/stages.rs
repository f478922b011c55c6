//! Training and measuring by a command.

use crate::any_model::study::{Study, eval, sampled};

#[test]
fn a_training_command_makes_the_checkpoint_that_the_sampler_reads() {
    let text = r#"
name = "study"
[train]
command = ["sh", "-c", "echo {vars.spread} > {out}/spread; echo trained >> trained"]
[sample]
command = ["sh", "-c", "exec python3 sample.py --out {out} --count {count} --spread $(cat {train}/spread) --seed {seed}"]
count = 6
[vars]
spread = 2
[grid]
vars.spread = [2, 5]
sample.seed = [0, 1]
"#;
    let study = Study::of(text);
    study.sweep(&[]).succeeds();
    // Two trainings, of which each serves two samplings.
    let trained = std::fs::read_to_string(study.path("trained")).unwrap();
    assert_eq!(trained.lines().count(), 2);
    assert_eq!(study.results("train").len(), 2);
    assert_eq!(study.results("sample").len(), 4);
    study.sweep(&[]).succeeds().says("all 6 jobs are stored");
    // A checkpoint that is gone is made again.
    let spread = study.results("train")[0].join("checkpoint/spread");
    std::fs::remove_file(spread).unwrap();
    study.sweep(&[]).succeeds().says("1 of 6 jobs to run");
}

#[test]
fn a_training_that_leaves_nothing_has_failed() {
    let text = r#"
name = "study"
[train]
command = ["true", "{out}"]
[sample]
command = ["sh", "-c", "exit 1", "{out}", "{train}"]
count = 6
"#;
    let study = Study::of(text);
    let answer = study.sweep(&[]).ends_with(1);
    answer
        .says("train.command ended well and left no file in {out}")
        .says("1 job failed, 1 job not tried");
}

#[test]
fn a_measuring_command_adds_columns() {
    let command = r#"["python3", "sample.py", "--out", "{out}", "--count", "{count}", "--spread", "{vars.spread}"]"#;
    let measure = "import sys, os, json\nn = len(os.listdir(sys.argv[1]))\nprint('looking')\nprint(json.dumps({'pictures': n, 'mine': 0.5, 'mine_low': 0.25, 'mine_high': 1}))\n";
    let text = sampled(
        command,
        "count = 6\n[vars]\nspread = 3\n[grid]\nvars.spread = [2, 3]",
    ) + &eval("[\"fd\"]")
        + "command = [\"python3\", \"measure.py\", \"{images}\"]\ninputs = [\"measure.py\"]\n[[chart]]\nx = \"vars.spread\"\ny = [\"fd\", \"mine\"]\n";
    let study = Study::of(&text);
    study.write("measure.py", measure);
    study.sweep(&[]).succeeds();
    let table = study.table();
    let head = table.lines().next().unwrap();
    for column in ["fd", "pictures", "mine", "mine_low", "mine_high"] {
        assert!(head.split(',').any(|c| c == column), "{head}");
    }
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains("0.25") && row.contains(",6"), "{row}");
    let left = study.stored("metrics");
    assert!(
        !left.iter().any(|name| name == "pictures" || name == "made"),
        "{left:?}"
    );
}

#[test]
fn numbers_that_are_none_are_told() {
    for (printed, said) in [
        (
            "print('done')",
            "is no JSON object of names and numbers: `done`",
        ),
        ("print('{\"a\": \"b\"}')", "`a` is \"b\", not a number"),
        (
            "print('{\"a\": 1, \"a_low\": 0}')",
            "`a` has one end of an interval",
        ),
        ("print('{}')", "holds no number"),
    ] {
        let text = sampled(
            r#"["python3", "sample.py", "--out", "{out}", "--count", "{count}"]"#,
            "count = 2\n[eval]\ncommand = [\"python3\", \"measure.py\", \"{npz}\"]",
        );
        let study = Study::of(&text);
        study.write("measure.py", printed);
        study.sweep(&[]).ends_with(1).says(said);
    }
}
