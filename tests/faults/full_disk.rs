//! A disk that is full from some write on: each try ends with a message and loses nothing that was whole.
//!
//! A small sweep writes to disk some hundred times (open, write, sync, rename, link, folder). The disk is full from each of
//! the first [`FIRST`] on, in which every kind of file of a first result is written, and then from each [`STEP`]-th.
//! All of them, in some minutes: `RUNNER_TEST_STEP=1 cargo test --release --test faults full_disk`.

use crate::shim::{shim, with_shim};
use crate::study::{Net, Study};
use std::fs;

const FIRST: u64 = 30;
const STEP: u64 = 11;
const SWEEP: [&str; 4] = ["sweep", "small.toml", "--device", "cpu"];

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing() {
    let Some(shim) = shim() else { return };
    let step = std::env::var("RUNNER_TEST_STEP").map_or(STEP, |step| step.parse().unwrap());
    let whole = Study::of(Net::Shipped, 1);
    let counted = whole.path("count");
    let count = [("SHIM_COUNT", counted.display().to_string())];
    with_shim(&whole, shim, &count, &SWEEP).succeeds();
    let table = whole.table();
    let calls: u64 = fs::read_to_string(counted).unwrap().trim().parse().unwrap();
    assert!(calls > 60, "only {calls} writes were seen");
    let (mut tried, mut refused) = (0, 0);
    for n in (1..=calls).filter(|n| *n <= FIRST || n % step == 0) {
        let study = Study::of(Net::Shipped, 1);
        let full = [("SHIM_FAIL_FROM", n.to_string())];
        let answer = with_shim(&study, shim, &full, &SWEEP).run();
        let said = format!("write {n} of {calls}: {:?}\n{}", answer.code, answer.stderr);
        assert!(!answer.stderr.contains("panicked"), "{said}");
        assert!(!answer.stderr.contains("internal error"), "{said}");
        match answer.code {
            // Logs and marks of progress are not what a sweep fails by.
            Some(0) => assert!(study.table() == table, "{said}"),
            Some(1 | 2) => {
                refused += 1;
                assert!(answer.stderr.contains("No space left on device"), "{said}");
            }
            _ => panic!("{said}"),
        }
        let again = study.runner(&SWEEP).run();
        assert_eq!(again.code, Some(0), "{said}\nthen {}", again.stderr);
        assert!(study.table() == table, "another table: {said}");
        tried += 1;
    }
    println!("{tried} of {calls} writes tried, {refused} ended the sweep");
    assert!(refused * 2 > tried, "{refused} of {tried} were told");
}

#[test]
fn the_full_disk_itself_is_checked() {
    let Some(shim) = shim() else { return };
    let study = Study::of(Net::Shipped, 1);
    let full = [("SHIM_FAIL_FROM", "1".to_string())];
    let answer = with_shim(&study, shim, &full, &SWEEP).refuses();
    answer
        .says("cannot be written")
        .says("No space left on device");
    assert!(!study.path("reports").exists());
}
