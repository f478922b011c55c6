//! guided-diffusion's command lines as experiment files: every one of its README, and every way to get one wrong.

use fidrunner::experiment::file::experiment::{Experiment, Sampler, Steps};
use fidrunner::experiment::guided_diffusion::import::import;
use fidrunner::experiment::nets::arch::{Arch, NoiseSchedule, QkvOrder};
use fidrunner::experiment::nets::resolve::resolve;
use std::path::Path;

const COMMON: &str = "--attention_resolutions 32,16,8 --diffusion_steps 1000 --learn_sigma True \
    --resblock_updown True --use_scale_shift_norm True";
const SAMPLE: &str = "--batch_size 4 --num_samples 100 --timestep_respacing 250";

/// The file of a command line whose paths are not there, read back.
fn read(flags: &str) -> Experiment {
    let text = import(flags, &|_: &Path| false).unwrap();
    let spec: Experiment = toml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    spec.check().unwrap();
    spec
}

fn message(flags: &str) -> String {
    let error = import(flags, &|_: &Path| false).expect_err(flags);
    format!("{error:#}")
}

/// Flags, preset, fetched weights, classifier's preset and scale.
type Line = (
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, f64)>,
);

/// The README's sampling lines.
const LINES: [Line; 9] = [
    (
        "python classifier_sample.py --class_cond True --dropout 0.1 --image_size 64 --noise_schedule cosine --num_channels 192 --num_head_channels 64 --num_res_blocks 3 --use_new_attention_order True --use_fp16 True --classifier_depth 4 --classifier_scale 1.0 --classifier_path models/64x64_classifier.pt --model_path models/64x64_diffusion.pt",
        "imagenet64",
        "fetch:imagenet64",
        Some(("imagenet64-classifier", 1.0)),
    ),
    (
        "--class_cond True --image_size 128 --noise_schedule linear --num_channels 256 --num_heads 4 --num_res_blocks 2 --use_fp16 True --classifier_scale 0.5 --classifier_path models/128x128_classifier.pt --model_path models/128x128_diffusion.pt",
        "imagenet128",
        "fetch:imagenet128",
        Some(("imagenet128-classifier", 0.5)),
    ),
    (
        "--class_cond True --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --classifier_scale 1.0 --classifier_path models/256x256_classifier.pt --model_path models/256x256_diffusion.pt",
        "imagenet256",
        "fetch:imagenet256",
        Some(("imagenet256-classifier", 1.0)),
    ),
    (
        "--class_cond False --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --classifier_scale 10.0 --classifier_path models/256x256_classifier.pt --model_path models/256x256_diffusion_uncond.pt",
        "imagenet256-uncond",
        "fetch:imagenet256-uncond",
        Some(("imagenet256-classifier", 10.0)),
    ),
    (
        "--class_cond True --image_size 512 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 False --classifier_scale 4.0 --classifier_path models/512x512_classifier.pt --model_path models/512x512_diffusion.pt",
        "imagenet512",
        "fetch:imagenet512",
        Some(("imagenet512-classifier", 4.0)),
    ),
    (
        "python image_sample.py --class_cond False --dropout 0.1 --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --model_path models/lsun_bedroom.pt",
        "lsun-bedroom",
        "fetch:lsun-bedroom",
        None,
    ),
    (
        "--class_cond False --dropout 0.1 --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --model_path models/lsun_cat.pt",
        "lsun-cat",
        "fetch:lsun-cat",
        None,
    ),
    (
        "--class_cond False --dropout 0.1 --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --model_path models/lsun_horse.pt",
        "lsun-horse",
        "fetch:lsun-horse",
        None,
    ),
    (
        "--class_cond False --dropout 0.0 --image_size 256 --noise_schedule linear --num_channels 256 --num_head_channels 64 --num_res_blocks 2 --use_fp16 True --model_path models/lsun_horse_nodropout.pt",
        "lsun-horse",
        "fetch:lsun-horse-nodropout",
        None,
    ),
];

#[test]
fn every_sampling_line_of_the_readme_is_its_preset() {
    for (line, preset, weights, guide) in LINES {
        let (program, flags) = line.split_once("--").unwrap();
        let spec = read(&format!("{program} {COMMON} {SAMPLE} --{flags}"));
        assert_eq!(spec.model.preset.as_deref(), Some(preset), "{line}");
        assert!(spec.model.arch.is_empty() && spec.model.process.is_empty());
        assert_eq!(
            spec.model.checkpoint.as_ref().unwrap().to_str(),
            Some(weights)
        );
        let found = spec
            .guidance
            .as_ref()
            .map(|g| (g.preset.as_deref().unwrap(), g.scale));
        assert_eq!(found, guide);
        let sample = spec.net_sample().unwrap().clone();
        assert_eq!((sample.batch, sample.count), (4, 100));
        assert_eq!(
            (sample.sampler, sample.steps),
            (Sampler::Ddpm, Steps::Count(250))
        );
    }
}

#[test]
fn the_readmes_example_in_25_steps_has_every_classifier_flag() {
    let spec = read(
        "mpiexec -n 8 python scripts/classifier_sample.py \\\n --model_path /path/to/model.pt \\\n --classifier_path path/to/classifier.pt \
         --attention_resolutions 32,16,8 --class_cond True --image_size 128 --learn_sigma True --num_channels 256 --num_heads 4 --num_res_blocks 2 --resblock_updown True --use_fp16 True --use_scale_shift_norm True \
         --image_size 128 --classifier_attention_resolutions 32,16,8 --classifier_depth 2 --classifier_width 128 --classifier_pool attention --classifier_resblock_updown True --classifier_use_scale_shift_norm True --classifier_scale 1.0 --classifier_use_fp16 True \
         --batch_size 4 --num_samples 50000 --timestep_respacing ddim25 --use_ddim True",
    );
    assert_eq!(spec.name, "imagenet128-guided");
    // Nobody publishes a file of this name: the path stays, for the plan to miss it.
    assert_eq!(
        spec.model.checkpoint.as_ref().unwrap().to_str(),
        Some("/path/to/model.pt")
    );
    let sample = spec.net_sample().unwrap().clone();
    assert_eq!(sample.sampler, Sampler::Ddim);
    assert_eq!(sample.steps, Steps::Sections("ddim25".into()));
}

#[test]
fn flags_that_no_release_has_are_changes_to_the_nearest_preset() {
    // The defaults, and a size of their own.
    let spec = read(
        "--model_path x.pt --image_size 32 --channel_mult 1,2,2 --use_kl True --rescale_timesteps t",
    );
    assert_eq!(spec.name, "imported");
    let (arch, process) = resolve(&spec.model, None).unwrap();
    let Arch::Unet(net) = arch else { panic!() };
    assert_eq!((net.trunk.resolution, net.trunk.channels), (32, 128));
    assert_eq!(net.trunk.channel_mult, [1.0, 2.0, 2.0]);
    assert_eq!(net.trunk.attention, [16, 8]);
    assert_eq!((net.trunk.heads, net.trunk.channels_per_head), (4, None));
    assert_eq!(net.trunk.qkv_order, QkvOrder::Legacy);
    assert!(net.trunk.adagn && !net.trunk.updown && !net.learn_sigma);
    assert_eq!(net.classes, None);
    let process = process.unwrap();
    assert_eq!(process.schedule, NoiseSchedule::Linear);
    assert!(process.rescale_timesteps && process.timesteps == 1000);
    let sample = spec.net_sample().unwrap().clone();
    assert_eq!(sample.steps, Steps::Count(1000));
    assert_eq!((sample.count, sample.batch), (10_000, 16));
    let spec = read("--model_path x.pt --num_heads 2 --num_heads_upsample 8 --class_cond 1");
    let Arch::Unet(net) = resolve(&spec.model, None).unwrap().0 else {
        panic!()
    };
    assert_eq!(
        (net.trunk.heads, net.heads_up, net.classes),
        (2, Some(8), Some(1000))
    );
}

#[test]
fn what_has_no_meaning_here_is_told_in_the_file() {
    let text = import(
        "--model_path m.pt --use_fp16 True --dropout 0.1 --num_heads 4 --num_head_channels 64 --classifier_depth 3",
        &|_: &Path| true,
    )
    .unwrap();
    for line in [
        "# Without effect here: --dropout 0.1 (only training drops out)\n",
        "# Without effect here: --use_fp16 True (32 bits; dtype = \"f16\" beside the steps is the same)\n",
        "# Without effect: --num_heads 4 (--num_head_channels decides)\n",
        "# Without effect: --classifier_depth 3 (no --classifier_path)\n",
        "checkpoint = \"m.pt\"\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let text = import("--model_path models/64x64_diffusion.pt", &|_: &Path| false).unwrap();
    let line = "# --model_path models/64x64_diffusion.pt is not here, and published: runner fetch imagenet64\n";
    assert!(text.contains(line), "{text}");
}

/// The two command lines of the release's README for 256 pixels from 64.
#[test]
fn an_upsamplers_flags_are_the_second_stage_of_a_file() {
    let small = import(
        "--attention_resolutions 32,16,8 --class_cond True --diffusion_steps 1000 --image_size 64 --learn_sigma True \
         --noise_schedule cosine --num_channels 192 --num_head_channels 64 --num_res_blocks 3 --resblock_updown True \
         --use_new_attention_order True --use_scale_shift_norm True --model_path models/64x64_diffusion.pt \
         --batch_size 4 --num_samples 100 --timestep_respacing 250",
        &|_: &Path| false,
    );
    let upsampler = "python super_res_sample.py --attention_resolutions 32,16,8 --class_cond True --diffusion_steps 1000 \
         --large_size 256 --small_size 64 --learn_sigma True --noise_schedule linear --num_channels 192 --num_heads 4 \
         --num_res_blocks 2 --resblock_updown True --use_fp16 True --use_scale_shift_norm True \
         --model_path models/64_256_upsampler.pt --base_samples 64_samples.npz --num_samples 100 --batch_size 4 \
         --timestep_respacing 27";
    let table = import(upsampler, &|_: &Path| false).unwrap();
    for line in [
        "# Put it behind the tables that draw the small images (`runner import` of their command line).\n",
        "# Without effect here: --base_samples 64_samples.npz (what [sample] draws is made large, with its labels)\n",
        "# Without effect here: --use_fp16 True (32 bits; dtype = \"f16\" beside the steps is the same)\n",
        "# --model_path models/64_256_upsampler.pt is not here, and published: runner fetch imagenet64-to-256\n",
        "[upsample]\npreset = \"imagenet64-to-256\"\ncheckpoint = \"fetch:imagenet64-to-256\"\n",
        "steps = 27\n",
        "batch = 4\n",
    ] {
        assert!(table.contains(line), "{line}{table}");
    }
    // Both together are one file.
    let whole = format!("{}\n{table}", small.unwrap());
    let cells = fidrunner::experiment::grid::sweep::cells(&whole, &[], &[]).unwrap();
    let upsample = cells[0].spec.upsample.as_ref().unwrap();
    assert_eq!(upsample.preset.as_deref(), Some("imagenet64-to-256"));
    // 512 pixels from 128 have fewer attentions and no half-width level.
    let large = upsampler
        .replace("32,16,8", "32,16")
        .replace(
            "large_size 256 --small_size 64",
            "large_size 512 --small_size 128",
        )
        .replace("num_heads 4", "num_head_channels 64");
    let table = import(&large, &|_: &Path| true).unwrap();
    assert!(table.contains("preset = \"imagenet128-to-512\""), "{table}");
}

#[test]
fn every_mistake_is_named() {
    for (flags, expected) in [
        (
            "--imagesize 64",
            "guided-diffusion has no flag --imagesize\nhint: the nearest is --image_size",
        ),
        ("--image_size", "--image_size has no value"),
        (
            "--image_size many",
            "--image_size many is not a whole number from 1 up",
        ),
        (
            "--use_ddim maybe --model_path a",
            "--use_ddim maybe is neither True nor False",
        ),
        (
            "--noise_schedule sine",
            "--noise_schedule sine is neither linear nor cosine",
        ),
        (
            "--image_size 96",
            "--image_size 96 has no channel multipliers of its own\nhint: give them with --channel_mult, or use 64, 128, 256 or 512",
        ),
        (
            "--attention_resolutions 32;16",
            "--attention_resolutions 32;16 is not a list such as 32,16,8",
        ),
        (
            "",
            "--model_path is missing: there are no weights to draw with",
        ),
        (
            "--image_size 64 64",
            "`64` follows no flag\nhint: flags are read as `--name value`",
        ),
        (
            "$MODEL_FLAGS",
            "the flags hold a variable of a shell\nhint: write out what it stands for, or let the shell do so: \"$FLAGS\" in double quotes",
        ),
        (
            "--lr 3e-4",
            "--lr is a flag of training, and only the sampling scripts' command lines are read\nhint: training has a table of its own, [train]",
        ),
        (
            "python super_res_sample.py --large_size 256 --small_size 64",
            "--model_path is missing: there are no weights to draw with",
        ),
        (
            "--model_path u.pt --large_size 256 --small_size 32 --num_channels 192 --learn_sigma True",
            "the upsampler of these flags, 32 to 256 pixels, is none of the released ones\nhint: those are 64 to 256 and 128 to 512 pixels, with the flags of guided-diffusion's README",
        ),
        (
            "--model_path u.pt --large_size 256 --small_size 64 --image_size 64",
            "--image_size is no flag of super_res_sample, and --large_size, --small_size and --base_samples are no others'\nhint: import the two command lines one by one: the one that draws the small images, and this one",
        ),
        (
            "--classifier_scale 2",
            "--classifier_scale needs --classifier_path",
        ),
        (
            "--model_path a.pt --classifier_path b.pt",
            "the classifier of these flags is none of the released ones\nhint: that of 64 pixels needs --classifier_depth 4",
        ),
        (
            "--model_path a.pt --timestep_respacing ten",
            "sample.steps = \"ten\" is not a list of sections such as \"10,10,20\", nor \"ddimN\"",
        ),
    ] {
        assert_eq!(message(flags), expected, "{flags}");
    }
}
