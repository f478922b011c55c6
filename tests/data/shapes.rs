//! The shapes world keeps its promises: one scene at every resolution, disjoint streams, ten classes, the same bytes everywhere.

use crate::support::files::fnv1a_on;
use fidrunner::data::shapes::{ATTRIBUTES, CLASSES, Scene, Stream};
use rayon::prelude::*;
use std::collections::HashSet;

const STREAMS: [Stream; 3] = [Stream::Train, Stream::Reference, Stream::Validation];

/// Means over blocks of `factor` pixels.
fn shrink(pixels: &[u8], side: usize, factor: usize) -> Vec<f32> {
    let small = side / factor;
    let mut out = vec![0.0; small * small * 3];
    for y in 0..side {
        for x in 0..side {
            for c in 0..3 {
                out[((y / factor) * small + x / factor) * 3 + c] +=
                    pixels[(y * side + x) * 3 + c] as f32 / (factor * factor) as f32;
            }
        }
    }
    out
}

#[test]
fn a_scene_is_the_same_picture_at_every_resolution() {
    for index in 0..200 {
        let scene = Scene::of(Stream::Train, index);
        let small = scene.render(16);
        for factor in [2, 4, 8] {
            let shrunk = shrink(&scene.render(16 * factor), 16 * factor, factor);
            let off: f32 = small
                .iter()
                .zip(&shrunk)
                .map(|(&a, b)| (a as f32 - b).abs())
                .sum();
            let mean = off / small.len() as f32;
            assert!(
                mean < 4.0,
                "scene {index} at {}: mean difference {mean}",
                16 * factor
            );
        }
    }
}

#[test]
fn streams_are_disjoint_and_scenes_do_not_repeat() {
    let pictures: Vec<Vec<u8>> = STREAMS
        .into_par_iter()
        .flat_map_iter(|stream| (0..1000).map(move |i| Scene::of(stream, i).render(8)))
        .collect();
    let different: HashSet<&Vec<u8>> = pictures.iter().collect();
    assert_eq!(different.len(), pictures.len());
}

#[test]
fn a_scene_depends_on_its_stream_and_index_only() {
    for index in [0, 7, u64::MAX / 3] {
        let first = Scene::of(Stream::Validation, index);
        let again = Scene::of(Stream::Validation, index);
        assert_eq!(first.render(33), again.render(33));
        assert_eq!(first.attributes(), again.attributes());
    }
}

/// The training set of a stored checkpoint must not change unnoticed: change this number only with new checkpoints.
#[test]
fn the_first_scenes_keep_their_bytes() {
    let digest = STREAMS.iter().fold(0xcbf2_9ce4_8422_2325, |h, &stream| {
        (0..50).fold(h, |h, i| fnv1a_on(&Scene::of(stream, i).render(24), h))
    });
    assert_eq!(digest, DIGEST, "{digest:#018x}");
}
const DIGEST: u64 = 0x1d92_98a9_12a5_6cd2;

#[test]
fn classes_come_in_turn() {
    assert_eq!(CLASSES.iter().collect::<HashSet<_>>().len(), 10);
    for index in 0..40 {
        let scene = Scene::of(Stream::Reference, index);
        assert_eq!(scene.class as u64, index % 10);
    }
}

#[test]
fn every_resolution_down_to_one_pixel_renders() {
    for side in [1, 2, 3, 8, 31, 512] {
        let pixels = Scene::of(Stream::Train, 3).render(side);
        assert_eq!(pixels.len(), side * side * 3);
    }
}

#[test]
fn pictures_are_varied_and_neither_dark_nor_blown_out() {
    let means: Vec<f64> = (0..2000)
        .map(|i| {
            let pixels = Scene::of(Stream::Train, i).render(16);
            pixels.iter().map(|&v| v as f64).sum::<f64>() / pixels.len() as f64
        })
        .collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let spread = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / means.len() as f64;
    assert!((90.0..160.0).contains(&mean), "mean brightness {mean}");
    assert!(spread.sqrt() > 25.0, "brightness spread {}", spread.sqrt());
}

#[test]
fn the_figure_stands_out_from_its_ground() {
    for index in 0..1000 {
        let scene = Scene::of(Stream::Train, index);
        let a = scene.attributes();
        let square: f32 = (0..3).map(|c| (a[5 + c] - a[8 + c]).powi(2)).sum();
        assert!(
            square.sqrt() > 0.3,
            "scene {index}: fill and ground {square}"
        );
    }
}

#[test]
fn attributes_are_finite_centred_and_within_range() {
    let n = 5000;
    let mut sum = [0.0f64; ATTRIBUTES];
    for index in 0..n {
        for (slot, v) in sum
            .iter_mut()
            .zip(Scene::of(Stream::Train, index).attributes())
        {
            assert!(v.is_finite() && v.abs() <= 1.5, "attribute {v}");
            *slot += v as f64;
        }
    }
    for (i, s) in sum.iter().enumerate() {
        let mean = s / n as f64;
        assert!(mean.abs() < 0.6, "attribute {i} has mean {mean}");
    }
}
