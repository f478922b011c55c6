//! Clusters as labels: what they are of, that they are kept, and that a training that goes on has the same ones.

use super::resumed::{train, weights};
use crate::support::program::shipped;
use fidrunner::experiment::file::experiment::Experiment;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use fidrunner::jobs::train::TrainJob;
use std::fs;
use std::path::Path;

/// A tiny net on `data` with `k` clusters.
fn text(data: &str, k: usize) -> String {
    let features = shipped("experiments/shapes/features.safetensors");
    format!(
        "name = \"tiny\"\n[model]\npreset = \"shapes16\"\n[model.arch]\nchannel_mult = [1, 1]\nattention = []\n\
         classes = {k}\n[train]\ndata = {data:?}\nsteps = 4\nbatch = 4\nlearning_rate = 1e-3\nema = 0.9\n\
         checkpoint_every = 2\nlabels = \"clusters:{k}\"\nlabel_features = {features:?}\nlabel_dropout = 0.2\n"
    )
}

/// 24 pictures of 16 pixels: dark, bright and striped ones in turn, none like another.
fn pictures(path: &Path) {
    let value = |i: usize, p: usize| match i % 3 {
        0 => 10 + i,
        1 => 220 + i,
        _ if (p / 16).is_multiple_of(2) => 240 - i,
        _ => i,
    };
    let pixels = (0..24).flat_map(|i| (0..256).flat_map(move |p| [value(i, p) as u8; 3]));
    let images = Array::u8(&[24, 16, 16, 3], pixels.collect());
    npz::write(path, &[("arr_0", images)]).unwrap();
}

fn labels(folder: &Path) -> Vec<i64> {
    let mut npz = Npz::open(&folder.join("clusters.npz")).unwrap();
    npz.i64("labels").unwrap().data
}

#[test]
fn pictures_that_are_alike_have_one_label_whenever_they_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("pictures.npz");
    pictures(&data);
    let text = text(data.to_str().unwrap(), 3);
    let [whole, halves, damaged] = ["whole", "halves", "damaged"].map(|n| dir.path().join(n));
    for folder in [&whole, &halves, &damaged] {
        fs::create_dir(folder).unwrap();
    }
    train(&text, &whole, None).unwrap();
    let found = labels(&whole);
    assert_eq!(found.len(), 24);
    for (i, label) in found.iter().enumerate() {
        assert_eq!(*label, found[i % 3], "picture {i} of {found:?}");
    }
    let mut kinds = found[..3].to_vec();
    kinds.sort_unstable();
    assert_eq!(kinds, [0, 1, 2]);

    train(&text, &halves, Some(2)).unwrap_err();
    train(&text, &halves, None).unwrap();
    // A file that cannot be read is set aside, and the same labels are found again.
    train(&text, &damaged, Some(2)).unwrap_err();
    fs::write(damaged.join("clusters.npz"), b"PK damaged").unwrap();
    train(&text, &damaged, None).unwrap();
    assert!(damaged.join("clusters.npz.broken").exists());
    for folder in [&halves, &damaged] {
        assert_eq!(labels(folder), found);
        let [a, b] = [&whole, folder].map(|f| weights(&f.join("model.safetensors")));
        assert!(a == b, "the weights differ in {}", folder.display());
    }
}

#[test]
fn images_without_end_are_labelled_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    train(&text("shapes", 4), dir.path(), None).unwrap();
    let mut npz = Npz::open(&dir.path().join("clusters.npz")).unwrap();
    assert_eq!(npz.f32("centres").unwrap().shape, [4, 64]);
    assert!(npz.i64("labels").unwrap().data.is_empty());
    let log = fs::read_to_string(dir.path().join("log.txt")).unwrap();
    let told = log
        .lines()
        .find(|line| line.contains("4 clusters of 20000 images"));
    let told = told.unwrap_or_else(|| panic!("{log}"));
    let sizes = told.rsplit_once(": ").unwrap().1;
    let least: u64 = sizes.split(' ').next().unwrap().parse().unwrap();
    assert!(least > 500, "{told}");
}

#[test]
fn more_clusters_than_different_pictures_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("pictures.npz");
    npz::write(
        &data,
        &[("arr_0", Array::u8(&[8, 16, 16, 3], vec![7; 8 * 768]))],
    )
    .unwrap();
    let error = train(&text(data.to_str().unwrap(), 2), dir.path(), None).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("2 clusters of images that have only 1 different features"),
        "{error}"
    );
}

#[test]
fn a_net_of_other_classes_is_refused_before_anything_runs() {
    let planned = |text: &str| {
        let spec: Experiment = toml::from_str(text).unwrap();
        let train = spec.net_train().unwrap().clone();
        TrainJob::of_table("train", spec.model, &train).map(|_| ())
    };
    let text = text("shapes", 3);
    planned(&text).unwrap();
    for (classes, known) in [("4", "4"), ("0", "none")] {
        let other = text.replace("label_dropout = 0.2\n", "");
        let other = other.replace("classes = 3", &format!("classes = {classes}"));
        let error = format!("{:#}", planned(&other).unwrap_err());
        let expected = format!(
            "train.labels = \"clusters:3\" are 3 classes, and the net knows {known}\nhint: set `arch.classes = 3` of the net, or another number of clusters"
        );
        assert_eq!(error, expected);
    }
}
