//! `runner score` of one set by two processes: each part of its features is made once.

use crate::study::Study;
use crate::support::program::{Answer, shipped};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::io::image::file::write_png;

#[test]
fn two_processes_describe_one_set_together() {
    let study = Study::new("count = 1", "guidance.scale = [0]");
    let folder = study.path("images");
    std::fs::create_dir(&folder).unwrap();
    for i in 0..600 {
        let pixels = Scene::of(Stream::Validation, i).render(16);
        write_png(&folder.join(format!("{i:04}.png")), &pixels, 16, 16).unwrap();
    }
    let (weights, reference) = (
        shipped("experiments/shapes/features.safetensors"),
        shipped("reference_stats/shapes16.npz"),
    );
    let score = [
        "score",
        "images",
        "--reference",
        &reference,
        "--weights",
        &weights,
    ];
    let score = [&score[..], &["--part", "20", "--json"]].concat();
    let alone = study.call("alone", &score).succeeds().stdout;
    let both = [1, 2].map(|_| study.start("both", &score));
    for process in both {
        let answer = Answer::of(process.wait_with_output().unwrap());
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_eq!(answer.stdout, alone);
    }
    assert!(study.parts("both", "described") == study.parts("alone", "described"));
    assert_eq!(study.leftovers("both"), Vec::<String>::new());
}
