//! Workers, queue, failures and the time left, for people and for programs.

use crate::status::Watched;
use serde_json::json;

/// The words of the first line that begins with this one.
fn line<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect());
    let found = lines.find(|words: &Vec<&str>| words.first() == Some(&first));
    found.unwrap_or_else(|| panic!("no line of {first} in\n{text}"))
}

#[test]
fn workers_the_queue_and_failures_are_told() {
    let desk = Watched::new("out of memory\nhint: a smaller batch").desk;
    let text = desk.done(&["status", "a.toml", "--workers"]);
    let living = line(&text, "node1").join(" ");
    let (told, heartbeat) = living.split_at(living.find("1 failed ").unwrap() + 9);
    assert_eq!(
        told,
        "node1 cuda:0 4711 (slurm 123_4) sample cell 0 steps=25 scale=0 100 / 1,000 images, at images-000100-000200 \
         2.0 images/s 12 done, 1 failed "
    );
    assert!(heartbeat.ends_with(" s ago"), "{text}");
    let silent = line(&text, "node2").join(" ");
    assert!(
        silent.contains("sample of another study 100 / 1,000 images"),
        "{text}"
    );
    assert!(silent.contains("30.0 images/min"), "{text}");
    assert!(silent.ends_with("silent for 3 h 01 min"), "{text}");
    assert!(
        text.contains("silent: no heartbeat for more than 90 s"),
        "{text}"
    );
    assert_eq!(
        line(&text, "stage").join(" "),
        "stage stored running ready waiting failed waits"
    );
    assert_eq!(line(&text, "sample").join(" "), "sample 0 1 6 0 1");
    assert_eq!(
        line(&text, "features").join(" "),
        "features 0 0 0 8 0 7 for sample, 1 for a failed sample job"
    );
    assert_eq!(
        line(&text, "metrics").join(" "),
        "metrics 0 0 0 8 0 1 for a failed sample job, 7 for features"
    );
    let failed = "failed\n  cell 1 steps=25 scale=0.5  sample: out of memory\n    more: runner status a.toml 1\n";
    assert!(text.contains(failed), "{text}");
    assert!(
        text.contains("time left: not known yet: no features job like these has been measured"),
        "{text}"
    );
    let tally = "\n\n8 cells: 0 done, 1 failed, 0 under way, 7 waiting\n";
    assert!(text.ends_with(tally), "{text}");
    let more = desk.done(&["status", "a.toml", "1"]);
    assert!(more.contains("hint: a smaller batch"), "{more}");
}

#[test]
fn the_table_of_cells_comes_first_and_json_has_an_object_a_cell_as_ever() {
    let desk = Watched::new("out of memory").desk;
    let text = desk.done(&["status", "a.toml"]);
    assert!(text.starts_with("  cell  steps  scale  sample"), "{text}");
    assert!(
        text.contains("\n\nworkers\n") && text.contains("\n\nqueue\n"),
        "{text}"
    );
    assert!(text.ends_with("\n\n8 cells: 0 done, 1 failed, 0 under way, 7 waiting\n"));
    let cells = desk.run(&["status", "a.toml", "--json"]).json_lines();
    assert_eq!(cells.len(), 8);
    let fields: Vec<&String> = cells[1].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["cell", "at", "jobs", "scores", "missing"]);
    assert_eq!(cells[1]["jobs"][0]["error"], "out of memory");
}

#[test]
fn programs_read_workers_the_queue_and_every_failure() {
    let desk = Watched::new("out of memory\nhint: a smaller batch").desk;
    let told = desk
        .run(&["status", "a.toml", "--json", "--workers"])
        .json_lines();
    assert_eq!(told.len(), 3);
    let (living, silent) = (&told[0]["worker"], &told[1]["worker"]);
    assert_eq!(
        (&living["host"], &living["silent"]),
        (&json!("node1"), &json!(false))
    );
    assert_eq!(
        living["places"],
        json!([{"cell": 0, "at": "cell 0 steps=25 scale=0"}])
    );
    assert_eq!(living["doing"][0]["per_second"], 2.0);
    assert_eq!(
        (&silent["host"], &silent["silent"]),
        (&json!("node2"), &json!(true))
    );
    assert_eq!(
        silent["places"],
        json!([{"cell": null, "at": "of another study"}])
    );
    let age = silent["heartbeat_seconds_ago"].as_f64().unwrap();
    assert!((10_860.0..11_000.0).contains(&age), "{age}");
    let left = &told[2];
    assert_eq!(
        left["queue"][0],
        json!({"stage": "sample", "stored": 0, "running": 1, "ready": 6, "waiting": 0, "failed": 1, "reasons": []})
    );
    assert_eq!(
        left["queue"][1]["reasons"],
        json!([["sample", 7], ["a failed sample job", 1]])
    );
    let failure = &left["failures"][0];
    assert_eq!(failure["cells"], json!([1]));
    assert_eq!(failure["error"], "out of memory\nhint: a smaller batch");
    assert_eq!(
        (&failure["host"], &left["seconds_left"]),
        (&json!("node3"), &json!(null))
    );
}
