//! `inspect`, `fetch` and `clean`: what files hold, which are not here yet, and which may go.

use crate::desk::Desk;
use crate::support::files::stranger;
use crate::support::golden::golden;
use crate::support::pickles::{tensors_of_preset, write_torch};
use crate::support::program::Runner;
use std::path::Path;

/// Standard output and standard error of `runner inspect`.
fn inspect(path: &Path, more: &[&str]) -> (String, String) {
    let answer = Runner::new().arg("inspect").arg(path).args(more).run();
    assert_eq!(answer.code == Some(0), answer.stderr.is_empty());
    (answer.stdout, answer.stderr)
}

#[test]
fn containers_are_named() {
    for (path, container) in [
        (golden("checkpoints/state.safetensors"), "safetensors"),
        (golden("checkpoints/state_zip.pt"), "torch zip"),
        (golden("checkpoints/state_legacy.pt"), "torch legacy"),
        (stranger("scripted.pt"), "TorchScript"),
    ] {
        let (out, error) = inspect(&path, &[]);
        let start = format!("{}: {container}, ", path.display());
        assert!(out.starts_with(&start) && error.is_empty(), "{out}{error}");
    }
}

#[test]
fn keys_open_what_lies_deeper() {
    let nested = golden("checkpoints/nested_zip.pt");
    let (_, error) = inspect(&nested, &[]);
    assert!(
        error.ends_with("\nhint: pass `--key state_dict`\n"),
        "{error}"
    );
    let (out, _) = inspect(&nested, &["--key", "state_dict", "--json"]);
    let whole = inspect(&golden("checkpoints/state_zip.pt"), &["--json"]).0;
    assert_eq!(out, whole);
    assert!(
        out.contains(r#"{"name":"half","type":"F16","shape":[5,2]}"#),
        "{out}"
    );
    let (_, error) = inspect(&golden("checkpoints/adm_samples.npz"), &["--key", "a"]);
    assert!(error.contains("an npz holds arrays by name"), "{error}");
}

#[test]
fn pickles_and_caches_of_statistics_are_described() {
    let (out, _) = inspect(&stranger("edm2_protocol4.pkl"), &["--key", "fd_dinov2"]);
    assert!(
        out.contains("statistics of 3 features, key `fd_dinov2`, of 12 images"),
        "{out}"
    );
    let (out, _) = inspect(&stranger("fidelity_numpy.pt"), &["--json"]);
    assert!(
        out.contains(r#"{"name":"sigma","type":"float64","shape":[4,4]}"#),
        "{out}"
    );
    let (_, error) = inspect(&golden("checkpoints/hostile_zip.pt"), &[]);
    assert!(error.contains("it names `posix.system`"), "{error}");
}

#[test]
fn the_list_tells_what_is_here_and_a_wrong_name_what_was_meant() {
    let desk = Desk::empty();
    std::fs::create_dir(desk.path("runner")).unwrap();
    std::fs::write(desk.path("runner/64x64_classifier.pt.part"), [0; 2000]).unwrap();
    let list = desk.done(&["fetch", "--list"]);
    let line = |name: &str| {
        list.lines()
            .find(|line| line.trim().starts_with(name))
            .unwrap()
    };
    assert!(line("imagenet64-classifier ").contains("2.0 kB so far"));
    assert!(line("imagenet256-uncond ").contains("  2.2 GB "), "{list}");
    assert!(
        line("imagenet64-samples-adm ").contains("about 614.4 MB"),
        "{list}"
    );
    let error = desk.refused(&["fetch", "imagenet65"]);
    assert!(
        error.starts_with("error: there is nothing to fetch by the name `imagenet65`\n\nhint: perhaps imagenet64, "),
        "{error}"
    );
    desk.refused(&["fetch"]);
}

/// An experiment of the release's files, none of which is here.
const FETCHED: &str = "name = \"a\"\n[model]\npreset = \"imagenet64\"\ncheckpoint = \"fetch:imagenet64\"\n\
    [sample]\nsteps = 250\ncount = 100\n[eval]\nfeatures = \"inception\"\nweights = \"fetch:inception\"\n\
    reference = \"fetch:imagenet64-reference\"\nmetrics = [\"fid\"]\n";

#[test]
fn a_plan_of_what_is_not_here_says_what_to_fetch_and_a_sweep_refuses() {
    let desk = Desk::empty();
    desk.write("a.toml", FETCHED);
    let fetch = "hint: runner fetch imagenet64 inception imagenet64-reference\n";
    let plan = desk.runner(&["plan", "a.toml"]).succeeds();
    let plan = plan.prints("not here yet: 1.5 GB to fetch");
    assert!(plan.stderr.ends_with(fetch), "{plan:?}");
    assert_eq!(
        desk.refused(&["sweep", "a.toml", "--device", "cpu"]),
        format!("error: not in the cache: imagenet64, inception, imagenet64-reference\n\n{fetch}")
    );
    desk.run(&["clean", "a.toml"]).says("not in the cache");
    let score = ["score", "a", "--reference", "b"];
    let weights = ["--weights", "fetch:inception"];
    assert_eq!(
        desk.run(&[&score[..], &weights].concat()).stderr,
        "error: not in the cache: inception\n\nhint: runner fetch inception\n"
    );
    // What is there is named by its bytes.
    std::fs::create_dir(desk.path("runner")).unwrap();
    let tensors = tensors_of_preset("imagenet64", "");
    write_torch(&desk.path("runner/64x64_diffusion.pt"), &tensors);
    let plan = desk.run(&["plan", "a.toml"]);
    let plan = plan.prints("64x64_diffusion.pt  sha256 ");
    assert!(
        plan.stderr
            .ends_with("hint: runner fetch inception imagenet64-reference\n"),
        "{plan:?}"
    );
    for (checkpoint, said) in [
        (
            "\"fetch:imagenet65\"",
            "model.checkpoint = \"fetch:imagenet65\": there is nothing to fetch",
        ),
        (
            "64x64_diffusion.pt",
            "hint: `runner fetch imagenet64` gets it, and `fetch:imagenet64` is its path then",
        ),
    ] {
        let set = format!("model.checkpoint={checkpoint}");
        desk.run(&["plan", "a.toml", "--set", &set]).says(said);
    }
}

const TRAINED: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 1\nbatch = 1\nlearning_rate = 1e-3\n";

#[test]
fn answers_stay_until_they_are_asked_for() {
    let desk = Desk::empty();
    desk.write("a.toml", TRAINED);
    let described = desk.path(".runner/described/0123");
    std::fs::create_dir_all(&described).unwrap();
    std::fs::write(described.join("part.npz"), [0; 2048]).unwrap();
    let clean = |flags: &[&str]| {
        let clean = desk.runner(&["clean", "a.toml"]).args(flags);
        clean.succeeds()
    };
    let none = clean(&[]).says("answers of `score`, `likelihood` and `reconstruct` stay");
    assert!(none.stdout.starts_with("nothing to free"), "{none:?}");
    clean(&["--answers"])
        .prints("described  0123")
        .prints("runner score");
    assert!(described.exists(), "nothing goes before --yes");
    clean(&["--answers", "--yes"]);
    assert!(!described.exists());
}
