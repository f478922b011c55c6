//! Nets, weights and references that ship, named by their relative paths in any folder.

use super::{Installed, share};
use crate::support::program::files_ending;
use std::fs;

const OWN: &str = r#"
name = "own"
[model]
checkpoint = "experiments/shapes/unet16.safetensors"
[sample]
steps = 2
count = 12
[eval]
features = "shapes"
weights = "experiments/shapes/features.safetensors"
reference = "reference_stats/shapes16.npz"
metrics = ["fd"]
"#;

#[test]
fn a_file_of_ones_own_reads_what_ships() {
    let installed = Installed::new();
    installed.write("own.toml", OWN);
    let prefix = installed.at("prefix/share/fidrunner").display().to_string();
    installed.runner(&["sweep", "own.toml"]).succeeds().says(&format!(
        "experiments/shapes/unet16.safetensors, experiments/shapes/features.safetensors, reference_stats/shapes16.npz: of the files that ship with runner, {prefix}\n"
    ));
    // The same file in the working folder is the same job, whatever its path.
    let keys = installed.plan("own.toml");
    fs::create_dir(installed.at("work/reference_stats")).unwrap();
    let reference = "reference_stats/shapes16.npz";
    let of_work = installed.at("work").join(reference);
    fs::copy(share().join(reference), &of_work).unwrap();
    assert_eq!(installed.plan("own.toml"), keys);
    let told = installed.runner(&["plan", "own.toml"]).succeeds().stderr;
    assert!(!told.contains(reference), "{told}");
    // Another file of that name comes first.
    fs::copy(share().join("reference_stats/shapes32.npz"), &of_work).unwrap();
    assert_ne!(installed.plan("own.toml"), keys);
}

#[test]
fn a_missing_file_is_told_with_every_place() {
    let installed = Installed::new();
    let text = OWN.replace("unet16", "unet17");
    fs::create_dir(installed.at("work/mine")).unwrap();
    installed.write("mine/own.toml", &text);
    let work = installed.at("work").display().to_string();
    let prefix = installed.at("prefix/share/fidrunner").display().to_string();
    installed.runner(&["plan", "mine/own.toml"]).refuses()
        .says("model.checkpoint = \"experiments/shapes/unet17.safetensors\" cannot be read")
        .says(&format!(
            "hint: a relative path is taken from the working folder, {work}, and where nothing is there from the experiment file's own, {work}/mine, then from the files that ship with the program, {prefix}\n"
        ));
    installed.write("own.toml", &text);
    installed.runner(&["plan", "own.toml"]).refuses().says(&format!(
        "hint: a relative path is taken from the working folder, {work}, and where nothing is there from the files that ship with the program, {prefix}\n"
    ));
}

#[test]
fn flags_name_what_ships_and_it_is_said() {
    let installed = Installed::new();
    installed.write("own.toml", OWN);
    let sample = ["sweep", "own.toml", "--until", "sample"];
    installed.runner(&sample).succeeds();
    let images = files_ending(&installed.at("work/.runner/sample"), "npz");
    let images = images[0].display().to_string();
    let (reference, weights) = (
        "reference_stats/shapes16.npz",
        "experiments/shapes/features.safetensors",
    );
    let score = |reference: &str| {
        let runner = installed.runner(&["score", &images, "--json"]);
        runner.args(["--reference", reference, "--weights", weights])
    };
    let told = |path: &str| {
        let file = installed.at("prefix/share/fidrunner").join(path);
        format!(
            "{path}: the file that ships with runner, {}\n",
            file.display()
        )
    };
    let shipped = score(reference).succeeds();
    let shipped = shipped.says(&told(reference)).says(&told(weights));
    let whole = share().join(reference).display().to_string();
    let by_path = score(&whole).succeeds();
    let fd = shipped.json_lines()[0].clone();
    assert_eq!(fd["metric"], "fd");
    assert!(fd["value"].as_f64().unwrap() > 0.0);
    assert_eq!(fd["value"], by_path.json_lines()[0]["value"]);
    installed
        .runner(&["inspect", "experiments/shapes/unet16.safetensors"])
        .succeeds()
        .says(&told("experiments/shapes/unet16.safetensors"));
    let gone = [
        "score",
        &images,
        "--reference",
        reference,
        "--weights",
        "experiments/none.pt",
    ];
    installed.runner(&gone).refuses().says(&format!(
        "--weights experiments/none.pt: there is no such file here, nor below {}\n",
        installed.at("prefix/share/fidrunner").display()
    ));
}
