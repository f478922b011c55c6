//! Distillations as jobs: exact when they are killed, better than an untaught net at few steps, drawn as they were made.

use candle_core::{Device, Tensor};
use fidrunner::data::shapes::Stream;
use fidrunner::diffusion::process::at::At;
use fidrunner::diffusion::process::clamp::Clamp;
use fidrunner::diffusion::process::posterior::{Mean, Output, Reading};
use fidrunner::diffusion::process::schedule::Schedule;
use fidrunner::diffusion::random::noise::{Noise, START};
use fidrunner::diffusion::training::distill::two_steps_in_one;
use fidrunner::experiment::file::experiment::{Experiment, Model};
use fidrunner::experiment::key::Key;
use fidrunner::experiment::nets::arch::{Card, Prediction};
use fidrunner::io::checkpoint::Checkpoint;
use fidrunner::jobs::context::{JobContext, Progress, Stopped};
use fidrunner::jobs::stage::Plannable;
use fidrunner::jobs::train::TrainJob;
use fidrunner::nets::denoiser::{Conditions, Denoiser};
use fidrunner::nets::open::denoiser;
use fidrunner::stages::feed::Feed;
use fidrunner::stages::train::run;
use fidrunner::stages::weights;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A tiny net, unconditional so that it can be asked without labels.
const NET: &str = r#"
name = "tiny"
[model]
preset = "shapes16"
[model.arch]
channel_mult = [1, 1]
attention = [8]
classes = 0
"#;

fn teacher(predict: &str, steps: u64) -> String {
    format!(
        "{NET}[model.process]\npredict = \"{predict}\"\n[train]\ndata = \"shapes\"\nsteps = {steps}\nbatch = 8\nlearning_rate = 2e-3\nema = 0.9\n"
    )
}

fn student(predict: &str, teacher: &Path, train: &str, distill: &str) -> String {
    let path = teacher.display();
    format!(
        "{NET}[model.process]\npredict = \"{predict}\"\n[train]\ndata = \"shapes\"\nlearning_rate = 1e-3\nema = 0.9\n{train}\n[train.distill]\nteacher = \"{path}\"\n{distill}\n"
    )
}

/// When a training is told to stop.
#[derive(Clone, Copy)]
enum Stop {
    Never,
    /// Once a state of so many updates, or a multiple of them, is saved.
    Saved(u64),
    /// After the last update of the round that so many end.
    Ended(u64),
}

fn job(text: &str) -> anyhow::Result<TrainJob> {
    let spec: Experiment = toml::from_str(text)?;
    let train = spec.net_train().expect("it trains a net");
    TrainJob::of_table("train", spec.model.clone(), train)
}

fn train(text: &str, out: &Path, stop: Stop) -> anyhow::Result<()> {
    let mut job = job(text)?;
    if let Stop::Saved(steps) = stop {
        job.train.checkpoint_every = steps;
    }
    let stopping = AtomicBool::new(false);
    let input = |_: &Key| PathBuf::new();
    let tell = |progress: Progress| {
        if matches!(stop, Stop::Ended(steps) if steps == progress.done) {
            stopping.store(true, Ordering::Relaxed);
        }
    };
    let context = JobContext::new(Device::Cpu, out, out, &input, &tell, &stopping)?;
    std::thread::scope(|scope| {
        if matches!(stop, Stop::Saved(_)) {
            scope.spawn(|| {
                while !out.join("training.safetensors").exists() {
                    std::thread::yield_now();
                }
                stopping.store(true, Ordering::Relaxed);
            });
        }
        run::run(&job, &context)
    })
}

/// A net that was trained for so many steps, in a folder of its own.
fn taught(predict: &str, steps: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    train(&teacher(predict, steps), dir.path(), Stop::Never).unwrap();
    let path = dir.path().join("model.safetensors");
    (dir, path)
}

/// A folder with a training that was stopped. On a busy machine the stop can come after the last update; then it is tried
/// again.
fn stopped(text: &str, stop: Stop) -> tempfile::TempDir {
    for _ in 0..100 {
        let halves = tempfile::tempdir().unwrap();
        if let Err(stopped) = train(text, halves.path(), stop) {
            assert!(stopped.is::<Stopped>(), "{stopped:#}");
            return halves;
        }
    }
    panic!("no stop came before the end of the training");
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap()
}

/// The files of a training of three rounds.
const ROUNDS: [&str; 3] = [
    "model-000002.safetensors",
    "model-000005.safetensors",
    "model.safetensors",
];

/// A distillation of three rounds, with `more` in its `[train]`, in its folder; stopped each of these ways, it goes on to the
/// same bits.
fn ends_at_the_same_bits(more: &str, stops: &[Stop]) -> tempfile::TempDir {
    let (_kept, path) = taught("noise", 3);
    let text = student(
        "velocity",
        &path,
        &format!(
            "steps = 3\nbatch = 4\nwarmup = 1\nanneal = \"cosine\"\ndropout = 0.1\nflip = true\n{more}"
        ),
        "teacher_steps = 4\nconvert_steps = 2",
    );
    let whole = tempfile::tempdir().unwrap();
    train(&text, whole.path(), Stop::Never).unwrap();
    for &stop in stops {
        let halves = stopped(&text, stop);
        train(&text, halves.path(), Stop::Never).unwrap();
        for file in ROUNDS {
            let same = bytes(whole.path(), file) == bytes(halves.path(), file);
            assert!(same, "{file} differs");
        }
        assert!(!halves.path().join("training.safetensors").exists());
    }
    whole
}

#[test]
fn in_bfloat16_and_in_parts_it_ends_at_the_same_bits_too() {
    let stops = [Stop::Saved(3), Stop::Ended(2), Stop::Ended(5)];
    for more in ["dtype = \"bf16\"", "microbatch = 3"] {
        ends_at_the_same_bits(more, &stops);
    }
}

#[test]
fn killed_in_any_round_it_ends_at_the_same_bits() {
    let stops = [1, 2, 3, 4, 5, 6, 7].map(Stop::Saved);
    let stops = [&stops[..], &[Stop::Ended(2), Stop::Ended(5)]].concat();
    let whole = ends_at_the_same_bits("", &stops);
    let card = |file: &str| {
        let file = Checkpoint::open(&whole.path().join(file)).unwrap();
        file.metadata()["runner"].clone()
    };
    for (file, says) in ROUNDS.into_iter().zip([None, Some(2), Some(1)]) {
        let card: Card = serde_json::from_str(&card(file)).unwrap();
        assert_eq!(card.distilled, says, "{file}");
        assert_eq!(card.process.unwrap().predict, Prediction::Velocity);
    }
    let log = std::fs::read_to_string(whole.path().join("log.txt")).unwrap();
    for round in [
        "1 of 3: what is predicted",
        "2 of 3: 4 steps in 2",
        "3 of 3: 2 steps in 1",
    ] {
        assert!(log.contains(&format!("round {round}")), "{log}");
    }
}

/// A net as its file describes it.
struct Opened {
    net: Box<dyn Denoiser>,
    output: Output,
    schedule: Schedule,
}

impl Opened {
    fn new(path: &Path, steps: usize) -> Opened {
        let loaded = weights::load(path, &Model::default(), &Device::Cpu).unwrap();
        let process = loaded.process.unwrap();
        let net = denoiser(&loaded.arch, loaded.vb).unwrap();
        Opened {
            output: Output::of(&process, net.answer()),
            schedule: Schedule::new(&process, &format!("trailing{steps}")).unwrap(),
            net,
        }
    }

    fn x0(&self, x: &Tensor, places: &[usize]) -> candle_core::Result<Tensor> {
        let at = At::Each(places);
        let t = self.schedule.clock(at, places.len(), &Device::Cpu)?;
        let reading = Reading {
            schedule: &self.schedule,
            output: self.output,
            clamp: Clamp::Unit,
        };
        reading.x0(&self.net.denoise(x, &t, &Conditions::default())?, x, at)
    }
}

/// Mean squared difference between the image that one step of `student` makes of noise and the one that two steps of
/// `teacher` make.
fn off(student: &Path, teacher: &Path) -> f64 {
    let images: Vec<u64> = (0..64).collect();
    let x = Noise::new(5).tensor(&images, START, (3, 16, 16), &Device::Cpu);
    let (x, places) = (x.unwrap(), vec![0; images.len()]);
    let teacher = Opened::new(teacher, 2);
    let ask = |x: &Tensor, places: &[usize]| teacher.x0(x, places);
    let wanted = two_steps_in_one(&teacher.schedule, &x, &places, &ask).unwrap();
    let made = Opened::new(student, 1).x0(&x, &places).unwrap();
    let error = (made - wanted).unwrap().sqr().unwrap().mean_all().unwrap();
    f64::from(error.to_scalar::<f32>().unwrap())
}

#[test]
fn a_student_of_one_step_comes_nearer_to_two_steps_of_its_teacher() {
    let (_kept, path) = taught("velocity", 150);
    let text = student(
        "velocity",
        &path,
        "steps = 100\nbatch = 16",
        "teacher_steps = 2",
    );
    let out = tempfile::tempdir().unwrap();
    train(&text, out.path(), Stop::Never).unwrap();
    let (before, after) = (
        off(&path, &path),
        off(&out.path().join("model.safetensors"), &path),
    );
    println!("off by {before} before, by {after} after");
    assert!(
        after < 0.5 * before,
        "{after} is not below half of {before}"
    );
}

#[test]
fn a_conversion_comes_nearer_to_a_teacher_that_predicts_the_noise() {
    let (_kept, path) = taught("noise", 150);
    let text = student(
        "velocity",
        &path,
        "steps = 60\nbatch = 16",
        "teacher_steps = 2\nconvert_steps = 120",
    );
    let out = tempfile::tempdir().unwrap();
    train(&text, out.path(), Stop::Never).unwrap();
    // At a level at which the image can be seen: beyond, what noise stands for is out of all range.
    let teacher = Opened::new(&path, 2);
    let images = clean(&text);
    let (places, device) = (vec![0; images.dim(0).unwrap()], Device::Cpu);
    let numbers: Vec<u64> = (0..places.len() as u64).collect();
    let noise = Noise::new(5).tensor(&numbers, START, (3, 16, 16), &device);
    let x = (teacher.schedule).diffuse(&images, &noise.unwrap(), At::Each(&places));
    let x = x.unwrap();
    let wanted = teacher.x0(&x, &places).unwrap();
    let off = |net: Opened| {
        let error = (net.x0(&x, &places).unwrap() - &wanted).unwrap();
        let error = error.sqr().unwrap().mean_all().unwrap();
        f64::from(error.to_scalar::<f32>().unwrap())
    };
    let mut unconverted = Opened::new(&path, 2);
    unconverted.output.mean = Mean::Velocity;
    let before = off(unconverted);
    let after = off(Opened::new(&out.path().join("model-000120.safetensors"), 2));
    println!("off by {before} before, by {after} after");
    assert!(
        after < 0.5 * before,
        "{after} is not below half of {before}"
    );
}

/// Images [n, 3, 16, 16] that the training of `text` does not see.
fn clean(text: &str) -> Tensor {
    let train = job(text).unwrap().train;
    let mut feed = Feed::open(&train, Stream::Validation, &[16]).unwrap();
    feed.batch(0).unwrap().images(&Device::Cpu).unwrap()
}

#[test]
fn teachers_that_cannot_teach_are_refused() {
    let (_kept, noise) = taught("noise", 1);
    let (_kept2, velocity) = taught("velocity", 1);
    let refused = |predict: &str, path: &Path, distill: &str, change: (&str, &str)| {
        let text = student(predict, path, "steps = 1\nbatch = 1", distill);
        job(&text.replace(change.0, change.1))
            .unwrap_err()
            .to_string()
    };
    let none = ("", "");
    for (message, part) in [
        (
            refused("noise", &noise, "teacher_steps = 2", none),
            "hint: set model.process.predict = \"velocity\" and train.distill.convert_steps",
        ),
        (
            refused("velocity", &noise, "teacher_steps = 2", none),
            "the teacher predicts the noise, the student the velocity\nhint: set train.distill.convert_steps",
        ),
        (
            refused(
                "velocity",
                &velocity,
                "teacher_steps = 2\nconvert_steps = 5",
                none,
            ),
            "convert_steps = 5, and teacher and student both predict the velocity\nhint: take it out",
        ),
        (
            refused(
                "velocity",
                &velocity,
                "teacher_steps = 2",
                ("[1, 1]", "[1, 2]"),
            ),
            "of another architecture than [model]",
        ),
        (
            refused(
                "velocity",
                &velocity,
                "teacher_steps = 2",
                ("[model.process]", "[model.process]\nschedule = \"linear\""),
            ),
            "was trained on",
        ),
        (
            refused(
                "velocity",
                Path::new("nowhere.safetensors"),
                "teacher_steps = 2",
                none,
            ),
            "train.distill.teacher = \"nowhere.safetensors\" cannot be read",
        ),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let out = tempfile::tempdir().unwrap();
    let text = student(
        "velocity",
        &velocity,
        "steps = 1\nbatch = 1",
        "teacher_steps = 2",
    );
    train(&text, out.path(), Stop::Never).unwrap();
    let made = out.path().join("model.safetensors");
    let message = refused("velocity", &made, "teacher_steps = 2", none);
    assert!(
        message.contains("the teacher was itself distilled for 1"),
        "{message}"
    );
}

#[test]
fn a_teachers_bytes_reach_the_key_and_its_path_does_not() {
    let (dir, path) = taught("velocity", 1);
    let (_kept, other) = taught("velocity", 2);
    let moved = dir.path().join("moved.safetensors");
    std::fs::copy(&path, &moved).unwrap();
    let key = |path: &Path, train: &str, distill: &str| {
        let text = student("velocity", path, train, distill);
        job(&text).unwrap().key().unwrap()
    };
    let (train, distill) = ("steps = 1\nbatch = 1", "teacher_steps = 4");
    let own = key(&path, train, distill);
    assert_eq!(own, key(&moved, train, distill));
    assert_eq!(
        own,
        key(
            &path,
            train,
            "teacher_steps = 4\nto = 1\nweighting = \"snr\""
        )
    );
    for (path, distill) in [
        (&other, distill),
        (&path, "teacher_steps = 8"),
        (&path, "teacher_steps = 4\nto = 2"),
        (&path, "teacher_steps = 4\nweighting = \"snr+1\""),
    ] {
        assert_ne!(own, key(path, train, distill), "{distill}");
    }
}
