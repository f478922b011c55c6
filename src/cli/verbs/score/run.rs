//! `runner score`: images against a reference, by one evaluator's rules or by all of them; no experiment file.

use crate::cli::args::ScoreArgs;
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{say, short, thousands, warning};
use crate::cli::verbs::fetch::{place, place_path};
use crate::cli::verbs::score::table::{Column, append_csv, json_lines, print};
use crate::experiment::key::digest_file;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::own_net;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::Rules;
use crate::jobs::context::{Progress, Stopped};
use crate::jobs::files::results::FEW;
use crate::run::device::devices;
use crate::stages::describe::extract::Extractor;
use crate::stages::score::scorer::Scorer;
use crate::stages::score::sides::{self, Compared, Comparison};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: &ScoreArgs, store: &Path) -> Result<u8> {
    let cache = &args.cache;
    let samples = args.samples.iter().map(|text| place(text, cache));
    let args = &ScoreArgs {
        samples: samples.collect::<Result<_>>()?,
        reference: place(&args.reference, cache)?,
        weights: place_path(&args.weights, cache)?,
        ..args.clone()
    };
    let shard = shard(args.shard.as_deref())?;
    let device = devices(args.device.as_deref())?.swap_remove(0);
    let weights = digest_file(&args.weights)
        .context("--weights")
        .context(HINT)?;
    let extractor = Extractor::open(&args.weights, args.key.as_deref(), &device.device)?;
    let space = extractor.space();
    let presets = presets(&args.preset, space)?;
    let chosen: Vec<(String, Rules)> = presets
        .into_iter()
        .map(|(name, rules)| Ok((name, restricted(rules, &args.metrics)?)))
        .collect::<Result<_>>()?;
    if let Some(name) = space.published(&weights) {
        say(&format!("weights: {name}, sha256 {}", &weights[..8]));
    } else if space.is_published() {
        warning(&format!(
            "the weights (sha256 {}) are no published file whose digest is known; their numbers compare with no paper's",
            &weights[..8]
        ));
    }
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
    let rules: Vec<Rules> = chosen.iter().map(|(_, rules)| *rules).collect();
    let comparison = Comparison {
        samples: &args.samples,
        reference: &args.reference,
        reference_key: args.reference_key.as_deref(),
        extractor: &extractor,
        weights: &weights,
        rules: &rules,
        store,
        part: args.part as usize,
        shard,
    };
    let both = match describe(&comparison) {
        Err(error) if error.is::<Stopped>() => {
            say("stopped; the parts that are whole are kept\nto go on, run the same command again");
            return Ok(130);
        }
        described => described?,
    };
    let Some(both) = both else {
        let (k, n) = shard;
        say(&format!(
            "shard {}/{n} is described; scores need the other parts, in {}",
            k + 1,
            store.join("described").display()
        ));
        return Ok(0);
    };
    for finding in &both.findings {
        warning(&finding.to_string());
    }
    let columns = measure(&both, &chosen, args.compat)?;
    let about = about(args, &both, &weights);
    if args.json {
        json_lines(&about, &columns, &both.findings)?;
    } else {
        print(&about, &columns)?;
    }
    if let Some(path) = &args.csv {
        append_csv(path, &about, &columns)?;
    }
    Ok(0)
}

const HINT: &str = "the feature net is needed\nhint: published weights are pt_inception-2015-12-05-6726825d.pth (release `fid_weights` of mseitzer/pytorch-fid); the shapes world's are experiments/shapes/features.safetensors";

/// What stands in every result.
pub struct About {
    pub samples: String,
    pub reference: String,
    pub weights: String,
    pub count: usize,
    /// Images behind the reference's moments, where known.
    pub real: Option<u64>,
}

fn about(args: &ScoreArgs, both: &Compared, weights: &str) -> About {
    About {
        samples: args.samples.join(" "),
        reference: args.reference.clone(),
        weights: weights.to_string(),
        count: both.sides[0].samples.len(),
        real: both.sides[0].real.count,
    }
}

/// `K/N`, K from 1, as (K - 1, N).
fn shard(text: Option<&str>) -> Result<(usize, usize)> {
    let Some(text) = text else {
        return Ok((0, 1));
    };
    let parsed = text
        .split_once('/')
        .and_then(|(k, n)| Some((k.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match parsed {
        Some((k, n)) if k >= 1 && k <= n => Ok((k - 1, n)),
        _ => bail!("--shard {text}: `K/N` with K in 1..=N is needed, such as 1/4"),
    }
}

fn presets(name: &str, space: &FeatureSpace) -> Result<Vec<(String, Rules)>> {
    if !space.is_published() {
        ensure!(
            name == "adm" || name == "all",
            "--preset {name}: presets are rules for Inception's features, and the weights are another net's"
        );
        return Ok(vec![("own net".to_string(), own_net::of_images())]);
    }
    if name == "all" {
        let all = space.presets.iter();
        return Ok(all.map(|p| (p.to_string(), p.rules())).collect());
    }
    let preset: Preset = name
        .parse()
        .map_err(anyhow::Error::msg)
        .context("--preset")?;
    Ok(vec![(preset.to_string(), preset.rules())])
}

/// The rules without the metrics that were not asked for.
fn restricted(rules: Rules, asked: &[String]) -> Result<Rules> {
    if asked.is_empty() {
        return Ok(rules);
    }
    let mut wanted = Vec::new();
    for asked in asked {
        let known = Metric::of_id(asked).filter(|metric| rules.published(*metric).is_some());
        let Some(metric) = known else {
            let ids = rules.ids().join(", ");
            bail!("--metrics {asked}: this preset has {ids}");
        };
        wanted.push(metric);
    }
    Ok(rules.only(&wanted))
}

fn describe(comparison: &Comparison) -> Result<Option<Compared>> {
    let (live, started) = (Live::start(), Instant::now());
    let tell = |side: &str, progress: Progress| {
        let Progress { done, total, .. } = progress;
        let pace = done as f64 / started.elapsed().as_secs_f64();
        live.set(format!(
            "{side}: {} / {} images   {} images/s",
            thousands(done),
            thousands(total),
            short(pace)
        ));
    };
    let both = sides::run(comparison, &tell, &STOP);
    drop(live);
    both
}

fn measure(both: &Compared, chosen: &[(String, Rules)], compat: bool) -> Result<Vec<Column>> {
    let mut scorers: Vec<Scorer> = both
        .sides
        .iter()
        .map(|side| Scorer::new(&side.samples, &side.real))
        .collect();
    for scorer in &mut scorers {
        scorer.compat = compat;
    }
    if both.sides[0].samples.len() < FEW {
        warning(&format!(
            "{} samples: FID is biased upwards for few of them, by about what the column `bias` says; compare equal counts only",
            thousands(both.sides[0].samples.len() as u64)
        ));
    }
    let live = Live::start();
    let mut columns = Vec::new();
    for (preset, rules) in chosen {
        // Nets that resize by themselves have one side, whatever the rules say.
        let at = both
            .sides
            .iter()
            .position(|side| side.how == rules.preprocessing);
        let scorer = &mut scorers[at.unwrap_or(0)];
        let tell = |name: &str| live.set(format!("{preset}: {name}"));
        columns.push(Column {
            preset: preset.clone(),
            preprocessing: rules.preprocessing,
            measured: scorer.measure(rules, &tell)?,
        });
    }
    drop(live);
    Ok(columns)
}
