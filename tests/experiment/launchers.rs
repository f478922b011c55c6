//! Command lines of guided-diffusion's scripts however they are started: by MPI, torch's launchers, Slurm.

use fidrunner::experiment::guided_diffusion::import::import;
use std::path::Path;

const FLAGS: &str = "--image_size 64 --class_cond True --model_path m.pt --num_samples 50";

fn read(line: &str) -> anyhow::Result<String> {
    import(line, &|_: &Path| true)
}

#[test]
fn what_starts_the_script_is_passed_over_and_said() {
    let plain = read(FLAGS).unwrap();
    for launcher in [
        "torchrun --nproc_per_node 8 scripts/image_sample.py",
        "torchrun --standalone --nproc_per_node=8 -m scripts.image_sample",
        "srun --ntasks 8 --gres gpu:8 python scripts/image_sample.py",
        "mpiexec --allow-run-as-root -n 8 python scripts/image_sample.py",
        "mpirun -np 8 -x NCCL_DEBUG=INFO python -u scripts/image_sample.py",
        "accelerate launch --multi_gpu --num_processes 8 scripts/image_sample.py",
        "python -m torch.distributed.launch --nproc_per_node 8 --use_env scripts/image_sample.py",
        "python3 -m torch.distributed.run --nproc_per_node 8 -m scripts.image_sample",
        "OPENAI_LOGDIR=out CUDA_VISIBLE_DEVICES=0 python scripts/image_sample.py",
        "OPENAI_LOGDIR=$HOME/out mpiexec -n $GPUS python scripts/image_sample.py",
        "deepspeed --num_gpus 8 scripts/image_sample.py",
        "horovodrun -np 8 -H localhost:8 python scripts/image_sample.py",
        "torchrun scripts/image_sample.py",
    ] {
        let text = read(&format!("{launcher} {FLAGS}")).unwrap_or_else(|e| panic!("{e:#}"));
        let said = format!("# Without effect here: {launcher} (how the script is started)\n");
        assert!(text.contains(&said), "{said}{text}");
        assert_eq!(text.replace(&said, ""), plain, "{launcher}");
    }
}

#[test]
fn python_alone_is_not_worth_a_word() {
    let plain = read(FLAGS).unwrap();
    for start in [
        "scripts/image_sample.py",
        "python scripts/image_sample.py",
        "/usr/bin/python3.11 'my scripts/image_sample.py'",
        "python \\\n  scripts/image_sample.py \\\n ",
    ] {
        assert_eq!(read(&format!("{start} {FLAGS}")).unwrap(), plain, "{start}");
    }
}

#[test]
fn a_launchers_lines_stay_in_the_comment() {
    let text = read(&format!(
        "env 'A=1\nname = \"x\"' python image_sample.py {FLAGS}"
    ))
    .unwrap();
    assert!(text.contains("# Without effect here: env A=1 name = \"x\" python image_sample.py ("));
    assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
}

#[test]
fn mistakes_behind_the_script_are_the_scripts() {
    for (line, expected) in [
        (
            "torchrun --nproc_per_node 8 image_sample.py --imagesize 64",
            "guided-diffusion has no flag --imagesize\nhint: the nearest is --image_size",
        ),
        (
            "mpiexec -n 8 python image_sample.py $MODEL_FLAGS",
            "the flags hold a variable of a shell\nhint: write out what it stands for, or let the shell do so: \"$FLAGS\" in double quotes",
        ),
        (
            "torchrun image_sample.py 64 --image_size 64",
            "`64` follows no flag\nhint: flags are read as `--name value`",
        ),
    ] {
        let error = read(line).expect_err(line);
        assert_eq!(format!("{error:#}"), expected);
    }
}
