//! One cell by several workers: every part once, and the same bits.

use crate::study::{Study, manifest};
use crate::support::program::Answer;

const SAMPLE: &str = "steps = 8\ncount = 100\npart = 5\nbatch = 5";

#[test]
fn two_workers_share_the_images_and_the_features_of_one_cell() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    study.call("alone", &["work", "shared.toml"]).succeeds();
    let both = [1, 2].map(|_| study.start("both", &["work", "shared.toml", "--json"]));
    for worker in both {
        let answer = Answer::of(worker.wait_with_output().unwrap());
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let told = answer.json_lines();
        assert!(told.iter().any(|line| line["event"] == "progress"));
    }
    for stage in ["sample", "features"] {
        let parts = study.parts("both", stage);
        assert_eq!(parts.len(), 20, "{stage}");
        assert!(parts == study.parts("alone", stage), "{stage}");
    }
    let folder = &study.results("both", "sample")[0];
    let made = manifest(folder);
    let makers = made["makers"].as_array().unwrap();
    assert_eq!(makers.len(), 2, "{made}");
    let parts = makers.iter().map(|maker| maker["parts"].as_u64().unwrap());
    assert_eq!(parts.sum::<u64>(), 20, "no part was made twice: {made}");
    let log = std::fs::read_to_string(folder.join("log.txt")).unwrap();
    assert_eq!(log.matches(" images ").count(), 20, "{log}");
    assert_eq!(study.leftovers("both"), Vec::<String>::new());
    assert_eq!(study.accounts("both"), Vec::<String>::new());
}

#[test]
fn a_sweep_with_two_workers_ends_with_the_table_of_one() {
    let study = Study::new(SAMPLE, "guidance.scale = [0, 5]");
    study.call("alone", &["sweep", "shared.toml"]).succeeds();
    let table = study.table();
    std::fs::remove_dir_all(study.path("reports")).unwrap();
    study
        .call("both", &["sweep", "shared.toml", "--device", "cpu:2"])
        .succeeds()
        .says("6 of 6 jobs to run on cpu:1/2, cpu:2/2");
    assert_eq!(study.table(), table);
    assert_eq!(study.leftovers("both"), Vec::<String>::new());
    assert_eq!(study.accounts("both"), Vec::<String>::new());
}

#[test]
fn a_worker_takes_its_stages_alone_and_ends_where_nobody_makes_what_they_need() {
    let study = Study::new(SAMPLE, "guidance.scale = [5]");
    let work = |stages: &str| {
        let worker = study.call("s", &["work", "shared.toml", "--stages", stages]);
        worker.succeeds()
    };
    work("features,metrics");
    assert_eq!(study.results("s", "features").len(), 0);
    work("sample");
    assert_eq!(study.parts("s", "sample").len(), 20);
    assert_eq!(study.results("s", "features").len(), 0);
    // One that waits has its work once another has made what it needs.
    let waiting = ["work", "shared.toml", "--stages", "metrics", "--wait"];
    let waiting = study.start("s", &waiting);
    work("features");
    let answer = Answer::of(waiting.wait_with_output().unwrap());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(
        study.results("s", "metrics")[0]
            .join("scores.json")
            .exists()
    );
    study
        .call("s", &["work", "shared.toml", "--stages", "sampel"])
        .refuses()
        .says("there is no stage `sampel`");
}
