//! What a file asks of guidance: what is a part of the key, what costs what, and what cannot be meant.

use fidrunner::experiment::grid::sweep::cells;
use fidrunner::jobs::job::Job;
use fidrunner::jobs::of_cell::jobs_of;
use fidrunner::jobs::sample::SampleJob;
use fidrunner::jobs::stage::Plannable;
use std::path::Path;

const FILE: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\ncheckpoint = \"NET\"\n\
    [guidance]\nscale = 1\n[sample]\nsampler = \"ddim\"\nsteps = 20\ncount = 10\n";

/// The drawing under `--set`, or the message.
fn drawing(folder: &Path, set: &[&str]) -> Result<SampleJob, String> {
    let net = folder.join("net.pt");
    std::fs::write(&net, "not a checkpoint").unwrap();
    let text = FILE.replace("NET", &net.display().to_string());
    let net = format!("guidance.checkpoint={}", net.display());
    let replaced = |s: &&str| {
        if *s == "NET" {
            net.clone()
        } else {
            s.to_string()
        }
    };
    let set: Vec<String> = set.iter().map(replaced).collect();
    let cells = cells(&text, &set, &[]).map_err(|e| format!("{e:#}"))?;
    let text = |text: String| text.split("\n   0:").next().unwrap_or_default().to_string();
    let jobs = jobs_of(&cells[0]).map_err(|e| text(format!("{e:#}")))?;
    let sample = jobs.into_iter().find_map(|job| match job {
        Job::Sample(sample) => Some(sample),
        _ => None,
    });
    Ok(sample.expect("a drawing"))
}

fn key(folder: &Path, set: &[&str]) -> String {
    let drawing = drawing(folder, set).unwrap_or_else(|e| panic!("{set:?}: {e}"));
    drawing.key().unwrap().full().to_string()
}

const FREE: &str = "guidance.method=classifier-free";
const SELF: &str = "guidance.method=self-attention";
const PERTURBED: &str = "guidance.method=perturbed-attention";

#[test]
fn what_guides_nothing_shares_the_unguided_images() {
    let folder = tempfile::tempdir().unwrap();
    let key = |set: &[&str]| key(folder.path(), set);
    let unguided = key(&["NET", "guidance.scale=0"]);
    for idle in [
        &[FREE, "guidance.scale=1"][..],
        &[FREE, "guidance.scale=0", "guidance.convention=paper"],
        &["guidance.method=autoguidance", "NET", "guidance.scale=1"],
        &[SELF, "guidance.scale=1"],
        &[SELF, "guidance.scale=0", "guidance.convention=paper"],
        &[PERTURBED, "guidance.scale=1"],
    ] {
        assert_eq!(key(idle), unguided, "{idle:?}");
    }
    let guided = key(&[FREE, "guidance.scale=2"]);
    assert_ne!(guided, unguided);
    for same in [
        &["guidance.interval.timesteps=[0, inf]"][..],
        &["guidance.interval.sigma=[0, inf]"],
        &["guidance.interval.steps=[0, 1]"],
        &["guidance.power=3"],
        &["guidance.null=class"],
    ] {
        let set = [&[FREE, "guidance.scale=2"], same].concat();
        assert_eq!(key(&set), guided, "{same:?}");
    }
    let paper = [FREE, "guidance.scale=1", "guidance.convention=paper"];
    assert_eq!(key(&paper), guided);
    let middle = "guidance.blocks=[\"middle_block.1\"]";
    for method in [SELF, PERTURBED] {
        let silent = key(&[method, "guidance.scale=2"]);
        assert_eq!(key(&[method, "guidance.scale=2", middle]), silent);
    }
    let blocks = |list: &str| {
        key(&[
            PERTURBED,
            "guidance.scale=2",
            &format!("guidance.blocks={list}"),
        ])
    };
    let (one, other) = ("[\"a.1\", \"b.1\"]", "[\"b.1\", \"a.1\", \"b.1\"]");
    assert_eq!(blocks(one), blocks(other));
}

#[test]
fn intervals_of_the_same_steps_share_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let forms = [
        "guidance.interval.timesteps=[250, 750]",
        "guidance.interval.timesteps=[249.5, 740]",
        "guidance.interval.sigma=[0.42, 2.5]",
        "guidance.interval.steps=[0.25, 0.75]",
    ];
    let keys = |more: &[&str]| -> Vec<String> {
        let of = |form: &&str| {
            key(
                folder.path(),
                &[&[FREE, "guidance.scale=2", form], more].concat(),
            )
        };
        forms.iter().map(of).collect()
    };
    let same = keys(&[]);
    assert!(same.iter().all(|key| *key == same[0]), "{same:?}");
    let all = [
        FREE,
        "guidance.scale=2",
        "guidance.interval.steps=[0, 0.999]",
    ];
    assert_ne!(key(folder.path(), &all), same[0]);
    let all = [FREE, "guidance.scale=2", "guidance.interval.sigma=[0, 1e9]"];
    assert_eq!(key(folder.path(), &all), key(folder.path(), &all[..2]));
    // A file that may have a card is on the process of the card, and the card is not read for a key.
    let card = folder.path().join("net.safetensors");
    std::fs::write(&card, "not a checkpoint").unwrap();
    let card = format!("model.checkpoint={}", card.display());
    let mut apart = keys(&[&card]);
    apart.sort();
    apart.dedup();
    assert_eq!(apart.len(), forms.len());
}

#[test]
fn every_key_that_changes_images_is_a_part_of_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = |set: &[&str]| key(folder.path(), set);
    let mut seen = vec![key(&[FREE, "guidance.scale=0.5"])];
    for other in [
        &["guidance.null=zero"][..],
        &["guidance.null=random"],
        &["NET"],
        &["guidance.interval.timesteps=[250, 750]"],
        &["guidance.interval.sigma=[0.3, 3.0]"],
        &["guidance.interval.steps=[0.3, 0.8]"],
        &["guidance.course=linear"],
        &["guidance.course=cosine"],
        &["guidance.course=cosine", "guidance.power=2"],
        &["guidance.rescale=0.7"],
        &["guidance.form=cfg++"],
        &["guidance.form=zero-star"],
        &["guidance.form=apg"],
        &["guidance.form=apg", "guidance.apg.momentum=-0.5"],
        &["guidance.form=apg", "guidance.apg.norm=2.5"],
        &["guidance.form=apg", "guidance.apg.parallel=0.5"],
    ] {
        let key = key(&[&[FREE, "guidance.scale=0.5"], other].concat());
        assert!(!seen.contains(&key), "{other:?}");
        seen.push(key);
    }
    for other in [
        &["NET"][..],
        &["NET", "guidance.entropy=true"],
        &[PERTURBED, "guidance.scale=2"],
        &[PERTURBED, "guidance.scale=2", "guidance.blocks=[\"a.1\"]"],
        &[SELF, "guidance.scale=2"],
        &[SELF, "guidance.scale=2", "guidance.blocks=[\"a.1\"]"],
        &[SELF, "guidance.scale=2", "guidance.blur.sigma=2"],
        &[SELF, "guidance.scale=2", "guidance.blur.kernel=7"],
    ] {
        let key = key(other);
        assert!(!seen.contains(&key), "{other:?}");
        seen.push(key);
    }
}

#[test]
fn a_second_net_counts_where_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let evaluations = |set: &[&str]| {
        let job = drawing(folder.path(), set).unwrap();
        job.cost().amount / job.sample.count as f64
    };
    assert_eq!(evaluations(&["NET"]), 20.0);
    let free = [FREE, "guidance.scale=2"];
    assert_eq!(evaluations(&free), 40.0);
    let part = [&free[..], &["guidance.interval.steps=[0.2, 0.7]"]].concat();
    assert_eq!(evaluations(&part), 30.0);
    for method in [SELF, PERTURBED] {
        let own = [method, "guidance.scale=2"];
        assert_eq!(evaluations(&own), 40.0);
        let part = [&own[..], &["guidance.interval.steps=[0.2, 0.7]"]].concat();
        assert_eq!(evaluations(&part), 30.0);
    }
    let heun = [&free[..], &["sample.sampler=heun"]].concat();
    assert_eq!(evaluations(&heun), 78.0);
    let gradients = |set: &[&str]| drawing(folder.path(), set).unwrap().gradients() / 10.0;
    assert_eq!(gradients(&["NET"]), 20.0);
    assert_eq!(
        gradients(&["NET", "guidance.interval.steps=[0.2, 0.7]"]),
        10.0
    );
    assert_eq!(gradients(&free), 0.0);
    let multistep = [&free[..], &["sample.sampler=dpmpp_2m"]].concat();
    assert_eq!(evaluations(&multistep), 40.0);
}

#[test]
fn what_guidance_cannot_mean_is_refused_by_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    for (set, message) in [
        (
            &["guidance.scale=2"][..],
            "[guidance] needs weights\nhint: name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]",
        ),
        (
            &["guidance.method=autoguidance"],
            "[guidance] needs weights\nhint: name a weaker net with `guidance.checkpoint`, make one with [guidance.train], or take an earlier one of [train] with `guidance.trained_steps`, or another average of it with `guidance.ema`",
        ),
        (
            &["NET", "guidance.rescale=0.7"],
            "guidance.rescale combines two answers of a denoiser, and method = \"classifier\" adds a gradient\nhint: take it out, or set method = \"classifier-free\" or \"autoguidance\"",
        ),
        (
            &[FREE, "guidance.entropy=true"],
            "guidance.entropy scales the gradient of a classifier\nhint: take it out, or set method = \"classifier\"",
        ),
        (
            &[FREE, "NET", "guidance.null=zero"],
            "guidance.null asks the sampled net for its answer without a class, and [guidance] names a second net\nhint: take `null` or the second net out",
        ),
        (
            &[FREE, "guidance.interval.sigma=[3, 0.3]"],
            "guidance.interval.sigma = [3, 0.3] does not rise from 0 or more\nhint: the smaller one first, such as [0.3, 3.0]",
        ),
        (
            &[FREE, "guidance.interval.steps=[0, 2]"],
            "guidance.interval.steps = [0, 2] are shares of the steps, and end at 1\nhint: such as [0.2, 0.8]",
        ),
        (
            &[FREE, "guidance.form=cfg++", "sample.sampler=ddpm"],
            "form = \"cfg++\" keeps the noise of the second answer, which DDIM alone does\nhint: set sampler = \"ddim\", or another `form`",
        ),
        (
            &[FREE, "guidance.form=cfg++", "guidance.scale=2"],
            "guidance.scale = 2 of form = \"cfg++\" is outside 0..=1, or has a course",
        ),
        (
            &[FREE, "guidance.apg.norm=2"],
            "guidance.apg is for form = \"apg\"\nhint: set `guidance.form = \"apg\"`, or take the table out",
        ),
        (
            &[FREE, "guidance.blocks=[\"middle_block.1\"]"],
            "guidance.blocks names attention blocks of the sampled net, and is for method = \"self-attention\" or \"perturbed-attention\"\nhint: take it out, or set one of these",
        ),
        (
            &[PERTURBED, "guidance.blur.sigma=3"],
            "guidance.blur is for method = \"self-attention\"\nhint: take it out, or set the method",
        ),
        (
            &[SELF, "guidance.blocks=[\"a.1\", \"b.1\"]"],
            "guidance.blocks names 2 attention blocks, and one is needed\nhint: leave it out for the middle block, \"middle_block.1\"",
        ),
        (
            &[PERTURBED, "guidance.blocks=[]"],
            "guidance.blocks names 0 attention blocks, and at least one is needed\nhint: leave it out for the middle block, \"middle_block.1\"",
        ),
        (
            &[SELF, "guidance.blur.kernel=30"],
            "guidance.blur.kernel = 30 has no middle pixel\nhint: an odd number, such as 31",
        ),
        (
            &[SELF, "guidance.blur.sigma=0"],
            "guidance.blur.sigma = 0 is not above 0",
        ),
        (
            &[SELF, "NET"],
            "guidance.checkpoint is of a second net, and guidance by attention asks the sampled net twice\nhint: take it out, or set method = \"autoguidance\"",
        ),
        (
            &[PERTURBED, "guidance.dtype=f16"],
            "guidance.dtype is of a second net, and guidance by attention asks the sampled net twice\nhint: take it out, or set method = \"autoguidance\"",
        ),
        (
            &[PERTURBED, "guidance.null=zero"],
            "guidance.null is the net without a class, and this method asks for the same class twice\nhint: take it out, or set method = \"classifier-free\"",
        ),
        (
            &["guidance.method=autoguidance", "guidance.trained_steps=5"],
            "guidance.trained_steps = 5 is not among the weights that [train] keeps\nhint: add it to `train.keep`",
        ),
    ] {
        let refused = drawing(folder.path(), set).unwrap_err();
        assert_eq!(refused, message, "{set:?}");
    }
}

#[test]
fn a_training_that_drops_labels_is_of_the_net_that_draws() {
    let text = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 9\nbatch = 1\n\
        learning_rate = 1e-3\nlabel_dropout = 0.1\nkeep = [3]\n[guidance]\nmethod = \"autoguidance\"\n\
        trained_steps = 3\nscale = 2\n[sample]\nsteps = 5\ncount = 10\n";
    let cells = cells(text, &[], &[]).unwrap();
    let jobs = jobs_of(&cells[0]).unwrap();
    let [Job::Train(train), Job::Sample(sample)] = &jobs[..] else {
        panic!("a training and a drawing, not {} jobs", jobs.len())
    };
    let drawn = cells[0].spec.drawn_model();
    assert_eq!(drawn.arch.null_class, Some(true));
    assert_eq!(train.model, drawn);
    assert_eq!(sample.net.model, drawn);
    let guide = sample.guidance.as_ref().unwrap().net.as_ref().unwrap();
    assert_eq!(guide.model, drawn);
    assert_ne!(guide.weights, sample.net.weights);
}
