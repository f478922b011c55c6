//! The experiment file: its cells, and every message it can answer with, word for word.

use fidrunner::experiment::grid::sweep::{Cell, cells, sweep};
use fidrunner::experiment::nets::arch::Card;
use fidrunner::experiment::nets::resolve::resolve;

const FILE: &str = r#"name = "guidance64"

[model]
preset = "imagenet64"
checkpoint = "checkpoints/64x64_diffusion.pt"

[guidance]
checkpoint = "checkpoints/64x64_classifier.pt"
scale = 1.0

[sample]
sampler = "ddim"
steps = 25
count = 50_000

[eval]
features = "shapes"
weights = "features.safetensors"
reference = "reference_stats/imagenet64.npz"
metrics = ["fd", "is"]

[grid]
sample.steps = [25, 50]
guidance.scale = [0, 0.5, 1, 4]

[[zip]]
model.preset = ["imagenet64", "imagenet128"]
model.checkpoint = ["64x64_diffusion.pt", "128x128_diffusion.pt"]

[[chart]]
x = "guidance.scale"
y = ["fd", "is"]
by = "sample.steps"
"#;

fn read(text: &str) -> Vec<Cell> {
    cells(text, &[], &[]).unwrap()
}

fn message(text: &str, set: &[&str], only: &[&str]) -> String {
    let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let error = cells(text, &own(set), &own(only)).expect_err("this file should be refused");
    format!("{error:#}")
}

fn with(old: &str, new: &str) -> String {
    assert!(FILE.contains(old));
    FILE.replacen(old, new, 1)
}

#[test]
fn cells_are_the_product_in_mixed_radix_last_axis_fastest() {
    let cells = read(FILE);
    assert_eq!(cells.len(), 16);
    let labels: Vec<String> = cells.iter().map(Cell::label).collect();
    assert_eq!(labels[0], "steps=25 scale=0 preset=imagenet64");
    assert_eq!(labels[1], "steps=25 scale=0 preset=imagenet128");
    assert_eq!(labels[2], "steps=25 scale=0.5 preset=imagenet64");
    assert_eq!(labels[8], "steps=50 scale=0 preset=imagenet64");
    let distinct: std::collections::BTreeSet<_> = labels.iter().collect();
    assert_eq!(distinct.len(), 16);
    let last = &cells[15].spec;
    assert_eq!(last.guidance.as_ref().unwrap().scale, 4.0);
    let checkpoint = last.model.checkpoint.as_ref().unwrap();
    assert_eq!(checkpoint.to_str(), Some("128x128_diffusion.pt"));
    assert_eq!(cells[15].at.len(), 4);
    assert_eq!(
        cells[15].axes,
        ["sample.steps", "guidance.scale", "model.preset"]
    );
}

#[test]
fn a_cell_written_out_is_an_experiment_of_one_cell() {
    for cell in read(FILE) {
        let text = toml::to_string(&cell.spec).unwrap();
        let again = read(&text);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].spec, cell.spec);
    }
}

#[test]
fn axes_that_share_a_last_word_both_take_the_longer_path() {
    let text = with(
        "guidance.scale = [0, 0.5, 1, 4]",
        "sample.seed = [1]\nguidance.scale = [1]",
    );
    let text = text.replace("[[zip]]", "[[zip]]\ntrain.seed = [3, 4]");
    let text = text.replace(
        "[grid]",
        "[train]\ndata = \"shapes\"\nsteps = 9\nbatch = 1\nlearning_rate = 1e-4\n[grid]",
    );
    let text = text
        .replace("model.preset = [", "#")
        .replace("model.checkpoint = [", "#")
        .replace("checkpoint = \"checkpoints/64x64_diffusion.pt\"", "");
    let label = read(&text)[0].label();
    assert_eq!(label, "steps=25 sample.seed=1 scale=1 train.seed=3");
}

#[test]
fn a_required_value_may_come_from_an_axis_or_from_set() {
    let text = with("\nscale = 1.0", "");
    assert_eq!(read(&text).len(), 16);
    let text = with("steps = 25\n", "");
    assert_eq!(read(&text).len(), 16);
    let bare = "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\ncount = 5";
    assert_eq!(
        message(bare, &[], &[]),
        "missing field `steps`\nin `sample`"
    );
    assert!(cells(bare, &["sample.steps=7".into()], &[]).is_ok());
}

#[test]
fn only_keeps_a_slice_and_the_cells_keep_their_numbers() {
    let only = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|s| s.to_string()).collect();
        let found = sweep(FILE, &[], &list).unwrap().cells;
        found.iter().map(|cell| cell.index).collect::<Vec<_>>()
    };
    assert_eq!(only(&["guidance.scale=4.0", "steps=25"]), [6, 7]);
    assert_eq!(
        only(&["scale=[0, 4]", "sample.steps=50", "model.preset=imagenet64"]),
        only(&["scale=0,4", "sample.steps=50", "model.preset=imagenet64"]),
    );
    assert_eq!(
        only(&["scale=0,4", "sample.steps=50", "model.preset=imagenet64"]),
        [8, 14]
    );
    assert_eq!(
        only(&["model.checkpoint=64x64_diffusion.pt", "scale=1"]),
        [4, 12]
    );
}

#[test]
fn set_takes_toml_values_and_bare_words() {
    let set = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|s| s.to_string()).collect();
        sweep(FILE, &list, &[]).unwrap()
    };
    let one = set(&[
        "sample.count=1_000",
        "sample.sampler=ddpm",
        "model.arch.heads=2",
    ]);
    let spec = &one.cells[0].spec;
    assert_eq!(spec.net_sample().unwrap().count, 1000);
    assert_eq!(spec.model.arch.heads, Some(2));
    assert_eq!(set(&["grid.guidance.scale=[9]"]).cells.len(), 4);
    assert_eq!(set(&["grid.sample.seed=[1,2,3]"]).cells.len(), 48);
}

#[test]
fn a_typo_is_shown_where_it_stands() {
    assert_eq!(
        message(&with("steps = 25", "stpes = 25"), &[], &[]),
        "TOML parse error at line 13, column 1\n   |\n13 | stpes = 25\n   | ^^^^^\n\
         unknown field `stpes`, expected one of `sampler`, `steps`, `eta`, `variance`, `temperature`, `dtype`, `trained_steps`, `ema`, `ema_length`, `count`, `seed`, `classes`, `clip`, `threshold`, `spacing`, `order`, `churn`, `churn_sigmas`, `batch`, `part`\nhint: did you mean `steps`?"
    );
    assert_eq!(
        message(&with("\"ddim\"", "\"dim\""), &[], &[]),
        "TOML parse error at line 12, column 11\n   |\n12 | sampler = \"dim\"\n   |           ^^^^^\n\
         unknown variant `dim`, expected one of `ddpm`, `ddim`, `dpmpp_2m`, `dpmpp_3m`, `dpmpp_2m_sde`, `uni_pc`, `uni_pc_bh2`, `heun`, `euler`\nhint: did you mean `ddim`?"
    );
}

#[test]
fn a_typo_in_an_axis_names_the_cell() {
    assert_eq!(
        message(
            &with("guidance.scale = [0", "guidance.scael = [0"),
            &[],
            &[]
        ),
        "cell 0 (steps=25 scael=0 preset=imagenet64): unknown field `scael`, expected one of `method`, `preset`, `checkpoint`, `trained_steps`, `ema`, `ema_length`, `scale`, `convention`, `course`, `power`, `interval`, `form`, `apg`, `rescale`, `null`, `blocks`, `blur`, `entropy`, `dtype`, `arch`, `train`\nin `guidance`\nhint: did you mean `scale`?"
    );
}

#[test]
fn a_value_out_of_range_names_the_cell_and_the_range() {
    let text = with("sample.steps = [25, 50]", "sample.steps = [25, 5000]");
    assert_eq!(
        message(&text, &[], &["steps=25"]),
        "cell 8 (steps=5000 scale=0 preset=imagenet64): sample.steps = 5000 is outside 1..=1000 (the model was trained on 1000 steps)"
    );
    let text = with("sample.steps = [25, 50]", "sample.steps = [\"ddim2000\"]");
    assert!(message(&text, &[], &[]).ends_with(
        "sample.steps = \"ddim2000\" is outside 1..=1000 (the model was trained on 1000 steps)"
    ));
    let one = FILE.split("[grid]").next().unwrap();
    for (set, expected) in [
        ("sample.count=0", "sample.count = 0 is below 1"),
        ("sample.eta=2", "sample.eta = 2 is outside 0..=1"),
        (
            "guidance.scale=-1",
            "guidance.scale = -1 is not a number from 0 up",
        ),
        ("eval.metrics=[]", "eval.metrics is an empty list"),
        (
            "eval.metrics=[\"fid\"]",
            "eval.metrics names `fid`, which is measured on Inception's features, and eval.features = \"shapes\"\nhint: use `fd`",
        ),
        (
            "eval.metrics=[\"kid\"]",
            "eval.metrics names `kid`, which is measured on Inception's features, and eval.features = \"shapes\"\nhint: other nets have fd, sfd, is, precision, recall and agreement",
        ),
        (
            "eval.preset=edm",
            "eval.preset = \"edm\" is an evaluator's rules for Inception's features, and eval.features = \"shapes\"\nhint: leave it out",
        ),
        (
            "sample.steps=\"ten\"",
            "sample.steps = \"ten\" is not a list of sections such as \"10,10,20\", nor \"ddimN\"",
        ),
        (
            "model.kind=classifier",
            "[sample] draws from a model of kind \"unet\", not of kind \"classifier\"",
        ),
    ] {
        assert_eq!(message(one, &[set], &[]), expected);
    }
}

#[test]
fn a_preset_has_the_metrics_that_its_tool_prints() {
    let inception = "eval.features=inception";
    let charts = with("y = [\"fd\", \"is\"]", "y = [\"all\"]");
    let text = charts.replace("metrics = [\"fd\", \"is\"]", "metrics = [\"fid\", \"is\"]");
    let one = cells(&text, &[inception.to_string()], &[]);
    assert!(one.is_ok(), "{one:?}");
    for (metrics, preset, expected) in [
        (
            "[\"fid\", \"kid\"]",
            "adm",
            "eval.metrics names `kid`, which preset `adm` does not have; it has is, fid, sfid, precision, recall\nhint: `torch-fidelity`, `clean-fid`, `clean-fid-legacy-tensorflow`, `clean-fid-legacy-pytorch`, `dgm-eval` has it",
        ),
        (
            "[\"fd\"]",
            "edm",
            "eval.metrics names `fd`, which preset `edm` does not have; it has fid\nhint: use `fid`",
        ),
        (
            "[\"agreement\"]",
            "edm",
            "eval.metrics names `agreement`, which preset `edm` does not have; it has fid\nhint: leave it out: Inception's classes are not those that samples are asked for",
        ),
    ] {
        let metrics = format!("eval.metrics={metrics}");
        let preset = format!("eval.preset={preset}");
        let said = message(&text, &[inception, &metrics, &preset], &[]);
        assert!(said.contains(expected), "{said}");
    }
    let said = message(&text, &[inception, "sample.count=4"], &[]);
    assert!(said.contains("sample.count = 4 is below 5"), "{said}");
}

#[test]
fn lists_of_a_zip_must_be_of_one_length() {
    let text = with(", \"128x128_diffusion.pt\"", "");
    assert_eq!(
        message(&text, &[], &[]),
        "[[zip]] lists must be of one length: model.preset has 2, model.checkpoint has 1"
    );
}

#[test]
fn axes_must_be_lists_that_are_distinct_and_not_empty() {
    for (new, expected) in [
        (
            "[]",
            "[grid] guidance.scale = [] has no values, so there would be no cells",
        ),
        (
            "4",
            "[grid] guidance.scale = 4 is not a list\nhint: write `guidance.scale = [4]`, or move it to the table it belongs to",
        ),
        ("[0, 1, 0.0]", "[grid] guidance.scale holds 0 twice"),
    ] {
        let text = with(
            "guidance.scale = [0, 0.5, 1, 4]",
            &format!("guidance.scale = {new}"),
        );
        assert_eq!(message(&text, &[], &[]), expected);
    }
    let text = with(
        "model.preset = [",
        "sample.steps = [5, 6]\nmodel.preset = [",
    );
    assert_eq!(
        message(&text, &[], &[]),
        "`sample.steps` is an axis twice: in [grid] and in [[zip]]"
    );
}

#[test]
fn set_on_an_axis_is_refused_with_a_hint() {
    assert_eq!(
        message(FILE, &["guidance.scale=9"], &[]),
        "--set guidance.scale=9: `guidance.scale` is an axis of [grid] with 4 values\n\
         hint: to run one slice, use `--only guidance.scale=4`; to replace the axis, use `--set grid.guidance.scale=[9]`"
    );
    assert!(
        message(FILE, &["model.preset=x"], &[]).starts_with(
            "--set model.preset=x: `model.preset` is an axis of [[zip]] with 2 values"
        )
    );
}

#[test]
fn a_bad_set_or_only_is_named() {
    assert_eq!(
        message(FILE, &["sample.stpes=3"], &[]),
        "--set sample.stpes=3: unknown field `stpes`, expected one of `sampler`, `steps`, `eta`, `variance`, `temperature`, `dtype`, `trained_steps`, `ema`, `ema_length`, `count`, `seed`, `classes`, `clip`, `threshold`, `spacing`, `order`, `churn`, `churn_sigmas`, `batch`, `part`\nin `sample`\nhint: did you mean `steps`?"
    );
    assert_eq!(
        message(FILE, &["sample.count"], &[]),
        "--set sample.count: `sample.count` is not KEY=VALUE, such as `sample.steps=50`"
    );
    assert_eq!(
        message(FILE, &[], &["scale=3"]),
        "--only scale=3: `3` is not on the axis, which has 0, 0.5, 1, 4"
    );
    assert_eq!(
        message(FILE, &[], &["seed=3"]),
        "--only seed=3: `seed` is no axis; the axes are `sample.steps`, `guidance.scale`, `model.preset`, `model.checkpoint`"
    );
}

#[test]
fn a_chart_names_axes_and_metrics_of_the_file() {
    assert_eq!(
        message(&with("x = \"guidance.scale\"", "x = \"scael\""), &[], &[]),
        "[[chart]] 1: x = \"scael\" is neither an axis (sample.steps, guidance.scale, model.preset, model.checkpoint) nor a metric (fd, is) nor \"evaluations\""
    );
    assert_eq!(
        message(&with("y = [\"fd\"", "y = [\"fid\""), &[], &[]),
        "[[chart]] 1: y = \"fid\" is not a metric of [eval] (fd, is)"
    );
}

#[test]
fn a_net_is_what_the_file_that_trained_it_says() {
    let text = r#"
name = "trained"
[model]
preset = "shapes16"
[model.arch]
channel_mult = [1, 4]
heads = 2
[train]
data = "shapes"
steps = 1
batch = 1
learning_rate = 1e-3
"#;
    let model = cells(text, &[], &[]).unwrap()[0].spec.model.clone();
    let (arch, process) = resolve(&model, None).unwrap();
    let card = Card {
        arch: arch.clone(),
        process,
        classes: vec![],
        steps: 1,
        distilled: None,
    };
    assert_eq!(resolve(&model, Some(&card)).unwrap().0, arch);
    // With other changes it is another net than the card's.
    let mut other = model;
    other.arch.heads = Some(4);
    let error = resolve(&other, Some(&card)).unwrap_err().to_string();
    assert!(error.contains("differs from preset `shapes16`"), "{error}");
}
