//! How many images a command is asked for, and which.

use crate::any_model::study::{ELASTIC, Study, WHOLE, sampled};

#[test]
fn a_raised_count_asks_for_the_images_that_are_missing() {
    let study = Study::of(&sampled(ELASTIC, "count = 50"));
    study.sweep(&[]).succeeds();
    assert!(study.log("sample").contains("| 50 images from 0"));
    study.sweep(&["--set", "sample.count=200"]).succeeds();
    let log = study.log("sample");
    assert!(log.contains("| 150 images from 50"), "{log}");
    // 50, the two that are made again to see whether they are the same, 150.
    assert_eq!(log.matches(" images from ").count(), 3, "{log}");
    assert!(log.contains("| 2 images from 25"), "{log}");
    // The first 50 of 200 are there.
    study.sweep(&[]).succeeds().says("all 1 jobs are stored");
}

#[test]
fn calls_make_parts_of_the_size_that_is_asked_for() {
    let study = Study::of(&sampled(ELASTIC, "count = 25\npart = 10"));
    study.sweep(&[]).succeeds();
    let log = study.log("sample");
    for made in ["10 images from 0", "10 images from 10", "5 images from 20"] {
        assert!(log.contains(made), "{log}");
    }
    assert_eq!(
        study.stored("sample"),
        [
            ".copy.json",
            "command.json",
            "images-000000-000010.npz",
            "images-000010-000020.npz",
            "images-000020-000025.npz",
            "job.toml",
            "log.txt",
            "manifest.json",
            "redraw.json"
        ]
    );
}

#[test]
fn without_first_another_count_is_another_set_of_images() {
    let study = Study::of(&sampled(WHOLE, "count = 8"));
    study.sweep(&[]).succeeds();
    study.sweep(&["--set", "sample.count=12"]).succeeds();
    assert_eq!(study.results("sample").len(), 2);
    assert!(!study.stored("sample").contains(&"redraw.json".to_string()));
}

#[test]
fn images_that_depend_on_their_batch_are_refused() {
    // The seed of all images is taken once a call, so that image i is another in another call.
    let study = Study::new();
    let text = std::fs::read_to_string(study.path("sample.py")).unwrap();
    let text = text.replace("f\"{seed} {index}\"", "f\"{seed} {index} {os.getpid()}\"");
    study.write("sample.py", &text);
    study.write("study.toml", &sampled(ELASTIC, "count = 12"));
    let answer = study.sweep(&[]).ends_with(1);
    answer
        .says("its images depend on more than their index and the seed: images 6..8")
        .says("hint: draw the noise of image i from (seed, i)");
    let stored = study.stored("sample");
    assert!(
        !stored.iter().any(|name| name.starts_with("images-")),
        "{stored:?}"
    );
}

#[test]
fn more_images_than_asked_for_are_cut_and_said() {
    let command = r#"["python3", "sample.py", "--out", "{out}", "--count", "9"]"#;
    let study = Study::of(&sampled(command, "count = 5"));
    study.sweep(&[]).succeeds();
    let log = study.log("sample");
    assert!(
        log.contains("made 9 images where 5 were asked for; the first 5 were taken"),
        "{log}"
    );
}
