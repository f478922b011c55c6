//! Which averages of its weights a training tracks, which of them draws or guides, and what no training has.

use fidrunner::experiment::grid::sweep::cells;
use fidrunner::jobs::inputs::averages::{Average, PostHoc};
use fidrunner::jobs::job::Job;
use fidrunner::jobs::net::Weights;
use fidrunner::jobs::of_cell::jobs_of;

const FILE: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 100\nbatch = 1\n\
    learning_rate = 1e-3\nkeep = [30]\n[sample]\nsteps = 5\ncount = 10\n";

/// The jobs of all cells under `--set`, or the message.
fn jobs(set: &[&str]) -> Result<Vec<Vec<Job>>, String> {
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let cells = cells(FILE, &set, &[]).map_err(|e| format!("{e:#}"))?;
    let jobs = cells
        .iter()
        .map(|cell| jobs_of(cell).map_err(|e| format!("{e:#}")));
    jobs.collect()
}

fn keys(set: &[&str]) -> Vec<[String; 2]> {
    let jobs = jobs(set).unwrap_or_else(|e| panic!("{set:?}: {e}"));
    let key = |job: &Job| job.key().unwrap().full().to_string();
    jobs.iter()
        .map(|jobs| [key(&jobs[0]), key(&jobs[jobs.len() - 1])])
        .collect()
}

/// What draws in the first cell.
fn chosen(set: &[&str]) -> (Option<u64>, Average) {
    let jobs = jobs(set).unwrap_or_else(|e| panic!("{set:?}: {e}"));
    let Some(Job::Sample(job)) = jobs[0].last() else {
        panic!("no drawing")
    };
    match &job.net.weights {
        Weights::Trained(_, chosen) => (chosen.steps, chosen.average.clone()),
        Weights::File(file) => panic!("{file:?}"),
    }
}

/// Keys as they were before a training could track several.
const ONE: [&str; 2] = [
    "676e9cb4055da951d75aeba3e63f62280fea27bc933d33cd4e501ca921599646",
    "bccf7a2e357942c9433c6d48c16b76a0b42668201fb143ac85f4d70d8e679ddf",
];

#[test]
fn one_ema_has_the_keys_that_it_always_had() {
    let [one] = &keys(&["train.ema=0.999"])[..] else {
        panic!()
    };
    assert_eq!(one, &ONE);
    for same in [
        &["train.ema=[0.999]"][..],
        &["train.ema=[0.999]", "sample.ema=0.999"],
        &[
            "train.ema=0.999",
            "sample.ema=0.999",
            "sample.trained_steps=100",
        ],
    ] {
        assert_eq!(keys(same)[0], ONE, "{same:?}");
    }
    let two = keys(&["train.ema=[0.999, 0.9]"]);
    assert!(two[0][0] != ONE[0] && two[0][1] != ONE[1]);
    let turned = keys(&["train.ema=[0.9, 0.999]"]);
    assert_ne!(turned, two);
    assert_ne!(
        keys(&["train.ema=0.999", "train.power_ema.every=50"])[0],
        ONE
    );
}

#[test]
fn averages_of_one_training_are_an_axis() {
    let two = "train.ema=[0.999, 0.9]";
    let along = keys(&[two, "grid.sample.ema=[0.999, 0.9]"]);
    assert_eq!(along[0][0], along[1][0], "two trainings");
    assert_ne!(along[0][1], along[1][1], "the same images");
    assert_eq!(along[0], keys(&[two])[0], "the first is what draws anyway");
    let power = "train.power_ema.every=50";
    let lengths = keys(&[power, "grid.sample.ema_length=[0.05, 0.075]"]);
    assert_eq!(lengths[0][0], lengths[1][0]);
    assert_ne!(lengths[0][1], lengths[1][1]);
    // An axis over single values trains once a value; a list in a list is one training.
    assert_eq!(keys(&["grid.train.ema=[0.99, 0.999]"]).len(), 2);
    assert_eq!(keys(&["grid.train.ema=[[0.99, 0.999]]"]).len(), 1);
    let mixed = keys(&["grid.train.ema=[0.999, [0.999, 0.9]]"]);
    assert_eq!(mixed[0][0], ONE[0]);
    assert_eq!(mixed[1], keys(&[two])[0]);
}

#[test]
fn what_draws_is_what_is_asked_for() {
    let two = "train.ema=[0.999, 0.9]";
    assert_eq!(chosen(&[two]), (None, Average::First));
    assert_eq!(
        chosen(&[two, "sample.ema=0.9"]),
        (None, Average::Decay(0.9))
    );
    let early = chosen(&[two, "sample.ema=0.9", "sample.trained_steps=30"]);
    assert_eq!(early, (Some(30), Average::Decay(0.9)));
    let made = |at, steps: &[u64]| {
        Average::PostHoc(PostHoc {
            sigma_rel: 0.075,
            at,
            widths: vec![0.05, 0.10],
            steps: steps.to_vec(),
        })
    };
    let power = ["train.power_ema.every=40", "sample.ema_length=0.075"];
    assert_eq!(chosen(&power), (None, made(100, &[30, 40, 80, 100])));
    let at = |step: &'static str| chosen(&[power[0], power[1], step]);
    assert_eq!(
        at("sample.trained_steps=80"),
        (Some(80), made(80, &[30, 40, 80]))
    );
    assert_eq!(at("sample.trained_steps=30"), (Some(30), made(30, &[30])));
}

#[test]
fn a_guide_has_an_average_of_its_own() {
    let auto = [
        "guidance.method=autoguidance",
        "guidance.scale=2",
        "train.ema=[0.999, 0.9]",
    ];
    let guide = |more: &[&str]| {
        let jobs = jobs(&[&auto[..], more].concat()).unwrap_or_else(|e| panic!("{more:?}: {e}"));
        let trainings = jobs[0]
            .iter()
            .filter(|job| matches!(job, Job::Train(_)))
            .count();
        let Some(Job::Sample(job)) = jobs[0].last() else {
            panic!("no drawing")
        };
        let net = job.guidance.as_ref().unwrap().net.as_ref().unwrap();
        let Weights::Trained(_, chosen) = &net.weights else {
            panic!("{net:?}")
        };
        (trainings, chosen.steps, chosen.average.clone())
    };
    assert_eq!(guide(&["guidance.ema=0.9"]), (1, None, Average::Decay(0.9)));
    let early = guide(&["guidance.ema=0.9", "guidance.trained_steps=30"]);
    assert_eq!(early, (1, Some(30), Average::Decay(0.9)));
    assert_eq!(
        guide(&["guidance.trained_steps=30"]),
        (1, Some(30), Average::First)
    );
    let (_, _, made) = guide(&["train.power_ema.every=50", "guidance.ema_length=0.1"]);
    assert!(matches!(made, Average::PostHoc(_)), "{made:?}");
    // Of a net that is trained to guide.
    let own = [
        "guidance.preset=shapes16",
        "guidance.train={ data = \"shapes\", steps = 9, batch = 1, learning_rate = 1e-3, ema = [0.5, 0.6] }",
        "guidance.ema=0.6",
    ];
    assert_eq!(guide(&own), (2, None, Average::Decay(0.6)));
}

#[test]
fn what_no_training_tracks_is_refused_with_its_cure() {
    let power = "train.power_ema.every=40";
    for (set, message) in [
        (
            &["train.ema=[0.999, 0.9]", "sample.ema=0.5"][..],
            "sample.ema = 0.5 is no average that [train] tracks: train.ema = [0.999, 0.9]\nhint: add it to `train.ema`, a list of all that one training tracks",
        ),
        (
            &["sample.ema=0.9999", "sample.ema_length=0.05", power],
            "sample.ema and sample.ema_length name two averages of the weights\nhint: take one of the two out",
        ),
        (
            &["sample.ema_length=0.05"],
            "sample.ema_length = 0.05 is made of the snapshots of [train.power_ema], and there is no such table\nhint: add it, with `every`, the steps between two snapshots",
        ),
        (
            &[power, "sample.ema_length=0.5"],
            "sample.ema_length = 0.5 is above 0.2887, where all steps of a training count alike\nhint: such as 0.05 or 0.1",
        ),
        (
            &[power, "sample.ema_length=0.05", "sample.trained_steps=50"],
            "sample.trained_steps = 50 has no snapshot: they are 40 steps apart (train.power_ema.every), and at train.keep = [30] and train.steps = 100\nhint: add it to `train.keep`",
        ),
        (
            &["train.ema=[]"],
            "train.ema is an empty list\nhint: name one or several, such as [0.999, 0.9999]",
        ),
        (
            &["train.ema=[0.9, 0.9]"],
            "train.ema = [0.9, 0.9] holds 0.9 twice",
        ),
        (
            &["train.ema=[0.9, 1]"],
            "train.ema = 1 is outside 0..1 (1 left out)",
        ),
        (
            &["train.power_ema={ every = 1, sigma_rel = [0.05, 0.4] }"],
            "train.power_ema.sigma_rel = 0.4 is above 0.2887, where all steps of a training count alike\nhint: such as 0.05 or 0.1",
        ),
        (
            &["train.steps=5000", "train.power_ema.every=1"],
            "train.power_ema.every = 1 keeps 5000 snapshots of each width in 5000 steps, and 500 are the most\nhint: set it to 10 or more",
        ),
        (
            &[
                "guidance.method=autoguidance",
                "guidance.scale=2",
                "guidance.ema=0.5",
            ],
            "guidance.ema = 0.5 is no average that [train] tracks: train.ema = [0.9999]\nhint: add it to `train.ema`, a list of all that one training tracks",
        ),
        (
            &[
                "guidance.method=classifier-free",
                "guidance.scale=2",
                "guidance.ema=0.9999",
            ],
            "guidance.ema = 0.9999 is an average of the weights of [guidance.train], or of [train] as the second net of method = \"autoguidance\"\nhint: take it out, or let one of the two train what guides",
        ),
    ] {
        let refused = jobs(set).unwrap_err();
        let refused = refused.trim_start_matches("cell 0: ");
        assert_eq!(refused, message, "{set:?}");
    }
    let file =
        "name = \"a\"\n[model]\ncheckpoint = \"a.pt\"\n[sample]\nsteps = 1\ncount = 1\nema = 0.9\n";
    let refused = format!("{:#}", cells(file, &[], &[]).unwrap_err());
    assert_eq!(
        refused,
        "sample.ema = 0.9 chooses among the averages that [train] tracks, and there is no [train]\nhint: take it out; a checkpoint holds one set of weights"
    );
}
