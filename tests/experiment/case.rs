//! `[[case]]`: which cells the rows make, what they are called, and every way to get them wrong.

use fidrunner::experiment::grid::fill::file_of;
use fidrunner::experiment::grid::sweep::{Cell, cells, sweep};

const HEAD: &str = r#"name = "cases"
[model]
preset = "imagenet{case}"
checkpoint = "fetch:{model.preset}"
[guidance]
preset = "{model.preset}-classifier"
checkpoint = "fetch:{guidance.preset}"
scale = 1
[sample]
steps = 25
count = 100
[eval]
features = "inception"
weights = "fetch:inception"
reference = "fetch:{model.preset}-reference"
preset = "adm"
metrics = ["fid", "is"]
"#;

const CASES: &str = r#"
[[case]]
name = "64"
guidance.scale = [5, 1]
sample.seed = [3, 4]
[[case]]
name = "128"
sample.seed = 7
[grid]
sample.steps = [25, 50]
[[chart]]
x = "case"
y = ["fid"]
by = "guidance.scale"
[report]
deltas = "case"
[[published]]
source = "a paper"
at.case = "64"
at.guidance.scale = 0
scores = { fid = 2.07 }
[[claim]]
source = "a paper"
says = "more pixels"
metric = "fid"
better.case = "128"
than.case = "64"
"#;

fn file() -> String {
    format!("{HEAD}{CASES}")
}

fn read(text: &str) -> Vec<Cell> {
    cells(text, &[], &[]).unwrap()
}

fn message(text: &str, set: &[&str], only: &[&str]) -> String {
    let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let error = cells(text, &own(set), &own(only)).expect_err("this file should be refused");
    format!("{error:#}")
}

#[test]
fn lists_are_crossed_within_a_case_and_cases_with_the_grid() {
    let cells = read(&file());
    let labels: Vec<String> = cells.iter().map(Cell::label).collect();
    assert_eq!(
        labels,
        [
            "case=64 scale=5 seed=3 steps=25",
            "case=64 scale=5 seed=3 steps=50",
            "case=64 scale=5 seed=4 steps=25",
            "case=64 scale=5 seed=4 steps=50",
            "case=64 scale=1 seed=3 steps=25",
            "case=64 scale=1 seed=3 steps=50",
            "case=64 scale=1 seed=4 steps=25",
            "case=64 scale=1 seed=4 steps=50",
            "case=128 scale=1 seed=7 steps=25",
            "case=128 scale=1 seed=7 steps=50",
        ]
    );
    let last = &cells[9].spec;
    assert_eq!(
        last.model.checkpoint.as_ref().unwrap().to_str(),
        Some("fetch:imagenet128")
    );
    let guide = last.guidance.as_ref().unwrap();
    assert_eq!(
        guide.checkpoint.as_ref().unwrap().to_str(),
        Some("fetch:imagenet128-classifier")
    );
    assert_eq!((guide.scale, last.net_sample().unwrap().seed), (1.0, 7));
    assert!(last.case.is_empty());
    let keys: Vec<&str> = cells[0].at.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        ["case", "guidance.scale", "sample.seed", "sample.steps"]
    );
}

#[test]
fn cases_without_names_are_a_zip_of_their_rows() {
    let cases = "[[case]]\nmodel.resolution = 64\nguidance.scale = [1, 5]\n\
        [[case]]\nmodel.resolution = [128, 256]\nguidance.scale = [1, 10]\n";
    let zip = "[[zip]]\nmodel.resolution = [64, 64, 128, 128, 256, 256]\n\
        guidance.scale = [1, 5, 1, 10, 1, 10]\n";
    let head = HEAD.replace("{case}", "{model.resolution}");
    let (by_case, by_zip) = (
        read(&format!("{head}{cases}")),
        read(&format!("{head}{zip}")),
    );
    assert_eq!(by_case.len(), 6);
    for (a, b) in by_case.iter().zip(&by_zip) {
        assert_eq!((&a.at, &a.axes, &a.label()), (&b.at, &b.axes, &b.label()));
        assert_eq!(file_of(&a.spec).unwrap(), file_of(&b.spec).unwrap());
    }
    assert_eq!(by_case[5].label(), "resolution=256 scale=10");
}

#[test]
fn the_resolved_text_has_the_cases_and_gives_the_same_cells() {
    let whole = sweep(&file(), &[], &[]).unwrap();
    let again = sweep(&whole.resolved, &[], &[]).unwrap();
    assert_eq!(whole.cells.len(), again.cells.len());
    for (a, b) in whole.cells.iter().zip(again.cells.iter()) {
        assert_eq!((&a.spec, &a.at), (&b.spec, &b.at));
    }
    assert_eq!(whole.resolved, again.resolved);
}

#[test]
fn a_list_in_a_case_is_an_axis_and_a_list_of_lists_holds_lists() {
    let head = HEAD.replace("{case}", "64");
    let attention = |value: &str| {
        let case = format!("[[case]]\nmodel.arch.attention = {value}\nsample.steps = 5\n");
        cells(&format!("{head}{case}"), &[], &[])
    };
    let one = attention("[[32, 16]]").unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].spec.model.arch.attention, Some(vec![32, 16]));
    assert_eq!(attention("[[32, 16], [8]]").unwrap().len(), 2);
    let error = format!("{:#}", attention("[32, 16]").unwrap_err());
    assert!(
        error.starts_with("cell 0 (attention=32): invalid type: integer `32`, expected a sequence"),
        "{error}"
    );
    // What the file itself has for a case that does not say it is one value, list or not.
    let base = head.replace("[guidance]", "arch.attention = [16]\n[guidance]");
    let cases =
        "[[case]]\nname = \"a\"\n[[case]]\nname = \"b\"\nmodel.arch.attention = [[8], [4]]\n";
    let cells = read(&format!("{base}{cases}"));
    let attention = cells
        .iter()
        .map(|cell| cell.spec.model.arch.attention.clone());
    assert_eq!(
        attention.collect::<Vec<_>>(),
        [Some(vec![16]), Some(vec![8]), Some(vec![4])]
    );
    assert_eq!(cells[1].label(), "case=b attention=[8]");
}

#[test]
fn only_keeps_cases_by_their_names() {
    let only = |text: &str| {
        let found = sweep(&file(), &[], &[text.to_string()]).unwrap().cells;
        found.iter().map(|cell| cell.index).collect::<Vec<_>>()
    };
    assert_eq!(only("case=128"), [8, 9]);
    assert_eq!(only("case=\"128\""), [8, 9]);
    assert_eq!(only("case=[\"128\"]").len(), 2);
    assert_eq!(only("case=64,128").len(), 10);
    assert_eq!(only("scale=1.0").len(), 6);
    assert_eq!(
        message(&file(), &[], &["case=32"]),
        "--only case=32: `32` is not on the axis, which has 64, 128"
    );
}

#[test]
fn a_key_of_a_case_may_be_left_out() {
    let text = file().replace("scale = 1\n", "");
    assert_eq!(
        message(&text, &[], &[]),
        "cell 8 (case=128 seed=7 steps=25): missing field `scale`\nin `guidance`"
    );
    assert_eq!(
        message(&text, &["guidance.scale=2"], &[]),
        "--set guidance.scale=2: `guidance.scale` is set by [[case]]\nhint: to run one slice, use `--only guidance.scale=VALUE`; to change it, use an editor: a [[case]] is one row of values"
    );
    assert_eq!(
        message(&file(), &["case=1"], &[]),
        "--set case=1: [[case]] cannot be set; edit it in the file"
    );
}

#[test]
fn names_and_values_of_cases_are_checked() {
    for (old, new, expected) in [
        (
            "name = \"128\"\n",
            "",
            "[[case]] \"64\" has a name and [[case]] 2 has none\nhint: give each case a `name`, or none",
        ),
        (
            "name = \"128\"",
            "name = \"64\"",
            "[[case]] 1 and [[case]] 2 are both called \"64\"",
        ),
        (
            "name = \"128\"",
            "name = 128",
            "[[case]] 2: name = 128 is not a text that names it\nhint: write `name = \"128\"`",
        ),
        (
            "name = \"128\"",
            "name = \" \"",
            "[[case]] 2: name = \" \" is not a text that names it\nhint: write `name = \"A\"`",
        ),
        (
            "scale = [5, 1]",
            "scale = [5, 5.0]",
            "[[case]] \"64\": guidance.scale holds 5 twice",
        ),
        (
            "scale = [5, 1]",
            "scale = []",
            "[[case]] \"64\": guidance.scale = [] has no values, so there would be no cells\nhint: a list in a case is one cell a value; a value that is an empty list is written `[[]]`",
        ),
        (
            "guidance.scale = [5, 1]",
            "grid.guidance.scale = [5, 1]",
            "[[case]] \"64\" `grid.guidance.scale` cannot be an axis",
        ),
        (
            "[grid]",
            "[grid]\nsample.seed = [1]",
            "`sample.seed` is an axis twice: in [[case]] and in [grid]",
        ),
        (
            "[grid]",
            "[grid]\ncase = [\"64\"]",
            "[grid] `case` cannot be an axis",
        ),
        (
            "at.case = \"64\"",
            "at.case = 64",
            "[[published]] 1: at.case = 64 is not on the axis, which has 64, 128\nhint: write `at.case = \"64\"`",
        ),
        (
            "than.case = \"64\"",
            "than.case = \"32\"",
            "[[claim]] 1: case = 32 is not on the axis, which has 64, 128",
        ),
        (
            "x = \"case\"",
            "x = \"casee\"",
            "[[chart]] 1: x = \"casee\" is neither an axis (case, guidance.scale, sample.seed, sample.steps) nor a metric (fid, is) nor \"evaluations\"",
        ),
    ] {
        let text = file();
        assert!(text.contains(old), "{old}");
        assert_eq!(message(&text.replacen(old, new, 1), &[], &[]), expected);
    }
    let same = format!(
        "{}[[case]]\nsample.seed = 1\n[[case]]\nsample.seed = [2, 1]\n",
        HEAD.replace("{case}", "64")
    );
    assert_eq!(
        message(&same, &[], &[]),
        "[[case]] sample.seed holds 1 twice"
    );
    let long: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let long = long.join(", ");
    let many = format!(
        "{}[[case]]\nsample.seed = [{long}]\nsample.steps = [{long}]\nsample.batch = [{long}]\n",
        HEAD.replace("{case}", "64")
    );
    assert_eq!(
        message(&many, &[], &[]),
        "the cases make more than 100000 cells"
    );
}

#[test]
fn a_case_without_a_table_has_none_in_any_reading_of_the_file() {
    let head = HEAD.replace("{case}", "64");
    let (before, after) = (
        head.find("[guidance]").unwrap(),
        head.find("[sample]").unwrap(),
    );
    let head = format!("{}{}", &head[..before], &head[after..]);
    let cases = "[[case]]\nname = \"guided\"\nguidance.checkpoint = \"fetch:imagenet64-classifier\"\n\
        guidance.preset = \"imagenet64-classifier\"\nguidance.scale = [1, 5]\n\
        [[case]]\nname = \"not\"\n[grid]\nsample.seed = [0, 1]\n";
    let first = sweep(&format!("{head}{cases}"), &[], &[]).unwrap();
    let labels: Vec<String> = first.cells.iter().map(Cell::label).collect();
    assert_eq!(
        labels,
        [
            "case=guided scale=1 seed=0",
            "case=guided scale=1 seed=1",
            "case=guided scale=5 seed=0",
            "case=guided scale=5 seed=1",
            "case=not seed=0",
            "case=not seed=1",
        ]
    );
    assert!(first.cells[0].spec.guidance.is_some() && first.cells[4].spec.guidance.is_none());
    assert_eq!(first.cells[4].get("guidance.scale"), None);
    let again = sweep(&first.resolved, &[], &[]).unwrap();
    for (a, b) in first.cells.iter().zip(again.cells.iter()) {
        assert_eq!((&a.spec, &a.at), (&b.spec, &b.at));
    }
    let only = ["guidance.scale=5".to_string()];
    let only = sweep(&format!("{head}{cases}"), &[], &only).unwrap();
    assert_eq!(only.cells.len(), 2);
}
