//! Inception with weights by the golden rule.
#![allow(dead_code)] // every test binary uses its own part

use crate::golden_files::{Case, cases, weight_with_gain};
use candle_core::{Device, Tensor};
use runner::nets::inception::net::{Features, Inception, tensors};
use std::collections::HashMap;

pub fn case() -> Case {
    cases("eval", "inception").remove(0)
}

/// The case's weights by the `.pth`'s names.
pub fn weights(case: &Case) -> HashMap<String, Tensor> {
    let gain = case.value["gain"].as_f64().expect("a gain");
    tensors()
        .into_iter()
        .map(|(name, shape)| {
            let key = format!("{}{name}", case.text("prefix"));
            let values = weight_with_gain("", &key, &shape, gain);
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor");
            (name, tensor)
        })
        .collect()
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
