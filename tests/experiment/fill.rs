//! `[vars]` and `{key}`: which texts take which values, and every way to get it wrong.

use fidrunner::experiment::grid::fill::file_of;
use fidrunner::experiment::grid::sweep::{Cell, cells, sweep};

const FILE: &str = r#"name = "filled"
[vars]
tag = "a{{1}}"
cfg = 1.0
[model]
preset = "imagenet64"
checkpoint = "nets/{model.preset}-{vars.tag}-{vars.cfg}.pt"
[sample]
steps = 25
count = 50_000
seed = 3
[grid]
vars.cfg = [1, 1.5]
"#;

fn read(text: &str) -> Vec<Cell> {
    cells(text, &[], &[]).unwrap()
}

fn message(text: &str, set: &[&str]) -> String {
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let error = cells(text, &set, &[]).expect_err("this file should be refused");
    format!("{error:#}")
}

fn checkpoints(cells: &[Cell]) -> Vec<&str> {
    let paths = cells.iter().map(|cell| cell.spec.model.checkpoint.as_ref());
    paths.map(|path| path.unwrap().to_str().unwrap()).collect()
}

#[test]
fn a_text_takes_the_values_of_its_cell() {
    let cells = read(FILE);
    assert_eq!(
        checkpoints(&cells),
        ["nets/imagenet64-a{1}-1.pt", "nets/imagenet64-a{1}-1.5.pt"]
    );
    assert_eq!(cells[1].label(), "cfg=1.5");
    assert_eq!(cells[1].spec.vars["tag"].as_str(), Some("a{1}"));
    assert_eq!(cells[1].spec.vars["cfg"].as_float(), Some(1.5));
    // The value that an axis lays is taken, and so is one that is set.
    let text = FILE.replace(
        "vars.cfg = [1, 1.5]",
        "model.preset = [\"imagenet64\", \"imagenet128\"]",
    );
    let set = ["vars.tag=b".to_string()];
    assert_eq!(
        checkpoints(&fidrunner::experiment::grid::sweep::cells(&text, &set, &[]).unwrap()),
        ["nets/imagenet64-b-1.0.pt", "nets/imagenet128-b-1.0.pt"]
    );
}

#[test]
fn an_axis_of_texts_is_shown_and_chosen_as_filled() {
    let axis = "model.checkpoint = [\"{model.preset}.pt\", \"a{{b}}.pt\"]";
    let text = FILE.replace("vars.cfg = [1, 1.5]", axis);
    let found = read(&text);
    assert_eq!(found[0].label(), "checkpoint=imagenet64.pt");
    assert_eq!(found[1].label(), "checkpoint=a{b}.pt");
    let only = ["checkpoint=\"a{b}.pt\"".to_string()];
    assert_eq!(cells(&text, &[], &only).unwrap()[0].index, 1);
    let only = ["checkpoint=imagenet64.pt".to_string()];
    assert_eq!(cells(&text, &[], &only).unwrap()[0].index, 0);
}

#[test]
fn a_word_of_a_set_and_the_name_of_the_file_are_texts_too() {
    let text = FILE.replace(
        "steps = 25",
        "steps = \"{vars.steps}\"\nsampler = \"{vars.sampler}\"",
    );
    let text = text.replace(
        "tag = ",
        "steps = 50\nsampler = \"ddim\"\ntag = \"{name}\"\nother = ",
    );
    let cell = &read(&text)[0];
    let sample = toml::Table::try_from(cell.spec.sample.as_ref().unwrap()).unwrap();
    assert_eq!(sample["sampler"].as_str(), Some("ddim"));
    assert_eq!(sample["steps"].as_str(), Some("50"));
    assert_eq!(checkpoints(&read(&text))[0], "nets/imagenet64-filled-1.pt");
    let slip = text.replace("\"ddim\"", "\"dim\"");
    assert_eq!(
        message(&slip, &[]),
        "cell 0 (cfg=1): unknown variant `dim`, expected one of `ddpm`, `ddim`, `dpmpp_2m`, `dpmpp_3m`, `dpmpp_2m_sde`, `uni_pc`, `uni_pc_bh2`, `heun`, `euler`\nin `sample.sampler`\nhint: did you mean `ddim`?"
    );
}

#[test]
fn a_cell_written_out_is_that_cell_again() {
    for cell in read(FILE) {
        let text = file_of(&cell.spec).unwrap();
        assert!(text.contains("a{{1}}"), "{text}");
        assert_eq!(read(&text)[0].spec, cell.spec);
    }
}

#[test]
fn the_resolved_text_keeps_the_names_and_gives_the_same_cells() {
    let whole = sweep(FILE, &[], &[]).unwrap();
    let text = &whole.resolved;
    assert!(
        text.contains("nets/{model.preset}-{vars.tag}-{vars.cfg}.pt"),
        "{text}"
    );
    let again = sweep(text, &[], &[]).unwrap();
    for (a, b) in whole.cells.iter().zip(again.cells.iter()) {
        assert_eq!((&a.spec, &a.at), (&b.spec, &b.at));
    }
    assert_eq!(&again.resolved, text);
}

#[test]
fn names_that_nothing_has_are_refused_with_those_that_there_are() {
    let one = FILE.split("[grid]").next().unwrap();
    let keys = "name, vars.tag, vars.cfg, model.preset, model.checkpoint, sample.steps, sample.count, sample.seed";
    for (name, hint) in [
        ("vars.tga", "did you mean `{vars.tag}`? "),
        ("seeds", ""),
        ("preset", "did you mean `{model.preset}`? "),
        ("model", ""),
        ("", "?"),
    ] {
        let text = one.replace("{vars.tag}", &format!("{{{name}}}"));
        let said = message(&text, &[]);
        if hint == "?" {
            assert!(said.contains("names nothing between `{` and `}`"), "{said}");
            continue;
        }
        assert_eq!(
            said,
            format!(
                "model.checkpoint = \"nets/{{model.preset}}-{{{name}}}-{{vars.cfg}}.pt\": `{{{name}}}` is no key of this file\nhint: {hint}there are {keys}; a brace that is meant literally is doubled"
            )
        );
    }
    let said = message(&one.replace("{vars.tag}", "{out}"), &[]);
    assert!(
        said.contains("`{out}` is no key of this file, and is known only to a command when it runs\nhint: there are name"),
        "{said}"
    );
    let said = message(&FILE.replace("{vars.tag}", "{vars.x}"), &[]);
    assert!(
        said.starts_with("cell 0 (cfg=1): model.checkpoint = "),
        "{said}"
    );
}

#[test]
fn circles_lists_and_single_braces_are_refused() {
    let one = FILE.split("[grid]").next().unwrap();
    for (old, new, expected) in [
        (
            "a{{1}}",
            "{model.checkpoint}",
            "vars.tag = \"{model.checkpoint}\": vars.tag -> model.checkpoint -> vars.tag go round in a circle",
        ),
        (
            "a{{1}}",
            "{vars.tag}",
            "vars.tag = \"{vars.tag}\": vars.tag -> vars.tag go round in a circle",
        ),
        (
            "a{{1}}",
            "a{1",
            "vars.tag = \"a{1\": \"a{1\" has a `{` without its partner\nhint: `{name}` takes the value of a key; a brace that is meant literally is doubled: `{{`",
        ),
        (
            "seed = 3",
            "classes = [1, 2]\nseed = 3",
            "model.checkpoint = \"nets/{model.preset}-{sample.classes}-{vars.cfg}.pt\": `{sample.classes}` is the list [1, 2], and a text can take a text, a number, true or false",
        ),
    ] {
        let mut text = one.replace(old, new);
        if new.starts_with("classes") {
            text = text.replace("{vars.tag}", "{sample.classes}");
        }
        assert_eq!(message(&text, &[]), expected);
    }
}

#[test]
fn texts_in_lists_are_filled() {
    let text = FILE.replace("seed = 3", "classes = [\"{vars.name}\", 3, \"{{\"]");
    let text = text.replace("tag = ", "name = \"cat\"\ntag = ");
    let cell = &read(&text)[0];
    let sample = toml::Table::try_from(cell.spec.sample.as_ref().unwrap()).unwrap();
    assert_eq!(sample["classes"].to_string(), "[\"cat\", 3, \"{\"]");
    let resolved = sweep(&text, &[], &[]).unwrap().resolved;
    let again = toml::from_str::<toml::Table>(&resolved).unwrap();
    assert_eq!(
        again["sample"]["classes"].to_string(),
        "[\"{vars.name}\", 3, \"{{\"]"
    );
}

#[test]
fn a_variable_is_one_value_under_a_name_that_can_be_asked_for() {
    for (line, expected) in [
        (
            "list = [1, 2]",
            "vars.list is a list, and a variable is a text, a number, true or false\nhint: several values are an axis: `[grid] vars.list = [1, 2]`",
        ),
        (
            "table = { a = 1 }",
            "vars.table is a table, and a variable is a text, a number, true or false\nhint: give each of its values a name of its own",
        ),
        (
            "day = 2024-01-02",
            "vars.day is a date, and a variable is a text, a number, true or false\nhint: write it as text: `day = \"2024-01-02\"`",
        ),
        (
            "\"a.b\" = 1",
            "vars.\"a.b\" is not a name that a text can ask for; letters, digits, `-` and `_` are",
        ),
    ] {
        let text = FILE.replace("[vars]", &format!("[vars]\n{line}"));
        let said = message(&text, &[]);
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("line 2, column 1"), "{said}");
    }
    let said = message(FILE, &["vars.tag=[1]"]);
    assert!(
        said.starts_with("--set vars.tag=[1]: vars.tag is a list"),
        "{said}"
    );
}

#[test]
fn a_variable_that_is_an_axis_alone_must_be_used() {
    let text = FILE.replace("-{vars.cfg}", "");
    assert_eq!(
        message(&text, &[]),
        "vars.cfg is an axis of [grid], and no text takes it, so that all its cells would be the same\nhint: write `{vars.cfg}` where it is to stand"
    );
    // A name beside what it names is of use in tables and charts.
    let zip = text.replace(
        "[grid]\nvars.cfg = [1, 1.5]",
        "[[zip]]\nvars.cfg = [1, 1.5]\nsample.steps = [5, 6]",
    );
    assert_eq!(read(&zip).len(), 2);
}
