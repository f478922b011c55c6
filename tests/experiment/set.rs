//! `--set KEY=VALUE`: TOML where the value is TOML, else the text itself where the key is a text.

use fidrunner::experiment::file::experiment::Steps;
use fidrunner::experiment::grid::sweep::{Sweep, sweep};
use std::path::Path;

const FILE: &str = r#"
name = "a"
[model]
checkpoint = "a.safetensors"
[sample]
steps = 10
count = 20
[eval]
features = "shapes"
weights = "w.safetensors"
reference = "r.npz"
metrics = ["fd"]
"#;

fn set(one: &str) -> anyhow::Result<Sweep> {
    sweep(FILE, &[one.to_string()], &[])
}

fn checkpoint(value: &str) -> String {
    let sweep = set(&format!("model.checkpoint={value}")).unwrap_or_else(|e| panic!("{e:#}"));
    let path = sweep.cells[0].spec.model.checkpoint.clone();
    path.unwrap().display().to_string()
}

fn refused(one: &str) -> String {
    format!("{:#}", set(one).expect_err(one))
}

#[test]
fn a_text_that_is_no_toml_is_the_text() {
    for value in [
        "epoch=3-step=87/unet.safetensors",
        "~/nets/a.pt",
        "C:/nets/a.pt",
        "C:\\nets\\a.pt",
        "fetch:imagenet64",
        "my nets/unet (1).pt",
        "a+b@c.pt",
        "a#1.pt",
        "nets/ä,ö.pt",
        "2024-01-01/a.pt",
    ] {
        assert_eq!(checkpoint(value), value);
    }
    // A brace that is meant literally is doubled, as in the file.
    assert_eq!(checkpoint("{{cfg}}/a.pt"), "{cfg}/a.pt");
    let sweep = set("name=run 3 + more").unwrap();
    assert_eq!(sweep.name, "run 3 + more");
}

#[test]
fn toml_stays_toml() {
    assert_eq!(checkpoint("\"x y.pt\""), "x y.pt");
    assert_eq!(checkpoint("'x y.pt'"), "x y.pt");
    let seed = |one: &str| set(one).unwrap().cells[0].spec.net_sample().unwrap().seed;
    assert_eq!(seed("sample.seed=1"), 1);
    assert_eq!(seed("sample.seed = 1_0"), 10);
    assert_eq!(set("grid.sample.seed=[1, 2, 3]").unwrap().cells.len(), 3);
    let steps = |one: &str| {
        set(one).unwrap().cells[0]
            .spec
            .net_sample()
            .unwrap()
            .steps
            .clone()
    };
    assert_eq!(steps("sample.steps=25"), Steps::Count(25));
    assert_eq!(
        steps("sample.steps=10,10,20"),
        Steps::Sections("10,10,20".into())
    );
    assert_eq!(
        steps("sample.steps=ddim25"),
        Steps::Sections("ddim25".into())
    );
}

#[test]
fn a_text_for_another_kind_of_key_is_refused_with_what_is_allowed() {
    for (one, wanted) in [
        (
            "sample.count=10,000",
            "--set sample.count=10,000: `sample.count` takes a whole number, such as `1000`, and `10,000` is a text",
        ),
        (
            "sample.eta=half",
            "--set sample.eta=half: `sample.eta` takes a number, such as `0.5`, and `half` is a text",
        ),
        (
            "sample.clip=yes please",
            "--set sample.clip=yes please: `sample.clip` takes `true` or `false`, and `yes please` is a text",
        ),
        (
            "eval.metrics=fd",
            "--set eval.metrics=fd: `eval.metrics` takes a list, such as `[\"a\", \"b\"]`, and `fd` is a text",
        ),
    ] {
        assert_eq!(refused(one), wanted);
    }
    for one in ["grid.sample.sampler=[ddpm, ddim]", "name=\"a", "name='a"] {
        let why = refused(one);
        assert!(why.contains("is not a TOML value"), "{why}");
        assert!(
            why.contains("\nhint: texts in a list stand in quotes"),
            "{why}"
        );
    }
    assert!(refused("sample.sampler=my sampler").contains("unknown variant `my sampler`"));
    assert!(refused("sample.count=").contains("is not KEY=VALUE"));
}

#[test]
fn only_takes_the_same_texts() {
    let axis = "grid.model.checkpoint=[\"epoch=3/a.pt\", \"~/b c.pt\"]";
    let file = FILE.replace("checkpoint = \"a.safetensors\"", "");
    for (only, path) in [
        ("model.checkpoint=epoch=3/a.pt", "epoch=3/a.pt"),
        ("checkpoint=~/b c.pt", "~/b c.pt"),
    ] {
        let found = sweep(&file, &[axis.into()], &[only.into()]).unwrap();
        assert_eq!(found.cells.len(), 1, "{only}");
        let model = &found.cells[0].spec.model;
        assert_eq!(model.checkpoint.as_deref(), Some(Path::new(path)));
    }
}
