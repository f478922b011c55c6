//! Reference statistics in every format that evaluators write, against each other; and broken ones.

use crate::support::files::{refusal, stranger};
use crate::support::golden::golden;
use crate::support::pickles::*;
use crate::support::program::repository;
use fidrunner::io::numpy::npz::{self, Array, Npz};
use fidrunner::io::statistics::{self, Producer, Statistics};
use std::fs;

/// Mean and covariance of `edm2.npz` under `fid` or `fd_dinov2`.
fn wanted(key: &str) -> (Vec<f64>, Vec<f64>) {
    let mut file = Npz::open(&stranger("edm2.npz")).unwrap();
    let (mu, sigma) = (format!("{key}_mu"), format!("{key}_sigma"));
    file.moments(&mu, &sigma).unwrap()
}

#[test]
fn pickles_of_every_protocol_hold_the_same() {
    for protocol in 2..=5 {
        let path = stranger(&format!("edm2_protocol{protocol}.pkl"));
        for (key, asked) in [("fid", None), ("fd_dinov2", Some("fd_dinov2"))] {
            let found = Statistics::read_key(&path, asked).unwrap();
            assert_eq!((found.mu, found.sigma), wanted(key), "{protocol}");
            assert_eq!(found.count, Some(12));
            assert_eq!(found.key.as_deref(), Some(key));
            assert_eq!(found.producer, Producer::Edm2);
            assert_eq!((found.mu_s, found.sigma_s), (None, None));
        }
        let why = refusal(Statistics::read_key(&path, Some("clip")));
        assert!(
            why.contains(
                "it has no statistics `clip`, it has `fid`, `fd_dinov2`\nhint: pass `--key fid`"
            ),
            "{why}"
        );
    }
}

#[test]
fn orders_and_numpy_counts_are_understood() {
    let found = Statistics::read(&stranger("odd.pkl")).unwrap();
    assert_eq!((found.mu, found.sigma), wanted("fid"));
    assert_eq!(found.count, Some(12));
}

#[test]
fn torch_fidelity_caches_are_read_from_both_containers() {
    for name in ["fidelity_numpy.pt", "fidelity_tensors.pt"] {
        let found = Statistics::read(&stranger(name)).unwrap();
        assert_eq!((found.mu, found.sigma), wanted("fid"), "{name}");
        assert_eq!(found.producer, Producer::TorchFidelity);
        assert_eq!((found.count, found.key), (None, None));
    }
    let why = refusal(Statistics::read_key(
        &stranger("fidelity_numpy.pt"),
        Some("fid"),
    ));
    assert!(why.contains("it holds one set of statistics"), "{why}");
}

#[test]
fn npz_statistics_tell_who_wrote_them() {
    let adm = Statistics::read(&golden("checkpoints/adm_reference.npz")).unwrap();
    assert_eq!(adm.producer, Producer::Adm);
    assert_eq!(adm.sigma.len(), adm.mu.len().pow(2));
    assert_eq!(adm.sigma_s.unwrap().len(), adm.mu_s.unwrap().len().pow(2));
    let plain = Statistics::read(&golden("checkpoints/pytorch_fid_stats.npz")).unwrap();
    assert_eq!(plain.producer, Producer::Plain);
    for name in ["fortran_order.npz", "big_endian.npz"] {
        let same = Statistics::read(&golden("checkpoints").join(name)).unwrap();
        assert_eq!(same.mu, plain.mu, "{name}");
    }
    let ours = repository("reference_stats/shapes32.npz");
    let ours = Statistics::read(&ours).unwrap();
    assert_eq!(ours.producer, Producer::Runner);
    assert!(ours.count.unwrap() >= 2 && ours.sigma_s.is_some());
}

#[test]
fn features_are_read_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x_kid.npz");
    let rows = vec![0.5, 1., 2., 3., 4., 5.];
    npz::write(&path, &[("feats", Array::f32(&[3, 2], rows.clone()))]).unwrap();
    let found = statistics::features(&path).unwrap();
    assert_eq!((found.shape, found.data), (vec![3, 2], rows));
    let why = refusal(Statistics::read(&path));
    assert!(
        why.contains("it has no `mu` and `sigma`, it has `feats`\nhint: it holds features"),
        "{why}"
    );
    let why = refusal(statistics::features(&golden("checkpoints/adm_samples.npz")));
    assert!(
        why.contains("it has arr_0, arr_1, features are `feats`"),
        "{why}"
    );
}

#[test]
fn broken_moments_are_refused_in_every_format() {
    for (name, expected) in [
        ("bad_shape.npz", "moments are [d] and [d, d]"),
        ("has_nan.npz", "holds NaN or infinity"),
        ("object_array.npz", "it has no `mu` and `sigma`"),
        ("adm_samples.npz", "\nhint: it holds features or images"),
        ("hostile_zip.pt", "it names `posix.system`"),
        ("hostile_legacy.pt", "it names `posix.system`"),
        ("truncated_zip.pt", "hint: the file may be truncated"),
        ("truncated_legacy.pt", "hint: the file may be truncated"),
        (
            "state_zip.pt",
            "it has no `mu` and `sigma`, and no dictionary that has",
        ),
        ("state.safetensors", "it is no file of statistics"),
    ] {
        let why = refusal(Statistics::read(&golden("checkpoints").join(name)));
        assert!(why.contains(name) && why.contains(expected), "{why}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    for (sigma, expected) in [
        (
            vec![1., 0.5, 0.4, 1.],
            "`sigma` is not symmetric: 0.4 at [1, 0] and 0.5 at [0, 1]",
        ),
        (vec![1., 0., 0., -1.], "`sigma` has the variance -1 at 1"),
        (
            vec![1., f64::INFINITY, 0., 1.],
            "`sigma` holds NaN or infinity",
        ),
    ] {
        let mu = ("mu", Array::f64(&[2], vec![0.; 2]));
        npz::write(&path, &[mu, ("sigma", Array::f64(&[2, 2], sigma))]).unwrap();
        let why = refusal(Statistics::read(&path));
        assert!(why.contains(expected), "{why}");
    }
}

/// An array of NumPy's as protocol 3 writes it.
fn array(descr: &str, shape: &[i64], data: &[u8]) -> Vec<u8> {
    let made = call(
        global("numpy.core.multiarray", "_reconstruct"),
        tuple(&[global("numpy", "ndarray"), ints(&[0]), b"C\x01b".to_vec()]),
    );
    let dtype = call(
        global("numpy", "dtype"),
        tuple(&[unicode(descr), vec![0x89], vec![0x88]]),
    );
    let order = tuple(&[int(3), unicode("<"), b"N".to_vec()]);
    let dtype = [dtype, order, b"b".to_vec()].concat();
    let bytes = [b"B", &(data.len() as u32).to_le_bytes()[..], data].concat();
    let state = tuple(&[int(1), ints(shape), dtype, vec![0x89], bytes]);
    [made, state, b"b".to_vec()].concat()
}

#[test]
fn arrays_that_claim_what_they_are_not_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pkl");
    let told = |mu: Vec<u8>, sigma: Vec<u8>| {
        let body = dict(&[("mu", mu), ("sigma", sigma)]);
        fs::write(&path, object(&body)).unwrap();
        Statistics::read(&path).map_err(|e| format!("{e:#}"))
    };
    let one = 1f64.to_le_bytes();
    let good = || array("f8", &[1], &one);
    assert_eq!(
        told(good(), array("f8", &[1, 1], &one)).unwrap().sigma,
        [1.0]
    );
    for (sigma, expected) in [
        (
            array("f8", &[1 << 40], &one),
            "takes 8796093022208 bytes, it has 8",
        ),
        (array("f8", &[1 << 40, 1 << 40], &one), "is too large"),
        (
            array("f8", &[-1], &one),
            "a NumPy array is described wrongly",
        ),
        (
            array("O8", &[1], &one),
            "it holds Python objects, which are never read",
        ),
        (array("V8", &[1], &one), "type \"<V8\" is not read"),
        (array("é", &[1], &one), "is not read"),
        (array("f8", &[1], &one), "moments are [d] and [d, d]"),
        (array("f8", &[1, 1], &f64::NAN.to_le_bytes()), "holds NaN"),
        (b"}".to_vec(), "`sigma` is no array"),
        (
            call(global("torch", "load"), tuple(&[])),
            "it names `torch.load`",
        ),
        (
            tensor("FloatStorage", "0", 1, 0, &[1, 1], &[1, 1]),
            "lies outside the file",
        ),
    ] {
        let why = told(good(), sigma).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    fs::write(&path, object(b"](")).unwrap();
    assert!(refusal(Statistics::read(&path)).contains("a value is missing"));
    fs::write(&path, object(b"]")).unwrap();
    assert!(refusal(Statistics::read(&path)).contains("it is no dictionary"));
    let whole = fs::read(stranger("edm2_protocol4.pkl")).unwrap();
    for at in 0..whole.len() {
        fs::write(&path, &whole[..at]).unwrap();
        assert!(Statistics::read(&path).is_err());
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let _ = Statistics::read(&path);
    }
}
