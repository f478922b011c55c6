//! Inception with weights by the golden rule.

use super::golden::{Case, cases, weight_with_gain};
use candle_core::{Device, Tensor};
use fidrunner::io::checkpoint;
use fidrunner::nets::inception::net::{Features, Inception, tensors};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub fn case() -> Case {
    cases("eval", "inception").remove(0)
}

/// The case's weights by the `.pth`'s names.
pub fn weights(case: &Case) -> HashMap<String, Tensor> {
    let gain = case.value["gain"].as_f64().expect("a gain");
    by_rule(case.text("prefix"), gain)
}

/// Weights by the rule, by the `.pth`'s names.
fn by_rule(prefix: &str, gain: f64) -> HashMap<String, Tensor> {
    tensors()
        .into_iter()
        .map(|(name, shape)| {
            let key = format!("{prefix}{name}");
            let values = weight_with_gain("", &key, &shape, gain);
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor");
            (name, tensor)
        })
        .collect()
}

/// The case's weights as a safetensors file.
pub fn write(path: &Path) {
    write_weights(path, weights(&case()));
}

/// Those that `benches/peers/write_inception.py` writes in this repository, whatever golden folder is named.
pub fn write_repositorys(path: &Path) {
    write_weights(path, by_rule("inception/", 2.0));
}

fn write_weights(path: &Path, weights: HashMap<String, Tensor>) {
    let mut tensors: Vec<(String, Tensor)> = weights.into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    checkpoint::write(path, &tensors, &BTreeMap::new()).expect("a file");
}

pub fn net(weights: &HashMap<String, Tensor>) -> Inception {
    let get = |name: &str| Ok(weights[name].clone());
    Inception::new(&get, &Device::Cpu).expect("a net")
}

pub fn tap<'a>(features: &'a Features, name: &str) -> &'a Tensor {
    let tap = match name {
        "64" => &features.pool64,
        "192" => &features.pool192,
        "768" => &features.pool768,
        "2048" => &features.pool,
        "spatial_2023" => &features.spatial,
        "logits" => &features.logits,
        "logits_unbiased" => &features.logits_unbiased,
        other => panic!("no feature is called {other}"),
    };
    tap.as_ref().unwrap_or_else(|| panic!("no {name}"))
}
