//! Features that are described in parts: the same moments however the parts lie.

use fidrunner::data::survey::Facts;
use fidrunner::io::image::file::Rgb8;
use fidrunner::jobs::files::parts::Part;
use fidrunner::stages::describe::described::{self, Described, Kind, PART};
use fidrunner::stages::describe::extract::Rows;

/// Features of images `range`, three of each kind, and what was seen of them.
fn features(range: std::ops::Range<usize>) -> (Rows, Vec<Facts>) {
    let value = |k: usize| ((k * 7919) % 10_007) as f32 / 131.0;
    let pool: Vec<f32> = (3 * range.start..3 * range.end).map(value).collect();
    let spatial = pool.iter().map(|v| v * v).collect();
    let logits = pool.clone();
    let facts = range.map(|i| {
        let data = vec![i as u8, (i >> 8) as u8, 7];
        Facts::of(&Rgb8 { w: 1, h: 1, data })
    });
    let rows = Rows {
        pool,
        spatial,
        logits,
    };
    (rows, facts.collect())
}

#[test]
fn moments_are_the_same_bits_however_the_features_lie() {
    let folder = tempfile::tempdir().unwrap();
    let n = 2 * PART + 500;
    let stored = |name: &str, size: usize| -> Vec<Part> {
        let part = |start: usize| {
            let range = start..n.min(start + size);
            let path = folder.path().join(format!("{name}-{start}.npz"));
            let (rows, facts) = features(range.clone());
            described::write(&path, rows, &facts).unwrap();
            Part {
                range: range.start as u64..range.end as u64,
                path,
            }
        };
        (0..n).step_by(size).map(part).collect()
    };
    let whole = Described::of(stored("whole", PART));
    // As a sweep keeps them: parts of another size.
    let pieces = stored("piece", 700).into_iter();
    let pieces = pieces.map(|p| (p.range.end - p.range.start, p));
    let pieces = pieces.map(|(length, part)| (part, 0..length as usize));
    let pieces = Described::pieces(pieces.collect());
    for kind in [Kind::Pool, Kind::Spatial] {
        let (a, b) = (whole.moments(kind).unwrap(), pieces.moments(kind).unwrap());
        assert_eq!(a, b, "{kind:?}");
    }
    assert_eq!(
        whole.survey().unwrap().facts,
        pieces.survey().unwrap().facts
    );
}
