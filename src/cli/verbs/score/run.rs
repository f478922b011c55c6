//! `runner score`: images against a reference, by one evaluator's rules or by all of them; no experiment file.

use crate::cli::cache::{place, weights};
use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{say, short, thousands, warning};
use crate::cli::verbs::score::args::ScoreArgs;
use crate::cli::verbs::score::table::{About, Column, FeatureNet, append_csv, json_lines, print};
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::data::survey::Finding;
use crate::experiment::key::digest_file;
use crate::experiment::scoring::preset::{self, Preset};
use crate::experiment::scoring::rules::{Quantity, Rules};
use crate::jobs::context::{Progress, Stopped, Watch};
use crate::run::device::devices;
use crate::stages::describe::extract::Extractor;
use crate::stages::describe::inception::published;
use crate::stages::score::evaluate::FEW;
use crate::stages::score::scorer::Bout;
use crate::stages::score::sides::{self, Both, Meeting};
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
    let net = FeatureNet::of(&extractor);
    let chosen = chosen(args, net)?;
    tell_weights(&extractor, &weights);
    let stop = until_stopped("part")?;
    let rules: Vec<Rules> = chosen.iter().map(|(_, rules)| *rules).collect();
    let meeting = Meeting {
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
    let Some(both) = unless_stopped(describe(&meeting, stop), KEPT)? else {
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
    let measured = measure(args, net, &both, &chosen, stop);
    let Some(columns) = unless_stopped(measured, KEPT)? else {
        return Ok(INTERRUPTED);
    };
    let about = About {
        samples: args.samples.join(" "),
        reference: args.reference.clone(),
        weights,
        net,
        count: both.sides[0].samples.len(),
        real: both.sides[0].real.count,
    };
    show(args, &about, &columns, &both.findings)?;
    Ok(0)
}

/// What a stopped command says of what it has made.
const KEPT: &str = "the parts that are whole are kept";

fn show(args: &ScoreArgs, about: &About, columns: &[Column], findings: &[Finding]) -> Result<()> {
    if args.json {
        json_lines(about, columns, findings)?;
    } else {
        print(about, columns)?;
    }
    match &args.csv {
        Some(path) => append_csv(path, about, columns),
        None => Ok(()),
    }
}

/// Whose Inception it is, where it is one.
fn tell_weights(extractor: &Extractor, digest: &str) {
    if !extractor.is_inception() {
        return;
    }
    match published(digest) {
        Some(name) => say(&format!("weights: {name}, sha256 {}", &digest[..8])),
        None => warning(&format!(
            "the weights (sha256 {}) are no published file whose digest is known; their numbers compare with no paper's",
            &digest[..8]
        )),
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
fn chosen(args: &ScoreArgs, net: FeatureNet) -> Result<Vec<(String, Rules)>> {
    let presets = presets(&args.preset, net)?.into_iter();
    presets
        .map(|(name, rules)| Ok((name, restricted(rules, &args.metrics, net)?)))
        .collect()
}

fn presets(name: &str, net: FeatureNet) -> Result<Vec<(String, Rules)>> {
    if net == FeatureNet::Own {
        ensure!(
            name == "adm" || name == "all",
            "--preset {name}: presets are rules for Inception's features, and the weights are another net's"
        );
        return Ok(vec![("own net".to_string(), preset::own_net())]);
    }
    if name == "all" {
        let all = Preset::ALL.into_iter();
        return Ok(all.map(|p| (p.to_string(), p.rules())).collect());
    }
    let preset: Preset = name
        .parse()
        .map_err(anyhow::Error::msg)
        .context("--preset")?;
    Ok(vec![(preset.to_string(), preset.rules())])
}

/// The rules without the quantities that were not asked for.
fn restricted(rules: Rules, asked: &[String], net: FeatureNet) -> Result<Rules> {
    if asked.is_empty() {
        return Ok(rules);
    }
    let has: Vec<Quantity> = rules.quantities.iter().map(|(q, _)| *q).collect();
    let mut wanted = Vec::new();
    for asked in asked {
        let found = has.iter().find(|quantity| net.metric(**quantity) == asked);
        let Some(found) = found else {
            let names: Vec<&str> = has.iter().map(|quantity| net.metric(*quantity)).collect();
            bail!("--metrics {asked}: this preset has {}", names.join(", "));
        };
        wanted.push(*found);
    }
    Ok(rules.only(&wanted))
}

fn describe(meeting: &Meeting, stop: &AtomicBool) -> Result<Option<Both>> {
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
        meeting,
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
    net: FeatureNet,
    both: &Both,
    chosen: &[(String, Rules)],
    stop: &AtomicBool,
) -> Result<Vec<Column>> {
    let mut bouts: Vec<Bout> = both
        .sides
        .iter()
        .map(|side| Bout::new(&side.samples, &side.real, args.compat))
        .collect();
    if both.sides[0].samples.len() < FEW {
        warning(&format!(
            "{} samples: {} is biased upwards for few of them, by about what the column `bias` says; compare equal counts only",
            thousands(both.sides[0].samples.len() as u64),
            net.metric(Quantity::Fid).to_uppercase()
        ));
    }
    let live = Live::start();
    let mut columns = Vec::new();
    for (preset, rules) in chosen {
        if stop.load(Ordering::Relaxed) {
            return Err(Stopped.into());
        }
        // A net that was trained here resizes by itself: it has been described once, whatever way the rules name.
        let at = both
            .sides
            .iter()
            .position(|side| side.how == rules.preprocessing);
        let bout = &mut bouts[at.unwrap_or(0)];
        let tell = |name: &str| live.set(format!("{preset}: {name}"));
        columns.push(Column {
            preset: preset.clone(),
            preprocessing: rules.preprocessing,
            measured: bout.measure(rules, &tell)?,
        });
    }
    drop(live);
    Ok(columns)
}
