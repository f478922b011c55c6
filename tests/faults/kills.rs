//! SIGKILL at any moment of any stage, again and again: the same command goes on from there, and the table is the same.
//!
//! Ten kills here; the long loop: `RUNNER_TEST_KILLS=200 cargo test --release --test faults kills -- --nocapture`.

use crate::study::{Net, Study};
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const KILLS: u32 = 10;
/// A study is killed so often at most, then it has to end.
const EACH: u32 = 12;

/// Numbers that look random and are the same each time (xorshift64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn start(study: &Study, device: &str) -> Child {
    let sweep = ["sweep", "small.toml", "--device", device];
    let mut command = study.runner(&sweep).command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

/// Ends the sweep within `time`, killed unless it came to its end before; true where it was killed.
fn killed(mut sweep: Child, time: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Some(status) = sweep.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    // Whatever happens between the look and the kill, the sweep is over then.
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    true
}

/// The stages in which somebody was at work, by the leases that he left.
fn stages(study: &Study) -> Vec<String> {
    let leases = study.files().into_iter().filter(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".lease")
    });
    let stage = |file: std::path::PathBuf| {
        let first = file.components().next();
        first.map(|stage| stage.as_os_str().to_string_lossy().into_owned())
    };
    let mut stages: Vec<String> = leases.filter_map(stage).collect();
    stages.dedup();
    stages
}

#[test]
fn kills_at_any_moment_change_no_table() {
    let wanted = std::env::var("RUNNER_TEST_KILLS");
    let wanted = wanted.map_or(KILLS, |kills| kills.parse().unwrap());
    let whole = Study::of(Net::Trained, 2);
    let started = Instant::now();
    whole.sweep();
    let (table, whole_time) = (whole.table(), started.elapsed().as_millis() as u64);
    let (mut moments, mut kills, mut studies) = (Moments(0x5eed_cafe_f00d_0001), 0, 0);
    let mut at: BTreeMap<String, u32> = BTreeMap::new();
    while kills < wanted {
        let study = Study::of(Net::Trained, 2);
        studies += 1;
        // One process, or two that share the work.
        let device = ["cpu", "cpu:2"][studies % 2];
        for _ in 0..EACH.min(wanted - kills) {
            let time = Duration::from_millis(moments.below(whole_time * 2 / 3));
            if !killed(start(&study, device), time) {
                break;
            }
            kills += 1;
            let stages = stages(&study);
            let stages = if stages.is_empty() {
                vec!["between jobs".to_string()]
            } else {
                stages
            };
            for stage in stages {
                *at.entry(stage).or_default() += 1;
            }
        }
        study.sweep();
        assert!(study.table() == table, "after {kills} kills");
    }
    println!("{kills} kills in {studies} studies, at {at:?}: every table is the same");
    assert!(kills >= wanted);
}
