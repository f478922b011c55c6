//! Weights in the containers of other programs: torch's zip and legacy files and TorchScript.

use crate::support::files::{refusal, stranger, zip_of};
use crate::support::golden::{golden, values};
use crate::support::pickles::*;
use candle_core::Device;
use fidrunner::io::checkpoint::Checkpoint;
use fidrunner::io::numpy::npz::Npz;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Every tensor of `file`, by name, against the golden safetensors file of the same state.
fn is_the_golden_state(file: &Checkpoint) {
    let wanted = Checkpoint::open(&golden("checkpoints/state.safetensors")).unwrap();
    assert_eq!(file.shapes(), wanted.shapes());
    for name in wanted.names() {
        assert_eq!(file.kind(name), wanted.kind(name), "{name}");
        let (a, b) = (value(file, name), value(&wanted, name));
        assert_eq!(a, b, "{name}");
    }
}

fn value(file: &Checkpoint, name: &str) -> Vec<f64> {
    values(&file.tensor(name, &Device::Cpu).unwrap())
}

#[test]
fn both_torch_containers_hold_the_golden_state() {
    for (name, container) in [
        ("state_zip.pt", "torch zip"),
        ("state_legacy.pt", "torch legacy"),
    ] {
        let file = Checkpoint::open(&golden("checkpoints").join(name)).unwrap();
        assert_eq!(file.container(), container);
        assert!(file.metadata().is_empty());
        is_the_golden_state(&file);
    }
}

#[test]
fn a_nested_file_asks_for_its_key() {
    let path = golden("checkpoints/nested_zip.pt");
    let why = refusal(Checkpoint::open_key(&path, None));
    assert!(
        why.contains("it holds dictionaries of tensors: keys = state_dict (12 tensors)"),
        "{why}"
    );
    assert!(why.ends_with("\nhint: pass `--key state_dict`"), "{why}");
    is_the_golden_state(&Checkpoint::open_key(&path, Some("state_dict")).unwrap());
    let why = refusal(Checkpoint::open_key(&path, Some("ema")));
    assert!(
        why.contains("it has no `ema`: keys = state_dict (12 tensors)"),
        "{why}"
    );
    let why = refusal(Checkpoint::open_key(&path, Some("state_dict.half")));
    assert!(why.contains("`state_dict.half` is a tensor"), "{why}");
    let plain = golden("checkpoints/state.safetensors");
    let why = refusal(Checkpoint::open_key(&plain, Some("ema")));
    assert!(why.contains("only torch files have keys"), "{why}");
}

#[test]
fn training_states_are_read_by_dotted_keys_whatever_lies_beside() {
    for name in ["module_zip.pt", "module_legacy.pt"] {
        let path = stranger(name);
        let why = refusal(Checkpoint::open_key(&path, None));
        assert!(
            why.contains("keys = ema (7 tensors), opt (1 tensors), epoch, args"),
            "{why}"
        );
        assert!(why.ends_with("--key ema`"), "{why}");
        let ema = Checkpoint::open_key(&path, Some("ema")).unwrap();
        assert_eq!(ema.shapes()["0.weight"], [2, 2]);
        assert_eq!(ema.kind("1.num_batches_tracked"), Some("I64"));
        assert_eq!(value(&ema, "1.num_batches_tracked"), [0.0]);
        let why = refusal(Checkpoint::open_key(&path, Some("opt")));
        assert!(why.ends_with("--key opt.state`"), "{why}");
        let state = Checkpoint::open_key(&path, Some("opt.state.0")).unwrap();
        assert_eq!(value(&state, "exp_avg"), [1.0, 1.0]);
        let why = refusal(Checkpoint::open_key(&path, Some("epoch")));
        assert!(why.contains("it holds no tensors"), "{why}");
    }
}

#[test]
fn later_types_parameters_and_shared_storages_are_read() {
    let file = Checkpoint::open(&stranger("types.pt")).unwrap();
    assert_eq!(file.kind("u32"), Some("U32"));
    assert_eq!(value(&file, "i16"), [-3.0]);
    assert_eq!(value(&file, "i8"), [-3.0]);
    assert_eq!(value(&file, "parameter"), [1.0, 1.0]);
    assert_eq!(value(&file, "first"), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(value(&file, "last"), [2.0, 3.0, 4.0, 5.0]);
    assert!(!file.shapes().contains_key("big"));
    let why = refusal(Checkpoint::open(&stranger("expanded.pt")));
    assert!(
        why.contains("`grown` of shape [3] and strides [0] repeats its elements\nhint: "),
        "{why}"
    );
}

#[test]
fn guided_diffusions_training_files_are_weights_and_its_optimizers_are_refused() {
    let mut wanted = Npz::open(&stranger("model000002.npz")).unwrap();
    for name in ["model000002.pt", "ema_0.9999_000002.pt"] {
        let file = Checkpoint::open(&stranger(name)).unwrap();
        let names: Vec<&str> = file.names().collect();
        assert_eq!(names, wanted.names(), "{name}");
        for tensor in names {
            let array = wanted.f64(tensor).unwrap();
            assert_eq!(file.shapes()[tensor], array.shape, "{name}: {tensor}");
            assert_eq!(value(&file, tensor), array.data, "{name}: {tensor}");
        }
    }
    let why = refusal(Checkpoint::open(&stranger("opt000002.pt")));
    for part in [
        "it is the state of an optimizer",
        "no weights",
        "ema_RATE_STEP.pt",
    ] {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn a_scripted_net_is_its_buffers_by_path() {
    let file = Checkpoint::open(&stranger("scripted.pt")).unwrap();
    assert_eq!(file.container(), "TorchScript");
    let mut wanted = Npz::open(&stranger("scripted.npz")).unwrap();
    let mut names = wanted.names();
    names.sort();
    assert!(names.contains(&"layers.conv.weight".to_string()));
    assert_eq!(file.shapes().keys().cloned().collect::<Vec<_>>(), names);
    for name in names {
        assert_eq!(
            value(&file, &name),
            wanted.f64(&name).unwrap().data,
            "{name}"
        );
    }
}

#[test]
fn hostile_files_are_refused_by_name_and_run_nothing() {
    for name in ["hostile_zip.pt", "hostile_legacy.pt"] {
        let why = refusal(Checkpoint::open(&golden("checkpoints").join(name)));
        assert!(
            why.contains(name) && why.contains("it names `posix.system`"),
            "{why}"
        );
        assert!(why.contains("nothing of it was run\nhint: "), "{why}");
    }
    assert!(!Path::new("/tmp/evil_ran").exists());
}

#[test]
fn truncated_files_say_so() {
    for name in ["truncated_zip.pt", "truncated_legacy.pt"] {
        let why = refusal(Checkpoint::open(&golden("checkpoints").join(name)));
        assert!(why.contains(name), "{why}");
        assert!(why.contains("\nhint: the file may be truncated"), "{why}");
    }
}

#[test]
fn no_cut_and_no_flip_makes_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.pt");
    for name in ["state_zip.pt", "state_legacy.pt"] {
        let whole = fs::read(golden("checkpoints").join(name)).unwrap();
        fs::write(&path, &whole).unwrap();
        // Changed in place: thousands of files written anew wait for the disk.
        let bad = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for (at, byte) in whole.iter().enumerate() {
            bad.write_all_at(&[byte ^ 0x41], at as u64).unwrap();
            if let Ok(file) = Checkpoint::open(&path) {
                let _ = file.tensors(&Device::Cpu);
            }
            bad.write_all_at(&[*byte], at as u64).unwrap();
        }
        for at in (0..whole.len()).rev() {
            bad.set_len(at as u64).unwrap();
            assert!(Checkpoint::open(&path).is_err(), "{name} cut at {at}");
        }
    }
}

#[test]
fn archives_and_pickles_that_are_no_checkpoints_say_what_they_are() {
    let why = refusal(Checkpoint::open(&golden("checkpoints/adm_samples.npz")));
    assert!(
        why.contains("it is an npz archive of arrays, not a checkpoint"),
        "{why}"
    );
    let why = refusal(Checkpoint::open(&stranger("edm2_protocol4.pkl")));
    assert!(why.contains("it is a bare pickle"), "{why}");
    let why = refusal(Checkpoint::open(&stranger("fidelity_numpy.pt")));
    assert!(
        why.contains("it holds no tensors: keys = mu, sigma"),
        "{why}"
    );
}

#[test]
fn packed_storages_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed.pt");
    let object = object(&dict(&[(
        "a",
        tensor("FloatStorage", "0", 8, 0, &[8], &[1]),
    )]));
    let files = [("x/data.pkl", &object[..]), ("x/data/0", &[0; 32])];
    zip_of(&path, zip::CompressionMethod::Deflated, files);
    let why = refusal(Checkpoint::open(&path));
    assert!(
        why.contains("x/data/0 is packed, which tensors are not\nhint: "),
        "{why}"
    );
}

#[test]
fn a_file_of_gigabytes_is_opened_by_its_contents_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.pt");
    let count = 3 << 28;
    let of = |offset, shape: &[i64]| tensor("FloatStorage", "k", count, offset, shape, &[1]);
    let all = dict(&[("all", of(0, &[count])), ("end", of(count - 2, &[2]))]);
    let mut bytes = legacy(&all, &["k"]);
    bytes.extend(count.to_le_bytes());
    let length = bytes.len() as u64 + 4 * count as u64;
    fs::write(&path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length).unwrap();
    file.write_all_at(&2.5f32.to_le_bytes(), length - 4)
        .unwrap();
    let file = Checkpoint::open(&path).unwrap();
    assert_eq!(file.shapes()["all"], [count as usize]);
    assert_eq!(value(&file, "end"), [0.0, 2.5]);
}

#[test]
fn pickles_may_be_longer_than_the_first_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.pt");
    let one = tensor("FloatStorage", "k", 2, 0, &[2], &[1]);
    let body = dict(&[("note", unicode(&"x".repeat(3 << 20))), ("a", one)]);
    let mut bytes = legacy(&body, &["k"]);
    bytes.extend(2u64.to_le_bytes());
    bytes.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(value(&Checkpoint::open(&path).unwrap(), "a"), [1.5, -2.0]);
    fs::write(&path, &bytes[..2 << 20]).unwrap();
    let why = refusal(Checkpoint::open(&path));
    assert!(
        why.contains("its pickle has no end\nhint: the file may be truncated"),
        "{why}"
    );
}

#[test]
fn a_flipped_byte_of_a_tensor_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.pt");
    let whole = fs::read(golden("checkpoints/state_zip.pt")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&whole)).unwrap();
    let mut told = 0;
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).unwrap();
        if !entry.name().unwrap().contains("/data/") || entry.size() == 0 {
            continue;
        }
        let mut bytes = whole.clone();
        let at = entry.data_start().unwrap() + entry.size() / 2;
        bytes[at as usize] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        if let Err(why) = file.tensors(&Device::Cpu) {
            let why = format!("{why:#}");
            assert!(why.contains("its bytes have the checksum"), "{why}");
            assert!(why.contains("hint: the file is damaged"), "{why}");
            told += 1;
        }
    }
    assert!(told > 0);
}
