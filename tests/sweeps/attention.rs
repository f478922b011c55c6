//! Cells that are guided by their own net's attention, as whole jobs.

use crate::support::archs::{CLASSES, save_heard, tiny};
use candle_core::Device;
use fidrunner::experiment::grid::sweep::sweep;
use fidrunner::experiment::key::Key;
use fidrunner::experiment::nets::arch::Arch;
use fidrunner::io::numpy::npz::Npz;
use fidrunner::jobs::context::JobContext;
use fidrunner::jobs::job::Job;
use fidrunner::jobs::of_cell::jobs_of;
use fidrunner::stages::inputs::Looked;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const FILE: &str = "name = \"own\"\n[model]\ncheckpoint = \"NET\"\n[sample]\nsampler = \"ddim\"\nsteps = 4\n\
    count = 5\nseed = 3\n[guidance]\nmethod = \"self-attention\"\nscale = 2\n";

/// A folder with a net of attention at 8 pixels.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut arch = tiny(16, None, CLASSES);
    arch.trunk.attention = vec![8];
    save_heard(&Arch::Unet(arch), &folder.path().join("net.safetensors"));
    folder
}

fn job(folder: &Path, set: &[&str]) -> Job {
    let net = folder.join("net.safetensors");
    let text = FILE.replace("NET", &net.display().to_string());
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let sweep = sweep(&text, &set, &[]).unwrap();
    jobs_of(&sweep.cells[0]).unwrap().remove(0)
}

/// The pixels of all images, and the log.
fn drawn(folder: &Path, name: &str, set: &[&str]) -> (Vec<u8>, String) {
    let job = job(folder, set);
    let out = folder.join(name);
    std::fs::create_dir_all(&out).unwrap();
    let (stop, input) = (AtomicBool::new(false), |_: &Key| PathBuf::new());
    let context = JobContext::new(Device::Cpu, &out, &out, &input, &|_| {}, &stop).unwrap();
    fidrunner::stages::run(&job, &context).unwrap();
    let mut names: Vec<PathBuf> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let mut pixels = Vec::new();
    for path in names
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "npz"))
    {
        pixels.extend(Npz::open(path).unwrap().u8("arr_0").unwrap().data);
    }
    assert_eq!(pixels.len(), 5 * 16 * 16 * 3);
    let log = std::fs::read_to_string(out.join("log.txt")).unwrap_or_default();
    (pixels, log)
}

const METHODS: [&str; 2] = [
    "guidance.method=self-attention",
    "guidance.method=perturbed-attention",
];

#[test]
fn images_guided_by_attention_are_the_same_in_any_batch() {
    let folder = folder();
    let folder = folder.path();
    let (unguided, _) = drawn(folder, "unguided", &["guidance.scale=1"]);
    for (i, method) in METHODS.iter().enumerate() {
        let (whole, _) = drawn(folder, &format!("whole-{i}"), &[method]);
        let batches = [method, "sample.batch=2", "sample.part=3"];
        let (parts, _) = drawn(folder, &format!("parts-{i}"), &batches);
        assert!(whole == parts, "{method}");
        assert!(whole != unguided, "{method}");
    }
}

#[test]
fn an_interval_ends_guidance_by_attention_too() {
    let folder = folder();
    let folder = folder.path();
    let (unguided, _) = drawn(folder, "unguided", &["guidance.scale=1"]);
    for (i, method) in METHODS.iter().enumerate() {
        let (all, _) = drawn(folder, &format!("all-{i}"), &[method]);
        let half = [method, "guidance.interval.steps=[0, 0.5]"];
        let (half, log) = drawn(folder, &format!("half-{i}"), &half);
        assert!(log.contains("guided at steps 1 to 2 of 4"), "{log}");
        assert!(half != all && half != unguided, "{method}");
        let none = [method, "guidance.interval.sigma=[1e8, 1e9]"];
        let (none, _) = drawn(folder, &format!("none-{i}"), &none);
        assert!(none == unguided, "{method}");
    }
}

#[test]
fn a_block_that_the_net_does_not_have_is_told_before_anything_runs() {
    let folder = folder();
    let job = job(folder.path(), &["guidance.blocks=[\"input_blocks.9.1\"]"]);
    let told = Looked::default().at(&job).unwrap_err().to_string();
    assert!(
        told.starts_with("guidance.blocks: \"input_blocks.9.1\" is not an attention block of the net\nhint: it has \"input_blocks.3.1\""),
        "{told}"
    );
    let job = self::job(folder.path(), &["guidance.blocks=[\"input_blocks.3.1\"]"]);
    Looked::default().at(&job).unwrap();
}
