//! Files are whole or absent, and checkpoints come back as they were written.

use crate::support::files::names;
use candle_core::{DType, Device, Tensor};
use fidrunner::io::checkpoint::{self, Checkpoint};
use fidrunner::io::disk::{read_json, write_atomic, write_json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_json(&path, &vec![1, 2]).unwrap();
    let failure = write_atomic(&path, |out| {
        out.write_all(&[7; 100_000])?;
        anyhow::bail!("the tap ran dry")
    });
    let text = format!("{:#}", failure.unwrap_err());
    assert!(
        text.contains("a.json") && text.contains("the tap ran dry"),
        "{text}"
    );
    assert_eq!(names(folder.path()), ["a.json"]);
    assert_eq!(read_json::<Vec<i32>>(&path).unwrap(), [1, 2]);
}

#[test]
fn a_full_disk_keeps_the_systems_words() {
    let failure = write_atomic(Path::new("/tmp/whatever"), |_| {
        fs::File::options()
            .write(true)
            .open("/dev/full")?
            .write_all(b"x")?;
        Ok(())
    });
    let text = format!("{:#}", failure.unwrap_err());
    assert!(text.contains("No space left on device"), "{text}");
}

#[test]
fn a_missing_folder_and_a_path_without_a_name_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_atomic(&folder.path().join("no/such/file"), |_| Ok(())).is_err());
    assert!(write_atomic(Path::new("/"), |_| Ok(())).is_err());
}

#[test]
fn many_writers_of_one_path_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::thread::scope(|scope| {
        for i in 0..16u8 {
            let path = &path;
            scope.spawn(move || {
                write_atomic(path, |out| Ok(out.write_all(&vec![i; 50_000])?)).unwrap()
            });
        }
    });
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 50_000);
    assert!(bytes.iter().all(|&b| b == bytes[0]));
    assert_eq!(names(folder.path()), ["x"]);
}

fn some_tensors() -> Vec<(String, Tensor)> {
    let cpu = Device::Cpu;
    let a = Tensor::arange(0f32, 24.0, &cpu)
        .unwrap()
        .reshape((2, 3, 4))
        .unwrap();
    let transposed = a.transpose(0, 2).unwrap();
    vec![
        (
            "half".into(),
            a.affine(0.1, 1.0).unwrap().to_dtype(DType::F16).unwrap(),
        ),
        ("a.weight".into(), a),
        ("view".into(), transposed),
        (
            "empty".into(),
            Tensor::zeros((0, 3), DType::F32, &cpu).unwrap(),
        ),
        ("step".into(), Tensor::new(7i64, &cpu).unwrap()),
    ]
}

#[test]
fn a_checkpoint_comes_back_with_its_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let metadata = BTreeMap::from([("runner".to_string(), "{\"a\": \"ü\"}".to_string())]);
    let tensors = some_tensors();
    checkpoint::write(&path, &tensors, &metadata).unwrap();
    let file = Checkpoint::open(&path).unwrap();
    assert_eq!(file.metadata(), &metadata);
    assert_eq!(file.kind("half"), Some("F16"));
    assert_eq!(file.shapes()["view"], [4, 3, 2]);
    for (name, tensor) in &tensors {
        let read = file.tensor(name, &Device::Cpu).unwrap();
        assert_eq!(read.dtype(), DType::F32);
        assert_eq!(read.dims(), tensor.dims());
        let values = |t: &Tensor| {
            let t = t.to_dtype(DType::F32).unwrap();
            t.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(values(&read), values(tensor), "{name}");
    }
    let again = folder.path().join("again.safetensors");
    checkpoint::write(&again, &tensors, &metadata).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
}

#[test]
fn the_reference_crate_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    checkpoint::write(&path, &some_tensors(), &BTreeMap::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 5);
    assert_eq!(tensors.tensor("view").unwrap().shape(), [4, 3, 2]);
}

#[test]
fn a_net_is_told_which_tensor_is_missing_or_misshapen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    checkpoint::write(&path, &some_tensors(), &BTreeMap::new()).unwrap();
    let file = Checkpoint::open(&path).unwrap();
    let vb = file.var_builder(DType::F32, &Device::Cpu).unwrap();
    assert!(vb.pp("a").get((2, 3, 4), "weight").is_ok());
    assert!(vb.contains_tensor("a.weight") && !vb.contains_tensor("b"));
    let text = vb.get((4, 3), "a.weight").unwrap_err().to_string();
    assert!(
        text.contains("[2, 3, 4]") && text.contains("[4, 3]"),
        "{text}"
    );
    let text = vb.get(1, "nothing").unwrap_err().to_string();
    assert!(text.contains("no tensor `nothing`"), "{text}");
}

#[test]
fn every_cut_and_many_flips_of_a_checkpoint_are_errors_or_tensors_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    checkpoint::write(&path, &some_tensors(), &BTreeMap::new()).unwrap();
    let whole = fs::read(&path).unwrap();
    let bad = folder.path().join("bad.safetensors");
    for cut in 0..whole.len() {
        fs::write(&bad, &whole[..cut]).unwrap();
        assert!(Checkpoint::open(&bad).is_err(), "cut at {cut}");
    }
    for at in (0..whole.len().min(600)).step_by(2) {
        for bits in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bits;
            fs::write(&bad, &bytes).unwrap();
            if let Ok(file) = Checkpoint::open(&bad) {
                let _ = file.tensors(&Device::Cpu);
            }
        }
    }
}
