//! Nets by name: the released ADM checkpoints (their README's flags as data) and the shapes nets that ship here.

use crate::experiment::nets::arch::{
    Arch, ClassifierArch, FeatureArch, NoiseSchedule, Pool, Prediction, Process, QkvOrder, Trunk,
    UnetArch, release_groups,
};

/// Every preset, in the order in which a checkpoint is tried against them.
pub const NAMES: [&str; 22] = [
    "imagenet64",
    "imagenet128",
    "imagenet256",
    "imagenet256-uncond",
    "imagenet512",
    "lsun-bedroom",
    "lsun-cat",
    "lsun-horse",
    "imagenet64-to-256",
    "imagenet128-to-512",
    "imagenet64-classifier",
    "imagenet128-classifier",
    "imagenet256-classifier",
    "imagenet512-classifier",
    "shapes16",
    "shapes32",
    "shapes64",
    "shapes16-to-64",
    "shapes16-classifier",
    "shapes32-classifier",
    "shapes64-classifier",
    "shapes-features",
];

/// The net and the diffusion process of a preset.
pub fn arch(name: &str) -> Option<(Arch, Process)> {
    let linear = process(NoiseSchedule::Linear);
    let cosine = process(NoiseSchedule::Cosine);
    Some(match name {
        "imagenet64" => {
            let mut trunk = released(64, 192, 3, multipliers(64));
            trunk.qkv_order = QkvOrder::New;
            (unet(trunk, Some(1000)), cosine)
        }
        "imagenet128" => {
            let mut trunk = released(128, 256, 2, multipliers(128));
            (trunk.heads, trunk.channels_per_head) = (4, None);
            (unet(trunk, Some(1000)), linear)
        }
        "imagenet256" => (
            unet(released(256, 256, 2, multipliers(256)), Some(1000)),
            linear,
        ),
        "imagenet256-uncond" | "lsun-bedroom" | "lsun-cat" | "lsun-horse" => {
            (unet(released(256, 256, 2, multipliers(256)), None), linear)
        }
        "imagenet512" => (
            unet(released(512, 256, 2, multipliers(512)), Some(1000)),
            linear,
        ),
        "imagenet64-to-256" => {
            let mut trunk = released(256, 192, 2, multipliers(256));
            (trunk.heads, trunk.channels_per_head) = (4, None);
            (upsampler(trunk, 64, 1000), linear)
        }
        "imagenet128-to-512" => {
            // The upsampler has its own table: no half-width level at 512 pixels.
            let mut trunk = released(512, 192, 2, multipliers(256));
            trunk.attention = vec![32, 16];
            (upsampler(trunk, 128, 1000), linear)
        }
        "imagenet64-classifier" => (
            classifier(released(64, 128, 4, multipliers(64)), 1000),
            cosine,
        ),
        "imagenet128-classifier" => (
            classifier(released(128, 128, 2, multipliers(128)), 1000),
            linear,
        ),
        "imagenet256-classifier" => (
            classifier(released(256, 128, 2, multipliers(256)), 1000),
            linear,
        ),
        "imagenet512-classifier" => (
            classifier(released(512, 128, 2, multipliers(512)), 1000),
            linear,
        ),
        "shapes16" => (denoiser(shapes(16, &[1.0, 2.0, 3.0])), cosine),
        "shapes32" => (denoiser(shapes(32, &[0.5, 1.0, 2.0, 3.0])), cosine),
        "shapes64" => (denoiser(shapes(64, &[0.5, 0.5, 1.0, 2.0, 3.0])), cosine),
        "shapes16-to-64" => {
            // 64 pixels' denoiser with a wider stem, and trained from it.
            let mut trunk = shapes(64, &[0.5, 0.5, 1.0, 2.0, 3.0]);
            trunk.norm_groups = 8;
            (upsampler(trunk, 16, 10), cosine)
        }
        "shapes16-classifier" => (classifier(shapes(16, &[1.0, 2.0, 2.0]), 10), cosine),
        "shapes32-classifier" => (narrow_classifier(shapes(32, &[0.5, 1.0, 2.0, 2.0])), cosine),
        "shapes64-classifier" => (
            narrow_classifier(shapes(64, &[0.5, 0.5, 1.0, 2.0, 2.0])),
            cosine,
        ),
        "shapes-features" => (
            Arch::Features(FeatureArch {
                resolution: 64,
                channels: 32,
                pool: 64,
                spatial: 8,
                classes: 10,
                attributes: 14,
            }),
            cosine,
        ),
        _ => return None,
    })
}

/// The release's default `channel_mult` of an image size.
pub fn multipliers(resolution: usize) -> &'static [f64] {
    match resolution {
        512 => &[0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0],
        256 => &[1.0, 1.0, 2.0, 2.0, 4.0, 4.0],
        128 => &[1.0, 1.0, 2.0, 3.0, 4.0],
        _ => &[1.0, 2.0, 3.0, 4.0],
    }
}

fn process(schedule: NoiseSchedule) -> Process {
    Process {
        schedule,
        timesteps: 1000,
        rescale_timesteps: false,
        predict: Prediction::Noise,
    }
}

/// AdaGN, BigGAN up and down, attention at 32, 16 and 8 pixels, 64 channels a head.
fn released(resolution: usize, channels: usize, res_blocks: usize, channel_mult: &[f64]) -> Trunk {
    Trunk {
        resolution,
        in_channels: 3,
        channels,
        res_blocks,
        channel_mult: channel_mult.to_vec(),
        attention: vec![32, 16, 8],
        heads: 1,
        channels_per_head: Some(64),
        qkv_order: QkvOrder::Legacy,
        adagn: true,
        updown: true,
        conv_resample: true,
        norm_groups: release_groups(),
        rescale_residual: false,
    }
}

/// The same house style, small: attention at 8 and 4 pixels, 32 channels a head.
fn shapes(resolution: usize, channel_mult: &[f64]) -> Trunk {
    Trunk {
        attention: vec![8, 4],
        channels_per_head: Some(32),
        qkv_order: QkvOrder::New,
        ..released(resolution, 32, 1, channel_mult)
    }
}

/// A UNet for the ten shapes. The three stand one inside the other, 16 pixels' levels within 32's and these within
/// 64's, so that each is trained from the one before. Its 32 channels make 8 groups: 32 groups of one channel each
/// would hide the noisy image's mean colour from it, and the samples would come out oversaturated.
fn denoiser(mut trunk: Trunk) -> Arch {
    trunk.norm_groups = 8;
    unet(trunk, Some(10))
}

/// A classifier of the ten shapes with half the channels above 16 pixels, where a guided step spends most of its time.
/// 16 channels cannot be divided into the release's 32 groups.
fn narrow_classifier(mut trunk: Trunk) -> Arch {
    trunk.norm_groups = 8;
    classifier(trunk, 10)
}

fn unet(trunk: Trunk, classes: Option<usize>) -> Arch {
    Arch::Unet(UnetArch {
        trunk,
        heads_up: None,
        classes,
        null_class: false,
        learn_sigma: true,
        low_resolution: None,
    })
}

fn upsampler(trunk: Trunk, low: usize, classes: usize) -> Arch {
    Arch::SuperRes(UnetArch {
        trunk,
        heads_up: None,
        classes: Some(classes),
        null_class: false,
        learn_sigma: true,
        low_resolution: Some(low),
    })
}

fn classifier(mut trunk: Trunk, classes: usize) -> Arch {
    trunk.qkv_order = QkvOrder::Legacy;
    Arch::Classifier(ClassifierArch {
        trunk,
        classes,
        pool: Pool::Attention,
    })
}
