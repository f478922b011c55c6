//! `[defaults] from`: a file that starts from another, and in which of the two a mistake is.

use fidrunner::experiment::grid::source::Source;
use fidrunner::experiment::grid::sweep::{Sweep, sweep_of};
use std::path::PathBuf;

const BASE: &str = r#"name = "base"
[model]
preset = "imagenet64"
checkpoint = "net.pt"
arch.attention = [32, 16]
[sample]
steps = 25
count = 100
[grid]
sample.seed = [0, 1]
[[chart]]
x = "sample.seed"
y = ["all"]
"#;

const OWN: &str = r#"name = "own"
chart = []
[defaults]
from = "base.toml"
[model.arch]
attention = [8]
[sample]
steps = 50
[grid]
sample.steps = [5, 10]
"#;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Files { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sweep(&self, name: &str) -> Result<Sweep, String> {
        let source = Source::read(&self.path(name));
        let sweep = source.and_then(|source| sweep_of(source, &[], &[]));
        sweep.map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn tables_are_merged_key_by_key_and_lists_are_taken_whole() {
    let files = Files::new(&[("base.toml", BASE), ("own.toml", OWN)]);
    let sweep = files.sweep("own.toml").unwrap();
    assert_eq!((sweep.name.as_str(), sweep.charts.len()), ("own", 0));
    let labels: Vec<String> = sweep.cells.iter().map(|cell| cell.label()).collect();
    assert_eq!(
        labels,
        [
            "seed=0 steps=5",
            "seed=0 steps=10",
            "seed=1 steps=5",
            "seed=1 steps=10"
        ]
    );
    let spec = &sweep.cells[0].spec;
    assert_eq!(spec.model.arch.attention, Some(vec![8]));
    assert_eq!(spec.model.preset.as_deref(), Some("imagenet64"));
    assert_eq!(spec.net_sample().unwrap().count, 100);
    assert!(spec.defaults.is_none());
    // What is shown of the study needs no other file.
    let alone = fidrunner::experiment::grid::sweep::sweep(&sweep.resolved, &[], &[]).unwrap();
    assert_eq!(alone.cells.len(), 4);
    for (a, b) in sweep.cells.iter().zip(alone.cells.iter()) {
        assert_eq!((&a.spec, &a.at), (&b.spec, &b.at));
    }
}

#[test]
fn a_file_is_found_from_the_one_that_names_it_and_chains_are_followed() {
    let middle = "name = \"middle\"\n[defaults]\nfrom = \"../base.toml\"\n[sample]\ncount = 7\n";
    let own = "name = \"own\"\n[defaults]\nfrom = \"sub/middle.toml\"\n";
    let files = Files::new(&[
        ("base.toml", BASE),
        ("sub/middle.toml", middle),
        ("own.toml", own),
    ]);
    let sweep = files.sweep("own.toml").unwrap();
    assert_eq!(sweep.cells[0].spec.net_sample().unwrap().count, 7);
    assert_eq!(
        sweep.cells[0].folders,
        [files.path(""), files.path("sub"), files.path("sub/..")].map(|path| {
            // A folder has no separator at its end.
            let text = path.to_str().unwrap().trim_end_matches('/').to_string();
            PathBuf::from(text)
        })
    );
}

#[test]
fn files_that_start_from_each_other_are_refused_with_the_way_round() {
    let to = |name: &str| format!("name = \"a\"\n[defaults]\nfrom = \"{name}\"\n");
    let files = Files::new(&[
        ("a.toml", &to("b.toml")),
        ("b.toml", &to("a.toml")),
        ("c.toml", &to("c.toml")),
    ]);
    let said = files.sweep("a.toml").unwrap_err();
    let at = |name: &str| {
        files
            .path(name)
            .canonicalize()
            .unwrap()
            .display()
            .to_string()
    };
    assert_eq!(
        said,
        format!(
            "[defaults] from = \"b.toml\": [defaults] from = \"a.toml\": files start from each other: {0} -> {1} -> {0}",
            at("a.toml"),
            at("b.toml")
        )
    );
    let said = files.sweep("c.toml").unwrap_err();
    assert!(
        said.ends_with(&format!("{0} -> {0}", at("c.toml"))),
        "{said}"
    );
}

#[test]
fn a_mistake_is_told_in_its_own_file_with_line_and_column() {
    let slip = BASE.replace("count = 100", "cuont = 100");
    let files = Files::new(&[("base.toml", &slip), ("own.toml", OWN)]);
    let said = files.sweep("own.toml").unwrap_err();
    assert!(
        said.starts_with("[defaults] from = \"base.toml\": TOML parse error at line 8, column 1\n  |\n8 | cuont = 100\n  | ^^^^^\nunknown field `cuont`"),
        "{said}"
    );
    // What the file leaves to its base hides no mistake of its own, in whichever table that is.
    for (old, new, expected) in [
        (
            "steps = 50",
            "spets = 50",
            "TOML parse error at line 8, column 1\n",
        ),
        (
            "[grid]",
            "[report]\ndetlas = true\n[grid]",
            "TOML parse error at line 10, column 1\n",
        ),
        (
            "[defaults]",
            "[defaults]\nform = 1",
            "TOML parse error at line 4, column 1\n",
        ),
    ] {
        let files = Files::new(&[("base.toml", BASE), ("own.toml", &OWN.replace(old, new))]);
        let said = files.sweep("own.toml").unwrap_err();
        assert!(said.starts_with(expected), "{said}");
    }
    let own = OWN.replace("from = \"base.toml\"", "");
    let said = Files::new(&[("own.toml", &own)])
        .sweep("own.toml")
        .unwrap_err();
    assert_eq!(said, "[defaults] from is missing: the file to start from");
    let said = Files::new(&[("own.toml", OWN)])
        .sweep("own.toml")
        .unwrap_err();
    assert!(
        said.starts_with("[defaults] from = \"base.toml\": cannot be read: No such file"),
        "{said}"
    );
}

#[test]
fn a_value_that_an_axis_of_the_base_would_hide_is_refused() {
    let own = OWN.replace("steps = 50", "seed = 3");
    let files = Files::new(&[("base.toml", BASE), ("own.toml", &own)]);
    assert_eq!(
        files.sweep("own.toml").unwrap_err(),
        "sample.seed = 3 is without effect: \"base.toml\", which this file starts from, makes it an axis\nhint: write the axis again here, such as `[grid] sample.seed = [3]`, or take the value out"
    );
    let own = own.replace("[grid]", "[grid]\nsample.seed = [3]");
    let files = Files::new(&[("base.toml", BASE), ("own.toml", &own)]);
    assert_eq!(files.sweep("own.toml").unwrap().cells.len(), 2);
    // A case of the base may have a name, and leave a value to the file.
    let base = format!(
        "{}\n[[case]]\nname = \"a\"\nsample.eta = 1\n[[case]]\nname = \"b\"\n",
        BASE.replace("[grid]\nsample.seed = [0, 1]\n", "")
            .replace("sample.seed", "case")
    );
    let own = OWN.replace("steps = 50", "sampler = \"ddim\"\neta = 0");
    let files = Files::new(&[("base.toml", &base), ("own.toml", &own)]);
    let said = files.sweep("own.toml").unwrap_err();
    assert!(
        said.starts_with("sample.eta = 0 is without effect"),
        "{said}"
    );
}

#[test]
fn defaults_cannot_be_set() {
    let files = Files::new(&[("base.toml", BASE), ("own.toml", OWN)]);
    let source = Source::read(&files.path("own.toml")).unwrap();
    let error = sweep_of(source, &["defaults.from=x".to_string()], &[]).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "--set defaults.from=x: [defaults] cannot be set; edit it in the file"
    );
}

#[test]
fn a_file_may_change_the_program_of_its_base() {
    let program = "name = \"p\"\n[train]\ncommand = [\"sh\", \"{out}\"]\n[sample]\ncommand = [\"sh\", \"{out}\", \"{train}\"]\ncount = 5\n";
    let adopted =
        "name = \"p\"\n[sample]\nfrom = \"a.npz\"\n[eval]\ncommand = [\"sh\", \"{images}\"]\n";
    for (base, own) in [
        (program, "[train]\ntimeout = \"1h\"\n[sample]\nsize = 16"),
        (program, "[sample]\ncollect = \"*.png\"\nretries = 2"),
        (program, "[train]\ninputs = []"),
        (adopted, "[sample]\nsize = 16\n[eval]\ntimeout = \"1h\""),
    ] {
        let own = format!("[defaults]\nfrom = \"base.toml\"\n{own}");
        let files = Files::new(&[("base.toml", base), ("own.toml", &own)]);
        let sweep = files.sweep("own.toml");
        assert!(sweep.is_ok(), "{own}\n{:?}", sweep.err());
    }
    // What a net alone has is refused all the same.
    let own = "[defaults]\nfrom = \"base.toml\"\n[sample]\neta = 1";
    let files = Files::new(&[("base.toml", program), ("own.toml", own)]);
    let said = files.sweep("own.toml").unwrap_err();
    assert!(
        said.contains("unknown field `eta`, expected one of `command`"),
        "{said}"
    );
}
