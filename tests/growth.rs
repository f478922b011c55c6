//! A net that starts from a smaller one's weights.

use candle_core::Tensor;
use runner::io::checkpoint;
use runner::nets::inventory::initial;
use runner::spec::arch::{Arch, Card};
use runner::spec::presets;
use runner::stages::growth::grow;
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

fn save(arch: &Arch, seed: u64, path: &Path) -> HashMap<String, Tensor> {
    let weights = initial(arch, seed).unwrap();
    let card = Card {
        arch: arch.clone(),
        process: None,
        classes: vec![],
        steps: 1,
    };
    let metadata = [("runner".to_string(), serde_json::to_string(&card).unwrap())].into();
    checkpoint::write(path, &weights, &metadata).unwrap();
    weights.into_iter().collect()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_finer_net_grows_around_a_coarser_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.safetensors");
    let small = save(&arch(16, &[1.0, 2.0, 3.0]), 1, &path);
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
        match inside {
            true => taken += 1,
            false => kept += 1,
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
    let old = save(&same, 1, &path);
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
    save(&features, 1, &path);
    let large = arch(16, &[1.0, 2.0]);
    let mut weights = initial(&large, 2).unwrap();
    let error = grow(&mut weights, &large, &path).err().unwrap().to_string();
    assert!(error.contains("none of its blocks fits"), "{error}");
}
