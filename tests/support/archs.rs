//! The reference program's options and command-line flags as architectures, and weights for a net.

use super::golden::{Case, weight};
use super::program::repository;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{
    Arch, Card, ClassifierArch, NoiseSchedule, Pool, Prediction, Process, QkvOrder, Trunk, UnetArch,
};
use fidrunner::experiment::nets::presets;
use fidrunner::io::checkpoint::{self, Checkpoint};
use fidrunner::nets::inventory::{self, initial};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// ImageNet's classes, a constant of the release's scripts.
const IMAGENET: usize = 1000;

/// The weights of a net by name, as variables, made by the rule under `prefix`; and the builder that hands them out.
pub fn variables(arch: &Arch, prefix: &str) -> (HashMap<String, Var>, VarBuilder<'static>) {
    let entries = inventory::tensors(arch).expect("a possible net");
    let variable = |entry: inventory::Entry| {
        let values = weight("", &format!("{prefix}{}", entry.name), &entry.shape);
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
        null_class: false,
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

/// The process of a case with a schedule.
pub fn process(case: &Case) -> Process {
    Process {
        schedule: match case.text("schedule") {
            "linear" => NoiseSchedule::Linear,
            "cosine" => NoiseSchedule::Cosine,
            other => panic!("{other}"),
        },
        timesteps: case.value["diffusion_steps"].as_u64().unwrap_or(1000) as usize,
        rescale_timesteps: case.value["rescale_timesteps"].as_bool().unwrap_or(false),
        predict: Prediction::Noise,
    }
}

/// A process of `timesteps` whose net answers with the noise.
pub fn process_of(schedule: NoiseSchedule, timesteps: usize) -> Process {
    Process {
        schedule,
        timesteps,
        rescale_timesteps: false,
        predict: Prediction::Noise,
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
        classes: yes(flags, "class_cond", false).then_some(IMAGENET),
        null_class: false,
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
        classes: IMAGENET,
        pool: pool(flags["classifier_pool"].as_str().expect("a pool")),
    }
}

/// `channel_mult` as text, or the default of the image's size.
fn multipliers(flags: &Value, resolution: usize) -> Vec<f64> {
    match flags["channel_mult"].as_str().unwrap_or_default() {
        "" => presets::multipliers(resolution).to_vec(),
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
    if yes(map, "use_new_attention_order", false) {
        QkvOrder::New
    } else {
        QkvOrder::Legacy
    }
}

fn pool(name: &str) -> Pool {
    serde_json::from_value(Value::from(name)).unwrap_or_else(|e| panic!("{e}"))
}

/// How many classes the tiny nets know.
pub const CLASSES: usize = 3;

/// A tiny net of `side` pixels; as an upsampler from `low`.
pub fn tiny(side: usize, low: Option<usize>, classes: usize) -> UnetArch {
    let Some((Arch::Unet(mut net), _)) = presets::arch("shapes16") else {
        panic!("shapes16 is a UNet")
    };
    net.trunk.resolution = side;
    net.trunk.channel_mult = vec![1.0, 1.0];
    net.trunk.attention = vec![];
    net.classes = (classes > 0).then_some(classes);
    net.low_resolution = low;
    net
}

/// Weights without zero layers, so that every input of the net is heard in its answer.
pub fn heard(arch: &Arch) -> Vec<(String, Tensor)> {
    let wavy = |(name, w): (String, Tensor)| {
        let wave = (0..w.elem_count()).map(|j| 0.05 * (0.37 * j as f32 + 1.0).sin());
        let wave = Tensor::from_vec(wave.collect::<Vec<_>>(), w.shape(), &Device::Cpu).unwrap();
        (name, (w + wave).unwrap())
    };
    initial(arch, 3).unwrap().into_iter().map(wavy).collect()
}

/// Writes a net as a checkpoint with its card.
pub fn save(arch: &Arch, process: Option<Process>, weights: &[(String, Tensor)], path: &Path) {
    let card = Card {
        arch: arch.clone(),
        process,
        classes: vec![],
        steps: 1,
        distilled: None,
    };
    let metadata = [("runner".to_string(), serde_json::to_string(&card).unwrap())].into();
    checkpoint::write(path, weights, &metadata).unwrap();
}

/// A checkpoint of the small denoisers' process whose weights are [`heard`].
pub fn save_heard(arch: &Arch, path: &Path) {
    let process = presets::arch("shapes16").map(|(_, process)| process);
    save(arch, process, &heard(arch), path);
}

/// The shipped net without its variance half, as a checkpoint of its own; `known` are the names that its card has.
pub fn shipped_without_variance(path: &Path, known: Option<&[&str]>) {
    let net = repository("experiments/shapes/unet16.safetensors");
    let file = Checkpoint::open(&net).unwrap();
    let mut card: Card = serde_json::from_str(&file.metadata()["runner"]).unwrap();
    let Arch::Unet(arch) = &mut card.arch else {
        panic!("{} is a UNet", net.display())
    };
    arch.learn_sigma = false;
    if let Some(known) = known {
        card.classes = known.iter().map(|name| name.to_string()).collect();
    }
    let tensors = file.tensors(&Device::Cpu).unwrap().into_iter();
    let tensors = tensors.map(|(name, tensor)| {
        if name.starts_with("out.2.") {
            (name, tensor.narrow(0, 0, 3).unwrap().contiguous().unwrap())
        } else {
            (name, tensor)
        }
    });
    let metadata = [("runner".to_string(), serde_json::to_string(&card).unwrap())].into();
    checkpoint::write(path, &tensors.collect::<Vec<_>>(), &metadata).unwrap();
}
