//! k-means: clusters that are known, the least inertia of all partitions, and the same answer whatever the threads.

use fidrunner::metrics::k_means::Centres;
use fidrunner::random::stream::{polar, stream};

/// `n` points [n, 2] around each of `centres`, with the spread `sigma`.
fn blobs(centres: &[[f64; 2]], n: usize, sigma: f64) -> Vec<f32> {
    let mut rng = stream(1, "blobs", 0, 0);
    let mut rows = Vec::new();
    for i in 0..n * centres.len() {
        let [x, y] = centres[i % centres.len()];
        let (radius, angle) = polar(&mut rng);
        rows.push((x + sigma * radius * angle.cos()) as f32);
        rows.push((y + sigma * radius * angle.sin()) as f32);
    }
    rows
}

/// Sum of the squared distances of all rows to the means of their labels.
fn inertia(rows: &[f32], labels: &[u32], k: usize) -> f64 {
    let mut total = 0.0;
    for c in 0..k {
        let own = || {
            let rows = rows.chunks_exact(2).zip(labels);
            rows.filter(|(_, label)| **label as usize == c)
                .map(|(row, _)| row)
        };
        let n = own().count().max(1) as f64;
        for j in 0..2 {
            let mean = own().map(|row| f64::from(row[j])).sum::<f64>() / n;
            total += own()
                .map(|row| (f64::from(row[j]) - mean).powi(2))
                .sum::<f64>();
        }
    }
    total
}

#[test]
fn clusters_that_lie_apart_are_found() {
    let centres = [[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0], [4.5, 20.0]];
    let rows = blobs(&centres, 400, 0.7);
    let found = Centres::fit(&rows, 2, 5, 0).unwrap();
    let labels = found.nearest(&rows);
    for (i, label) in labels.iter().enumerate() {
        assert_eq!(*label, labels[i % 5], "row {i}");
    }
    for (i, [x, y]) in centres.iter().enumerate() {
        let centre = &found.values[labels[i] as usize * 2..][..2];
        let gap = (f64::from(centre[0]) - x).hypot(f64::from(centre[1]) - y);
        // Five times the deviation of the mean of 400 points.
        assert!(gap < 5.0 * 0.7 / 20.0, "{centre:?} of {x}, {y}");
    }
}

#[test]
fn the_partition_has_the_least_inertia_of_all() {
    // Lloyd's iteration ends in a local minimum; ten starts find the least where clusters can be told apart.
    let rows = blobs(&[[0.0, 0.0], [2.0, 0.5], [0.5, 2.0]], 4, 0.5);
    let k = 3;
    let found = Centres::fit(&rows, 2, k, 0).unwrap().nearest(&rows);
    let all = (0..k.pow(12)).map(|code| {
        let labels: Vec<u32> = (0..12).map(|i| (code / k.pow(i) % k) as u32).collect();
        inertia(&rows, &labels, k)
    });
    let least = all.fold(f64::INFINITY, f64::min);
    let ours = inertia(&rows, &found, k);
    assert!((ours - least).abs() < 1e-9 * least, "{ours} of {least}");
}

#[test]
fn neither_threads_nor_repetition_change_a_bit() {
    let rows = blobs(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 1000, 0.6);
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| Centres::fit(&rows, 2, 7, 3).unwrap())
    };
    assert_eq!(fit(1), fit(3));
    assert_ne!(fit(1).values, Centres::fit(&rows, 2, 7, 4).unwrap().values);
}

#[test]
fn too_many_clusters_are_refused() {
    let message = |rows: &[f32], k| format!("{:#}", Centres::fit(rows, 2, k, 0).unwrap_err());
    let two = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
    assert!(message(&two, 4).starts_with("4 clusters of 3 images\nhint:"));
    assert!(
        message(&two, 3).starts_with("3 clusters of images that have only 2 different features")
    );
    assert_eq!(Centres::fit(&two, 2, 2, 0).unwrap().count(), 2);
    assert!(message(&[f32::NAN, 0.0], 1).contains("not a finite number"));
}
