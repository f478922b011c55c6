//! Precision, recall, density and coverage of sets whose answers are known or found by brute force.

use crate::support::gaussians::{near, rows, without};
use fidrunner::metrics::intervals::jackknife::Jackknife;
use fidrunner::metrics::neighbours::adm_manifold::adm_precision_recall;
use fidrunner::metrics::neighbours::manifold::{Border, Manifold};

#[test]
fn sets_far_apart_share_no_manifold_and_equal_sets_share_all() {
    let (real, far) = (rows(8, 90, 6, 1.0, 0.0), rows(9, 70, 6, 1.0, 1e3));
    let real = Manifold::of(&real, 6, 3).unwrap();
    let far = Manifold::of(&far, 6, 3).unwrap();
    let apart = real.overlap(&far, Border::Inside).unwrap();
    let p = apart.precision();
    assert_eq!((p.value, p.low, p.count), (0.0, 0.0, 70));
    assert!(p.high > 0.0 && p.high < 0.1);
    let r = apart.recall();
    assert_eq!((r.value, r.count), (0.0, 90));
    assert_eq!(
        (apart.coverage().value(), apart.density().value()),
        (0.0, 0.0)
    );
    let same = real.overlap(&real, Border::Inside).unwrap().precision();
    assert_eq!((same.value, same.high), (1.0, 1.0));
    assert!(same.low > 0.9 && same.low < 1.0);
}

fn square(a: &[f32], b: &[f32]) -> f64 {
    let gaps = a.iter().zip(b).map(|(p, q)| f64::from(*p) - f64::from(*q));
    gaps.map(|g| g * g).sum()
}

#[test]
fn balls_hold_what_a_search_by_brute_force_finds_across_tiles() {
    let (d, k) = (3, 3);
    // Rows on a coarse grid, so that many distances are ties, and far from 0, so that products
    // in f32 cannot tell near ones apart.
    let grid = |rows: Vec<f32>| -> Vec<f32> {
        rows.into_iter()
            .map(|v| 300.0 + (v * 4.0).round())
            .collect()
    };
    let (x, y) = (
        grid(rows(10, 1100, d, 1.0, 0.0)),
        grid(rows(11, 600, d, 1.3, 0.4)),
    );
    let radii = |rows: &[f32]| -> Vec<f64> {
        let radius = |row: &[f32]| {
            let mut all: Vec<f64> = rows.chunks(d).map(|other| square(row, other)).collect();
            all.sort_by(f64::total_cmp);
            all[k]
        };
        rows.chunks(d).map(radius).collect()
    };
    let (of_x, of_y) = (radii(&x), radii(&y));
    let real = Manifold::of(&x, d, k).unwrap();
    let generated = Manifold::of(&y, d, k).unwrap();
    for border in [Border::Inside, Border::Outside] {
        let holds = |distance: f64, radius: f64| match border {
            Border::Inside => distance <= radius,
            Border::Outside => distance < radius,
        };
        let among = |q: &[f32], rows: &[f32], radii: &[f64]| {
            let balls = rows.chunks(d).zip(radii);
            balls.filter(|(c, r)| holds(square(c, q), **r)).count()
        };
        let counts: Vec<usize> = y.chunks(d).map(|q| among(q, &x, &of_x)).collect();
        let overlap = real.overlap(&generated, border).unwrap();
        assert_eq!(overlap.counts(), counts);
        let share = |hits: usize, of: usize| hits as f64 / of as f64;
        let inside = counts.iter().filter(|c| **c > 0).count();
        assert_eq!(overlap.precision().value, share(inside, 600));
        let found = x.chunks(d).filter(|q| among(q, &y, &of_y) > 0).count();
        assert_eq!(overlap.recall().value, share(found, 1100));
        let held = |(c, r): (&[f32], &f64)| y.chunks(d).any(|q| holds(square(c, q), *r));
        let covered = x.chunks(d).zip(&of_x).filter(|ball| held(*ball)).count();
        let coverage = overlap.coverage();
        assert_eq!(coverage.value(), share(covered, 1100));
        near(
            overlap.density().value(),
            counts.iter().sum::<usize>() as f64 / 1800.0,
            1e-12,
        );
        // Leaving a generated image out uncovers the balls that it alone is in.
        let less = without(&y, d, &[5]);
        let held = |(c, r): (&[f32], &f64)| less.chunks(d).any(|q| holds(square(c, q), *r));
        let still = x.chunks(d).zip(&of_x).filter(|ball| held(*ball)).count();
        assert!((coverage.gaps()[5] - (share(still, 1100) - coverage.value())).abs() < 1e-12);
    }
}

#[test]
fn copies_of_one_image_have_balls_of_radius_zero_that_hold_the_copies() {
    let one = rows(12, 1, 40, 1.0, 9.0).repeat(10);
    let copies = Manifold::of(&one, 40, 3).unwrap();
    let inside = copies.overlap(&copies, Border::Inside).unwrap();
    assert_eq!(
        (inside.precision().value, inside.recall().value),
        (1.0, 1.0)
    );
    let outside = copies.overlap(&copies, Border::Outside).unwrap();
    assert_eq!(
        (outside.precision().value, outside.coverage().value()),
        (0.0, 0.0)
    );
}

#[test]
fn rounding_to_f16_moves_precision_and_recall_a_little_and_overflow_falls_back() {
    let (n, m, d) = (700, 1200, 32);
    let (x, y) = (rows(28, n, d, 1.0, 0.5), rows(29, m, d, 1.1, 0.4));
    let real = Manifold::of(&x, d, 3).unwrap();
    let generated = Manifold::of(&y, d, 3).unwrap();
    let exact = real.overlap(&generated, Border::Inside).unwrap();
    let adm = adm_precision_recall(&x, &y, d).unwrap();
    assert!((adm.precision().value - exact.precision().value).abs() < 0.02);
    assert!((adm.recall().value - exact.recall().value).abs() < 0.02);
    // Lengths² beyond f16: all in f32, which here decides as exact distances do.
    let large = |rows: &[f32]| rows.iter().map(|v| v * 64.0).collect::<Vec<f32>>();
    let adm = adm_precision_recall(&large(&x), &large(&y), d).unwrap();
    assert_eq!(adm.precision().value, exact.precision().value);
    assert_eq!(adm.recall().value, exact.recall().value);
}

#[test]
fn what_an_image_adds_to_recall_is_what_leaving_it_out_takes() {
    let d = 2;
    let (x, y) = (rows(20, 300, d, 1.0, 0.0), rows(21, 40, d, 0.7, 0.3));
    let real = Manifold::of(&x, d, 3).unwrap();
    let recall = |y: &[f32]| {
        let generated = Manifold::of(y, d, 3).unwrap();
        real.overlap(&generated, Border::Inside).unwrap()
    };
    let whole = recall(&y);
    let value = whole.recall().value;
    assert!(value > 0.3 && value < 0.9, "{value}");
    let gaps: Vec<f64> = (0..40)
        .map(|i| recall(&without(&y, d, &[i])).recall().value - value)
        .collect();
    // Without some images others reach further, so that recall can rise.
    assert!(gaps.iter().any(|gap| *gap > 0.0) && gaps.iter().any(|gap| *gap < 0.0));
    let expected = Jackknife::with_pairs(value, gaps, &[]).influences();
    for (found, expected) in whole.recall_left_out().influences().iter().zip(expected) {
        near(*found, expected, 1e-9);
    }
}
