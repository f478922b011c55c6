//! Real images to their noise and back by DDIM, and images between two of them.

use crate::question::question;
use crate::support::program::files_ending;
use candle_core::Device;
use fidrunner::jobs::context::{Stopped, Watch};
use fidrunner::stages::ask::denoiser_on_images::DenoiserOnImages;
use fidrunner::stages::ask::inversion::{Inversion, between, invert};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const EACH: usize = 3 * 16 * 16;
static GO_ON: AtomicBool = AtomicBool::new(false);

fn back(store: &Path, count: u64, batch: usize, steps: &str) -> Inversion {
    let question = question(store, count, batch);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    invert(
        &subject,
        steps,
        Watch {
            tell: &|_| {},
            warn: &|_| {},
            stop: &GO_ON,
        },
    )
    .unwrap()
}

fn path(store: &Path, inversion: &Inversion, count: u64, steps: &str, along: usize) -> Vec<f32> {
    let question = question(store, count, 4);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    between(
        &subject,
        steps,
        inversion,
        along,
        Watch {
            tell: &|_| {},
            warn: &|_| {},
            stop: &GO_ON,
        },
    )
    .unwrap()
}

fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs()))
}

#[test]
fn more_steps_bring_images_back_and_a_path_ends_at_its_ends() {
    let store = tempfile::tempdir().unwrap();
    let (few, many) = (
        back(store.path(), 4, 4, "5"),
        back(store.path(), 4, 4, "50"),
    );
    assert!(many.error < 0.1 * few.error, "{} {}", many.error, few.error);
    assert!(many.interval.0 < many.error && many.error < many.interval.1);
    // The error is that of the images that are shown.
    let question = question(store.path(), 4, 4);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let x0 = subject.images(&[0, 1, 2, 3]).unwrap();
    let x0 = x0.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let squares = x0.iter().zip(&many.shown);
    let squares = squares.map(|(a, b)| f64::from((a - b) / 2.0).powi(2));
    let error = squares.sum::<f64>() / x0.len() as f64;
    assert!((error - many.error).abs() < 1e-4 * error);
    // What noise of a trained process is like: near mean 0 and variance 1, unlike the images.
    let square: f64 = many.latents.iter().map(|v| f64::from(*v).powi(2)).sum();
    let square = square / many.latents.len() as f64;
    assert!((0.7..1.4).contains(&square), "{square}");

    let path = path(store.path(), &many, 4, "50", 3);
    assert_eq!(path.len(), 6 * EACH);
    let image = |i: usize| &path[i * EACH..][..EACH];
    for (at, end) in [(0, 0), (2, 1), (3, 2), (5, 3)] {
        let off = gap(image(at), &many.shown[end * EACH..][..EACH]);
        assert!(off < 1e-3, "image {at} of the path is {off} off its end");
    }
    assert!(gap(image(1), image(0)) > 0.1 && gap(image(1), image(2)) > 0.1);
}

#[test]
fn steps_that_end_before_the_last_timestep_come_back_too() {
    // The process of `ddim10` ends at timestep 900, where an image is not all gone.
    let store = tempfile::tempdir().unwrap();
    assert!(back(store.path(), 8, 8, "ddim10").error < 0.012);
}

#[test]
fn any_batch_and_any_order_of_work_has_the_same_bits() {
    let stores = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let whole = back(stores[0].path(), 24, 24, "3");
    let all = |i: &Inversion| (i.error, i.interval, i.shown.clone(), i.latents.clone());
    assert_eq!(all(&back(stores[1].path(), 24, 5, "3")), all(&whole));
    assert_eq!(whole.shown.len(), 20 * EACH);
    back(stores[2].path(), 3, 3, "3");
    let first = files_ending(stores[2].path(), "npz");
    let made = |p: &Path| std::fs::metadata(p).unwrap().modified().unwrap();
    let before = made(&first[0]);
    assert_eq!(all(&back(stores[2].path(), 24, 4, "3")), all(&whole));
    assert_eq!(made(&first[0]), before);
}

#[test]
fn the_class_of_a_path_is_that_of_the_nearer_end() {
    let store = tempfile::tempdir().unwrap();
    let mut found = back(store.path(), 2, 2, "5");
    // Both ends the same noise: what differs along the path is the class that is asked for.
    let (a, b) = found.latents.split_at_mut(EACH);
    b.copy_from_slice(a);
    let path = path(store.path(), &found, 2, "5", 5);
    let image = |i: usize| &path[i * EACH..][..EACH];
    for (i, end) in [(1, 0), (2, 0), (3, 4)] {
        assert!(gap(image(i), image(end)) < 1e-4, "image {i}");
    }
    assert!(gap(image(0), image(4)) > 0.1);
}

#[test]
fn asked_to_stop_it_keeps_what_is_whole() {
    let stores = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let question = question(stores[0].path(), 4, 2);
    let subject = DenoiserOnImages::open(&question, &Device::Cpu).unwrap();
    let stop = AtomicBool::new(false);
    // Within the second part.
    let tell = |progress: fidrunner::jobs::context::Progress| {
        assert_eq!((progress.total, progress.unit), (4, "images"));
        stop.store(progress.done == 3, Ordering::Relaxed);
    };
    let error = invert(
        &subject,
        "3",
        Watch {
            tell: &tell,
            warn: &|_| {},
            stop: &stop,
        },
    )
    .err()
    .unwrap();
    assert!(error.is::<Stopped>());
    assert_eq!(files_ending(stores[0].path(), "npz").len(), 1);
    let (resumed, whole) = (
        back(stores[0].path(), 4, 2, "3"),
        back(stores[1].path(), 4, 2, "3"),
    );
    assert_eq!((resumed.error, resumed.shown), (whole.error, whole.shown));

    let found = back(stores[0].path(), 4, 2, "3");
    let stop = AtomicBool::new(false);
    let tell = |progress: fidrunner::jobs::context::Progress| {
        assert_eq!((progress.total, progress.unit), (2, "pairs"));
        stop.store(progress.done == 1, Ordering::Relaxed);
    };
    let error = between(
        &subject,
        "3",
        &found,
        4,
        Watch {
            tell: &tell,
            warn: &|_| {},
            stop: &stop,
        },
    )
    .err();
    assert!(error.unwrap().is::<Stopped>());
    let kept = |p: &PathBuf| p.to_string_lossy().contains("interpolation");
    assert!(
        files_ending(stores[0].path(), "npz")
            .iter()
            .filter(|p| kept(p))
            .count()
            <= 1
    );
    let resumed = path(stores[0].path(), &found, 4, "3", 4);
    assert_eq!(resumed, path(stores[1].path(), &found, 4, "3", 4));
}
