//! What a file asks of a distillation: the prediction by either key, the students that draw, and what cannot be meant.

use fidrunner::experiment::file::experiment::Experiment;
use fidrunner::experiment::grid::sweep::cells;
use fidrunner::experiment::nets::arch::{Card, Prediction, Process};
use fidrunner::experiment::nets::resolve::resolve;
use fidrunner::jobs::of_cell::jobs_of;
use fidrunner::stages::inputs::Looked;
use std::path::Path;

const FILE: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[model.arch]\nnull_class = true\n[model.process]\npredict = \"velocity\"\n\
    [train]\ndata = \"shapes\"\nsteps = 300\nbatch = 32\nlearning_rate = 1e-3\n\
    [train.distill]\nteacher = \"experiments/shapes/unet16.safetensors\"\nteacher_steps = 16\nconvert_steps = 500\n\
    [sample]\nsampler = \"ddim\"\nspacing = \"trailing\"\nsteps = 4\ncount = 10\n";

fn cell(text: &str, set: &[&str]) -> Result<Experiment, String> {
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let cells = cells(text, &set, &[]).map_err(|e| format!("{e:#}"))?;
    Ok(cells[0].spec.clone())
}

#[test]
fn the_steps_choose_the_student() {
    let after = |steps: &str| cell(FILE, &[&format!("sample.steps={steps}")]).unwrap();
    // 500 updates of the conversion, then 300 a round: 8, 4, 2, 1.
    for (steps, kept) in [
        ("8", Some(800)),
        ("\"4\"", Some(1100)),
        ("2", Some(1400)),
        ("1", None),
    ] {
        assert_eq!(after(steps).drawn_after(), kept, "{steps}");
    }
    let converted = [
        "sample.trained_steps=500",
        "sample.sampler=dpmpp_2m",
        "sample.spacing=time",
        "sample.steps=20",
    ];
    assert_eq!(cell(FILE, &converted).unwrap().drawn_after(), Some(500));
    let spec = after("1");
    assert_eq!(spec.net_train().unwrap().updates(), 1700);
    let keys: Vec<String> = ["8", "4"]
        .map(|steps| {
            let set = [format!("sample.steps={steps}")];
            let cells = cells(FILE, &set, &[]).unwrap();
            let jobs = jobs_of(&cells[0]).unwrap();
            assert_eq!(jobs[0].cost().amount, 1700.0);
            jobs[0].key().unwrap().full().to_string()
        })
        .to_vec();
    assert_eq!(keys[0], keys[1], "one training has all students");
}

#[test]
fn what_a_distillation_cannot_do_is_refused() {
    for (set, message) in [
        (
            &["sample.steps=5"][..],
            "sample.steps = 5, and the students of [train.distill] draw in 8, 4, 2 or 1 steps\nhint: choose one of them, or set `train.distill.teacher_steps` and `to`",
        ),
        (
            &["sample.spacing=linspace"],
            "sample.spacing is linspace, and a student of [train.distill] knows the timesteps of \"trailing\"\nhint: set spacing = \"trailing\"",
        ),
        (
            &["sample.eta=0.5"],
            "sample.eta = 0.5, and a student of [train.distill] makes steps without noise\nhint: take `eta` out",
        ),
        (
            &["sample.sampler=ddpm"],
            "sample.sampler = \"ddpm\", and a student of [train.distill] makes steps of DDIM\nhint: set sampler = \"ddim\"",
        ),
        (
            &["sample.trained_steps=300"],
            "sample.trained_steps = 300, and with [train.distill] `sample.steps` chooses the student\nhint: take `trained_steps` out, or set it to train.distill.convert_steps = 500",
        ),
        (
            &["train.distill.teacher_steps=12"],
            "train.distill.to = 1, and halving teacher_steps = 12 leads to 6, 3\nhint: teacher_steps is `to` times a power of 2, such as 8",
        ),
        (
            &["train.distill.teacher_steps=4", "train.distill.to=4"],
            "train.distill.to = 4, and halving teacher_steps = 4 leads to 2, 1\nhint: teacher_steps is `to` times a power of 2, such as 32",
        ),
        (
            &["train.distill.teacher_steps=1024"],
            "train.distill.teacher_steps = 1024 is outside 1..=1000 (the model was trained on 1000 steps)",
        ),
        (
            &["train.keep=[100]"],
            "train.keep stands beside [train.distill]\nhint: take it out: the student of every round is kept; `sample.steps` draws with it",
        ),
        (
            &["train.start_from=a.safetensors"],
            "train.start_from stands beside [train.distill]\nhint: take it out: a student starts from its teacher",
        ),
        (
            &["train.weighting=velocity"],
            "train.weighting stands beside [train.distill]\nhint: take it out: set `train.distill.weighting`",
        ),
        (
            &["train.schedule_sampler=loss-second-moment"],
            "train.schedule_sampler stands beside [train.distill]\nhint: take it out: a student's steps are drawn alike",
        ),
        (
            &["model.process.predict_x0=true"],
            "model.process sets both predict and predict_x0, which say the same\nhint: take `predict_x0` out",
        ),
    ] {
        let error = cell(FILE, set).unwrap_err();
        assert!(error.contains(message), "{set:?}\n{error}\n{message}");
    }
}

#[test]
fn a_distilled_net_is_drawn_only_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let card = |distilled: &str| {
        let shipped = Path::new("experiments/shapes/unet16.safetensors");
        let bytes = std::fs::read(shipped).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let text = header["__metadata__"]["runner"].as_str().unwrap();
        let mut card: Card = serde_json::from_str(text).unwrap();
        card.distilled = distilled.parse().ok();
        header["__metadata__"]["runner"] = serde_json::to_string(&card).unwrap().into();
        let mut header = serde_json::to_vec(&header).unwrap();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend(&bytes[8 + length..]);
        let path = folder.path().join(format!("net{distilled}.safetensors"));
        std::fs::write(&path, file).unwrap();
        path
    };
    let planned = |path: &Path, drawn: &str| {
        let text = format!(
            "name = \"a\"\n[model]\ncheckpoint = \"{}\"\n[sample]\ncount = 10\n{drawn}\n",
            path.display()
        );
        let cells = cells(&text, &[], &[]).unwrap();
        let jobs = jobs_of(&cells[0]).unwrap();
        Looked::default().at(&jobs[0]).map_err(|e| e.to_string())
    };
    let own = "sampler = \"ddim\"\nspacing = \"trailing\"\nsteps = 4";
    let (distilled, whole) = (card("4"), card("none"));
    assert_eq!(planned(&distilled, own), Ok(()));
    for other in [
        "sampler = \"ddim\"\nsteps = 4",
        "sampler = \"ddim\"\nspacing = \"trailing\"\nsteps = 8",
        "sampler = \"ddim\"\nspacing = \"trailing\"\neta = 0.5\nsteps = 4",
        "spacing = \"trailing\"\nsteps = 4",
        "sampler = \"dpmpp_2m\"\nsteps = 4",
    ] {
        assert_eq!(planned(&whole, other), Ok(()));
        let error = planned(&distilled, other).unwrap_err();
        assert!(
            error.contains("its net was distilled: it draws in 4 DDIM steps, at eta = 0 and spacing = \"trailing\"\nhint: set sample.sampler = \"ddim\", sample.steps = 4"),
            "{error}"
        );
    }
}

#[test]
fn what_a_net_predicts_is_read_by_either_key() {
    let resolved = |set: &[&str]| {
        let plain = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1\n";
        let spec = cell(plain, set).unwrap();
        let process = resolve(&spec.model, None).unwrap().1.unwrap();
        let cells = cells(
            plain,
            &set.iter().map(|s| s.to_string()).collect::<Vec<_>>(),
            &[],
        );
        let jobs = jobs_of(&cells.unwrap()[0]).unwrap();
        (process.predict, jobs[0].key().unwrap().full().to_string())
    };
    let plain = resolved(&[]);
    assert_eq!(plain.0, Prediction::Noise);
    assert_eq!(resolved(&["model.process.predict=noise"]), plain);
    assert_eq!(resolved(&["model.process.predict_x0=false"]), plain);
    let x0 = resolved(&["model.process.predict_x0=true"]);
    assert_eq!(x0.0, Prediction::X0);
    assert_eq!(resolved(&["model.process.predict=x0"]), x0);
    let velocity = resolved(&["model.process.predict=velocity"]);
    assert_eq!(velocity.0, Prediction::Velocity);
    assert!(velocity.1 != plain.1 && velocity.1 != x0.1);
}

#[test]
fn cards_that_are_older_than_velocity_are_read_and_written_alike() {
    let old =
        r#"{"schedule":"linear","timesteps":1000,"rescale_timesteps":false,"predict_x0":true}"#;
    let process: Process = serde_json::from_str(old).unwrap();
    assert_eq!(process.predict, Prediction::X0);
    assert_eq!(serde_json::to_string(&process).unwrap(), old);
    let new = Process {
        predict: Prediction::Velocity,
        ..process
    };
    let text = serde_json::to_string(&new).unwrap();
    assert!(
        text.ends_with(r#""predict_x0":false,"predict":"velocity"}"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Process>(&text).unwrap(), new);
}
