//! 95 % intervals hold the truth they claim in 93 to 97 of 100 simulated sets, seeds fixed.

use crate::support::gaussians::normal;
use fidrunner::metrics::agreement::Share;
use fidrunner::metrics::frechet::distance::{Reference, frechet};
use fidrunner::metrics::frechet::moments::Moments;
use fidrunner::metrics::inception_score::{Probabilities, Splits, inception_score};
use fidrunner::metrics::intervals::jackknife::Jackknife;
use fidrunner::metrics::intervals::normal::Z;
use fidrunner::metrics::kernel::interval::mmd2_interval;
use fidrunner::metrics::kernel::mmd::mmd2;
use fidrunner::metrics::neighbours::manifold::{Border, Manifold, Overlap};
use fidrunner::metrics::rows::Slice;
use rayon::prelude::*;

/// Simulated sets a case: the share that is found has a standard error of 0.007 at 0.95.
const SETS: u64 = 1000;
/// Three standard errors of a share that is truly at either end of 93 to 97 %.
const NOISE: [f64; 2] = [0.024, 0.016];
/// First seeds of the sets that tell the truth, and of those with intervals.
const TRUTH: u64 = 1 << 40;
const TRIED: u64 = 1 << 41;

/// Whether the intervals of [`SETS`] sets hold the average of the number over as many fresh ones.
fn held(
    what: &str,
    fresh: impl Fn(u64) -> f64 + Sync,
    interval: impl Fn(u64) -> (f64, f64, f64) + Sync,
) {
    let found = share_held(what, fresh, interval);
    assert!(
        (0.93 - NOISE[0]..=0.97 + NOISE[1]).contains(&found),
        "{what}: {found} of the intervals hold the truth"
    );
}

/// The share of the intervals of [`SETS`] sets that hold the average over as many fresh ones.
fn share_held(
    what: &str,
    fresh: impl Fn(u64) -> f64 + Sync,
    interval: impl Fn(u64) -> (f64, f64, f64) + Sync,
) -> f64 {
    let tried: Vec<(f64, f64, f64)> = (0..SETS)
        .into_par_iter()
        .map(|i| interval(TRIED | i))
        .collect();
    let others: Vec<f64> = (0..SETS)
        .into_par_iter()
        .map(|i| fresh(TRUTH | i))
        .collect();
    // Both halves are fresh sets of one kind; together their average is nearer the truth.
    let values = tried.iter().map(|t| t.0).chain(others.iter().copied());
    let truth = values.sum::<f64>() / (2 * SETS) as f64;
    let share = |holds: &dyn Fn(&(f64, f64, f64)) -> bool| {
        tried.iter().filter(|t| holds(t)).count() as f64 / SETS as f64
    };
    let (below, above) = (share(&|t| t.2 < truth), share(&|t| t.1 > truth));
    let found = 1.0 - below - above;
    println!("{what}: {found:.4} held, {below:.4} too low, {above:.4} too high, truth {truth:.5}");
    assert!(tried.iter().all(|(v, l, h)| l <= v && v <= h), "{what}");
    found
}

fn triple(left_out: &Jackknife, floor: f64) -> (f64, f64, f64) {
    let (low, high) = left_out.interval(floor);
    (left_out.value(), low, high)
}

/// Rows of independent normal numbers, each axis with its own spread.
fn draw(seed: u64, n: usize, spread: &[f64], mean: f64) -> Vec<f32> {
    let values = normal(seed, n * spread.len());
    let scaled = values.iter().zip(spread.iter().cycle());
    scaled.map(|(v, s)| (mean + s * v) as f32).collect()
}

/// Standard deviations that rise along the axes.
fn spreads(d: usize) -> Vec<f64> {
    let of = |j: usize| (0.5 + 1.5 * (j as f64 + 0.5) / d as f64).sqrt();
    (0..d).map(of).collect()
}

fn frechet_case(n: usize, d: usize, mean: f64, like_the_reference: bool) {
    let spread = spreads(d);
    let mut cov = vec![0.0; d * d];
    (0..d).for_each(|j| cov[j * (d + 1)] = spread[j] * spread[j]);
    let real = Moments::given(0, vec![0.0; d], cov).unwrap();
    let reference = Reference::new(&real).unwrap();
    let own = if like_the_reference {
        spread
    } else {
        vec![1.1; d]
    };
    let set = |seed| draw(seed, n, &own, mean);
    held(
        &format!("distance, n = {n}, d = {d}, mean {mean}"),
        |seed| frechet(&Moments::of(&set(seed), d).unwrap(), &real).unwrap(),
        |seed| {
            let rows = set(seed);
            let moments = Moments::of(&rows, d).unwrap();
            let mut slice = Slice::of(&rows, d).unwrap();
            let left_out = reference.left_out(&moments, &mut slice).unwrap();
            let (low, high) = left_out.square_interval(0.0);
            (left_out.value(), low, high)
        },
    );
}

#[test]
fn intervals_of_a_distance_hold_its_average_from_two_images_a_feature_to_fifty() {
    for (n, d) in [(96, 48), (160, 32), (200, 16), (300, 6)] {
        frechet_case(n, d, 0.2, false);
    }
}

#[test]
fn intervals_hold_the_average_of_images_that_are_like_the_references() {
    for (n, d) in [(96, 48), (200, 16)] {
        frechet_case(n, d, 0.0, true);
    }
}

#[test]
fn intervals_of_the_inception_score_hold_its_average() {
    let k = 10;
    let logits = |seed| -> Vec<f64> { normal(seed, 150 * k).iter().map(|v| 2.0 * v).collect() };
    let of = |seed| Probabilities::of_logits_f64(&logits(seed), k).unwrap();
    held(
        "Inception Score",
        |seed| inception_score(&of(seed), Splits::Into(1)).unwrap().mean,
        |seed| triple(&of(seed).left_out().unwrap(), 1.0),
    );
}

#[test]
fn intervals_of_the_kernel_distance_hold_its_average() {
    let d = 8;
    let real = draw(1, 200, &vec![1.0; d], 0.0);
    // From two distributions far apart to one and the same, where images count in pairs alone.
    for (mean, spread) in [(0.3, 1.1), (0.1, 1.0), (0.0, 1.0)] {
        let set = |seed| draw(seed, 120, &vec![spread; d], mean);
        let found = share_held(
            &format!("kernel distance, mean {mean}"),
            |seed| mmd2(&set(seed), &real, d).unwrap(),
            |seed| {
                let kid = mmd2_interval(&set(seed), &real, d).unwrap();
                (kid.left_out.value(), kid.low, kid.high)
            },
        );
        assert!((0.93..=0.97).contains(&found), "mean {mean}: {found}");
    }
}

fn of_share(share: Share) -> (f64, f64, f64) {
    (share.value, share.low, share.high)
}

#[test]
fn intervals_of_precision_density_and_coverage_hold_their_averages_in_one_real_manifold() {
    let (d, k) = (4, 3);
    let rows = draw(2, 150, &[1.0; 4], 0.0);
    let real = Manifold::of(&rows, d, k).unwrap();
    type Number = fn(&Overlap) -> (f64, f64, f64);
    let numbers: [(&str, Number); 3] = [
        ("precision", |m| of_share(m.precision())),
        ("density", |m| triple(&m.density(), 0.0)),
        ("coverage", |m| triple(&m.coverage(), 0.0)),
    ];
    for (name, number) in numbers {
        let of = |seed| {
            let generated = draw(seed, 120, &[1.2; 4], 0.3);
            let generated = Manifold::of(&generated, d, k).unwrap();
            number(&real.overlap(&generated, Border::Outside).unwrap())
        };
        held(name, |seed| of(seed).0, of);
    }
}

#[test]
fn intervals_of_recall_hold_its_average_in_one_generated_manifold() {
    let (d, k) = (4, 3);
    let rows = draw(3, 150, &[1.0; 4], 0.0);
    let generated = Manifold::of(&rows, d, k).unwrap();
    let of = |seed| {
        let real = draw(seed, 120, &[1.2; 4], 0.3);
        let real = Manifold::of(&real, d, k).unwrap();
        of_share(real.overlap(&generated, Border::Inside).unwrap().recall())
    };
    held("recall", |seed| of(seed).0, of);
}

#[test]
fn what_generated_images_add_to_recall_tells_how_it_moves_between_sets_of_them() {
    let (d, k) = (4, 3);
    let rows = draw(3, 400, &[1.2; 4], 0.3);
    let real = Manifold::of(&rows, d, k).unwrap();
    let of = |seed| {
        let rows = draw(seed, 200, &[1.0; 4], 0.0);
        let generated = Manifold::of(&rows, d, k).unwrap();
        let overlap = real.overlap(&generated, Border::Inside).unwrap();
        let influences = overlap.recall_left_out().spread_influences();
        let half =
            Z * influences.iter().map(|v| v * v).sum::<f64>().sqrt() / influences.len() as f64;
        let value = overlap.recall().value;
        (value, value - half, value + half)
    };
    held("recall over generated images", |seed| of(seed).0, of);
}
