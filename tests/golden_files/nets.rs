//! The reference program's options and command-line flags as architectures, and the rule's weights for a net.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use runner::experiment::nets::arch::{Arch, ClassifierArch, Pool, QkvOrder, Trunk, UnetArch};
use runner::nets::inventory;
use serde_json::Value;
use std::collections::HashMap;

/// ImageNet's classes, a constant of the release's scripts.
const CLASSES: usize = 1000;

/// The weights of a net by name, as variables, made by the rule under `prefix`; and the builder that hands them out.
pub fn variables(arch: &Arch, prefix: &str) -> (HashMap<String, Var>, VarBuilder<'static>) {
    let entries = inventory::tensors(arch).expect("a possible net");
    let variable = |entry: inventory::Entry| {
        let values = super::weight("", &format!("{prefix}{}", entry.name), &entry.shape);
        let tensor = Tensor::from_vec(values, entry.shape, &Device::Cpu).unwrap();
        (entry.name, Var::from_tensor(&tensor).unwrap())
    };
    let variables: HashMap<String, Var> = entries.into_iter().map(variable).collect();
    let tensors = variables
        .iter()
        .map(|(name, v)| (name.clone(), v.as_tensor().clone()));
    let vb = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
    (variables, vb)
}

/// The architecture of a case of kind `unet`, `superres` or `classifier`, from the constructor options in `config`.
pub fn arch_of_config(kind: &str, config: &Value) -> Arch {
    let trunk = trunk_of_config(config);
    let out = size(config, "out_channels").expect("out_channels");
    if kind == "classifier" {
        let pool = pool(config["pool"].as_str().expect("a pool"));
        return Arch::Classifier(ClassifierArch {
            trunk,
            classes: out,
            pool,
        });
    }
    let arch = UnetArch {
        heads_up: size(config, "num_heads_upsample"),
        classes: size(config, "num_classes"),
        learn_sigma: out == 2 * trunk.in_channels,
        low_resolution: None,
        trunk,
    };
    match kind {
        "unet" => Arch::Unet(arch),
        "superres" => Arch::SuperRes(arch),
        other => panic!("no net is of kind {other}"),
    }
}

fn trunk_of_config(config: &Value) -> Trunk {
    let resolution = size(config, "image_size").expect("image_size");
    let factors = config["attention_resolutions"]
        .as_array()
        .expect("factors of halving");
    let mults = config["channel_mult"].as_array().expect("channel_mult");
    Trunk {
        resolution,
        in_channels: size(config, "in_channels").expect("in_channels"),
        channels: size(config, "model_channels").expect("model_channels"),
        res_blocks: size(config, "num_res_blocks").expect("num_res_blocks"),
        channel_mult: mults.iter().map(|m| m.as_f64().unwrap()).collect(),
        attention: factors
            .iter()
            .map(|ds| resolution / ds.as_u64().unwrap() as usize)
            .collect(),
        heads: size(config, "num_heads").unwrap_or(1),
        channels_per_head: size(config, "num_head_channels"),
        qkv_order: order(config),
        adagn: yes(config, "use_scale_shift_norm", false),
        updown: yes(config, "resblock_updown", false),
        conv_resample: yes(config, "conv_resample", true),
        norm_groups: 32,
        rescale_residual: false,
    }
}

/// The architecture that the release's scripts make of their flags.
pub fn arch_of_flags(kind: &str, flags: &Value) -> Arch {
    match kind {
        "unet" => {
            let resolution = size(flags, "image_size").expect("image_size");
            let mults = multipliers(flags, resolution);
            Arch::Unet(unet_of_flags(flags, resolution, mults))
        }
        "superres" => {
            let resolution = size(flags, "large_size").expect("large_size");
            // This factory has its own table, without the half-width level.
            let mults = multipliers(flags, resolution.min(256));
            Arch::SuperRes(unet_of_flags(flags, resolution, mults))
        }
        "classifier" => Arch::Classifier(classifier_of_flags(flags)),
        other => panic!("no net is of kind {other}"),
    }
}

fn unet_of_flags(flags: &Value, resolution: usize, channel_mult: Vec<f64>) -> UnetArch {
    UnetArch {
        trunk: Trunk {
            resolution,
            in_channels: 3,
            channels: size(flags, "num_channels").expect("num_channels"),
            res_blocks: size(flags, "num_res_blocks").expect("num_res_blocks"),
            channel_mult,
            attention: pixels(&flags["attention_resolutions"]),
            heads: size(flags, "num_heads").expect("num_heads"),
            channels_per_head: size(flags, "num_head_channels"),
            qkv_order: order(flags),
            adagn: yes(flags, "use_scale_shift_norm", true),
            updown: yes(flags, "resblock_updown", false),
            conv_resample: true,
            norm_groups: 32,
            rescale_residual: false,
        },
        heads_up: size(flags, "num_heads_upsample"),
        classes: yes(flags, "class_cond", false).then_some(CLASSES),
        learn_sigma: yes(flags, "learn_sigma", false),
        low_resolution: size(flags, "small_size"),
    }
}

fn classifier_of_flags(flags: &Value) -> ClassifierArch {
    let resolution = size(flags, "image_size").expect("image_size");
    ClassifierArch {
        trunk: Trunk {
            resolution,
            in_channels: 3,
            channels: size(flags, "classifier_width").expect("classifier_width"),
            res_blocks: size(flags, "classifier_depth").expect("classifier_depth"),
            channel_mult: multipliers(flags, resolution),
            attention: pixels(&flags["classifier_attention_resolutions"]),
            heads: 1,
            channels_per_head: Some(64),
            qkv_order: QkvOrder::Legacy,
            adagn: yes(flags, "classifier_use_scale_shift_norm", true),
            updown: yes(flags, "classifier_resblock_updown", true),
            conv_resample: true,
            norm_groups: 32,
            rescale_residual: false,
        },
        classes: CLASSES,
        pool: pool(flags["classifier_pool"].as_str().expect("a pool")),
    }
}

/// `channel_mult` as text, or the default of the image's size.
fn multipliers(flags: &Value, resolution: usize) -> Vec<f64> {
    match flags["channel_mult"].as_str().unwrap_or_default() {
        "" => runner::experiment::nets::presets::multipliers(resolution).to_vec(),
        text => text.split(',').map(|m| m.trim().parse().unwrap()).collect(),
    }
}

fn pixels(text: &Value) -> Vec<usize> {
    let text = text.as_str().expect("pixels, separated by commas");
    text.split(',').map(|p| p.trim().parse().unwrap()).collect()
}

/// A number above zero; -1, null and absence are none.
fn size(map: &Value, key: &str) -> Option<usize> {
    map[key].as_i64().filter(|v| *v > 0).map(|v| v as usize)
}

fn yes(map: &Value, key: &str, default: bool) -> bool {
    map[key].as_bool().unwrap_or(default)
}

fn order(map: &Value) -> QkvOrder {
    match yes(map, "use_new_attention_order", false) {
        true => QkvOrder::New,
        false => QkvOrder::Legacy,
    }
}

fn pool(name: &str) -> Pool {
    serde_json::from_value(Value::from(name)).unwrap_or_else(|e| panic!("{e}"))
}
