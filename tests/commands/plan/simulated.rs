//! `runner plan --simulate N`: what the plan's own numbers say of N workers.

use crate::desk::Desk;
use serde_json::Value;

const ONE: [&str; 8] = [
    "--only", "steps=25", "--only", "scale=0", "--rate", "1", "--until", "sample",
];

fn simulated(desk: &Desk, args: &[&str]) -> Value {
    let all = [&["plan", "a.toml", "--json"], &ONE[..], args].concat();
    let mut lines = desk.runner(&all).succeeds().json_lines();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn near(got: &Value, want: f64) {
    let got = got.as_f64().unwrap();
    assert!((got / want - 1.0).abs() < 1e-9, "{got}, not {want}");
}

#[test]
fn ten_parts_on_ten_workers_take_a_tenth_and_the_opening_of_the_net() {
    let desk = Desk::new();
    let parts = ["--set", "sample.part=100", "--load", "7"];
    let alone = simulated(&desk, &[&parts[..], &["--simulate", "1"]].concat());
    let one = alone["wall_seconds"].as_f64().unwrap();
    near(&alone["speed_up"], 1.0);
    let ten = simulated(&desk, &[&parts[..], &["--simulate", "10"]].concat());
    near(&ten["wall_seconds"], 7.0 + (one - 7.0) / 10.0);
    near(&ten["one_worker_seconds"], one);
    assert_eq!(ten["idle"].as_array().unwrap().len(), 10);
    assert_eq!(ten["critical_path"]["jobs"][0]["stage"], "sample");
    assert_eq!(ten["held_by"], "critical path");
    let four = simulated(&desk, &[&parts[..], &["--simulate", "4"]].concat());
    near(&four["wall_seconds"], 7.0 + 3.0 * (one - 7.0) / 10.0);
    assert_eq!(four["held_by"], "workers");
    // Two of the four have a part less.
    assert_eq!(four["largest_stage"]["stage"], "sample");
    let busy = four["busy_seconds"].as_array().unwrap();
    near(&busy[3], 7.0 + 2.0 * (one - 7.0) / 10.0);
}

#[test]
fn the_text_names_what_holds_it_up_and_what_it_does_not_know() {
    let desk = Desk::new();
    let text = desk.done(&["plan", "a.toml", "--rate", "1", "--simulate", "40"]);
    for part in [
        "40 workers of one device each:\n",
        "  wall time      ",
        "  opening nets   5 s whenever a worker comes to another job",
        "  not known      the time of 8 metrics jobs, which count as none\n",
        "  worker  busy\n",
        "     1-3  ####",
        "  workers  ",
        "is the largest number of which each is of use for 80 % of its time\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_cure() {
    let desk = Desk::new();
    desk.runner(&["plan", "a.toml", "--simulate", "4"])
        .refuses()
        .says("the time of none of the 24 jobs to run is known")
        .says("hint: `runner plan` without --json and --no-probe measures this machine");
    desk.runner(&["plan", "a.toml", "--simulate", "0"])
        .refuses();
    desk.runner(&["plan", "a.toml", "--load", "1"]).refuses();
    desk.runner(&["plan", "a.toml", "--simulate", "4", "--load=-1"])
        .refuses()
        .says("a number of seconds is needed");
}
