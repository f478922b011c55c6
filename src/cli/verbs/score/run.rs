//! `runner score`: images against references, by one evaluator's rules or by all of them; no experiment file.

use crate::cli::cache::place;
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::score::args::ScoreArgs;
use crate::cli::verbs::score::beside::Beside;
use crate::cli::verbs::score::scoring::{KEPT, Net, Scored, Task};
use crate::cli::verbs::score::{json, table};
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::Rules;
use crate::io::statistics::Which;
use crate::machine::profile::{Operation, span};
use crate::run::work::sharing::LateClaims;
use crate::stages::describe::images::Share;
use crate::stages::score::sides::Setup;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// The exit status where some sets or references failed.
const SOME_FAILED: u8 = 1;

pub fn run(args: &ScoreArgs, store: &Path) -> Result<u8> {
    let _span = span(Operation::Score);
    let shard = shard(args.shard.as_deref())?;
    let placed = |texts: &[String]| -> Result<Vec<String>> {
        texts.iter().map(|text| place(text, &args.cache)).collect()
    };
    let (samples, references) = (placed(&args.samples)?, placed(&args.references)?);
    let (key, device) = (args.key.as_deref(), args.device.as_deref());
    let beside = Beside::of(device, args.beside.as_deref())?;
    let net = Net::open(
        args.weights.as_deref(),
        key,
        Some(beside.device()),
        &args.cache,
    )?;
    let claims = LateClaims::new(store, beside.device());
    let chosen = chosen(args, net.extractor.space())?;
    let rules: Vec<Rules> = chosen.iter().map(|(_, rules)| *rules).collect();
    let task = Task {
        setup: Setup {
            extractor: &net.extractor,
            weights: &net.weights,
            rules: &rules,
            store,
            part: args.part as usize,
            share: shard.map_or_else(|| beside.share(), |(k, n)| Share::Shard { k, n }),
            claims: &claims,
        },
        sets: if args.each {
            samples.into_iter().map(|path| vec![path]).collect()
        } else {
            vec![samples]
        },
        references,
        which: Which {
            key: args.reference_key.as_deref(),
            flag: Some("--reference-key"),
        },
        chosen: &chosen,
        compat: args.compat,
        stop: until_stopped("part")?,
    };
    let _others = beside.start()?;
    let Some(outcome) = unless_stopped(task.run(), KEPT)? else {
        return Ok(INTERRUPTED);
    };
    if beside.is_other() {
        return Ok(0);
    }
    if let (Some((k, n)), true) = (shard, outcome.incomplete > 0) {
        let folder = store.join("described");
        say(&format!(
            "shard {}/{n} is described; scores need the other parts, in {}",
            k + 1,
            folder.display()
        ));
    } else if !outcome.scored.is_empty() {
        show(args, &outcome.scored)?;
    }
    if outcome.failed == 0 {
        return Ok(0);
    }
    say(&format!(
        "failed: {}, as is said above; scored: {} pairs of a set and a reference",
        outcome.failed,
        outcome.scored.len()
    ));
    Ok(SOME_FAILED)
}

fn show(args: &ScoreArgs, scored: &[Scored]) -> Result<()> {
    if args.json && args.preset == Preset::TorchFidelity.name() {
        json::objects(scored)?;
    } else if args.json {
        json::lines(scored)?;
    } else {
        out(&table::numbers(scored))?;
    }
    for line in table::notes(scored) {
        say(&line);
    }
    match &args.csv {
        Some(path) => json::append_csv(path, scored),
        None => Ok(()),
    }
}

/// `K/N`, K from 1, as (K - 1, N).
fn shard(text: Option<&str>) -> Result<Option<(usize, usize)>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let parsed = text
        .split_once('/')
        .and_then(|(k, n)| Some((k.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match parsed {
        Some((k, n)) if k >= 1 && k <= n => Ok(Some((k - 1, n))),
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
    let default = Preset::default();
    if !space.is_published() {
        ensure!(
            name == default.name() || name == "all",
            "--preset {name}: presets are rules for Inception's features, and the weights are another net's"
        );
        let rules = space.rules_of_images(default);
        return Ok(vec![("own net".to_string(), rules)]);
    }
    let of = |preset: Preset| (preset.to_string(), space.rules_of_images(preset));
    if name == "all" {
        return Ok(space.presets.iter().map(|preset| of(*preset)).collect());
    }
    let preset: Preset = name
        .parse()
        .map_err(anyhow::Error::msg)
        .context("--preset")?;
    Ok(vec![of(preset)])
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
