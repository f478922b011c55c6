//! What is asked of attention blocks beside their answer, against plain calculations in f64; and which block is which.

use crate::support::archs::{CLASSES, heard, tiny};
use crate::support::tensors::{bits, far, normal};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{Arch, QkvOrder, Trunk};
use fidrunner::nets::adm::attention::AttentionBlock;
use fidrunner::nets::adm::unet::{SuperRes, Unet};
use fidrunner::nets::attention::{Attention, Probe};
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use fidrunner::nets::inventory::attention_blocks;
use std::collections::HashMap;

const NAME: &str = "middle_block.1";
const CHANNELS: usize = 12;
const GROUPS: usize = 4;
const HEADS: usize = 3;
/// Channels of a head.
const D: usize = CHANNELS / HEADS;
/// Height and width of the feature map: not alike, so that they cannot be mixed up.
const H: usize = 3;
const W: usize = 5;
const L: usize = H * W;

fn trunk(order: QkvOrder) -> Trunk {
    let mut trunk = tiny(8, None, 0).trunk;
    (trunk.norm_groups, trunk.qkv_order) = (GROUPS, order);
    trunk
}

/// The weights of a block by name.
fn weights() -> HashMap<String, Tensor> {
    let shapes: [(&str, &[usize]); 6] = [
        ("norm.weight", &[CHANNELS]),
        ("norm.bias", &[CHANNELS]),
        ("qkv.weight", &[3 * CHANNELS, CHANNELS, 1]),
        ("qkv.bias", &[3 * CHANNELS]),
        ("proj_out.weight", &[CHANNELS, CHANNELS, 1]),
        ("proj_out.bias", &[CHANNELS]),
    ];
    let each = shapes.iter().enumerate().map(|(seed, (name, shape))| {
        let tensor = normal(seed as u64, *shape, 0.5).unwrap();
        (format!("{NAME}.{name}"), tensor)
    });
    each.collect()
}

/// The block of [`weights`], by plain sums in f64 over one image of [channels][positions].
struct Plain(HashMap<String, Vec<f64>>);

impl Plain {
    fn new() -> Self {
        let values = |tensor: &Tensor| -> Vec<f64> {
            let tensor = tensor.to_dtype(DType::F64).unwrap();
            tensor.flatten_all().unwrap().to_vec1().unwrap()
        };
        let named = weights().into_iter();
        Self(named.map(|(name, t)| (name, values(&t))).collect())
    }

    fn weight(&self, name: &str) -> &[f64] {
        &self.0[&format!("{NAME}.{name}")]
    }

    fn norm(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (scale, shift) = (self.weight("norm.weight"), self.weight("norm.bias"));
        let size = CHANNELS / GROUPS;
        let mut out = Vec::new();
        for (group, rows) in x.chunks(size).enumerate() {
            let count = (size * L) as f64;
            let mean = rows.iter().flatten().sum::<f64>() / count;
            let square = rows.iter().flatten().map(|v| (v - mean).powi(2));
            let deviation = (square.sum::<f64>() / count + 1e-5).sqrt();
            for (i, row) in rows.iter().enumerate() {
                let c = group * size + i;
                let value = |v: &f64| (v - mean) / deviation * scale[c] + shift[c];
                out.push(row.iter().map(value).collect());
            }
        }
        out
    }

    /// A convolution of one pixel.
    fn product(&self, name: &str, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let weight = self.weight(&format!("{name}.weight"));
        let bias = self.weight(&format!("{name}.bias"));
        let value = |o: usize, at: usize| {
            let row = &weight[o * x.len()..][..x.len()];
            bias[o] + row.iter().zip(x).map(|(w, x)| w * x[at]).sum::<f64>()
        };
        (0..bias.len())
            .map(|o| (0..L).map(|at| value(o, at)).collect())
            .collect()
    }

    /// Queries (0), keys (1) or values (2) of a head.
    fn part(order: QkvOrder, qkv: &[Vec<f64>], head: usize, part: usize) -> &[Vec<f64>] {
        let first = match order {
            QkvOrder::Legacy => (3 * head + part) * D,
            QkvOrder::New => (part * HEADS + head) * D,
        };
        &qkv[first..first + D]
    }

    /// What the block makes of x where its map is the identity.
    fn identity(&self, order: QkvOrder, x: &[Vec<f64>]) -> Vec<f64> {
        let qkv = self.product("qkv", &self.norm(x));
        let values = (0..HEADS).flat_map(|head| Self::part(order, &qkv, head, 2).to_vec());
        let out = self.product("proj_out", &values.collect::<Vec<_>>());
        let pairs = x.iter().flatten().zip(out.iter().flatten());
        pairs.map(|(x, out)| x + out).collect()
    }

    /// The attention that each position receives, averaged over the heads.
    fn received(&self, order: QkvOrder, x: &[Vec<f64>]) -> Vec<f64> {
        let qkv = self.product("qkv", &self.norm(x));
        let mut sums = vec![0.0; L];
        for head in 0..HEADS {
            let part = |part| Self::part(order, &qkv, head, part);
            for query in 0..L {
                let score = |key: usize| -> f64 {
                    let pairs = part(0).iter().zip(part(1));
                    pairs.map(|(q, k)| q[query] * k[key]).sum::<f64>() / (D as f64).sqrt()
                };
                let shares: Vec<f64> = (0..L).map(|key| score(key).exp()).collect();
                let all: f64 = shares.iter().sum();
                for (sum, share) in sums.iter_mut().zip(shares) {
                    *sum += share / all / HEADS as f64;
                }
            }
        }
        sums
    }
}

/// Image `i` of x [n, c, h, w] as [channels][positions].
fn image(x: &Tensor, i: usize) -> Vec<Vec<f64>> {
    let x = x.get(i).unwrap().to_dtype(DType::F64).unwrap();
    x.flatten_from(1).unwrap().to_vec2().unwrap()
}

fn wanted(images: Vec<Vec<f64>>, shape: &[usize]) -> Tensor {
    let values: Vec<f32> = images.into_iter().flatten().map(|v| v as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[test]
fn a_block_under_the_identity_passes_its_values_on() {
    let (plain, x) = (Plain::new(), normal(9, (2, CHANNELS, H, W), 1.0).unwrap());
    for order in [QkvOrder::Legacy, QkvOrder::New] {
        let vb = VarBuilder::from_tensors(weights(), DType::F32, &Device::Cpu);
        let block = AttentionBlock::new(&trunk(order), CHANNELS, HEADS, NAME, &vb).unwrap();
        let names = [NAME.to_string()];
        let ours = block.forward(&x, Some(Attention::Identity(&names)));
        let ours = ours.unwrap();
        let images = (0..2).map(|i| plain.identity(order, &image(&x, i)));
        let wanted = wanted(images.collect(), x.dims());
        assert!(far(&ours, &wanted).unwrap() < 1e-5, "{order:?}");
        let usual = block.forward(&x, None).unwrap();
        assert!(far(&usual, &wanted).unwrap() > 0.01, "{order:?}");
        let others = ["middle_block.2".to_string()];
        let passed_over = block.forward(&x, Some(Attention::Identity(&others)));
        assert_eq!(bits(&passed_over.unwrap()).unwrap(), bits(&usual).unwrap());
    }
}

#[test]
fn a_probe_tells_what_each_position_receives_and_changes_nothing() {
    let (plain, x) = (Plain::new(), normal(9, (2, CHANNELS, H, W), 1.0).unwrap());
    for order in [QkvOrder::Legacy, QkvOrder::New] {
        let vb = VarBuilder::from_tensors(weights(), DType::F32, &Device::Cpu);
        let block = AttentionBlock::new(&trunk(order), CHANNELS, HEADS, NAME, &vb).unwrap();
        let probe = Probe::new(NAME.to_string());
        let message = probe.received().unwrap_err().to_string();
        assert!(message.contains("`middle_block.1`"), "{message}");
        let answer = block.forward(&x, Some(Attention::Kept(&probe))).unwrap();
        let usual = block.forward(&x, None).unwrap();
        assert_eq!(bits(&answer).unwrap(), bits(&usual).unwrap());
        let images = (0..2).map(|i| plain.received(order, &image(&x, i)));
        let wanted = wanted(images.collect(), &[2, H, W]);
        let ours = probe.received().unwrap();
        assert!(far(&ours, &wanted).unwrap() < 1e-5, "{order:?}");
        // An image's map is of the image alone, to the bit.
        block
            .forward(&x.narrow(0, 1, 1).unwrap(), Some(Attention::Kept(&probe)))
            .unwrap();
        let alone = probe.received().unwrap();
        let together = ours.narrow(0, 1, 1).unwrap();
        assert_eq!(bits(&alone).unwrap(), bits(&together).unwrap());
    }
}

#[test]
fn blocks_are_called_as_in_a_checkpoint() {
    let mut arch = tiny(16, None, CLASSES);
    arch.trunk.attention = vec![8];
    let blocks = attention_blocks(&Arch::Unet(arch.clone())).unwrap();
    assert!(blocks.len() > 3, "{blocks:?}");
    assert!(blocks.contains(&NAME.to_string()), "{blocks:?}");
    let x = normal(1, (2, 3, 16, 16), 1.0).unwrap();
    let t = Tensor::new(&[10f32, 900.0], &Device::Cpu).unwrap();
    let y = Tensor::new(&[0u32, 2], &Device::Cpu).unwrap();
    for block in &blocks {
        // A block without an output has no use for its map: it alone may be under the identity unnoticed.
        let silent = format!("{block}.proj_out.weight");
        let weights = heard(&Arch::Unet(arch.clone())).into_iter();
        let weights: HashMap<_, _> = weights
            .map(|(name, w)| {
                let w = if name == silent {
                    w.zeros_like().unwrap()
                } else {
                    w
                };
                (name, w)
            })
            .collect();
        let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        let net = Unet::new(&arch, vb).unwrap();
        let ask = |attention: Option<Attention>| {
            let given = Conditions {
                labels: Some(&y),
                attention,
                ..Conditions::default()
            };
            bits(&net.denoise(&x, &t, &given).unwrap()).unwrap()
        };
        let usual = ask(None);
        for other in &blocks {
            let under = [other.clone()];
            let answer = ask(Some(Attention::Identity(&under)));
            assert_eq!(answer == usual, other == block, "{other}, {block} silent");
        }
    }
}

#[test]
fn the_attention_of_an_upsampler_is_asked_as_a_denoisers() {
    let arch = tiny(16, Some(8), 0);
    let weights = heard(&Arch::SuperRes(arch.clone())).into_iter().collect();
    let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let net = SuperRes::new(&arch, vb).unwrap();
    let x = normal(1, (1, 3, 16, 16), 1.0).unwrap();
    let low = normal(2, (1, 3, 8, 8), 0.5).unwrap();
    let t = Tensor::new(&[500f32], &Device::Cpu).unwrap();
    let ask = |attention: Option<Attention>| {
        let given = Conditions {
            low: Some(&low),
            attention,
            ..Conditions::default()
        };
        net.denoise(&x, &t, &given).unwrap()
    };
    let names = [NAME.to_string()];
    let under = ask(Some(Attention::Identity(&names)));
    assert!(far(&under, &ask(None)).unwrap() > 1e-6);
    let probe = Probe::new(NAME.to_string());
    ask(Some(Attention::Kept(&probe)));
    assert_eq!(probe.received().unwrap().dims(), [1, 8, 8]);
}
