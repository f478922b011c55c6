//! The golden files and the rule that makes their weights (tests/golden/README.md).

use super::program::repository;
use candle_core::{Device, Tensor};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// A file of the golden folder: `RUNNER_GOLDEN` when set, else the copy in the repository.
pub fn golden(rel: &str) -> PathBuf {
    let root = std::env::var_os("RUNNER_GOLDEN").map(PathBuf::from);
    root.unwrap_or_else(|| repository("tests/golden")).join(rel)
}

/// A JSON file of the golden folder, such as `models/manifest.json`.
pub fn json(rel: &str) -> Value {
    let path = golden(rel);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One case of a manifest, with its folder and the manifest's salt.
pub struct Case {
    pub folder: String,
    pub salt: String,
    pub name: String,
    pub value: Value,
}

/// The cases of one kind in `folder/manifest.json`; at least one, or the test would be empty.
pub fn cases(folder: &str, kind: &str) -> Vec<Case> {
    let manifest = json(&format!("{folder}/manifest.json"));
    let salt = manifest["salt"].as_str().expect("a salt").to_owned();
    let all = manifest["cases"].as_array().expect("cases");
    let of_kind: Vec<Case> = all
        .iter()
        .filter(|c| c["kind"] == kind)
        .map(|c| Case {
            folder: folder.to_owned(),
            salt: salt.clone(),
            name: c["name"].as_str().expect("a name").to_owned(),
            value: c.clone(),
        })
        .collect();
    assert!(
        !of_kind.is_empty(),
        "{folder}/manifest.json has no case of kind {kind}"
    );
    of_kind
}

impl Case {
    /// The arrays stored for this case: f32, f64, i64 or u8, on the CPU.
    pub fn arrays(&self) -> HashMap<String, Tensor> {
        let path = golden(&format!("{}/{}.safetensors", self.folder, self.name));
        candle_core::safetensors::load(&path, &Device::Cpu)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// A text field such as `prefix`; panics when it is absent.
    pub fn text(&self, field: &str) -> &str {
        let value = self.value[field].as_str();
        value.unwrap_or_else(|| panic!("{} has no text {field}", self.name))
    }

    /// The names of the case's images, without their ending.
    pub fn images(&self) -> Vec<String> {
        let names = self.value["images"].as_array().expect("images");
        let name = |name: &Value| name.as_str().expect("a name").to_owned();
        names.iter().map(name).collect()
    }

    /// Names and shapes of `state_dict`, in file order when serde_json keeps it.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        shapes(&self.value["state_dict"])
    }
}

/// Names and shapes of a JSON map from name to shape.
pub fn shapes(map: &Value) -> Vec<(String, Vec<usize>)> {
    let map = map.as_object().expect("a map of shapes");
    let shape = |v: &Value| {
        v.as_array()
            .expect("a shape")
            .iter()
            .map(|d| d.as_u64().expect("a size") as usize)
            .collect()
    };
    map.iter().map(|(k, v)| (k.clone(), shape(v))).collect()
}

/// Passes when both lists hold the same names and shapes in the same order; else says where they part.
pub fn same_shapes(of: &str, ours: &[(String, Vec<usize>)], theirs: &[(String, Vec<usize>)]) {
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(a, b, "tensor {i} of {of}");
    }
    assert_eq!(ours.len(), theirs.len(), "tensors of {of}");
}

/// s in [-1, 1) for every element of the tensor called `salt + key`.
fn signs(salt: &str, key: &str, shape: &[usize]) -> Vec<f32> {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in salt.bytes().chain(key.bytes()) {
        h = (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let count: usize = shape.iter().product();
    (1..=count as u64)
        .map(|i| {
            let mut z = h.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            let u = (z >> 40) as f32 / (1u32 << 24) as f32;
            2.0 * u - 1.0
        })
        .collect()
}

/// The weight called `salt + key` (gain 1); a manifest's `prefix` already holds the salt, so pass "" with it.
pub fn weight(salt: &str, key: &str, shape: &[usize]) -> Vec<f32> {
    weight_with_gain(salt, key, shape, 1.0)
}

/// As `weight`, for the cases that name a gain.
pub fn weight_with_gain(salt: &str, key: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let mut values = signs(salt, key, shape);
    let count = values.len();
    let (base, scale) = if key.ends_with("running_mean") {
        (0.0, 0.1)
    } else if key.ends_with("running_var") {
        (1.0, 0.5)
    } else if shape.len() >= 2 {
        let fan = count as f64 / shape[0] as f64;
        (0.0, (3.0 * gain / fan).sqrt() as f32)
    } else if key.ends_with("weight") {
        (1.0, 0.1)
    } else {
        (0.0, 0.1)
    };
    for v in &mut values {
        *v = if base == 0.0 {
            scale * *v
        } else {
            base + scale * *v
        };
    }
    values
}

/// `tensor(key, shape)` of the README: s itself.
pub fn tensor(salt: &str, key: &str, shape: &[usize]) -> Vec<f32> {
    signs(salt, key, shape)
}

/// `noise(key, shape)` of the README: unit variance.
pub fn noise(salt: &str, key: &str, shape: &[usize]) -> Vec<f32> {
    let root = 3f64.sqrt() as f32;
    signs(salt, key, shape)
        .into_iter()
        .map(|s| root * s)
        .collect()
}

/// The largest |a - b| over the largest |b|, or an error naming what is not comparable.
pub fn distance(a: &[f64], b: &[f64]) -> Result<f64, String> {
    if a.len() != b.len() {
        return Err(format!("{} values against {}", a.len(), b.len()));
    }
    if let Some(i) = a.iter().position(|v| !v.is_finite()) {
        return Err(format!("value {i} is {}", a[i]));
    }
    let top = b.iter().fold(0f64, |m, v| m.max(v.abs()));
    let gap = a.iter().zip(b).fold(0f64, |m, (x, y)| m.max((x - y).abs()));
    Ok(if gap == 0.0 { 0.0 } else { gap / top })
}

/// Passes when max |a - b| <= rel * max |b|; the error says how far off it is.
pub fn close(a: &[f64], b: &[f64], rel: f64) -> Result<(), String> {
    let off = distance(a, b)?;
    if off <= rel {
        Ok(())
    } else {
        Err(format!(
            "off by {off:.3e} of the largest value, {rel:.0e} is allowed"
        ))
    }
}

/// What the repository's copy of an array `like` holds of the whole: every value of it, or every so many-th from its first.
pub fn thinned(all: &Tensor, like: &Tensor) -> Vec<f64> {
    kept(&values(all), like.elem_count())
}

/// `count` of `all`: every value, or every so many-th from the first.
pub fn kept(all: &[f64], count: usize) -> Vec<f64> {
    let every = all.len() / count;
    all.iter().copied().step_by(every).take(count).collect()
}

/// Every element of a tensor of any float or integer type, row-major.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor
        .flatten_all()
        .and_then(|t| t.to_dtype(candle_core::DType::F64));
    flat.and_then(|t| t.to_vec1::<f64>())
        .expect("a readable tensor")
}
