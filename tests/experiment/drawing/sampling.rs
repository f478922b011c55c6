//! What a file asks of a sampler: what is a part of the key, classes by name, and what cannot be meant.

use fidrunner::experiment::grid::sweep::cells;
use fidrunner::jobs::of_cell::jobs_of;
use std::path::Path;

const FILE: &str = "name = \"a\"\n[model]\ncheckpoint = \"NET\"\n\
    [sample]\nsteps = 25\ncount = 10\n";

/// The key of the images under `--set`, or the message.
fn key(folder: &Path, set: &[&str]) -> Result<String, String> {
    let net = folder.join("net.pt");
    std::fs::write(&net, "not a checkpoint").unwrap();
    let text = FILE.replace("NET", &net.display().to_string());
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let cells = cells(&text, &set, &[]).map_err(|e| format!("{e:#}"))?;
    // Where backtraces are asked for, the last error carries one.
    let text = |text: String| text.split("\n   0:").next().unwrap_or_default().to_string();
    let jobs = jobs_of(&cells[0]).map_err(|e| text(format!("{e:#}")))?;
    Ok(jobs[0].key().unwrap().full().to_string())
}

#[test]
fn what_is_left_at_its_default_is_no_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = |set: &[&str]| key(folder.path(), set).unwrap();
    let plain = key(&[]);
    for same in [
        &["sample.temperature=1"][..],
        &["sample.variance=learned"],
        &["sample.steps=\"25\""],
        &["sample.eta=0.5"],
        &["sample.spacing=linspace"],
    ] {
        assert_eq!(key(same), plain, "{same:?}");
    }
    let mut others = vec![plain];
    for other in [
        &["sample.temperature=0.9"][..],
        &["sample.variance=fixed_large"],
        &["sample.variance=fixed_small"],
        &["sample.steps=ddim25", "sample.sampler=ddim"],
        &["sample.steps=\"10,10,5\""],
        &["sample.threshold=0.995"],
        &["sample.spacing=trailing"],
        &["sample.sampler=dpmpp_2m"],
        &["sample.sampler=dpmpp_2m", "sample.spacing=log-snr"],
        &["sample.sampler=dpmpp_2m", "sample.spacing=quadratic"],
        &["sample.sampler=dpmpp_3m"],
        &["sample.sampler=dpmpp_2m_sde"],
        &["sample.sampler=uni_pc"],
        &["sample.sampler=uni_pc", "sample.order=3"],
        &["sample.sampler=uni_pc_bh2"],
        &["sample.sampler=euler"],
        &["sample.sampler=heun"],
        &["sample.sampler=heun", "sample.spacing=iddpm"],
        &["sample.sampler=heun", "sample.churn=40"],
        &[
            "sample.sampler=heun",
            "sample.churn=40",
            "sample.churn_sigmas=[0.05, 50]",
        ],
    ] {
        let key = key(other);
        assert!(!others.contains(&key), "{other:?}");
        others.push(key);
    }
    for (asked, same) in [
        (&["sample.sampler=dpmpp_2m"][..], "sample.spacing=time"),
        (&["sample.sampler=uni_pc"], "sample.order=2"),
        (&["sample.sampler=heun"], "sample.spacing=edm"),
        (&["sample.sampler=heun"], "sample.churn_sigmas=[0.05, 50]"),
        (&["sample.sampler=dpmpp_2m"], "sample.eta=0.5"),
    ] {
        assert_eq!(key(&[asked, &[same]].concat()), key(asked), "{same}");
    }
    let bare = ["model.preset=shapes16", "model.arch.learn_sigma=false"];
    let large = [&bare[..], &["sample.variance=fixed_large"]].concat();
    let small = [&bare[..], &["sample.variance=fixed_small"]].concat();
    assert_eq!(key(&bare), key(&large));
    assert_ne!(key(&bare), key(&small));
}

#[test]
fn classes_by_name_are_labels_before_any_net_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let net = "model.preset=imagenet64";
    let of = |set: &[&str]| key(folder.path(), &[&[net], set].concat());
    let chihuahua = of(&["sample.classes=[151]"]).unwrap();
    for asked in ["chihuahua", "n02085620", "Chihuahua"] {
        let set = format!("sample.classes=[\"{asked}\"]");
        assert_eq!(of(&[&set]).unwrap(), chihuahua);
    }
    let message = of(&["sample.classes=[151, \"crane\"]"]).unwrap_err();
    assert!(
        message.starts_with("sample.classes: class \"crane\" is the name of 2 classes"),
        "{message}"
    );
    assert_eq!(
        of(&["sample.classes=[1000]"]).unwrap_err(),
        "sample.classes: class 1000 is outside 0..=999 (the net knows 1000 classes)"
    );
    // The names of another data set are in the net's own card.
    let shapes = "model.preset=shapes16";
    assert!(key(folder.path(), &[shapes, "sample.classes=[\"heart\"]"]).is_ok());
    assert_eq!(
        key(folder.path(), &[shapes, "sample.classes=[10]"]).unwrap_err(),
        "sample.classes: class 10 is outside 0..=9 (the net knows 10 classes)"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_by_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    for (set, message) in [
        (
            &["sample.sampler=ddim", "sample.variance=fixed_small"][..],
            "sample.variance is fixed, and DDIM does not use the variance of a step\nhint: take it out, or use sampler = \"ddpm\"; the noise of DDIM is `eta`",
        ),
        (
            &["sample.sampler=ddim", "sample.temperature=0.9"],
            "sample.temperature = 0.9 scales the noise that a step adds, and DDIM adds none at eta = 0\nhint: set `eta` above 0, or take `temperature` out",
        ),
        (
            &["sample.sampler=uni_pc", "sample.temperature=0.9"],
            "sample.temperature = 0.9 scales the noise that a step adds, and UniPC (B1) adds none at all\nhint: use sampler = \"dpmpp_2m_sde\", or take `temperature` out",
        ),
        (
            &["sample.sampler=heun", "sample.temperature=0.9"],
            "sample.temperature = 0.9 scales the noise that a step adds, and EDM Heun adds none at churn = 0\nhint: set `churn` above 0, or take `temperature` out",
        ),
        (
            &["sample.spacing=trailing", "sample.steps=ddim25"],
            "sample.spacing stands beside steps that say which timesteps are kept\nhint: take `spacing` out, or give the number of steps, such as steps = 20",
        ),
        (
            &["sample.sampler=dpmpp_2m", "sample.steps=ddim25"],
            "sample.steps = \"ddim25\" says which timesteps are kept, and sampler = \"dpmpp_2m\" has noise levels of its own\nhint: give the number of steps, such as steps = 20",
        ),
        (
            &["sample.sampler=heun", "sample.steps=1"],
            "sample.steps = 1, and sampler = \"heun\" needs 2 at least",
        ),
        (
            &["sample.spacing=time"],
            "sample.spacing = \"time\", which sampler = \"ddpm\" does not know\nhint: \"linspace\" or \"trailing\"",
        ),
        (
            &["sample.sampler=heun", "sample.spacing=time"],
            "sample.spacing = \"time\", which sampler = \"heun\" does not know\nhint: \"edm\" or \"iddpm\"",
        ),
        (
            &["sample.order=3"],
            "sample.order is UniPC's, and sampler = \"ddpm\" has no such choice\nhint: take `order` out, or use sampler = \"uni_pc\" or \"uni_pc_bh2\"",
        ),
        (
            &["sample.churn=3"],
            "sample.churn is EDM's, and sampler = \"ddpm\" has none\nhint: take `churn` and `churn_sigmas` out, or use sampler = \"heun\" or \"euler\"",
        ),
        (
            &["sample.threshold=0.9", "sample.clip=false"],
            "sample.threshold stands beside clip = false\nhint: take one of the two out: `threshold` does its own clipping",
        ),
        (
            &["sample.temperature=-1"],
            "sample.temperature = -1 is not a number from 0 up",
        ),
        (
            &["sample.variance=learned", "model.arch.learn_sigma=false"],
            "sample.variance = \"learned\", and the net has no variance half\nhint: use \"fixed_large\" or \"fixed_small\", or leave it out",
        ),
        (
            &["sample.steps=ddim45"],
            "[sample]: steps = \"ddim45\": no whole stride takes 45 of 1000 steps\nhint: ddim44 and ddim46 are possible",
        ),
        (
            &["sample.steps=\"400,10\"", "model.process.timesteps=500"],
            "[sample]: steps = \"400,10\": section 0 has 250 of the 500 steps and cannot give 400; 0 to 250 are allowed",
        ),
    ] {
        assert_eq!(key(folder.path(), set).unwrap_err(), message);
    }
}
