//! The nets' options: what cannot be built or fed is an error, and what can does not depend on the batch around it.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use fidrunner::experiment::nets::arch::{
    Arch, ClassifierArch, FeatureArch, Pool, QkvOrder, Trunk, UnetArch,
};
use fidrunner::nets::adm::classifier::Classifier;
use fidrunner::nets::adm::layers::Dropout;
use fidrunner::nets::adm::unet::{SuperRes, Unet};
use fidrunner::nets::features::FeatureNet;
use fidrunner::nets::inventory;

fn trunk() -> Trunk {
    Trunk {
        resolution: 16,
        in_channels: 3,
        channels: 32,
        res_blocks: 1,
        channel_mult: vec![1.0, 2.0],
        attention: vec![8],
        heads: 1,
        channels_per_head: Some(32),
        qkv_order: QkvOrder::New,
        adagn: true,
        updown: true,
        conv_resample: true,
        norm_groups: 32,
        rescale_residual: false,
    }
}

fn unet() -> UnetArch {
    UnetArch {
        trunk: trunk(),
        heads_up: None,
        classes: Some(5),
        null_class: false,
        learn_sigma: true,
        low_resolution: None,
    }
}

fn classifier(pool: Pool) -> ClassifierArch {
    ClassifierArch {
        trunk: trunk(),
        classes: 5,
        pool,
    }
}

fn features() -> FeatureArch {
    FeatureArch {
        resolution: 64,
        channels: 32,
        pool: 16,
        spatial: 4,
        classes: 5,
        attributes: 3,
    }
}

/// Weights without zero layers, so that every part of the net speaks.
fn weights(arch: &Arch) -> VarBuilder<'static> {
    let fresh = inventory::initial(arch, 1).unwrap();
    let lively = |(name, t): (String, Tensor)| {
        let wave = Tensor::arange(0f32, t.elem_count() as f32, &Device::Cpu).unwrap();
        let wave = (wave.sin().unwrap() * 0.05)
            .unwrap()
            .reshape(t.shape())
            .unwrap();
        (name, (t + wave).unwrap())
    };
    let tensors = fresh.into_iter().map(lively).collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

fn wave(shape: (usize, usize, usize, usize)) -> Tensor {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    let x = Tensor::arange(0f32, count as f32, &Device::Cpu).unwrap();
    (x * 0.37).unwrap().sin().unwrap().reshape(shape).unwrap()
}

fn times(t: &[f32]) -> Tensor {
    Tensor::new(t, &Device::Cpu).unwrap()
}

fn labels(y: &[u32]) -> Tensor {
    Tensor::new(y, &Device::Cpu).unwrap()
}

fn bits(x: &Tensor) -> Vec<u32> {
    let flat = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(
        flat.iter().any(|v| *v != 0.0),
        "an answer of zeros proves nothing"
    );
    flat.into_iter().map(f32::to_bits).collect()
}

/// One image's answer made alone, and in a batch.
fn same(alone: &Tensor, in_batch: &Tensor, of: &str) {
    let (a, b) = (bits(alone), bits(in_batch));
    let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
    assert_eq!((a.len(), differ), (b.len(), 0), "values of {of}");
}

fn refused<T>(what: Result<T>, part: &str) {
    match what {
        Ok(_) => panic!("accepted, though {part}"),
        Err(error) => assert!(error.to_string().contains(part), "{error}"),
    }
}

#[test]
fn impossible_architectures_are_refused_with_what_was_found() {
    let refuse = |change: fn(&mut UnetArch), part: &str| {
        let mut arch = unet();
        change(&mut arch);
        refused(inventory::tensors(&Arch::Unet(arch.clone())), part);
        let net = ClassifierArch {
            trunk: arch.trunk,
            classes: arch.classes.unwrap_or(5),
            pool: Pool::Attention,
        };
        if arch.heads_up.is_none() {
            refused(inventory::tensors(&Arch::Classifier(net)), part);
        }
    };
    refuse(|a| a.trunk.channels = 48, "multiple of 32");
    refuse(|a| a.trunk.channels = 0, "multiple of 32");
    refuse(|a| a.trunk.channel_mult = vec![], "at least one level");
    refuse(|a| a.trunk.channel_mult = vec![1.0, 0.3], "multiple of 32");
    refuse(
        |a| a.trunk.channel_mult = vec![1.0, f64::NAN],
        "multiple of 32",
    );
    refuse(
        |a| a.trunk.channel_mult = vec![1.0; 200],
        "cannot be halved",
    );
    refuse(|a| a.trunk.resolution = 17, "cannot be halved");
    refuse(|a| a.trunk.resolution = 0, "cannot be halved");
    refuse(|a| a.trunk.attention = vec![6], "lies on no level");
    refuse(|a| a.trunk.attention = vec![0], "lies on no level");
    refuse(|a| a.trunk.res_blocks = 0, "res_blocks");
    refuse(|a| a.trunk.in_channels = 0, "in_channels");
    refuse(|a| a.trunk.channels_per_head = Some(24), "does not divide");
    refuse(|a| a.trunk.channels_per_head = Some(0), "at least 1");
    refuse(|a| a.classes = Some(0), "classes = 0");
    refuse(
        |a| {
            a.trunk.channels_per_head = None;
            a.heads_up = Some(3);
        },
        "does not divide",
    );
    let wrong: [fn(&mut FeatureArch); 4] = [
        |a| a.resolution = 48,
        |a| a.resolution = 0,
        |a| a.channels = 20,
        |a| a.classes = 0,
    ];
    for change in wrong {
        let mut arch = features();
        change(&mut arch);
        assert!(inventory::tensors(&Arch::Features(arch)).is_err());
    }
}

#[test]
fn what_does_not_fit_the_net_is_refused() {
    let net = Unet::new(&unet(), weights(&Arch::Unet(unet()))).unwrap();
    let (x, t, y) = (wave((2, 3, 16, 16)), times(&[1.0, 2.0]), labels(&[0, 4]));
    assert!(net.forward(&x, &t, Some(&y), None).is_ok());
    refused(net.forward(&x, &t, None, None), "given no labels");
    refused(
        net.forward(&x, &t, Some(&labels(&[0])), None),
        "need 2 labels",
    );
    refused(
        net.forward(&x, &t, Some(&labels(&[0, 5])), None),
        "outside 0..=4",
    );
    refused(
        net.forward(&x, &times(&[1.0]), Some(&y), None),
        "need 2 timesteps",
    );
    refused(
        net.forward(&wave((2, 3, 15, 16)), &t, Some(&y), None),
        "divisible by 2",
    );
    refused(
        net.forward(&wave((2, 1, 16, 16)), &t, Some(&y), None),
        "takes [n, 3, h, w]",
    );
    let mut free = unet();
    free.classes = None;
    let net = Unet::new(&free, weights(&Arch::Unet(free.clone()))).unwrap();
    refused(net.forward(&x, &t, Some(&y), None), "unconditional");
    let arch = classifier(Pool::Attention);
    let net = Classifier::new(&arch, weights(&Arch::Classifier(arch.clone()))).unwrap();
    refused(net.logits(&wave((2, 3, 32, 32)), &t), "attention pool");
    let net = FeatureNet::new(&features(), weights(&Arch::Features(features()))).unwrap();
    refused(net.forward(&wave((1, 3, 16, 8))), "square");
    refused(net.forward(&wave((1, 1, 16, 16))), "3 channels");
}

#[test]
fn an_image_has_the_same_bits_alone_and_in_a_batch() {
    let (x, t, y) = (
        wave((3, 3, 16, 16)),
        times(&[0.0, 500.5, 999.0]),
        labels(&[4, 0, 2]),
    );
    let alone = |v: &Tensor, i: usize| v.narrow(0, i, 1).unwrap().contiguous().unwrap();
    let arch = Arch::SuperRes(unet());
    let net = SuperRes::new(&unet(), weights(&arch)).unwrap();
    let low = wave((3, 3, 5, 5));
    let all = net.forward(&x, &t, &low, Some(&y), None).unwrap();
    for i in 0..3 {
        let (x, t, low, y) = (alone(&x, i), alone(&t, i), alone(&low, i), alone(&y, i));
        let one = net.forward(&x, &t, &low, Some(&y), None).unwrap();
        same(&one, &alone(&all, i), &format!("image {i} of the UNet"));
    }
    for pool in [
        Pool::Adaptive,
        Pool::Attention,
        Pool::Spatial,
        Pool::SpatialV2,
    ] {
        let arch = classifier(pool);
        let net = Classifier::new(&arch, weights(&Arch::Classifier(arch.clone()))).unwrap();
        let guide = |x: &Tensor, t: &Tensor| {
            let x = Var::from_tensor(x).unwrap();
            let chosen = net.log_probs(&x, t).unwrap().narrow(1, 2, 1).unwrap();
            let grads = chosen.sum_all().unwrap().backward().unwrap();
            grads.get(&x).unwrap().clone()
        };
        let all = guide(&x, &t);
        for i in 0..3 {
            let one = guide(&alone(&x, i), &alone(&t, i));
            same(&one, &alone(&all, i), &format!("image {i}, {pool:?}"));
        }
    }
    let net = FeatureNet::new(&features(), weights(&Arch::Features(features()))).unwrap();
    let all = net.forward(&x).unwrap();
    for i in 0..3 {
        let one = net.forward(&alone(&x, i)).unwrap();
        assert_eq!(
            bits(&one.pool),
            bits(&alone(&all.pool, i)),
            "image {i}'s features"
        );
        assert_eq!(
            bits(&one.spatial),
            bits(&alone(&all.spatial, i)),
            "image {i}'s features"
        );
    }
}

#[test]
fn fresh_weights_are_torchs_and_come_back_for_their_seed() {
    let arch = Arch::Unet(unet());
    let (first, again) = (inventory::initial(&arch, 7), inventory::initial(&arch, 7));
    let other = inventory::initial(&arch, 8).unwrap();
    for (((name, a), (_, b)), (_, c)) in first.unwrap().iter().zip(again.unwrap()).zip(&other) {
        let list = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (a, b, c) = (list(a), list(&b), list(c));
        assert!(a == b, "{name}");
        let silent = ["out_layers.3", "proj_out", "out.2"];
        if silent.iter().any(|s| name.contains(s)) {
            assert!(a.iter().all(|v| *v == 0.0), "{name}");
        } else if name == "input_blocks.1.0.in_layers.2.weight" {
            let bound = 1.0 / (32f32 * 9.0).sqrt();
            assert!(a.iter().all(|v| v.abs() <= bound) && a.iter().any(|v| v.abs() > 0.99 * bound));
            assert!(a != c, "{name}");
        } else if name == "label_emb.weight" {
            let var = a.iter().map(|v| v * v).sum::<f32>() / a.len() as f32;
            assert!((var - 1.0).abs() < 0.2, "{var}");
        }
    }
}

#[test]
fn dropout_is_the_same_for_a_step_and_differs_between_steps() {
    let net = Unet::new(&unet(), weights(&Arch::Unet(unet()))).unwrap();
    let (x, t, y) = (wave((1, 3, 16, 16)), times(&[9.0]), labels(&[1]));
    let at = |step: u64| {
        let dropout = Dropout::new(0.3, 5, step);
        bits(&net.forward(&x, &t, Some(&y), Some(&dropout)).unwrap())
    };
    assert!(at(11) == at(11), "the same step");
    assert!(at(11) != at(12), "another step");
    assert!(
        at(11) != bits(&net.forward(&x, &t, Some(&y), None).unwrap()),
        "no dropout"
    );
}

#[test]
fn features_have_their_shapes_for_any_square_image() {
    let net = FeatureNet::new(&features(), weights(&Arch::Features(features()))).unwrap();
    for side in [1, 16, 64, 100, 128] {
        let seen = net.forward(&wave((2, 3, side, side))).unwrap();
        assert_eq!(seen.pool.dims(), [2, 16]);
        assert_eq!(seen.spatial.dims(), [2, 64]);
        assert_eq!(seen.logits.dims(), [2, 5]);
        assert_eq!(seen.attributes.dims(), [2, 3]);
    }
}

#[test]
fn a_fractional_width_and_every_other_option_make_a_net_that_answers() {
    let options: [fn(&mut UnetArch); 7] = [
        |a| {
            a.trunk.channels = 64;
            a.trunk.channel_mult = vec![0.5, 1.0];
        },
        |a| a.trunk.rescale_residual = true,
        |a| a.trunk.norm_groups = 8,
        |a| a.trunk.adagn = false,
        |a| a.trunk.updown = false,
        |a| {
            a.trunk.updown = false;
            a.trunk.conv_resample = false;
        },
        |a| {
            a.trunk.channels_per_head = None;
            a.heads_up = Some(4);
            a.trunk.attention = vec![16, 8, 4];
        },
    ];
    for (i, change) in options.into_iter().enumerate() {
        let mut arch = unet();
        change(&mut arch);
        let net = Unet::new(&arch, weights(&Arch::Unet(arch.clone()))).unwrap();
        let out = net.forward(
            &wave((1, 3, 16, 16)),
            &times(&[9.0]),
            Some(&labels(&[1])),
            None,
        );
        let out = out.unwrap();
        assert_eq!(out.dims(), [1, 6, 16, 16], "option {i}");
        bits(&out);
    }
}
