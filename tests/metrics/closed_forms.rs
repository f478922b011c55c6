//! Metrics against closed forms, brute force and themselves on other numbers of threads.

use crate::support::gaussians::{near, rows, without};
use crate::support::process::on_threads;
use faer::Mat;
use fidrunner::metrics::agreement::{agreement, share_interval};
use fidrunner::metrics::frechet::distance::{Reference, compat, frechet};
use fidrunner::metrics::frechet::extrapolate::{Points, extrapolate};
use fidrunner::metrics::frechet::linalg::Factor;
use fidrunner::metrics::frechet::moments::{Moments, Part};
use fidrunner::metrics::frechet::roots::trace_sqrt_product;
use fidrunner::metrics::inception_score::{Probabilities, Splits, inception_score};
use fidrunner::metrics::kernel::interval::mmd2_interval;
use fidrunner::metrics::kernel::mmd::{KidRule, kid, mmd2};
use fidrunner::metrics::neighbours::adm_manifold::adm_precision_recall;
use fidrunner::metrics::neighbours::manifold::{Border, Manifold};
use fidrunner::metrics::rows::{Fetched, Slice};

fn diagonal(n: usize, mean: &[f64], variances: &[f64]) -> Moments {
    let d = mean.len();
    let mut cov = vec![0.0; d * d];
    for (i, v) in variances.iter().enumerate() {
        cov[i * (d + 1)] = *v;
    }
    Moments::given(n, mean.to_vec(), cov).unwrap()
}

#[test]
fn the_distance_of_two_axis_aligned_gaussians_is_the_sum_over_axes() {
    let a = diagonal(10, &[1.0, 2.0, 3.0], &[4.0, 9.0, 0.0]);
    let b = diagonal(10, &[1.0, 0.0, 0.0], &[1.0, 1.0, 25.0]);
    near(
        frechet(&a, &b).unwrap(),
        4.0 + 9.0 + 1.0 + 4.0 + 25.0,
        1e-12,
    );
    near(frechet(&b, &a).unwrap(), 43.0, 1e-12);
}

#[test]
fn the_root_of_a_product_that_does_not_commute_has_the_closed_form_of_two_axes() {
    let a: Mat<f64> = Mat::from_fn(2, 2, |i, j| [[2.0, 0.7], [0.7, 1.0]][i][j]);
    let b: Mat<f64> = Mat::from_fn(2, 2, |i, j| [[0.5, -0.3], [-0.3, 3.0]][i][j]);
    let product: Mat<f64> = &a * &b;
    let trace = product[(0, 0)] + product[(1, 1)];
    let root = (trace + 2.0 * product.determinant().sqrt()).sqrt();
    near(
        trace_sqrt_product(&Factor::of(a.as_ref()).unwrap(), b.as_ref()).unwrap(),
        root,
        1e-12,
    );
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    for (n, d) in [(300, 12), (20, 40)] {
        let m = Moments::of(&rows(1, n, d, 1.0, 0.0), d).unwrap();
        assert!(frechet(&m, &m).unwrap() < 1e-11);
    }
}

#[test]
fn parts_merge_to_the_moments_of_the_whole() {
    let (n, d) = (3000, 7);
    let all = rows(2, n, d, 1.0, 50.0);
    let whole = Moments::of(&all, d).unwrap();
    let mut merged = Part::empty(d);
    for part in all.chunks(d * 701) {
        merged.merge(&Part::of(part, d).unwrap()).unwrap();
    }
    let merged = merged.finish().unwrap();
    assert_eq!(merged.n, n);
    for (a, b) in merged.cov.iter().zip(&whole.cov) {
        assert!((a - b).abs() < 1e-13);
    }
    let mean = |j: usize| all.chunks(d).map(|r| f64::from(r[j])).sum::<f64>() / n as f64;
    let cov = |j: usize, k: usize| {
        let pair = |r: &[f32]| (f64::from(r[j]) - mean(j)) * (f64::from(r[k]) - mean(k));
        all.chunks(d).map(pair).sum::<f64>() / (n - 1) as f64
    };
    near(whole.cov[0], cov(0, 0), 1e-12);
    assert!((whole.cov[2 * d + 5] - cov(2, 5)).abs() < 1e-13);
}

#[test]
fn what_is_left_out_changes_a_distance_as_if_it_had_never_been_there() {
    // Fewer rows than features, about as many, and many more; from 256 features on in a
    // tridiagonal basis where there are more rows, and with a feature that never changes.
    for (n, d, still) in [
        (30, 64, false),
        (70, 48, false),
        (300, 16, false),
        (200, 260, false),
        (280, 260, false),
        (700, 260, false),
        (700, 260, true),
    ] {
        let mut sample = rows(3, n, d, 1.2, 0.3);
        if still {
            sample.iter_mut().skip(5).step_by(d).for_each(|v| *v = 0.25);
        }
        let real = Moments::of(&rows(4, n + 50, d, 1.0, 0.0), d).unwrap();
        let reference = Reference::new(&real).unwrap();
        let moments = Moments::of(&sample, d).unwrap();
        let all = reference
            .left_out(&moments, &mut Slice::of(&sample, d).unwrap())
            .unwrap();
        near(all.value(), frechet(&moments, &real).unwrap(), 1e-12);
        for i in [0, 7, n - 1] {
            let fewer = Moments::of(&without(&sample, d, &[i]), d).unwrap();
            let gap = frechet(&fewer, &real).unwrap() - all.value();
            let off = (all.gaps()[i] - gap).abs() / all.value();
            assert!(
                off < 1e-9,
                "row {i} of {n} with {d} features (one still: {still}) is off by {off:e}"
            );
        }
        // With so few rows all pairs of neighbours in a random order were left out.
        assert!(all.error() > 0.0 && all.error().is_finite());
    }
}

#[test]
fn rows_read_in_blocks_have_the_bits_of_rows_in_memory() {
    let (n, d) = (2500, 9);
    let sample = rows(20, n, d, 1.0, 0.4);
    let real = Moments::of(&rows(21, 400, d, 1.0, 0.0), d).unwrap();
    let reference = Reference::new(&real).unwrap();
    let whole = Moments::of(&sample, d).unwrap();
    let mut most = 0;
    let read = |range: std::ops::Range<usize>| {
        most = most.max(range.len());
        Ok(sample[range.start * d..range.end * d].to_vec())
    };
    let mut fetched = Fetched { n, d, read };
    assert_eq!(Moments::of_rows(&mut fetched).unwrap(), whole);
    let ours = reference.left_out(&whole, &mut fetched).unwrap();
    let theirs = reference.left_out(&whole, &mut Slice::of(&sample, d).unwrap());
    assert_eq!(ours, theirs.unwrap());
    assert!(most < n);
    let mut short = Fetched {
        n,
        d,
        read: |_| Ok(vec![0.0]),
    };
    let error = Moments::of_rows(&mut short).unwrap_err().to_string();
    assert!(error.starts_with("1 values were read"), "{error}");
}

#[test]
fn a_part_that_was_stored_merges_to_the_same_bits() {
    let d = 5;
    let parts = [22, 23, 24].map(|seed| Part::of(&rows(seed, 40, d, 1.0, 3.0), d).unwrap());
    let merge = |parts: &[Part]| {
        let mut whole = Part::empty(d);
        parts.iter().for_each(|p| whole.merge(p).unwrap());
        whole.finish().unwrap()
    };
    let stored = parts.each_ref().map(|p| {
        assert_eq!(p.packed().len(), 15);
        Part::from_packed(p.count(), p.mean().to_vec(), &p.packed()).unwrap()
    });
    assert_eq!(merge(&stored), merge(&parts));
    let message = |mean, scatter: &[f64]| {
        let error = Part::from_packed(3, mean, scatter).unwrap_err();
        error.to_string()
    };
    assert!(message(vec![0.0; 2], &[1.0; 4]).contains("a packed scatter of 3, found 4"));
    assert!(message(vec![0.0; 1], &[f64::NAN]).contains("not finite"));
    let mut narrow = Part::empty(2);
    assert!(narrow.merge(&parts[0]).is_err());
}

#[test]
fn the_form_with_an_epsilon_differs_only_where_the_product_is_singular() {
    let full = [(25, 1.0), (26, 1.2)].map(|(seed, s)| Moments::of(&rows(seed, 90, 6, s, 0.1), 6));
    let [a, b] = full.map(|m| m.unwrap());
    let both = compat(&a, &b).unwrap();
    assert!(!both.singular);
    near(both.exact, frechet(&a, &b).unwrap(), 1e-12);
    assert!((both.exact - both.with_eps).abs() < 1e-4);
    // Along an axis that one side lacks, the root of ε·(variance + ε) comes off twice.
    let a = diagonal(10, &[0.0, 0.0], &[4.0, 0.0]);
    let b = diagonal(10, &[1.0, 0.0], &[1.0, 9.0]);
    let both = compat(&a, &b).unwrap();
    assert!(both.singular);
    near(both.exact, 1.0 + 1.0 + 9.0, 1e-12);
    let e: f64 = 1e-6;
    let roots = ((4.0 + e) * (1.0 + e)).sqrt() + (e * (9.0 + e)).sqrt();
    near(both.with_eps, 1.0 + 4.0 + 10.0 - 2.0 * roots, 1e-12);
}

#[test]
fn the_line_through_distances_ends_near_the_truth_that_few_images_miss() {
    let (n, d) = (3000, 24);
    let real = diagonal(100_000, &[0.0; 24], &[1.0; 24]);
    let reference = Reference::new(&real).unwrap();
    let sample = rows(27, n, d, 1.1, 0.1);
    let truth = d as f64 * (0.1f64 * 0.1 + 0.1 * 0.1);
    let rule = Points {
        first: 300,
        count: 15,
        seed: 0,
    };
    let line = extrapolate(&reference, &mut Slice::of(&sample, d).unwrap(), rule).unwrap();
    let whole = frechet(&Moments::of(&sample, d).unwrap(), &real).unwrap();
    assert_eq!(line.points.len(), 15);
    assert_eq!(line.points[14].0, n);
    near(line.points[14].1, whole, 1e-9);
    assert!(line.slope > 0.0 && line.error > 0.0);
    near(line.bias(n), line.slope / 3000.0, 1e-12);
    // To second order, normal numbers of spread s beside those of spread 1 are d·s²/n too far by
    // their mean and d·(d + 1)·s/(4n) by their covariance.
    let bias = (24.0 * 1.21 + 24.0 * 25.0 * 1.1 / 4.0) / 3000.0;
    near(line.bias(n), bias, 0.2);
    let moments = Moments::of(&sample, d).unwrap();
    let left_out = reference.left_out(&moments, &mut Slice::of(&sample, d).unwrap());
    near(left_out.unwrap().bias(), bias, 0.05);
    assert!((line.value - truth).abs() < (whole - truth).abs());
    let few = extrapolate(
        &reference,
        &mut Slice::of(&sample[..d * 300], d).unwrap(),
        rule,
    );
    assert!(few.unwrap_err().to_string().contains("at least 315 images"));
}

#[test]
fn distances_of_thin_sets_are_those_of_their_features() {
    for (n, m, d) in [(20, 200, 64), (40, 30, 64), (2, 3, 5)] {
        let (x, y) = (rows(6, n, d, 1.0, 0.0), rows(7, m, d, 1.5, 0.2));
        let (a, b) = (Moments::of(&x, d).unwrap(), Moments::of(&y, d).unwrap());
        let centred = |rows: &[f32], m: &Moments| {
            let root = ((m.n - 1) as f64).sqrt();
            Mat::from_fn(d, m.n, |j, i| {
                (f64::from(rows[i * d + j]) - m.mean[j]) / root
            })
        };
        let (x, y) = (centred(&x, &a), centred(&y, &b));
        let roots: f64 = (x.transpose() * &y).singular_values().unwrap().iter().sum();
        let gap: f64 = a
            .mean
            .iter()
            .zip(&b.mean)
            .map(|(p, q)| (p - q).powi(2))
            .sum();
        let brute = gap + x.squared_norm_l2() + y.squared_norm_l2() - 2.0 * roots;
        near(frechet(&a, &b).unwrap(), brute, 1e-11);
    }
}

#[test]
fn inception_scores_reach_their_bounds() {
    let k = 8;
    let sure: Vec<f64> = (0..64 * k)
        .map(|i| f64::from(u8::from(i / k % k == i % k)))
        .collect();
    let sure = Probabilities::given(&sure, k).unwrap();
    for splits in [Splits::Of(64), Splits::Of(16), Splits::Into(4)] {
        near(inception_score(&sure, splits).unwrap().mean, 8.0, 1e-12);
    }
    let unsure = Probabilities::of_logits(&vec![0.3; 50 * k], k).unwrap();
    let score = inception_score(&unsure, Splits::ShuffledInto(10, 2020)).unwrap();
    near(score.mean, 1.0, 1e-12);
    assert!(score.std < 1e-12);
    let some = Probabilities::of_logits(&rows(13, 500, k, 2.0, 0.0), k).unwrap();
    let left_out = some.left_out().unwrap();
    let (low, high) = left_out.interval(1.0);
    let whole = inception_score(&some, Splits::Into(1)).unwrap().mean;
    near(left_out.value(), whole, 1e-12);
    assert!(1.0 < low && low < whole && whole < high && high < 8.0);
    let logits = rows(13, 500, k, 2.0, 0.0);
    let fewer = Probabilities::of_logits(&without(&logits, k, &[3]), k).unwrap();
    let gap = inception_score(&fewer, Splits::Into(1)).unwrap().mean - whole;
    assert!((left_out.gaps()[3] - gap).abs() < 1e-11);
}

#[test]
fn kernel_distances_are_near_zero_for_one_distribution_and_large_for_two() {
    let (a, b, c) = (
        rows(14, 400, 6, 1.0, 0.0),
        rows(15, 400, 6, 1.0, 0.0),
        rows(16, 400, 6, 1.0, 1.0),
    );
    assert!(mmd2(&a, &b, 6).unwrap().abs() < 0.05);
    let rule = KidRule::TorchFidelity {
        subsets: 10,
        size: 100,
        seed: 0,
    };
    let apart = kid(&a, &c, 6, rule).unwrap();
    assert!(apart.mean > 1.0 && apart.std < apart.mean);
    let left_out = mmd2_interval(&a, &c, 6).unwrap().left_out;
    near(left_out.value(), mmd2(&a, &c, 6).unwrap(), 1e-12);
    let gap = mmd2(&without(&a, 6, &[399]), &c, 6).unwrap() - left_out.value();
    assert!((left_out.gaps()[399] - gap).abs() < 1e-12);
    assert!(kid(&a, &c, 6, KidRule::TORCH_FIDELITY).is_err());
    assert!(kid(&a, &c, 6, KidRule::CLEAN_FID).unwrap().mean > 1.0);
}

#[test]
fn agreement_counts_the_asked_class_when_it_is_the_first_largest() {
    let logits = [0.1, 0.9, 0.0, 0.5, 0.5, 0.2, f32::NAN, 1.0, 0.0];
    let share = agreement(&logits, 3, &[1, 0, 1]).unwrap();
    near(share.value, 2.0 / 3.0, 1e-12);
    assert_eq!(agreement(&logits, 3, &[1, 1, 1]).unwrap().value, 1.0 / 3.0);
    assert!(
        agreement(&logits, 3, &[1, 3, 1])
            .unwrap_err()
            .to_string()
            .contains("label 3")
    );
}

#[test]
fn a_share_of_nothing_or_all_is_not_claimed_to_be_certain() {
    let (low, high) = share_interval(0, 100);
    assert!(low == 0.0 && (0.036..0.038).contains(&high));
    let (low, high) = share_interval(50, 100);
    near(low, 0.403_831_5, 1e-5);
    near(high, 0.596_168_5, 1e-5);
}

#[test]
fn broken_features_are_refused_by_row_and_column() {
    let message = |rows: &[f32], d| Moments::of(rows, d).unwrap_err().to_string();
    assert!(message(&[0.0, 1.0, f32::NAN, 2.0], 2).starts_with("feature 0 of row 1 is NaN"));
    assert!(message(&[0.0; 5], 2).contains("5 values"));
    assert!(message(&[0.0; 2], 2).contains("at least 2 rows, found 1"));
    let a = Moments::of(&rows(17, 9, 3, 1.0, 0.0), 3).unwrap();
    let b = Moments::of(&rows(17, 9, 4, 1.0, 0.0), 4).unwrap();
    assert!(frechet(&a, &b).unwrap_err().to_string().contains("hint: "));
    assert!(Manifold::of(&rows(17, 3, 3, 1.0, 0.0), 3, 3).is_err());
}

#[test]
fn every_metric_has_the_same_bits_on_one_thread_and_on_many() {
    // Wide enough for matrices that are worked on in shares.
    let (n, d) = (1100, 300);
    let (x, y) = (rows(18, n, d, 1.0, 0.0), rows(19, n, d, 1.1, 0.2));
    let all = || {
        let (a, b) = (Moments::of(&x, d).unwrap(), Moments::of(&y, d).unwrap());
        let reference = Reference::new(&b).unwrap();
        let mut slice = Slice::of(&x, d).unwrap();
        let left_out = reference.left_out(&a, &mut slice).unwrap();
        let mut out = left_out.gaps().to_vec();
        out.extend([left_out.error(), left_out.value()]);
        out.push(frechet(&a, &b).unwrap());
        let thin = Moments::of(&x[..200 * d], d).unwrap();
        out.push(reference.distance(&thin).unwrap());
        let real = Manifold::of(&x, d, 3).unwrap();
        let generated = Manifold::of(&y, d, 3).unwrap();
        let overlap = real.overlap(&generated, Border::Inside).unwrap();
        out.extend([overlap.precision().value, overlap.recall().value]);
        out.extend([overlap.density().error(), overlap.coverage().error()]);
        let adm = adm_precision_recall(&x, &y, d).unwrap();
        out.extend([adm.precision().value, adm.recall().value]);
        let rule = KidRule::TorchFidelity {
            subsets: 3,
            size: 500,
            seed: 1,
        };
        out.push(kid(&x, &y, d, rule).unwrap().mean);
        out.push(mmd2_interval(&x, &y, d).unwrap().high);
        let probabilities = Probabilities::of_logits(&x, d).unwrap();
        out.push(
            inception_score(&probabilities, Splits::Of(500))
                .unwrap()
                .mean,
        );
        out.push(probabilities.left_out().unwrap().error());
        let rule = Points::published(n);
        out.push(extrapolate(&reference, &mut slice, rule).unwrap().value);
        out.extend(a.cov);
        out.iter().map(|v| v.to_bits()).collect::<Vec<u64>>()
    };
    let one = on_threads(1, all);
    let two = on_threads(2, all);
    assert!(one == two, "two threads give other bits than one");
    let four = on_threads(4, all);
    assert!(one == four, "four threads give other bits than one");
}
