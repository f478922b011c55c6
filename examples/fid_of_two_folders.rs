//! Scores a folder of images against another:
//! `cargo run --release --example fid_of_two_folders -- SAMPLES REFERENCE pt_inception-2015-12-05-6726825d.pth`

use fidrunner::{Device, Evaluation, Preset};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [samples, reference, weights] = arguments.as_slice() else {
        anyhow::bail!("usage: fid_of_two_folders SAMPLES REFERENCE WEIGHTS")
    };
    let store = std::env::temp_dir().join("fid_of_two_folders");
    let evaluation = Evaluation::open(Path::new(weights), &store, &Device::Cpu)?;
    let evaluation = evaluation.preset(Preset::PytorchFid);
    for score in evaluation.score(samples, reference)? {
        let (low, high) = (score.low, score.high);
        println!("{} {:.4} [{low:.4}, {high:.4}]", score.metric, score.value);
    }
    Ok(())
}
