//! `runner score`: images against a reference, by one evaluator's rules or by all of them; no experiment file.

use crate::cli::cache::{place, weights};
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{say, short, thousands, warning};
use crate::cli::verbs::score::args::ScoreArgs;
use crate::cli::verbs::score::table::{About, Column, append_csv, json_lines, print, spread};
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::experiment::key::digest_file;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::own_net;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::Rules;
use crate::jobs::context::{Progress, Stopped, Watch};
use crate::jobs::files::results::FEW;
use crate::run::device::named::devices;
use crate::stages::describe::extract::Extractor;
use crate::stages::score::scorer::Scorer;
use crate::stages::score::sides::{self, Compared, Comparison};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub fn run(args: &ScoreArgs, store: &Path) -> Result<u8> {
    let file = weights(args.weights.as_deref(), &args.cache)?;
    let cache = &args.cache;
    let samples = args.samples.iter().map(|text| place(text, cache));
    let args = &ScoreArgs {
        samples: samples.collect::<Result<_>>()?,
        reference: place(&args.reference, cache)?,
        ..args.clone()
    };
    let shard = shard(args.shard.as_deref())?;
    let device = devices(args.device.as_deref())?.swap_remove(0);
    let weights = digest_file(&file).context("--weights")?;
    let extractor = Extractor::open(&file, args.key.as_deref(), &device.device)?;
    let chosen = chosen(args, extractor.space())?;
    tell_weights(extractor.space(), &weights);
    tell_prefix(&extractor);
    let stop = until_stopped("part")?;
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
    let Some(both) = unless_stopped(describe(&comparison, stop), KEPT)? else {
        return Ok(INTERRUPTED);
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
    let measured = measure(args, extractor.space(), &both, &chosen, stop);
    let Some(columns) = unless_stopped(measured, KEPT)? else {
        return Ok(INTERRUPTED);
    };
    let about = About {
        samples: args.samples.join(" "),
        reference: args.reference.clone(),
        weights,
        count: both.sides[0].samples.len(),
        real: both.sides[0].real.count,
    };
    show(args, &about, &columns, &both)?;
    Ok(0)
}

/// What a stopped command says of what it has made.
const KEPT: &str = "complete parts are kept";

fn show(args: &ScoreArgs, about: &About, columns: &[Column], both: &Compared) -> Result<()> {
    if args.json {
        json_lines(about, columns, both)?;
    } else {
        print(about, columns)?;
    }
    if let Some(labels) = &both.labels {
        say(&spread(labels));
    }
    match &args.csv {
        Some(path) => append_csv(path, about, columns),
        None => Ok(()),
    }
}

/// Whose file the weights of a published network are.
fn tell_weights(space: &FeatureSpace, digest: &str) {
    if !space.is_published() {
        return;
    }
    match space.published(digest) {
        Some(name) => say(&format!("weights: {name}, sha256 {}", &digest[..8])),
        None => warning(&format!(
            "the weights (sha256 {}) are no published file whose digest is known; their numbers compare with no paper's",
            &digest[..8]
        )),
    }
}

/// That names were read through a wrapper's prefix.
pub(crate) fn tell_prefix(extractor: &Extractor) {
    let prefix = &extractor.prefix;
    if !prefix.is_empty() {
        say(&format!(
            "--weights: all names begin with `{prefix}`, which is passed over"
        ));
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

/// The presets that are asked for, by name, each with the metrics that are asked for.
fn chosen(args: &ScoreArgs, space: &FeatureSpace) -> Result<Vec<(String, Rules)>> {
    let presets = presets(&args.preset, space)?.into_iter();
    presets
        .map(|(name, rules)| Ok((name, restricted(rules, &args.metrics)?)))
        .collect()
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

fn describe(comparison: &Comparison, stop: &AtomicBool) -> Result<Option<Compared>> {
    let (live, started) = (Live::start(), Instant::now());
    let tell = |progress: Progress| {
        let Progress {
            done,
            total,
            note: side,
            ..
        } = progress;
        let pace = done as f64 / started.elapsed().as_secs_f64();
        live.set(format!(
            "{side}: {} / {} images   {} images/s",
            thousands(done),
            thousands(total),
            short(pace)
        ));
    };
    let both = sides::run(
        comparison,
        Watch {
            tell: &tell,
            warn: &warning,
            stop,
        },
    );
    drop(live);
    both
}

fn measure(
    args: &ScoreArgs,
    space: &FeatureSpace,
    both: &Compared,
    chosen: &[(String, Rules)],
    stop: &AtomicBool,
) -> Result<Vec<Column>> {
    let mut scorers: Vec<Scorer> = both
        .sides
        .iter()
        .map(|side| Scorer::new(&side.samples, &side.real))
        .collect();
    for scorer in &mut scorers {
        scorer.compat = args.compat;
    }
    if both.sides[0].samples.len() < FEW {
        warning(&format!(
            "{} samples: {} is biased upwards for few of them, by about what the column `bias` says; compare equal counts only",
            thousands(both.sides[0].samples.len() as u64),
            space.own(Metric::Fid).row().label
        ));
    }
    let live = Live::start();
    let mut columns = Vec::new();
    for (preset, rules) in chosen {
        if stop.load(Ordering::Relaxed) {
            return Err(Stopped.into());
        }
        // Nets that take images as they are have one pair of sides, whatever the rules say.
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
