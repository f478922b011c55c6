//! `runner status`: who works, what is left, what has failed; as text, as JSON, as a page.

mod page;
mod workers;

use crate::desk::Desk;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A desk whose first cell is being sampled by one worker while another is silent, and whose second has failed.
struct Watched {
    desk: Desk,
}

impl Watched {
    fn new(error: &str) -> Watched {
        let desk = Desk::new();
        let plan = desk.run(&["plan", "a.toml", "--json", "--until", "sample"]);
        let keys = plan.json_lines();
        let key = |n: usize| keys[n]["key"].as_str().unwrap().to_string();
        std::fs::create_dir_all(desk.path(".runner/workers")).unwrap();
        let silent = json!([doing(&"0".repeat(64), "images-000000-000100", 0.5)]);
        let silent = record("b", "node2", silent);
        desk.write(".runner/workers/b.json", &silent.to_string());
        let file = std::fs::File::options()
            .write(true)
            .open(desk.path(".runner/workers/b.json"))
            .unwrap();
        let then = SystemTime::now() - Duration::from_secs(3 * 3600 + 60);
        file.set_modified(then).unwrap();
        let living = record(
            "a",
            "node1",
            json!([doing(&key(0), "images-000100-000200", 2.0)]),
        );
        desk.write(".runner/workers/a.json", &living.to_string());
        // What is no record is passed over.
        desk.write(".runner/workers/c.json", "{");
        let failed = format!(".runner/sample/{}", &key(1)[..16]);
        std::fs::create_dir_all(desk.path(&failed)).unwrap();
        let failure = json!({
            "error": error, "device": "cpu", "host": "node3",
            "at": "2026-01-01T00:00:00Z", "seconds": 1.0,
        });
        desk.write(&format!("{failed}/failure.json"), &failure.to_string());
        Watched { desk }
    }
}

/// A worker's file as the program writes it.
fn record(id: &str, host: &str, doing: Value) -> Value {
    json!({
        "id": id, "host": host, "pid": 4711, "born": 1, "namespace": null,
        "device": "cuda:0", "scheduler": "slurm 123_4", "runner": "0.1.0",
        "started": "2026-01-01T00:00:00Z", "beat": 7, "done": 12, "failed": 1,
        "doing": doing,
    })
}

fn doing(key: &str, part: &str, per_second: f64) -> Value {
    json!({
        "stage": "sample", "key": key, "device": "cuda:0", "part": part,
        "done": 100, "total": 1000, "unit": "images", "per_second": per_second,
        "since": "2026-01-01T00:00:00Z",
    })
}
