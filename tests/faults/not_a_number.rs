//! A net that answers NaN, and a machine without enough memory: the cell fails with a clear error, the others finish.

use crate::study::{Net, Study};
use crate::support::program::{Answer, PROGRAM, repository};
use candle_core::{Device, Tensor};
use fidrunner::io::checkpoint::{self, Checkpoint};
use std::path::Path;
use std::process::Command;

/// The net that ships with one weight of its last layer NaN.
fn save_broken(path: &Path) {
    let file = Checkpoint::open(&repository("experiments/shapes/unet16.safetensors")).unwrap();
    let mut tensors = file.tensors(&Device::Cpu).unwrap();
    let (_, bias) = tensors
        .iter_mut()
        .find(|(name, _)| name == "out.2.bias")
        .unwrap();
    let mut values = bias
        .to_dtype(candle_core::DType::F32)
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    values[0] = f32::NAN;
    let n = values.len();
    *bias = Tensor::from_vec(values, n, &Device::Cpu).unwrap();
    checkpoint::write(path, &tensors, file.metadata()).unwrap();
}

#[test]
fn a_net_that_answers_nan_fails_its_cell_and_no_other() {
    let study = Study::of(Net::Shipped, 2);
    save_broken(&study.path("broken.safetensors"));
    let shipped = repository("experiments/shapes/unet16.safetensors");
    let text = std::fs::read_to_string(study.path("small.toml")).unwrap();
    let grid = format!(
        "model.checkpoint = [\"{}\", \"broken.safetensors\"]",
        shipped.display()
    );
    let text = text.replace("sample.seed = [0, 1]", &grid);
    std::fs::write(study.path("small.toml"), text).unwrap();
    let call = ["sweep", "small.toml", "--device", "cpu"];
    let answer = study.runner(&call).ends_with(1);
    let answer = answer.says("the net's answer is not finite at step 1 of 2 (timestep ");
    let answer = answer.says("1 job failed, 2 jobs not tried; see `runner status small.toml 1`");
    assert!(
        !answer.stderr.contains("internal error"),
        "{}",
        answer.stderr
    );
    let table = study.table();
    let states: Vec<&str> = table
        .lines()
        .skip(1)
        .filter_map(|l| l.rsplit(',').next())
        .collect();
    assert_eq!(states, ["done", "failed"], "{table}");
    let status = study.runner(&["status", "small.toml", "1"]).succeeds();
    status.prints("is not finite at step 1 of 2");
    let verify = study.runner(&["verify"]).succeeds();
    verify.says("nothing is wrong");
}

/// A sweep whose address space ends at so many KiB.
fn limited(study: &Study, kib: u64) -> Answer {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -v {kib} && exec \"$@\""),
        "sh",
        PROGRAM,
    ]);
    command.args(["sweep", "small.toml", "--device", "cpu"]);
    command.current_dir(study.at()).env_remove("RUNNER_STORE");
    Answer::of(command.output().expect("a shell"))
}

#[test]
fn a_sweep_that_runs_out_of_memory_is_gone_on_with() {
    let whole = Study::of(Net::Shipped, 1);
    whole.sweep();
    let table = whole.table();
    let study = Study::of(Net::Shipped, 1);
    let mut failed = 0;
    for mib in [100, 200, 300, 400, 600, 800] {
        let answer = limited(&study, mib << 10);
        if answer.code == Some(0) {
            break;
        }
        failed += 1;
        let verify = study.runner(&["verify"]).run();
        let wrong = verify
            .stdout
            .lines()
            .filter(|line| !line.contains("is dead"));
        let none = !study.store().exists();
        assert!(none || wrong.count() == 0, "{mib} MiB: {}", verify.stdout);
    }
    assert!(failed > 0, "no limit was too low");
    study.sweep();
    assert!(study.table() == table, "another table");
}
