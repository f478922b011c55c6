//! A net that starts from another's weights.

use crate::support::archs::save;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{Arch, UnetArch};
use fidrunner::experiment::nets::presets;
use fidrunner::nets::adm::unet::{SuperRes, Unet};
use fidrunner::nets::inventory::initial;
use fidrunner::stages::train::start_from::grow;
use std::collections::HashMap;
use std::path::Path;

/// The small denoiser of `resolution` pixels at these widths.
fn arch(resolution: usize, channel_mult: &[f64]) -> Arch {
    let (Arch::Unet(mut net), _) = presets::arch("shapes16").unwrap() else {
        panic!("shapes16 is a UNet")
    };
    net.trunk.resolution = resolution;
    net.trunk.channel_mult = channel_mult.to_vec();
    Arch::Unet(net)
}

/// Writes fresh weights of this seed, and returns them.
fn save_fresh(arch: &Arch, seed: u64, path: &Path) -> HashMap<String, Tensor> {
    let weights = initial(arch, seed).unwrap();
    save(arch, None, &weights, path);
    weights.into_iter().collect()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_finer_net_grows_around_a_coarser_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.safetensors");
    let small = save_fresh(&arch(16, &[1.0, 2.0, 3.0]), 1, &path);
    let large = arch(32, &[0.5, 1.0, 2.0, 3.0]);
    let fresh: HashMap<String, Tensor> = initial(&large, 2).unwrap().into_iter().collect();
    let mut grown = initial(&large, 2).unwrap();
    let told = grow(&mut grown, &large, &path).unwrap();
    let (mut taken, mut kept) = (0, 0);
    for (name, tensor) in &grown {
        // Two input blocks stand before the small net's own, and its stem does not fit.
        let old = match name.strip_prefix("input_blocks.") {
            None => name.clone(),
            Some(rest) => {
                let (index, layer) = rest.split_once('.').unwrap();
                format!("input_blocks.{}.{layer}", index.parse::<i32>().unwrap() - 2)
            }
        };
        let inside = [
            "input_blocks.4",
            "input_blocks.5",
            "input_blocks.6",
            "input_blocks.7",
        ]
        .iter()
        .chain(&["middle_block", "time_embed", "label_emb"])
        .chain(&["output_blocks.0", "output_blocks.1", "output_blocks.2"])
        .chain(&["output_blocks.3", "output_blocks.4"])
        .any(|block| name.strip_prefix(block).is_some_and(|r| r.starts_with('.')));
        let want = if inside { &small[&old] } else { &fresh[name] };
        assert!(values(tensor) == values(want), "{name}");
        if inside {
            taken += 1;
        } else {
            kept += 1;
        }
    }
    assert!(taken > 2 * kept, "{taken} tensors taken, {kept} fresh");
    assert!(told.taken > 0 && told.taken < told.blocks);
}

#[test]
fn the_same_net_is_taken_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("same.safetensors");
    let same = arch(16, &[1.0, 2.0]);
    let old = save_fresh(&same, 1, &path);
    let mut grown = initial(&same, 2).unwrap();
    let told = grow(&mut grown, &same, &path).unwrap();
    assert_eq!(told.taken, told.blocks);
    assert!(
        grown
            .iter()
            .all(|(name, t)| values(t) == values(&old[name]))
    );
}

#[test]
fn a_net_with_nothing_in_common_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let (features, _) = presets::arch("shapes-features").unwrap();
    save_fresh(&features, 1, &path);
    let large = arch(16, &[1.0, 2.0]);
    let mut weights = initial(&large, 2).unwrap();
    let error = grow(&mut weights, &large, &path).err().unwrap().to_string();
    assert!(error.contains("none of its blocks fits"), "{error}");
}

#[test]
fn an_upsampler_grows_from_its_denoiser_and_answers_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unet.safetensors");
    let (Arch::Unet(mut unet), Arch::Unet(narrow)) = (arch(16, &[1.0, 2.0]), arch(16, &[0.5, 2.0]))
    else {
        panic!("both are UNets")
    };
    let old = save_fresh(&Arch::Unet(unet.clone()), 1, &path);
    unet.low_resolution = Some(8);
    let upsampler = Arch::SuperRes(unet.clone());
    let mut grown = initial(&upsampler, 2).unwrap();
    let told = grow(&mut grown, &upsampler, &path).unwrap();
    assert!(told.widened && told.taken == told.blocks);
    let grown: HashMap<String, Tensor> = grown.into_iter().collect();
    let stem = &grown["input_blocks.0.0.weight"];
    assert_eq!(stem.dims(), [32, 6, 3, 3]);
    let behind = stem.narrow(1, 3, 3).unwrap();
    assert!(values(&behind).iter().all(|v| *v == 0.0));

    // Fresh heads are zero: without this both would answer nothing at all.
    let speak = |weights: HashMap<String, Tensor>| {
        let shift = |(name, w): (String, Tensor)| (name, (w + 0.01).unwrap());
        let spoken = weights.into_iter().map(|(name, w)| match name.as_str() {
            "input_blocks.0.0.weight" => (name, w),
            _ => shift((name, w)),
        });
        VarBuilder::from_tensors(spoken.collect(), DType::F32, &Device::Cpu)
    };
    let image = |side: usize, seed: f32| {
        let values = (0..2 * 3 * side * side).map(|j| (seed * j as f32).sin());
        Tensor::from_vec(values.collect::<Vec<_>>(), (2, 3, side, side), &Device::Cpu).unwrap()
    };
    let t = Tensor::new(&[3f32, 700.0], &Device::Cpu).unwrap();
    let y = Tensor::new(&[1u32, 4], &Device::Cpu).unwrap();
    let mut plain = unet.clone();
    plain.low_resolution = None;
    let before = Unet::new(&plain, speak(old)).unwrap();
    let before = before.forward(&image(16, 0.3), &t, Some(&y), None).unwrap();
    let after = SuperRes::new(&unet, speak(grown)).unwrap();
    let after = after
        .forward(&image(16, 0.3), &t, &image(8, 0.7), Some(&y), None)
        .unwrap();
    let far = values(&before).into_iter().zip(values(&after));
    let far = far.map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(far < 1e-5, "{far}");

    // A stem of another width has nothing to give.
    let mut narrow = UnetArch {
        low_resolution: Some(8),
        ..narrow
    };
    narrow.trunk.channels = 32;
    let narrow = Arch::SuperRes(narrow);
    let mut weights = initial(&narrow, 2).unwrap();
    let told = grow(&mut weights, &narrow, &path).unwrap();
    assert!(!told.widened && told.taken < told.blocks);
}
