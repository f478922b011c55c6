//! Two stages in one cell: samples, then large images of them by a super-resolution net of the same labels.

use crate::support::archs::{CLASSES, heard, save_heard, tiny};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Output, Reading};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::Noise;
use fidrunner::diffusion::samplers::draw::{Recipe, draw, to_u8};
use fidrunner::diffusion::samplers::method::Method;
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::experiment::key::Key;
use fidrunner::experiment::nets::arch::{Answer, Arch};
use fidrunner::experiment::nets::presets;
use fidrunner::io::numpy::npz::Npz;
use fidrunner::jobs::context::{JobContext, Progress, Stopped};
use fidrunner::jobs::job::Job;
use fidrunner::jobs::of_cell::jobs_of;
use fidrunner::nets::adm::unet::SuperRes;
use fidrunner::run::plan::Plan;
use fidrunner::run::store::Store;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const FILE: &str = r#"
name = "two"
[model]
checkpoint = "small.safetensors"
[sample]
steps = 2
count = 7
part = 3
seed = 5
[upsample]
checkpoint = "large.safetensors"
steps = 3
batch = 3
part = 4
"#;

/// A folder with the nets, and one for the results.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        save_heard(
            &Arch::Unet(tiny(8, None, CLASSES)),
            &at("small.safetensors"),
        );
        save_heard(&Arch::Unet(tiny(8, None, 0)), &at("plain.safetensors"));
        save_heard(&Arch::Unet(tiny(4, None, CLASSES)), &at("tiny.safetensors"));
        let large = |classes| Arch::SuperRes(tiny(16, Some(8), classes));
        save_heard(&large(CLASSES), &at("large.safetensors"));
        save_heard(&large(4), &at("four.safetensors"));
        Desk { folder }
    }

    fn text(&self, text: &str) -> String {
        let at = |name: &str| format!("{}/{name}.safetensors", self.folder.path().display());
        let mut text = text.to_string();
        for name in ["small", "plain", "tiny", "large", "four"] {
            text = text.replace(&format!("{name}.safetensors"), &at(name));
        }
        text
    }

    fn jobs(&self, set: &[&str]) -> Result<Vec<Job>, String> {
        let set: Vec<String> = set.iter().map(|s| self.text(s)).collect();
        let sweep = sweep(&self.text(FILE), &set, &[]).map_err(|e| format!("{e:#}"))?;
        // Where backtraces are asked for, the last error carries one.
        let text = |text: String| text.split("\n   0:").next().unwrap_or_default().to_string();
        jobs_of(&sweep.cells[0]).map_err(|e| text(format!("{e:#}")))
    }

    /// Runs every job in a folder of its own, named by its key, and returns the last.
    fn run(&self, root: &str, set: &[&str]) -> PathBuf {
        let jobs = self.jobs(set).unwrap();
        let stop = AtomicBool::new(false);
        for job in &jobs {
            self.try_one(root, job, &stop, &|_| {}).unwrap();
        }
        self.place(root, &jobs[jobs.len() - 1].key().unwrap())
    }

    fn place(&self, root: &str, key: &Key) -> PathBuf {
        self.folder.path().join(root).join(key.short())
    }

    fn try_one(
        &self,
        root: &str,
        job: &Job,
        stop: &AtomicBool,
        tell: &(dyn Fn(Progress) + Sync),
    ) -> anyhow::Result<()> {
        let out = self.place(root, &job.key()?);
        std::fs::create_dir_all(&out)?;
        let input = |key: &Key| self.place(root, key);
        let context = JobContext::new(Device::Cpu, &out, &out, &input, tell, stop)?;
        fidrunner::stages::run(job, &context)
    }
}

/// The parts in a folder by name, each with its bytes.
fn parts(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    let named = files.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()));
    let images = named.filter(|(name, _)| name.starts_with("images-"));
    images
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

/// All images of a folder, u8, with their labels and the pixels a side.
fn images(folder: &Path) -> (Vec<u8>, Vec<i64>, usize) {
    let (mut pixels, mut labels, mut side) = (Vec::new(), Vec::new(), 0);
    for name in parts(folder).keys() {
        let mut file = Npz::open(&folder.join(name)).unwrap();
        let part = file.u8("arr_0").unwrap();
        side = part.shape[1];
        pixels.extend(part.data);
        labels.extend(file.i64("arr_1").unwrap().data);
    }
    (pixels, labels, side)
}

#[test]
fn the_second_stage_does_not_make_the_first_again() {
    let desk = Desk::new();
    let keys = |set: &[&str]| -> Vec<String> {
        let jobs = desk.jobs(set).unwrap();
        jobs.iter()
            .map(|j| j.key().unwrap().full().to_string())
            .collect()
    };
    let plain = keys(&[]);
    assert_eq!(plain.len(), 2);
    for same in [
        &["upsample.batch=1"][..],
        &["upsample.part=1", "sample.part=7"],
        &["upsample.steps=\"3\""],
        &["upsample.variance=learned"],
        &["sample.count=9"],
    ] {
        assert_eq!(keys(same), plain, "{same:?}");
    }
    for other in [
        &["upsample.steps=4"][..],
        &["upsample.sampler=ddim"],
        &["upsample.temperature=0.5"],
        &["upsample.clip=false"],
        &["upsample.variance=fixed_small"],
    ] {
        let other = keys(other);
        assert_eq!(other[0], plain[0]);
        assert_ne!(other[1], plain[1]);
    }
    for both in [&["sample.seed=6"][..], &["sample.steps=3"]] {
        let both = keys(both);
        assert!(both[0] != plain[0] && both[1] != plain[1]);
    }
    assert_eq!(keys(&["upsample.checkpoint=none"]), [plain[0].clone()]);
}

#[test]
fn an_image_is_the_same_for_any_batch_and_any_parts_of_either_stage() {
    let desk = Desk::new();
    for sampler in ["ddpm", "ddim"] {
        let (first, second) = (
            format!("sample.sampler={sampler}"),
            format!("upsample.sampler={sampler}"),
        );
        let one = desk.run(&format!("one-{sampler}"), &[&first, &second]);
        let sets = [
            &first[..],
            &second,
            "upsample.batch=7",
            "upsample.part=100",
            "sample.part=2",
        ];
        let other = desk.run(&format!("other-{sampler}"), &sets);
        assert_eq!((parts(&one).len(), parts(&other).len()), (2, 1));
        assert!(images(&one) == images(&other), "{sampler}");
        let (pixels, labels, side) = images(&one);
        assert_eq!((pixels.len(), side), (7 * 16 * 16 * 3, 16));
        assert_eq!(labels, [0, 1, 2, 0, 1, 2, 0]);
    }
}

#[test]
fn a_stage_that_is_stopped_goes_on_with_what_is_missing() {
    let desk = Desk::new();
    let whole = desk.run("whole", &[]);
    let jobs = desk.jobs(&[]).unwrap();
    let stop = AtomicBool::new(false);
    desk.try_one("halves", &jobs[0], &stop, &|_| {}).unwrap();
    let told = |_: Progress| stop.store(true, Ordering::Relaxed);
    let ended = desk.try_one("halves", &jobs[1], &stop, &told).unwrap_err();
    assert!(ended.is::<Stopped>(), "{ended:#}");
    let folder = desk.place("halves", &jobs[1].key().unwrap());
    let first = parts(&folder);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["images-000000-000003.npz"],
        "the batch at hand, as a shorter part"
    );
    // A part that is there is not drawn again: this one would come back as it was.
    let path = folder.join("images-000000-000003.npz");
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    stop.store(false, Ordering::Relaxed);
    desk.try_one("halves", &jobs[1], &stop, &|_| {}).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().modified().unwrap(),
        written
    );
    assert!(images(&folder) == images(&whole));
    // More images are those and some more, whose base images come first.
    desk.run("whole", &["sample.count=9"]);
    let (more, _, _) = images(&whole);
    let (before, _, _) = images(&folder);
    assert_eq!(more.len() / 9, before.len() / 7);
    assert!(more.starts_with(&before));
}

#[test]
fn the_stage_draws_what_its_net_does_from_the_stored_images() {
    let desk = Desk::new();
    let net = tiny(16, Some(8), CLASSES);
    let vb: HashMap<String, Tensor> = heard(&Arch::SuperRes(net.clone())).into_iter().collect();
    let unet = SuperRes::new(&net, VarBuilder::from_tensors(vb, DType::F32, &Device::Cpu)).unwrap();
    let (_, process) = presets::arch("shapes16").unwrap();
    let schedule = Schedule::new(&process, "3").unwrap();
    for (name, method) in [("ddpm", Method::Ddpm), ("ddim", Method::Ddim { eta: 0.5 })] {
        let set = format!("upsample.sampler={name}");
        let made = desk.run(name, &[&set, "upsample.eta=0.5"]);
        let base = desk.jobs(&[]).unwrap()[0].key().unwrap();
        let (small, labels, side) = images(&desk.place(name, &base));
        assert_eq!(side, 8);
        let (large, passed, _) = images(&made);
        assert_eq!(labels, passed);
        let recipe = Recipe {
            reading: Reading {
                schedule: &schedule,
                output: Output::of(&process, Answer::MeanAndVariance),
                clamp: Clamp::Unit,
            },
            method: &method,
            guidance: None,
        };
        let mut heard = 0;
        for (i, &label) in labels.iter().enumerate() {
            let each = 8 * 8 * 3;
            let pixels = Tensor::from_slice(&small[i * each..][..each], (1, 8, 8, 3), &Device::Cpu);
            let low = pixels.unwrap().permute((0, 3, 1, 2)).unwrap();
            let low = (low.to_dtype(DType::F32).unwrap() / 127.5).unwrap();
            let low = (low - 1.0).unwrap();
            let drawn = |low: &Tensor, label: u32| {
                let y = Tensor::new(&[label], &Device::Cpu).unwrap();
                let answer = |x: &Tensor, t: &Tensor| unet.forward(x, t, low, Some(&y), None);
                let noise = |step: u64| {
                    let noise = Noise::apart(5, "upsample");
                    noise.tensor(&[i as u64], step, (3, 16, 16), &Device::Cpu)
                };
                let drawn = draw(&recipe, &answer, &noise, &mut |_| ControlFlow::Continue(()));
                let drawn = to_u8(&drawn.unwrap().unwrap()).unwrap();
                drawn.flatten_all().unwrap().to_vec1::<u8>().unwrap()
            };
            let stored = &large[i * 16 * 16 * 3..][..16 * 16 * 3];
            let same = drawn(&low, label as u32);
            // u8 / 127.5 is rounded once there and twice here: a pixel on the edge of a level may fall.
            let apart = same.iter().zip(stored).filter(|(a, b)| a != b);
            let apart: Vec<u8> = apart.map(|(a, b)| a.abs_diff(*b)).collect();
            assert!(
                apart.len() < 8 && apart.iter().all(|d| *d == 1),
                "{apart:?}"
            );
            let differs = |other: Vec<u8>| usize::from(other != same);
            heard += differs(drawn(&low.neg().unwrap(), label as u32));
            heard += differs(drawn(&low, (label as u32 + 1) % CLASSES as u32));
        }
        assert_eq!(heard, 2 * labels.len(), "image and label reach the net");
    }
}

#[test]
fn what_cannot_be_enlarged_is_refused_by_the_plan() {
    let desk = Desk::new();
    for (set, message) in [
        (
            &["model.checkpoint=tiny.safetensors"][..],
            "[upsample] starts from images of 8 pixels a side, and [model] makes them of 4\nhint: choose a model of 8 pixels, or an upsampler that starts from 4",
        ),
        (
            &["upsample.checkpoint=four.safetensors"],
            "[upsample] knows 4 classes, and the samples are of 3",
        ),
        (
            &["model.checkpoint=plain.safetensors"],
            "[upsample] asks which of 3 classes an image is of, and the samples of an unconditional model without guidance have none",
        ),
        (
            &["upsample.checkpoint=small.safetensors"],
            "upsample.checkpoint is a unet, and upsampling needs a super-resolution net",
        ),
        (
            &["upsample.steps=ddim45"],
            "[upsample]: steps = \"ddim45\": no whole stride takes 45 of 1000 steps\nhint: ddim44 and ddim46 are possible",
        ),
        (
            &["upsample.steps=1001"],
            "upsample.steps = 1001 is outside 1..=1000 (the model was trained on 1000 steps)",
        ),
        (
            &["upsample.sampler=ddim", "upsample.variance=fixed_small"],
            "upsample.variance is fixed, and DDIM does not use the variance of a step\nhint: take it out, or use sampler = \"ddpm\"; the noise of DDIM is `eta`",
        ),
        (
            &["model.kind=superres"],
            "[sample] draws from a model of kind \"unet\", not of kind \"superres\"\nhint: name the net in a table [upsample], and in [model] the one whose samples it enlarges",
        ),
    ] {
        assert_eq!(desk.jobs(set).unwrap_err(), message);
    }
    let lonely = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1\n[upsample]\ncheckpoint = \"a\"\nsteps = 1\n";
    let error = sweep(lonely, &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "[upsample] needs [sample]");
}

#[test]
fn the_studies_share_their_base_samples_with_those_of_guidance() {
    let folder = tempfile::tempdir().unwrap();
    let upsampler = folder.path().join("upsampler64.safetensors");
    let (net, _) = presets::arch("shapes16-to-64").unwrap();
    save_heard(&net, &upsampler);
    let drawn = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace(
            "experiments/shapes/upsampler64.safetensors",
            &upsampler.display().to_string(),
        );
        let sweep = sweep(&text, &[], &[]).unwrap();
        let plan = Plan::of(&sweep, &Store::new(folder.path()), None).unwrap();
        let count = |stage: &str| {
            plan.items
                .iter()
                .filter(|i| i.job.stage().name() == stage)
                .count()
        };
        let samples = plan
            .items
            .iter()
            .filter(|i| i.job.stage().name() == "sample");
        let keys: Vec<String> = samples.map(|i| i.key.full().to_string()).collect();
        (keys, count("upsample"))
    };
    let (base, large) = drawn("experiments/upsample.toml");
    assert_eq!((base.len(), large), (6, 3));
    let (guided, _) = drawn("experiments/guidance.toml");
    assert!(base.iter().all(|key| guided.contains(key)));
    // The paper's small images, guided and not, are in both files.
    let (base, large) = drawn("experiments/imagenet/upsample.toml");
    assert_eq!((base.len(), large), (4, 4));
    let (guided, _) = drawn("experiments/imagenet/guidance.toml");
    assert!(base.iter().all(|key| guided.contains(key)));
}
