//! What a set of images holds beside its images is told by every command that reads one, and in JSON.

use crate::desk::Desk;
use crate::support::program::{files_ending, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;
use fidrunner::jobs::inputs::pinned::{digest_data, digest_path};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const FEATURES: &str = "experiments/shapes/features.safetensors";
const REFERENCE: &str = "reference_stats/shapes32.npz";

/// Scenes in two folders, a hidden copy of one, a picture of a kind that is not read, a text and a link to nothing.
fn write_set(root: &Path, scenes: u64, side: usize) {
    for folder in ["cat", "dog", ".thumbnails"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for i in 0..scenes {
        let folder = ["cat", "dog"][i as usize % 2];
        let pixels = Scene::of(Stream::Validation, i).render(side);
        let path = root.join(format!("{folder}/{i:05}.png"));
        write_png(&path, &pixels, side, side).unwrap();
    }
    fs::copy(root.join("cat/00000.png"), root.join(".thumbnails/0.png")).unwrap();
    fs::write(
        root.join("cat/a.avif"),
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    )
    .unwrap();
    fs::write(root.join("list.txt"), "a list").unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("latest")).unwrap();
}

/// The line that tells of it, `of` the set at `root`.
fn told(of: &str, root: &str) -> String {
    format!(
        "{of}: left out are 1 AVIF picture ({root}/cat/a.avif), 1 link to nothing ({root}/latest), 1 hidden file or folder ({root}/.thumbnails/), 1 file that is no picture ({root}/list.txt)\nhint: PNG, JPEG, WebP and BMP are read; "
    )
}

fn named(name: &str) -> Value {
    json!({ "count": 1, "first": [format!("set/{name}")] })
}

#[test]
fn score_tells_what_was_left_out_of_both_sides() {
    let desk = Desk::empty();
    write_set(&desk.path("set"), 20, 32);
    let (weights, reference) = (shipped(FEATURES), shipped(REFERENCE));
    let asked = ["score", "set", "--weights", &weights, "--reference"];
    let plain = desk.runner(&asked).arg(&reference).succeeds();
    plain.says(&told("samples", "set"));
    let answer = desk.runner(&asked).args(["set", "--json"]).succeeds();
    let answer = answer.says(&told("samples", "set"));
    let answer = answer.says(&told("reference", "set"));
    let side = json!({
        "AVIF": named("cat/a.avif"),
        "dangling": named("latest"),
        "hidden": named(".thumbnails/"),
        "no-picture": named("list.txt"),
    });
    let last = answer.json_lines().pop().unwrap();
    assert_eq!(
        last,
        json!({ "left_out": { "samples": side, "reference": side } })
    );
    for line in answer.json_lines() {
        if let Some(count) = line.get("samples_count") {
            assert_eq!(count, 20);
        }
    }
}

#[test]
fn references_tell_it_too() {
    let desk = Desk::empty();
    write_set(&desk.path("set"), 20, 32);
    let (weights, size) = (shipped(FEATURES), ["--resolution", "32", "--count", "20"]);
    let asked = ["reference", "set", "--weights", &weights, "--out", "r.npz"];
    let made = desk.runner(&asked).args(size).succeeds();
    made.says(&told("set", "set"));
}

#[test]
fn a_training_tells_it_in_the_result_that_reports_show() {
    let desk = Desk::empty();
    write_set(&desk.path("set"), 4, 16);
    let tiny = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[model.arch]\nchannel_mult = [1]\nattention = []\nclasses = 2\n\
                [train]\ndata = \"set\"\nsteps = 1\nbatch = 2\nlearning_rate = 1e-3\n";
    desk.write("a.toml", tiny);
    desk.runner(&["sweep", "a.toml"]).succeeds();
    let manifests = files_ending(desk.root(), "json").into_iter();
    let warned = manifests.filter_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        json.get("warnings").cloned()
    });
    let warned: Vec<Value> = warned.collect();
    let line = warned[0][0].as_str().unwrap();
    assert!(line.starts_with(&told("set", "set")), "{line}");
}

#[test]
fn what_is_left_out_of_a_folder_does_not_keep_it_from_being_pinned() {
    let desk = Desk::empty();
    write_set(&desk.path("set"), 4, 16);
    let digest = || digest_path(&desk.path("set")).unwrap();
    let with_link = digest();
    fs::remove_file(desk.path("set/latest")).unwrap();
    assert_eq!(digest(), with_link);
    fs::write(desk.path("set/list.txt"), "another list").unwrap();
    assert_ne!(digest(), with_link);
    // Labels of the same length are another data set.
    let data = desk.path("set").display().to_string();
    let labelled = |label: u32| {
        let json = json!({ "labels": [["cat/00000.png", label]] });
        desk.write("set/dataset.json", &json.to_string());
        digest_data(&data).unwrap()
    };
    assert_ne!(labelled(0), labelled(1));
}

#[test]
fn rows_of_scores_stay_whole_whatever_the_samples_are_called() {
    let desk = Desk::empty();
    let name = "a\r\"b\",c\n";
    write_set(&desk.path(name), 20, 32);
    let (weights, reference) = (shipped(FEATURES), shipped(REFERENCE));
    let asked = ["score", name, "--weights", &weights, "--reference"];
    let once = || desk.runner(&asked).args([&reference, "--csv", "s.csv"]);
    let said = once().succeeds();
    assert!(said.stderr.contains("a\\r\"b\",c\\n/list.txt"), "{said:?}");
    once().succeeds();
    let text = fs::read_to_string(desk.path("s.csv")).unwrap();
    let rows = records(&text);
    assert!(rows.len() >= 3 && rows.len() % 2 == 1);
    assert!(rows.iter().all(|row| row.len() == 13), "{rows:?}");
    assert!(rows[1..].iter().all(|row| row[0] == name));
}

/// The records of a CSV text as RFC 4180 reads them, a lone carriage return outside quotes ending one as well.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' | '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}
