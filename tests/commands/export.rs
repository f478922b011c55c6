//! Samples of a cell as one npz, and samples drawn in half precision, by the real program on shipped nets.

use crate::support::program::{Runner, files_ending, shipped};
use fidrunner::io::numpy::npz::Npz;
use std::path::PathBuf;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
name = "small"
[model]
checkpoint = "{}"
[sample]
steps = 3
count = 14
part = 6
batch = 5
classes = [3, 1]
[eval]
features = "shapes"
weights = "{}"
reference = "{}"
metrics = ["fd"]
"#,
            shipped("experiments/shapes/unet16.safetensors"),
            shipped("experiments/shapes/features.safetensors"),
            shipped("reference_stats/shapes16.npz"),
        );
        std::fs::write(folder.path().join("small.toml"), text).unwrap();
        Desk(folder)
    }

    /// The images of a cell of the grid.
    fn cell(&self, cell: &str, grid: &str) -> Vec<u8> {
        self.done(&[
            "export",
            "small.toml",
            cell,
            "--set",
            grid,
            "--out",
            "a.npz",
        ]);
        self.images("a.npz").1
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn runner(&self, args: &[&str]) -> Runner {
        Runner::new().at(self.0.path()).args(args)
    }

    fn done(&self, args: &[&str]) -> String {
        self.runner(args).succeeds().stdout
    }

    fn refused(&self, args: &[&str]) -> String {
        self.runner(args).refuses().stderr
    }

    /// The Fréchet distance that `runner score` finds for an npz.
    fn scored(&self, images: &str) -> f64 {
        let score = self.runner(&["score", images, "--metrics", "fd", "--json"]);
        let score = score.args(["--reference", &shipped("reference_stats/shapes16.npz")]);
        let features = shipped("experiments/shapes/features.safetensors");
        let scored = score.args(["--weights", &features]).succeeds();
        Desk::value(&scored.stdout)
    }

    /// The first value in JSON of scores.
    fn value(json: &str) -> f64 {
        let rest = json.split("\"value\":").nth(1).expect(json);
        let value = rest.split([',', '}']).next().unwrap();
        value.parse().unwrap()
    }

    /// Pixels and labels of an npz.
    fn images(&self, name: &str) -> (Vec<usize>, Vec<u8>, Vec<i64>) {
        let mut npz = Npz::open(&self.path(name)).unwrap();
        assert_eq!(npz.names(), ["arr_0", "arr_1"]);
        let (pixels, labels) = (npz.u8("arr_0").unwrap(), npz.i64("arr_1").unwrap());
        assert_eq!(labels.shape, [pixels.shape[0]]);
        (pixels.shape, pixels.data, labels.data)
    }
}

#[test]
fn a_cell_becomes_one_npz_that_scores_as_the_cell_does() {
    let desk = Desk::new();
    let why = desk.refused(&["export", "small.toml", "--out", "a.npz"]);
    assert!(
        why.contains("its 14 images are not all there")
            && why.contains("runner sweep small.toml --until sample"),
        "{why}"
    );
    assert!(!desk.path("a.npz").exists());

    let swept = desk.done(&["sweep", "small.toml", "--json"]);
    let told = desk.done(&["export", "small.toml"]);
    assert!(
        told.contains("small-cell0.npz: 14 images of 16 by 16 pixels"),
        "{told}"
    );
    let (shape, pixels, labels) = desk.images("small-cell0.npz");
    assert_eq!(shape, [14, 16, 16, 3]);
    assert_eq!(labels, [3, 1].repeat(7));

    // The stored parts end to end: 0..6, 6..12, 12..14.
    let parts = files_ending(&desk.path(".runner/sample"), "npz").into_iter();
    let parts: Vec<Vec<u8>> = parts
        .map(|p| Npz::open(&p).unwrap().u8("arr_0").unwrap().data)
        .collect();
    assert_eq!((parts.len(), parts.concat()), (3, pixels.clone()));

    // Fewer images are the first ones.
    desk.done(&[
        "export",
        "small.toml",
        "--set",
        "sample.count=8",
        "--out",
        "a.npz",
    ]);
    let (shape, fewer, _) = desk.images("a.npz");
    assert_eq!((shape[0], &fewer[..]), (8, &pixels[..8 * 16 * 16 * 3]));

    let ours = desk.scored("small-cell0.npz");
    let theirs = Desk::value(&swept);
    assert_eq!(ours, theirs);
}

#[test]
fn which_images_are_meant_is_asked_where_it_is_not_clear() {
    let desk = Desk::new();
    let grid = "grid.sample.seed=[0, 1]";
    let set = ["--set", grid];
    desk.done(&["sweep", "small.toml", "--set", grid, "--until", "sample"]);
    let export = |args: &[&str]| desk.runner(&["export", "small.toml"]).args(set).args(args);
    export(&[])
        .refuses()
        .says("it has 2 cells")
        .says("0 (seed=0), 1 (seed=1)");
    for (args, said) in [
        (&["2"][..], "there is no cell 2"),
        (
            &["1", "--stage", "train"],
            "--stage train makes no images; sample and upsample do",
        ),
        (
            &["1", "--stage", "upsample"],
            "cell 1 makes no images of stage upsample",
        ),
        (&["1", "--out", "no/such.npz"], "writing no/such.npz"),
    ] {
        export(args).refuses().says(said);
    }
    export(&["1", "--out", "one.npz"]).succeeds();
    export(&["--only", "sample.seed=0", "--out", "zero.npz"]).succeeds();
    assert_ne!(desk.images("one.npz").1, desk.images("zero.npz").1);
}

#[test]
fn images_drawn_in_half_precision_are_others_and_close() {
    let desk = Desk::new();
    // Without timestep 999, where a cosine schedule weighs the net's answer 20,291-fold, roundings included.
    let steps = "steps = \"ddim3\"";
    let text = std::fs::read_to_string(desk.path("small.toml")).unwrap();
    std::fs::write(desk.path("small.toml"), text.replace("steps = 3", steps)).unwrap();
    let grid = "grid.sample.dtype=[\"f32\", \"f16\", \"bf16\", \"tf32\"]";
    desk.done(&["sweep", "small.toml", "--until", "sample"]);
    // What is said to be f32 is what nothing is said of.
    let plan = desk.done(&[
        "plan",
        "small.toml",
        "--set",
        grid,
        "--until",
        "sample",
        "--json",
    ]);
    assert_eq!(plan.matches("\"stored\"").count(), 1, "{plan}");
    desk.done(&["sweep", "small.toml", "--set", grid, "--until", "sample"]);
    let whole = desk.cell("0", grid);
    // In levels of 255; bf16 has three bits less than f16.
    for (cell, allowed) in [("1", 0.1), ("2", 0.8)] {
        let mean = levels(&desk.cell(cell, grid), &whole);
        println!("cell {cell}: {mean:.3} levels on average");
        assert!(mean > 0.0 && mean < allowed, "cell {cell}: {mean} levels");
    }
    // A CPU has no TF32: what may be rounded is not.
    assert_eq!(desk.cell("3", grid), whole, "tf32");
    let why = desk.refused(&["plan", "small.toml", "--set", "sample.dtype=\"f64\""]);
    assert!(
        why.contains("unknown variant `f64`, expected one of `f32`, `tf32`, `bf16`, `f16`"),
        "{why}"
    );
}

/// How many of 255 levels two sets of images are apart on average.
fn levels(a: &[u8], b: &[u8]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)));
    apart.sum::<f64>() / a.len() as f64
}

#[test]
fn a_classifier_in_half_precision_guides_nearly_as_in_full() {
    let desk = Desk::new();
    let classifier = shipped("experiments/shapes/classifier16.safetensors");
    let text = std::fs::read_to_string(desk.path("small.toml")).unwrap();
    let text = text.replace("steps = 3", "steps = \"ddim3\"");
    let guidance = format!("[guidance]\ncheckpoint = \"{classifier}\"\nscale = 2.0\n");
    std::fs::write(desk.path("small.toml"), text + &guidance).unwrap();
    let grid = "grid.guidance.dtype=[\"f32\", \"f16\"]";
    desk.done(&["sweep", "small.toml", "--until", "sample"]);
    // What is said to be f32 is what nothing is said of, and halves are another job.
    let plan = [
        "plan",
        "small.toml",
        "--set",
        grid,
        "--until",
        "sample",
        "--json",
    ];
    assert_eq!(desk.done(&plan).matches("\"stored\"").count(), 1);
    desk.done(&["sweep", "small.toml", "--set", grid, "--until", "sample"]);
    let apart = levels(&desk.cell("0", grid), &desk.cell("1", grid));
    println!("{apart:.3} levels on average");
    assert!(apart > 0.0 && apart < 0.2, "{apart} levels");
}

#[test]
fn nets_are_not_trained_in_ieee_halves() {
    let desk = Desk::new();
    let train = "[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n";
    std::fs::write(desk.path("t.toml"), format!("name = \"t\"\n{train}")).unwrap();
    for dtype in ["tf32", "bf16"] {
        let dtype = format!("train.dtype=\"{dtype}\"");
        desk.done(&["plan", "t.toml", "--set", &dtype]);
    }
    let why = desk.refused(&["plan", "t.toml", "--set", "train.dtype=\"f16\""]);
    for said in [
        "train.dtype = \"f16\": nets are trained in \"f32\", \"tf32\" or \"bf16\"\n",
        "hint: take \"bf16\", whose range needs no scaled losses; f16 is for drawing, as `sample.dtype`\n",
    ] {
        assert!(why.contains(said), "{why}");
    }
}
