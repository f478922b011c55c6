//! Intervals of differences between scores of the same images.

use fidrunner::metrics::agreement::Share;
use fidrunner::metrics::intervals::jackknife::Jackknife;
use fidrunner::metrics::intervals::paired::{difference, of_hits};
use fidrunner::metrics::intervals::resample::percentiles;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Standard normal, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) * 2f64.powi(-53);
    let (u, v) = (uniform(), uniform());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn centred(x: &[f64]) -> Vec<f64> {
    x.iter().map(|v| v - mean(x)).collect()
}

/// The 95 % interval of `by`, score `to` minus score `from`.
fn interval(by: f64, from: &[f64], to: &[f64]) -> (f64, f64) {
    let (low, high) = percentiles(&difference(from, to).unwrap());
    (by + low, by + high)
}

#[test]
fn scores_that_every_image_moves_alike_differ_without_doubt() {
    let one = [0.3, -0.2, -0.1];
    assert_eq!(interval(0.25, &one, &one), (0.25, 0.25));
    let error = difference(&one, &one[..2]).unwrap_err().to_string();
    assert_eq!(error, "3 and 2 images are not pairs");
}

#[test]
fn the_interval_holds_the_true_difference_in_95_of_100_sets() {
    let (sets, n, truth) = (600, 120, 0.1);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut held, mut width, mut apart) = (0, 0.0, 0.0);
    for _ in 0..sets {
        // What image i has in common in both is far larger than the difference.
        let common: Vec<f64> = (0..n).map(|_| 3.0 * normal(&mut rng)).collect();
        let a: Vec<f64> = common.iter().map(|c| c + normal(&mut rng)).collect();
        let b: Vec<f64> = common
            .iter()
            .map(|c| c + truth + normal(&mut rng))
            .collect();
        let (low, high) = interval(mean(&b) - mean(&a), &centred(&a), &centred(&b));
        held += usize::from(low <= truth && truth <= high);
        width += (high - low) / sets as f64;
        // Pairs taken apart see the common part as noise.
        let mut turned = centred(&b);
        turned.rotate_left(1);
        let (low, high) = interval(mean(&b) - mean(&a), &centred(&a), &turned);
        apart += (high - low) / sets as f64;
    }
    let share = held as f64 / sets as f64;
    assert!(
        (0.92..=0.975).contains(&share),
        "held in {share} of the sets"
    );
    assert!(apart > 2.0 * width, "width {width} in pairs, {apart} apart");
}

#[test]
fn influences_are_what_images_add() {
    let hits = [true, false, true, true];
    assert_eq!(of_hits(hits.into_iter()), [0.25, -0.75, 0.25, 0.25]);
    // The mean's jackknife says the same of a share.
    let value = Share::of(&hits).value;
    let gaps: Vec<f64> = (0..4)
        .map(|i| {
            let others = (0..4).filter(|j| *j != i && hits[*j]).count();
            others as f64 / 3.0 - value
        })
        .collect();
    for (a, b) in Jackknife::with_pairs(value, gaps, &[])
        .influences()
        .iter()
        .zip(of_hits(hits.into_iter()))
    {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}
