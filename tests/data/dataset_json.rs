//! The labels that EDM and StyleGAN2-ADA keep in `dataset.json`.

use crate::support::files::{refusal, stranger, zip_of};
use fidrunner::data::shapes::{Scene, Stream};
use fidrunner::data::source::{Augment, Source};
use fidrunner::io::image::file::encode_png;
use std::fs;
use std::path::Path;
use zip::CompressionMethod;

fn open(path: &Path) -> anyhow::Result<Source> {
    Source::open(path.to_str().unwrap(), Stream::Train, 8)
}

fn labels(source: &Source) -> Vec<Option<u32>> {
    let labels = (0..source.len().unwrap()).map(|i| source.get(i, Augment::default()));
    labels.map(|example| example.unwrap().label).collect()
}

#[test]
fn classes_come_from_the_file_and_not_from_the_thousands() {
    let source = open(&stranger("edm-dataset.zip")).unwrap();
    let wanted: Vec<Option<u32>> = (0..8).map(|i| Some(i % 2)).collect();
    assert_eq!(labels(&source), wanted);
    assert_eq!(source.classes(), ["0", "1"]);
    assert_eq!(source.remarks(), Vec::<String>::new());
}

/// Four images in two folders, on disk and in a zip, with this file beside them; they are there as long as the guard is.
fn beside(json: &str) -> (tempfile::TempDir, [anyhow::Result<Source>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let mut files: Vec<(String, Vec<u8>)> = vec![("dataset.json".into(), json.into())];
    for k in 0..4 {
        let png = encode_png(&Scene::of(Stream::Train, k).render(8), 8, 8).unwrap();
        files.push((format!("0000{}/{k}.png", k / 2), png));
    }
    let (folder, zip) = (dir.path().join("set"), dir.path().join("set.zip"));
    for (name, bytes) in &files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    zip_of(&zip, CompressionMethod::Stored, files);
    let both = [open(&folder), open(&zip)];
    (dir, both)
}

#[test]
fn labels_follow_the_paths_whatever_their_order() {
    let json = r#"{"labels": [["00001\\3.png", 2], ["00000/0.png", 0], ["00001/2.png", 0.0], ["00000/1.png", 2]]}"#;
    let (_dir, sets) = beside(json);
    for source in sets {
        let source = source.unwrap();
        assert_eq!(labels(&source), [Some(0), Some(2), Some(0), Some(2)]);
        assert_eq!(source.classes(), ["0", "1", "2"]);
    }
}

#[test]
fn images_without_labels_have_no_classes() {
    let (_dir, sets) = beside(r#"{"labels": null}"#);
    for source in sets {
        let source = source.unwrap();
        assert_eq!(labels(&source), [None; 4]);
        assert!(source.classes().is_empty() && source.remarks().is_empty());
    }
    let (_dir, sets) = beside(r#"{"labels": [["00000/0.png", 1], ["gone.png", 0]]}"#);
    for source in sets {
        let source = source.unwrap();
        assert_eq!(labels(&source), [None; 4]);
        let told = source.remarks().join("\n");
        for part in [
            "labels 1 files that are not there: gone.png",
            "no labels for 3 of 4 images (00000/1.png, 00001/2.png, 00001/3.png)",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }
    let (_dir, sets) = beside(r#"{"labels": [["00000/0.png", [0.5, 1]]]}"#);
    for source in sets {
        let source = source.unwrap();
        assert_eq!(labels(&source), [None; 4]);
        assert!(source.remarks()[0].contains("are vectors"));
    }
}

#[test]
fn another_programs_file_is_told_and_changes_nothing() {
    let (_dir, sets) = beside(r#"{"license": "CC0"}"#);
    for source in sets {
        let source = source.unwrap();
        assert_eq!(source.classes(), ["00000", "00001"]);
        assert!(source.remarks()[0].contains("`dataset.json` has no `labels`"));
    }
}

#[test]
fn a_broken_file_is_refused_with_a_cure() {
    for (json, said) in [
        (r#"{"labels": [["00000/0.png", 0]"#, "is no JSON"),
        (r#"{"labels": {"a": 1}}"#, "are neither null nor a list"),
        (r#"{"labels": [["a.png", -1]]}"#, "labels \"a.png\" -1"),
        (r#"{"labels": [["a.png", 0.5]]}"#, "labels \"a.png\" 0.5"),
        (
            r#"{"labels": [["a.png", "cat"]]}"#,
            "labels \"a.png\" \"cat\"",
        ),
        (
            r#"{"labels": [["a.png", 4294967296]]}"#,
            "labels \"a.png\" 4294967296",
        ),
    ] {
        let (_dir, sets) = beside(json);
        for source in sets {
            let why = refusal(source);
            assert!(why.contains(said) && why.contains("\nhint: "), "{why}");
        }
    }
}
