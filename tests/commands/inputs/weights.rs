//! Weights that do not fit are refused before anything runs, and those behind a wrapper's prefix are read.

use crate::desk::Desk;
use crate::support::pickles::{Named, tensors_of_preset, write_torch};
use crate::support::program::shipped;

/// An experiment of one cell that draws by `net.pt`.
const FILE: &str = "name = \"a\"\n[model]\npreset = \"imagenet64\"\ncheckpoint = \"net.pt\"\n[sample]\nsteps = 5\ncount = 10\n";

fn desk(tensors: &[Named]) -> Desk {
    let desk = Desk::empty();
    desk.write("a.toml", FILE);
    write_torch(&desk.path("net.pt"), tensors);
    desk
}

/// What both `plan` and `sweep` say.
fn refusal(tensors: &[Named]) -> String {
    let desk = desk(tensors);
    let plan = desk.refused(&["plan", "a.toml"]);
    assert_eq!(desk.refused(&["sweep", "a.toml", "--device", "cpu"]), plan);
    assert!(!desk.path(".runner/sample").exists());
    plan
}

#[test]
fn a_prefix_that_all_names_share_is_passed_over_and_said_once() {
    let plain = desk(&tensors_of_preset("imagenet64", ""));
    let wanted = plain.run(&["plan", "a.toml"]);
    assert_eq!(wanted.stderr, "");
    for prefix in ["module.", "_orig_mod.", "net.", "model.ema.", "a.b.c."] {
        let desk = desk(&tensors_of_preset("imagenet64", prefix));
        let plan = desk.runner(&["plan", "a.toml", "--set", "grid.sample.seed=[1,2]"]);
        let said =
            format!("model.checkpoint: all names begin with `{prefix}`, which is passed over\n");
        assert_eq!(plan.succeeds().stderr, said);
        let told = desk.done(&["inspect", "net.pt"]);
        let fits = format!("fits preset `imagenet64` behind the prefix `{prefix}`\n");
        assert!(told.contains(&fits), "{fits}");
    }
    // One name that does not share it is no wrapper's work.
    let mut tensors = tensors_of_preset("imagenet64", "module.");
    tensors[3].0 = "other".to_string();
    assert!(refusal(&tensors).contains("are not those of `imagenet64`: "));
}

#[test]
fn names_and_shapes_that_do_not_fit_are_named() {
    let whole = || tensors_of_preset("imagenet64", "");
    let mut tensors = whole();
    let (name, shape) = tensors.remove(1);
    assert_eq!(
        (name.as_str(), &shape[..]),
        ("time_embed.0.bias", &[768][..])
    );
    tensors.push(("extra".into(), vec![2]));
    tensors[0].1 = vec![768, 64];
    assert_eq!(
        refusal(&tensors),
        "error: a.toml: a: model.checkpoint: reading net.pt: its tensors are not those of `imagenet64`: \
         1 missing (`time_embed.0.bias` [768]), 1 not the net's (`extra`), \
         1 of another shape (`time_embed.0.weight` is [768, 64] and not [768, 192])\n\n\
         hint: `runner inspect net.pt` prints what the file holds; the model must be the one that was trained\n"
    );
    let why = refusal(&tensors_of_preset("imagenet128", "module."));
    assert!(why.contains(" and "), "{why}");
    assert!(
        why.ends_with("hint: this checkpoint fits preset `imagenet128`\n"),
        "{why}"
    );
    // The labels' table alone tells a class-conditional net from its unconditional twin.
    let desk = desk(&whole());
    let unconditional = ["plan", "a.toml", "--set", "model.arch.classes=0"];
    let why = desk.refused(&unconditional);
    assert!(
        why.contains("1 not the net's (`label_emb.weight`)"),
        "{why}"
    );
    desk.write("net.pt", "no weights");
    let why = desk.refused(&["plan", "a.toml"]);
    assert!(
        why.contains("model.checkpoint: reading net.pt: it is no checkpoint"),
        "{why}"
    );
}

#[test]
fn feature_nets_are_looked_at_too() {
    let desk = desk(&tensors_of_preset("imagenet64", ""));
    let eval = |features: &str, weights: &str| {
        let eval = format!(
            "[eval]\nfeatures = \"{features}\"\nweights = \"{weights}\"\nreference = \"{}\"\nmetrics = [\"{}\"]\n",
            shipped("reference_stats/shapes16.npz"),
            if features == "shapes" { "fd" } else { "fid" },
        );
        desk.write("b.toml", &format!("{FILE}{eval}"));
    };
    let shapes = shipped("experiments/shapes/features.safetensors");
    eval("shapes", &shapes);
    desk.done(&["plan", "b.toml"]);
    eval("shapes", "net.pt");
    let why = desk.refused(&["plan", "b.toml"]);
    assert!(
        why.contains("eval.weights: net.pt holds another net than "),
        "{why}"
    );
    eval("inception", &shapes);
    let why = desk.refused(&["plan", "b.toml"]);
    assert!(why.contains("eval.weights: "), "{why}");
    assert!(
        why.contains("features.safetensors holds another net than "),
        "{why}"
    );
    eval("inception", "net.pt");
    let why = desk.refused(&["plan", "b.toml"]);
    assert!(
        why.contains("eval.weights: reading net.pt: these are not Inception's weights"),
        "{why}"
    );
}

#[test]
fn the_home_folder_is_found_in_files_and_behind_set() {
    let desk = desk(&tensors_of_preset("imagenet64", ""));
    let home = desk.root().display().to_string();
    let moved = "model.checkpoint=~/nets/epoch=3 step=87.pt";
    std::fs::create_dir(desk.path("nets")).unwrap();
    std::fs::rename(desk.path("net.pt"), desk.path("nets/epoch=3 step=87.pt")).unwrap();
    let elsewhere = |args: &[&str]| desk.runner(args).env("HOME", &home);
    elsewhere(&["plan", "a.toml", "--set", moved]).succeeds();
    desk.write(
        "a.toml",
        &FILE.replace("net.pt", "~/nets/epoch=3 step=87.pt"),
    );
    elsewhere(&["plan", "a.toml"]).succeeds();
    elsewhere(&["plan", "a.toml"])
        .env("HOME", "/nowhere")
        .refuses()
        .says("model.checkpoint = \"/nowhere/nets/epoch=3 step=87.pt\" cannot be read");
}

#[test]
fn a_file_of_several_nets_names_a_cure_that_the_verb_has() {
    let desk = Desk::empty();
    desk.write("a.toml", FILE);
    let nested = crate::support::golden::golden("checkpoints/nested_zip.pt");
    std::fs::copy(nested, desk.path("net.pt")).unwrap();
    let cure = "hint: save that part alone: `torch.save(torch.load(\"net.pt\", map_location=\"cpu\")[\"state_dict\"], \"state_dict.pt\")`";
    desk.runner(&["plan", "a.toml"]).refuses().says(cure);
    desk.runner(&["likelihood", "net.pt", "shapes"])
        .refuses()
        .says(cure);
    let flag = "hint: pass `--key state_dict`";
    desk.runner(&["inspect", "net.pt"]).refuses().says(flag);
    for verb in [
        &["score", "a", "--reference", "b"][..],
        &["reference", "a", "--out", "b.npz"],
    ] {
        let weights = ["--weights", "net.pt", "--device", "cpu"];
        desk.runner(&[verb, &weights].concat()).refuses().says(flag);
    }
}
