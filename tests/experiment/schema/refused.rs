//! The schema refuses what is wrong by shape, name, type, word or range. What only the program can see is listed too: the
//! schema lets it pass.

use super::{faults, validator};
use fidrunner::experiment::grid::sweep::sweep;

const FILE: &str = r#"name = "a"
[model]
preset = "imagenet64"
checkpoint = "a.pt"
[model.arch]
heads = 2
[guidance]
checkpoint = "b.pt"
scale = 1.0
[sample]
sampler = "ddim"
steps = 25
count = 50
[eval]
features = "shapes"
weights = "w.safetensors"
reference = "r.npz"
metrics = ["fd", "is"]
"#;

const AXES: &str = r#"[grid]
sample.seed = [1, 2]
[[zip]]
sample.batch = [1, 2]
sample.part = [10, 20]
[[case]]
name = "x"
guidance.scale = [1, 2]
[[chart]]
x = "sample.seed"
y = ["fd"]
[report]
deltas = "sample.seed"
[[published]]
source = "s"
at.sample.seed = 1
scores = { fd = 2.5 }
[[claim]]
source = "s"
says = "c"
metric = "fd"
better.sample.seed = 1
than.sample.seed = 2
"#;

const COMMAND: &str = r#"name = "a"
[sample]
command = ["sh", "{out}"]
count = 5
timeout = "4h"
[vars]
x = 1
"#;

const TRAIN: &str = r#"name = "a"
[model]
preset = "shapes16"
[train]
data = "shapes"
steps = 10
batch = 2
learning_rate = 0.1
"#;

/// Changes of the files above that the program refuses: what stands there, and what is put in its place.
type Change = (&'static str, &'static str);

/// Wrong by itself, wherever it stands: the schema refuses it.
const OF_FILE: [Change; 42] = [
    // Names of tables and keys.
    ("[eval]", "[evla]"),
    ("steps = 25", "stpes = 25"),
    ("heads = 2", "head = 2"),
    ("count = 50", "count = 50\ncollect = \"*.png\""),
    ("count = 50", "count = 50\nsize = 64"),
    ("metrics = [", "retries = 1\nmetrics = ["),
    ("scale = 1.0", "scael = 1.0"),
    // Words of a set.
    ("\"ddim\"", "\"dim\""),
    ("metrics = [\"fd\"", "metrics = [\"FD\""),
    ("metrics = [\"fd\"", "metrics = [\"kd\""),
    ("metrics = [", "preset = \"adm2\"\nmetrics = ["),
    ("preset = \"imagenet64\"", "kind = \"net\""),
    ("heads = 2", "qkv_order = \"old\""),
    ("count = 50", "count = 50\ndtype = \"fp16\""),
    ("count = 50", "count = 50\nclasses = \"all\""),
    ("checkpoint = \"a.pt\"", "checkpoint = \"fetch:imagenet65\""),
    (
        "weights = \"w.safetensors\"",
        "weights = \"fetch:inceptoin\"",
    ),
    // Types.
    ("steps = 25", "steps = 2.5"),
    ("steps = 25", "steps = [25]"),
    ("count = 50", "count = \"50\""),
    ("count = 50", "count = \"{sample.steps}\""),
    ("count = 50", "count = 50\nclip = \"{sample.steps}\""),
    ("count = 50", "count = 50\nclip = 1"),
    ("count = 50", "count = 50\nclasses = [true]"),
    ("count = 50", "count = 50\nclasses = \"{sample.sampler}\""),
    ("heads = 2", "attention = 16"),
    ("metrics = [\"fd\", \"is\"]", "metrics = \"fd\""),
    ("checkpoint = \"a.pt\"", "checkpoint = 5"),
    ("[guidance]", "[[guidance]]"),
    // Ranges.
    ("steps = 25", "steps = 0"),
    ("steps = 25", "steps = \"ten\""),
    ("count = 50", "count = 0"),
    ("count = 50", "count = -1"),
    ("count = 50", "count = 50\neta = 2"),
    ("scale = 1.0", "scale = -1.0"),
    ("scale = 1.0", "scale = inf"),
    ("metrics = [\"fd\", \"is\"]", "metrics = []"),
    ("name = \"a\"", "name = \"a/b\""),
    // What a file without axes must have.
    ("steps = 25\n", ""),
    ("scale = 1.0\n", ""),
    ("name = \"a\"\n", ""),
    ("reference = \"r.npz\"\n", ""),
];

const OF_AXES: [Change; 23] = [
    ("sample.seed = [1, 2]\n[[zip]]", "sample.seed = 1\n[[zip]]"),
    ("sample.seed = [1, 2]\n[[zip]]", "sample.seed = []\n[[zip]]"),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "sample.seed = [1, 1.0]\n[[zip]]",
    ),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "sample.seed = [1, \"two\"]\n[[zip]]",
    ),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "sample.seeds = [1, 2]\n[[zip]]",
    ),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "sample.eta = [0, 2]\nsample.seed = [1, 2]\n[[zip]]",
    ),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "name = [\"a\", \"b\"]\n[[zip]]",
    ),
    (
        "sample.seed = [1, 2]\n[[zip]]",
        "report.grids = [\"all\"]\n[[zip]]",
    ),
    ("sample.batch = [1, 2]", "sample.batch = \"*\""),
    ("sample.batch = [1, 2]", "sample.batch = [0, 2]"),
    ("guidance.scale = [1, 2]", "guidance.scale = [1, 1]"),
    ("guidance.scale = [1, 2]", "guidance.scale = []"),
    ("guidance.scale = [1, 2]", "guidance.scale = \"1\""),
    ("guidance.scale = [1, 2]", "model.arch.attention = [16, 8]"),
    ("name = \"x\"", "name = 5"),
    ("y = [\"fd\"]", "y = []"),
    ("y = [\"fd\"]\n", ""),
    ("deltas = \"sample.seed\"", "column = \"triple\""),
    ("deltas = \"sample.seed\"", "latex = true"),
    ("deltas = \"sample.seed\"", "deltas = 1"),
    ("source = \"s\"\nat", "source = \" \"\nat"),
    ("scores = { fd = 2.5 }", "scores = {}"),
    ("metric = \"fd\"", "metric = \"fdd\""),
];

const OF_COMMAND: [Change; 10] = [
    ("command = [\"sh\", \"{out}\"]", "command = \"sh {out}\""),
    ("command = [\"sh\", \"{out}\"]", "command = []"),
    ("count = 5", "steps = 5\ncount = 5"),
    ("count = 5\n", ""),
    ("timeout = \"4h\"", "timeout = \"long\""),
    ("timeout = \"4h\"", "timeout = 4"),
    ("timeout = \"4h\"", "size = 0"),
    ("timeout = \"4h\"", "env = { A = 1 }"),
    ("x = 1", "x = [1]"),
    ("x = 1", "\"x.y\" = 1"),
];

const OF_TRAIN: [Change; 8] = [
    ("steps = 10", "steps = 0"),
    ("learning_rate = 0.1", "learning_rate = 0"),
    ("learning_rate = 0.1", "learning_rate = 0.1\nema = 1"),
    (
        "learning_rate = 0.1",
        "learning_rate = 0.1\ndtype = \"f16\"",
    ),
    ("learning_rate = 0.1", "learning_rate = 0.1\nkeep = [0]"),
    ("data = \"shapes\"", "data = \"\""),
    ("data = \"shapes\"\n", ""),
    ("preset = \"shapes16\"", "arch = { channel_mult = [1, 0] }"),
];

/// Checks across keys, of other files, and of what a text says in itself: the program alone sees them.
const UNSEEN: [(&str, Change); 23] = [
    // Across keys.
    (FILE, ("steps = 25", "steps = 5000")),
    (FILE, ("heads = 2", "heads = 2\nchannels_per_head = 32")),
    (FILE, ("preset = \"imagenet64\"", "kind = \"classifier\"")),
    (FILE, ("checkpoint = \"a.pt\"", "")),
    (FILE, ("checkpoint = \"b.pt\"", "")),
    (FILE, ("metrics = [\"fd\"", "metrics = [\"fid\"")),
    (FILE, ("metrics = [", "preset = \"edm\"\nmetrics = [")),
    (FILE, ("count = 50", "count = 50\ntemperature = 0.5")),
    (FILE, ("count = 50", "count = 50\ntrained_steps = 5")),
    (TRAIN, ("steps = 10", "steps = 10\nkeep = [11]")),
    (COMMAND, ("\"{out}\"", "\"{ouy}\"")),
    (COMMAND, ("\"{out}\"", "\"out\"")),
    (COMMAND, ("\"{out}\"", "\"{out}\", \"{shard}\"")),
    (COMMAND, ("x = 1", "x = 1\n[report]\ncolumn = \"single\"")),
    // Axes of each other.
    (AXES, ("sample.part = [10, 20]", "sample.part = [10]")),
    (AXES, ("sample.part = [10, 20]", "sample.seed = [10, 20]")),
    (AXES, ("x = \"sample.seed\"", "x = \"sample.steps\"")),
    (AXES, ("deltas = \"sample.seed\"", "deltas = \"seed\"")),
    (AXES, ("at.sample.seed = 1", "at.sample.steps = 1")),
    // JSON Schema counts 50.0 as a whole number.
    (FILE, ("count = 50", "count = 50.0")),
    // Words within texts.
    (
        FILE,
        (
            "checkpoint = \"a.pt\"",
            "checkpoint = \"fetch:{model.presets}\"",
        ),
    ),
    (COMMAND, ("timeout = \"4h\"", "timeout = \"4 hums\"")),
    (FILE, ("name = \"a\"", "name = \"a!\"")),
];

fn changed(file: &str, (old, new): Change) -> String {
    assert!(file.contains(old), "{old}");
    let file = if file == AXES {
        format!("{FILE}{AXES}")
    } else {
        file.to_string()
    };
    file.replacen(old, new, 1)
}

#[test]
fn the_files_are_right_before_they_are_changed() {
    let validator = validator();
    for text in [
        FILE.to_string(),
        format!("{FILE}{AXES}"),
        COMMAND.to_string(),
        TRAIN.to_string(),
    ] {
        let taken = sweep(&text, &[], &[]);
        assert!(taken.is_ok(), "{text}\n{:?}", taken.err());
        assert_eq!(faults(&validator, &text), Vec::<String>::new());
    }
}

#[test]
fn what_is_wrong_by_itself_is_refused() {
    let validator = validator();
    let all = OF_FILE.map(|change| (FILE, change)).into_iter();
    let all = all
        .chain(OF_AXES.map(|change| (AXES, change)))
        .chain(OF_COMMAND.map(|change| (COMMAND, change)))
        .chain(OF_TRAIN.map(|change| (TRAIN, change)));
    for (file, change) in all {
        let text = changed(file, change);
        assert!(
            sweep(&text, &[], &[]).is_err(),
            "the program takes {change:?}"
        );
        assert!(
            !faults(&validator, &text).is_empty(),
            "the schema takes {change:?}"
        );
    }
}

#[test]
fn what_only_the_program_sees_passes_the_schema() {
    let validator = validator();
    for (file, change) in UNSEEN {
        let text = changed(file, change);
        assert!(
            sweep(&text, &[], &[]).is_err(),
            "the program takes {change:?}"
        );
        assert_eq!(
            faults(&validator, &text),
            Vec::<String>::new(),
            "{change:?}"
        );
    }
}

#[test]
fn a_slip_is_told_where_it_stands() {
    let validator = validator();
    let text = changed(
        AXES,
        (
            "sample.seed = [1, 2]\n[[zip]]",
            "sample.seed = [1, -2]\n[[zip]]",
        ),
    );
    let said = faults(&validator, &text);
    assert_eq!(
        said,
        ["/grid/sample/seed/1: -2 is less than the minimum of 0"]
    );
    let text = changed(FILE, ("heads = 2", "head = 2"));
    let said = faults(&validator, &text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("/model/arch: ") && said[0].contains("head"),
        "{said:?}"
    );
}
