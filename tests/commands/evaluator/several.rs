//! Several sets and several references in one call.

use super::world::{SHAPES32, batch, scenes, score, scores};
use crate::desk::Desk;
use crate::support::program::{files_ending, shipped};
use std::fs;

fn desk() -> Desk {
    let desk = Desk::empty();
    scenes(&desk, "a", 0..30, 32);
    let labels: Vec<i64> = (0..30).map(|i| i % 3).collect();
    batch(&desk, "b.npz", 30..60, 32, &labels);
    scenes(&desk, "real", 60..100, 32);
    fs::copy(shipped(SHAPES32), desk.path("shapes.npz")).unwrap();
    desk
}

const BOTH: [&str; 4] = ["--reference", "shapes.npz", "--reference", "real"];

#[test]
fn every_set_is_scored_against_every_reference_as_if_alone() {
    let desk = desk();
    let sets = ["a", "b.npz", "--each", "--json"];
    let answer = score(&desk, &[&sets[..], &BOTH].concat()).succeeds();
    let found = scores(&answer);
    assert_eq!(found.len(), 2 * 2 * 8);
    let order: Vec<_> = answer.json_lines();
    let order: Vec<_> = order.iter().filter(|l| l["metric"] == "fd").collect();
    let order: Vec<_> = order
        .iter()
        .map(|l| (&l["samples"], &l["reference"]))
        .collect();
    assert_eq!(
        format!("{order:?}"),
        "[(String(\"a\"), String(\"shapes.npz\")), (String(\"a\"), String(\"real\")), \
         (String(\"b.npz\"), String(\"shapes.npz\")), (String(\"b.npz\"), String(\"real\"))]"
    );
    for set in ["a", "b.npz"] {
        for reference in ["shapes.npz", "real"] {
            let alone = [set, "--reference", reference, "--json", "--store", "other"];
            for (place, line) in scores(&score(&desk, &alone).succeeds()) {
                assert_eq!(line, found[&place]);
            }
        }
    }
    // Three sets of images, each described once.
    assert_eq!(
        files_ending(&desk.path(".runner/described"), "npz").len(),
        3
    );
    // What is told beside the scores says whose it is.
    let lines = answer.json_lines();
    let labels: Vec<_> = lines.iter().filter(|l| l.get("labels").is_some()).collect();
    assert_eq!(labels.len(), 2);
    assert!(labels.iter().all(|line| line["samples"] == "b.npz"));
    assert_eq!(labels[1]["reference"], "real");
    // Without --each they are one set.
    let together = ["a", "b.npz", "--json", "--reference", "real"];
    let together = scores(&score(&desk, &together).succeeds());
    let fd = &together[&["a b.npz", "real", "fd"].map(String::from)];
    assert_eq!(fd["samples_count"], 60);
}

#[test]
fn people_read_a_table_and_programs_a_csv() {
    let desk = desk();
    let csv = ["--csv", "scores.csv", "--metrics", "fd,precision"];
    let call = [&["a", "b.npz", "--each"], &BOTH[..], &csv].concat();
    let answer = score(&desk, &call).succeeds();
    let rows: Vec<Vec<&str>> = answer
        .stdout
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|w| !w.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(rows.len(), 5, "{}", answer.stdout);
    assert_eq!(rows[0], ["samples", "n", "reference", "FD", "precision"]);
    let named: Vec<_> = rows[1..].iter().map(|row| &row[..3]).collect();
    assert_eq!(
        named,
        [
            ["a", "30", "shapes.npz"],
            ["a", "30", "real"],
            ["b.npz", "30", "shapes.npz"],
            ["b.npz", "30", "real"]
        ]
    );
    assert!(rows[1..].iter().all(|row| row[3].contains('[')));
    let answer = answer.says("reference shapes.npz (50,000 images); reference real (40 images); ");
    let answer = answer.says("sets of fewer than 10,000 samples: FD is biased upwards");
    answer.says("b.npz: labels: 3 classes, balanced, 10 images each\n");
    let table = fs::read_to_string(desk.path("scores.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[1][..2], ["a", "shapes.npz"]);
    assert_eq!(rows[8][..2], ["b.npz", "real"]);
    // What all rows share stands below the table.
    let one = [&["a", "b.npz", "--each", "--reference", "real"], &csv[2..]].concat();
    let answer = score(&desk, &one).succeeds();
    let head: Vec<&str> = answer
        .stdout
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(head, ["samples", "n", "FD", "precision"]);
    // Names of files stand for their paths where they tell the same things apart.
    let paths = ["./a", "./b.npz", "--each", "--metrics", "fd"];
    let references = ["--reference", "real", "--reference", "./real"];
    let answer = score(&desk, &[&paths[..], &references].concat()).succeeds();
    let lines = answer.stdout.lines().skip(1);
    let named: Vec<Vec<&str>> = lines
        .map(|l| l.split_whitespace().take(3).collect())
        .collect();
    assert_eq!(named[0], ["a", "30", "real"]);
    assert_eq!(named[3], ["b.npz", "30", "./real"]);
}

#[test]
fn what_fails_is_told_and_the_rest_is_scored() {
    let desk = desk();
    scenes(&desk, "few", 0..3, 32);
    desk.write("broken.npz", "no statistics");
    let call = [
        "a",
        "few",
        "nowhere",
        "--each",
        "--json",
        "--reference",
        "broken.npz",
    ];
    let answer = score(&desk, &[&call[..], &BOTH].concat()).ends_with(1);
    let found = scores(&answer);
    assert_eq!(found.len(), 2 * 8);
    assert!(found.keys().all(|[samples, ..]| samples == "a"));
    answer
        .says("error: broken.npz: ")
        .says("error: few: a score needs at least 5 images, not 3\n")
        .says("error: nowhere: ")
        .says("failed: 3, as is said above; scored: 2 pairs of a set and a reference\n");
    // What is left over of several says whose it is, as if nothing had failed.
    let call = ["b.npz", "few", "--each", "--json", "--reference", "real"];
    let answer = score(&desk, &call).ends_with(1);
    let labels = answer.json_lines().pop().unwrap();
    assert_eq!(
        (&labels["samples"], &labels["labels"]["classes"]),
        (&"b.npz".into(), &3.into())
    );
    let call = ["few", "nowhere", "--each", "--json", "--reference", "real"];
    let answer = score(&desk, &call).ends_with(1);
    assert_eq!(answer.stdout, "");
    // Alone, what fails is the command's own failure.
    score(&desk, &["few", "--each", "--reference", "real"])
        .refuses()
        .says("error: a score needs at least 5 images, not 3\n");
}

#[test]
fn shards_make_parts_of_all_sets_and_references() {
    let desk = desk();
    let call = ["a", "b.npz", "--each", "--json", "--part", "20"];
    let call = [&call[..], &BOTH].concat();
    let half = [&call[..], &["--shard", "1/2"]].concat();
    let answer = score(&desk, &half).succeeds();
    assert_eq!(answer.stdout, "");
    answer.says("shard 1/2 is described; scores need the other parts, in .runner/described\n");
    let parts = || files_ending(&desk.path(".runner/described"), "npz").len();
    assert_eq!(parts(), 3);
    let other = score(&desk, &[&call[..], &["--shard", "2/2"]].concat());
    let other = other.succeeds();
    assert_eq!(parts(), 6);
    assert_eq!(scores(&other), scores(&score(&desk, &call).succeeds()));
    assert_eq!(parts(), 6);
}
