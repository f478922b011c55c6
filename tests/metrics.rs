//! Metrics against closed forms, brute force and themselves on other numbers of threads.

mod gaussians;
use faer::Mat;
use gaussians::{normal, rows};
use runner::metrics::agreement::agreement;
use runner::metrics::bootstrap::{interval, resample, share_interval, weights};
use runner::metrics::distances::Points;
use runner::metrics::frechet::{Reference, frechet};
use runner::metrics::inception_score::{Probabilities, Splits, inception_score};
use runner::metrics::kernel::{kid, mmd2};
use runner::metrics::linalg::trace_sqrt_product;
use runner::metrics::manifold::{Border, Manifold, coverage, density, precision, recall};
use runner::metrics::moments::{Moments, Part};

fn near(a: f64, b: f64, rel: f64) {
    assert!((a - b).abs() <= rel * b.abs(), "{a} is not near {b}");
}

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
        trace_sqrt_product(a.as_ref(), b.as_ref()).unwrap(),
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
        merged.merge(&Part::of(part, d).unwrap());
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
fn a_weighted_resample_is_at_the_distance_of_the_rows_drawn_again_and_again() {
    // Fewer rows than features, about as many, and many more: each form of the resampler.
    for (n, d) in [(30, 64), (70, 48), (300, 16)] {
        let sample = rows(3, n, d, 1.2, 0.3);
        let real = Moments::of(&rows(4, n + 50, d, 1.0, 0.0), d).unwrap();
        let reference = Reference::new(&real).unwrap();
        let resampler = reference.resampler(&sample, d).unwrap();
        let mut workspace = resampler.workspace();
        for index in 0..3 {
            let weights = weights(5, index, n);
            let drawn: Vec<f32> = (0..n)
                .flat_map(|i| sample[i * d..(i + 1) * d].repeat(weights[i] as usize))
                .collect();
            let slow = frechet(&Moments::of(&drawn, d).unwrap(), &real).unwrap();
            near(
                resampler.distance(&weights, &mut workspace).unwrap(),
                slow,
                1e-9,
            );
        }
    }
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
fn sets_far_apart_share_no_manifold_and_equal_sets_share_all() {
    let (real, far) = (rows(8, 90, 6, 1.0, 0.0), rows(9, 70, 6, 1.0, 1e3));
    let real = Manifold::of(&real, 6, 3).unwrap();
    let far = Manifold::of(&far, 6, 3).unwrap();
    let p = precision(&real, &far).unwrap();
    assert_eq!((p.value, p.low, p.count), (0.0, 0.0, 70));
    assert!(p.high > 0.0 && p.high < 0.1);
    let r = recall(&real, &far).unwrap();
    assert_eq!((r.value, r.count), (0.0, 90));
    assert_eq!(coverage(&real, &far).unwrap().value, 0.0);
    let same = precision(&real, &real).unwrap();
    assert_eq!((same.value, same.high), (1.0, 1.0));
    assert!(same.low > 0.9 && same.low < 1.0);
}

#[test]
fn balls_hold_what_a_search_by_brute_force_finds_across_tiles() {
    let (d, k) = (3, 3);
    let (x, y) = (rows(10, 600, d, 1.0, 0.0), rows(11, 300, d, 1.3, 0.4));
    let square = |a: &[f32], b: &[f32]| -> f64 {
        let gaps = a.iter().zip(b).map(|(p, q)| f64::from(*p) - f64::from(*q));
        gaps.map(|g| g * g).sum()
    };
    let radius = |row: &[f32]| {
        let mut all: Vec<f64> = x.chunks(d).map(|other| square(row, other)).collect();
        all.sort_by(f64::total_cmp);
        all[k]
    };
    let radii: Vec<f64> = x.chunks(d).map(radius).collect();
    let inside = |q: &[f32]| {
        x.chunks(d)
            .zip(&radii)
            .filter(|(c, r)| square(c, q) <= **r)
            .count()
    };
    let brute: Vec<usize> = y.chunks(d).map(inside).collect();
    let real = Manifold::of(&x, d, k).unwrap();
    let queries = Points::of(&y, d).unwrap();
    assert_eq!(real.counts(&queries, Border::Inside).unwrap(), brute);
    let generated = Manifold::of(&y, d, k).unwrap();
    let (value, low, high) = density(&real, &generated, 200, 1).unwrap();
    assert!(low <= value && value <= high && low < high);
    near(
        value,
        brute.iter().sum::<usize>() as f64 / (k * 300) as f64,
        1e-12,
    );
}

#[test]
fn copies_of_one_image_have_balls_of_radius_zero_that_hold_the_copies() {
    let one = rows(12, 1, 40, 1.0, 9.0);
    let copies = Manifold::of(&one.repeat(10), 40, 3).unwrap();
    let same = Points::of(&one, 40).unwrap();
    assert_eq!(copies.covers(&same, Border::Inside).unwrap(), [true]);
    assert_eq!(copies.covers(&same, Border::Outside).unwrap(), [false]);
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
    let (value, low, high) = some.interval(100, 0).unwrap();
    assert!(1.0 < low && low < value && value < high && high < 8.0);
}

#[test]
fn kernel_distances_are_near_zero_for_one_distribution_and_large_for_two() {
    let (a, b, c) = (
        rows(14, 400, 6, 1.0, 0.0),
        rows(15, 400, 6, 1.0, 0.0),
        rows(16, 400, 6, 1.0, 1.0),
    );
    assert!(mmd2(&a, &b, 6).unwrap().abs() < 0.05);
    let apart = kid(&a, &c, 6, 10, 100, 0).unwrap();
    assert!(apart.mean > 1.0 && apart.std < apart.mean);
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
    let (n, d) = (1100, 24);
    let (x, y) = (rows(18, n, d, 1.0, 0.0), rows(19, n, d, 1.1, 0.2));
    let all = || {
        let (a, b) = (Moments::of(&x, d).unwrap(), Moments::of(&y, d).unwrap());
        let reference = Reference::new(&b).unwrap();
        let resampler = reference.resampler(&x[..200 * d], d).unwrap();
        let one = |w: &[u32], space: &mut _| resampler.distance(w, space);
        let mut out = resample(200, 60, 7, || resampler.workspace(), one).unwrap();
        out.push(frechet(&a, &b).unwrap());
        let real = Manifold::of(&x, d, 3).unwrap();
        let generated = Manifold::of(&y, d, 3).unwrap();
        out.push(precision(&real, &generated).unwrap().value);
        out.push(recall(&real, &generated).unwrap().value);
        out.push(density(&real, &generated, 50, 3).unwrap().1);
        out.push(kid(&x, &y, d, 3, 500, 1).unwrap().mean);
        let probabilities = Probabilities::of_logits(&x, d).unwrap();
        out.push(
            inception_score(&probabilities, Splits::Of(500))
                .unwrap()
                .mean,
        );
        out.push(probabilities.interval(50, 1).unwrap().2);
        out.extend(a.cov);
        out.iter().map(|v| v.to_bits()).collect::<Vec<u64>>()
    };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(all)
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
}

/// Share of sets whose interval holds the distance that sets of this size have on average.
fn covered(n: usize, d: usize, sets: u64) -> f64 {
    let spread = |j: usize| 0.5 + 1.5 * (j as f64 + 0.5) / d as f64;
    let reference: Vec<f64> = (0..d).map(spread).collect();
    let reference = Reference::new(&diagonal(10_000, &vec![0.0; d], &reference)).unwrap();
    let draw = |seed: u64| -> Vec<f32> {
        let values = normal(seed, n * d);
        values.iter().map(|v| (0.2 + 1.1 * v) as f32).collect()
    };
    let distance = |set: &[f32]| reference.distance(&Moments::of(set, d).unwrap()).unwrap();
    let many = 1500;
    let average = (0..many)
        .map(|i| distance(&draw((1 << 40) | i)))
        .sum::<f64>()
        / many as f64;
    let holds = |i: &u64| {
        let set = draw((1 << 41) | i);
        let resampler = reference.resampler(&set, d).unwrap();
        let one = |w: &[u32], space: &mut _| resampler.distance(w, space);
        let resampled = resample(n, 200, *i, || resampler.workspace(), one).unwrap();
        let value = distance(&set);
        let (low, high) = interval(value, &resampled, 0.0).unwrap();
        assert!(low <= value && value <= high);
        low <= average && average <= high
    };
    (0..sets).filter(holds).count() as f64 / sets as f64
}

#[test]
fn intervals_hold_the_average_distance_about_95_times_in_100() {
    for (n, d, sets) in [(100, 4, 300), (400, 16, 200), (150, 48, 100)] {
        let share = covered(n, d, sets);
        println!("n = {n}, d = {d}: {share}");
        assert!((0.90..=1.0).contains(&share), "n = {n}, d = {d}: {share}");
    }
}
