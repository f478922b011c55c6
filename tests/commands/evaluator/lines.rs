//! `runner evaluator`: the five lines, to the digit those of the preset `adm`, for the scripts that read them.

use super::world::{INCEPTION, batch, evaluator, inception_desk, scenes};
use crate::desk::Desk;
use crate::support::inception;
use crate::support::program::{Runner, repository};
use fidrunner::io::image::file;
use fidrunner::io::numpy::npz::{self, Array};
use std::collections::BTreeMap;
use std::process::Command;

/// What scripts do with the evaluator's output today.
const SCRIPT: &str = r#"
log=$("$RUNNER" evaluator "$1" "$2" --weights "$3" 2>/dev/null) || exit 1
fid=$(echo "$log" | grep '^FID:' | awk '{print $2}')
sfid=$(echo "$log" | awk '/^sFID:/ {print $NF}')
is=$(echo "$log" | sed -n 's/^Inception Score: //p')
precision=$(echo "$log" | grep Precision | cut -d' ' -f2)
recall=$(echo "$log" | tail -n 1 | cut -d: -f2 | tr -d ' ')
echo "$is,$fid,$sfid,$precision,$recall"
"#;

/// The numbers of `runner score --preset adm` as they stand in its JSON, by the evaluator's names.
fn adm(score: Runner) -> BTreeMap<String, f64> {
    let answer = score.args(["--preset", "adm", "--json"]).succeeds();
    let lines = answer.json_lines().into_iter();
    let known = lines.filter_map(|line| {
        let name = line["name"].as_str()?.to_string();
        Some((name, line["value"].as_f64()?))
    });
    known.collect()
}

#[test]
fn the_five_lines_are_the_numbers_of_the_preset_and_scripts_read_them() {
    let desk = inception_desk();
    scenes(&desk, "out", 12..21, 16);
    let labels = [0, 0, 0, 1, 1, 1, 2, 2, 2];
    batch(&desk, "out.npz", 12..21, 16, &labels);
    let score = desk.runner(&["score", "out", "--reference", "batch.npz"]);
    let expected = adm(score.args(["--weights", INCEPTION]));
    let names = ["Inception Score", "FID", "sFID", "Precision", "Recall"];
    let answer = evaluator(&desk, "batch.npz", "out").succeeds();
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{answer:?}");
    for (line, name) in lines.iter().zip(names) {
        let (found, value) = line.split_once(": ").unwrap();
        assert_eq!(found, name);
        // The digits give the same f64 back, and Python always writes a point.
        assert!(value.contains('.') || value.contains('e'), "{line}");
        assert_eq!(value.parse::<f64>().unwrap(), expected[name], "{line}");
    }
    assert!(expected["FID"] > 0.1, "{expected:?}");
    let said = answer.clone().says("metric           adm");
    let said = said.says("n = 9 samples of out; reference batch.npz");
    assert!(!said.stderr.contains("labels:"), "{said:?}");
    // Images are images, in a folder and in a batch of guided-diffusion, whose labels are told.
    let packed = evaluator(&desk, "batch.npz", "out.npz").succeeds();
    assert_eq!(packed.stdout, answer.stdout);
    packed.says("labels: 3 classes, balanced, 3 images each\n");
    // A folder of the real images is what `batch.npz` was made of.
    let folder = evaluator(&desk, "real", "out.npz").succeeds();
    assert_eq!(folder.stdout, answer.stdout);
    let script = Command::new("sh")
        .args(["-c", SCRIPT, "script", "batch.npz", "out.npz", INCEPTION])
        .env("RUNNER", env!("CARGO_BIN_EXE_runner"))
        .current_dir(desk.root())
        .output()
        .unwrap();
    let read = String::from_utf8(script.stdout).unwrap();
    let texts: Vec<&str> = lines
        .iter()
        .map(|l| l.split_once(": ").unwrap().1)
        .collect();
    assert_eq!(read.trim_end(), texts.join(","));
}

#[test]
fn wrong_calls_are_refused_with_a_cure_and_print_no_line() {
    let desk = inception_desk();
    scenes(&desk, "out", 12..18, 16);
    scenes(&desk, "few", 0..3, 16);
    let refused = |reference: &str, samples: &str, words: &[&str]| {
        let mut answer = evaluator(&desk, reference, samples).refuses();
        assert_eq!(answer.stdout, "");
        for words in words {
            answer = answer.says(words);
        }
    };
    refused("nowhere.npz", "out", &["nowhere.npz"]);
    refused("batch.npz", "nowhere", &["nowhere"]);
    refused(
        "batch.npz",
        "few",
        &["a score needs at least 5 images, not 3"],
    );
    refused(
        "batch.npz",
        "bare.npz",
        &["hint: these are statistics of images, which can be a reference but not samples"],
    );
    // Made by the net of the shapes.
    let other = crate::support::program::shipped(super::world::SHAPES32);
    refused(
        &other,
        "out",
        &[
            "it was made with another feature net (sha256 ",
            "hint: give the net that made it, or make it again with this one: runner reference shapes",
        ],
    );
    let own = crate::support::program::shipped(super::world::FEATURES);
    let call = ["evaluator", "batch.npz", "out", "--weights", &own];
    let answer = desk.runner(&call).refuses();
    assert_eq!(answer.stdout, "");
    answer
        .says("numbers of Inception's features, and the weights are another net's")
        .says("hint: name Inception's weights");
    let drawn = [
        "shapes",
        "--resolution",
        "32",
        "--count",
        "5",
        "--out",
        "a.npz",
    ];
    let call = desk.runner(&["reference"]).args(drawn);
    call.args(["--weights", INCEPTION])
        .refuses()
        .says("`shapes` is drawn for feature nets that were trained here")
        .says("hint: pass `--weights experiments/shapes/features.safetensors`");
    // Nothing names weights, and nothing is fetched.
    desk.runner(&["evaluator", "batch.npz", "out"])
        .refuses()
        .says("no Inception is in the cache")
        .says("hint: `runner fetch inception`");
    desk.runner(&["evaluator", "batch.npz"]).refuses();
}

/// A change of an image's pixels.
type Turn = fn(&[u8]) -> Vec<u8>;

/// The six CIFAR images of the golden answers, [n, 32, 32, 3] u8 one after the other, each changed in every way of `turns`.
fn turned(turns: &[Turn]) -> Vec<u8> {
    let mut all = Vec::new();
    for name in ["airplane", "automobile", "bird", "cat", "deer", "dog"] {
        let path = repository("tests/golden/eval/images").join(format!("cifar_{name}_0.png"));
        let pixels = file::read(&path).unwrap().data;
        all.extend(turns.iter().flat_map(|turn| turn(&pixels)));
    }
    all
}

fn as_it_is(pixels: &[u8]) -> Vec<u8> {
    pixels.to_vec()
}

fn mirrored(pixels: &[u8]) -> Vec<u8> {
    let rows = pixels.chunks(32 * 3);
    rows.flat_map(|row| row.chunks(3).rev().flatten().copied())
        .collect()
}

fn upside_down(pixels: &[u8]) -> Vec<u8> {
    pixels.chunks(32 * 3).rev().flatten().copied().collect()
}

fn pale(pixels: &[u8]) -> Vec<u8> {
    pixels.iter().map(|value| 255 - (255 - value) / 4).collect()
}

/// `five_lines.txt` is what `benches/peers/adm_lines.py` prints of these images: torch-fidelity's Inception and the
/// evaluator's formulas in NumPy, nothing of this program.
#[test]
fn the_five_lines_are_those_of_an_independent_evaluator() {
    let desk = Desk::empty();
    inception::write_repositorys(&desk.path(INCEPTION));
    for (name, pixels) in [
        ("real.npz", turned(&[as_it_is, mirrored])),
        ("made.npz", turned(&[upside_down, pale])),
    ] {
        let arrays = [("arr_0", Array::u8(&[12, 32, 32, 3], pixels))];
        npz::write(&desk.path(name), &arrays).unwrap();
    }
    let answer = evaluator(&desk, "real.npz", "made.npz").succeeds();
    let golden = include_str!("five_lines.txt");
    assert_eq!(answer.stdout.lines().count(), 5, "{answer:?}");
    for (line, known) in answer.stdout.lines().zip(golden.lines()) {
        let (name, value) = line.split_once(": ").unwrap();
        let (same, want) = known.split_once(": ").unwrap();
        assert_eq!(name, same);
        let (value, want): (f64, f64) = (value.parse().unwrap(), want.parse().unwrap());
        assert!(
            (value - want).abs() <= 1e-4 * want,
            "{name}: {value} and {want}"
        );
    }
}
