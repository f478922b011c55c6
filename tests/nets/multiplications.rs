//! The count of multiply-adds against the nets themselves: the shapes of their weights, and the sizes of the maps that flow
//! through them.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{Arch, Pool, Trunk};
use fidrunner::experiment::nets::multiplications::forward;
use fidrunner::experiment::nets::presets;
use fidrunner::nets::adm::trunk::{Asked, Builder, Encoder};
use fidrunner::nets::inventory::{initial, tensors};

fn preset(name: &str) -> Arch {
    presets::arch(name).unwrap().0
}

/// Pixels a side of what each input block leaves, by running them.
fn sides(trunk: &Trunk, arch: &Arch, in_channels: usize) -> Vec<usize> {
    let weights = initial(arch, 1).unwrap().into_iter().collect();
    let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let heads = trunk.heads;
    let encoder = Encoder::new(&Builder { trunk, heads }, in_channels, vb).unwrap();
    let side = trunk.resolution;
    let x = Tensor::zeros((1, in_channels, side, side), DType::F32, &Device::Cpu).unwrap();
    let emb = Tensor::zeros((1, 4 * trunk.channels), DType::F32, &Device::Cpu).unwrap();
    let (outputs, _) = encoder.forward(&x, &emb, Asked::default()).unwrap();
    outputs.iter().map(|map| map.dim(2).unwrap()).collect()
}

/// The multiply-adds of a net of levels by its weights and the sizes of its maps.
fn counted(arch: &Arch, in_channels: usize) -> f64 {
    let trunk = arch.trunk().unwrap();
    let sides = sides(trunk, arch, in_channels);
    let bottom = *sides.last().unwrap();
    let all = tensors(arch).unwrap();
    let number = |name: &str, at: usize| name.split('.').nth(at).unwrap().parse::<usize>();
    let mut sum = 0.0;
    for entry in all.iter().filter(|entry| entry.shape.len() > 1) {
        let name = entry.name.as_str();
        let side = match name.split('.').next().unwrap() {
            "input_blocks" => sides[number(name, 1).unwrap()],
            "middle_block" => bottom,
            "output_blocks" => {
                let block = number(name, 1).unwrap();
                let side = sides[sides.len() - 1 - block];
                let child = number(name, 2).unwrap();
                // Beside a block's first child and its attention, there is only what doubles the map.
                let doubles = child > 0 && !name.contains("qkv") && !name.contains("proj_out");
                if doubles { 2 * side } else { side }
            }
            "out" if matches!(arch, Arch::Unet(_) | Arch::SuperRes(_)) => sides[0],
            _ => 1,
        };
        let mut places = (side * side) as f64;
        if name.contains("emb_layers") || name.starts_with("label_emb") {
            places = f64::from(u8::from(!name.starts_with("label_emb")));
        }
        if name == "out.2.qkv_proj.weight" {
            places = (bottom * bottom + 1) as f64;
        }
        if name == "out.2.positional_embedding" {
            continue;
        }
        sum += entry.shape.iter().product::<usize>() as f64 * places;
        if name.contains("qkv") {
            let channels = (entry.shape[0] / 3) as f64;
            sum += 2.0 * channels * places * places;
        }
    }
    sum
}

fn agrees(arch: &Arch, in_channels: usize) {
    let count = forward(arch).unwrap().total();
    assert_eq!(count, counted(arch, in_channels), "{arch:?}");
}

#[test]
fn a_unet_takes_what_its_weights_and_maps_say() {
    for name in ["shapes16", "shapes32", "shapes64"] {
        agrees(&preset(name), 3);
    }
    agrees(&preset("shapes16-to-64"), 6);
    let Arch::Unet(mut net) = preset("shapes32") else {
        panic!("a unet")
    };
    (net.trunk.updown, net.trunk.adagn, net.trunk.res_blocks) = (false, false, 2);
    net.trunk.attention = vec![16];
    agrees(&Arch::Unet(net.clone()), 3);
    net.trunk.conv_resample = false;
    net.classes = None;
    net.learn_sigma = false;
    agrees(&Arch::Unet(net), 3);
}

#[test]
fn a_classifier_takes_what_its_weights_and_maps_say() {
    for name in ["shapes16-classifier", "shapes32-classifier"] {
        let Arch::Classifier(mut net) = preset(name) else {
            panic!("a classifier")
        };
        for pool in [
            Pool::Attention,
            Pool::Adaptive,
            Pool::Spatial,
            Pool::SpatialV2,
        ] {
            net.pool = pool;
            agrees(&Arch::Classifier(net.clone()), 3);
        }
    }
}

#[test]
fn the_feature_net_takes_what_its_weights_and_maps_say() {
    let arch = preset("shapes-features");
    let mut sum = 0.0;
    for entry in tensors(&arch).unwrap() {
        let mut name = entry.name.split('.');
        // The stem halves 64 pixels, and each stage but the first halves what comes before it.
        let side = match name.next().unwrap() {
            "stem" => 32,
            "blocks" => 32 >> name.next().unwrap().parse::<usize>().unwrap(),
            "spatial" => 4,
            _ => 1,
        };
        if entry.shape.len() > 1 {
            sum += (entry.shape.iter().product::<usize>() * side * side) as f64;
        }
    }
    assert_eq!(forward(&arch).unwrap().total(), sum);
}
