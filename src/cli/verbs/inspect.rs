//! `runner inspect`: what is inside a checkpoint, a file of statistics, an npz or a stored result.

use crate::cli::screen::terminal::{bytes, duration, out, short, table};
use crate::cli::shipped::share::taken;
use crate::experiment::key::digest_file;
use crate::experiment::nets::arch::{Card, Prediction};
use crate::io::checkpoint::Checkpoint;
use crate::io::numpy::npy::Header;
use crate::io::numpy::npz::Npz;
use crate::io::statistics::{Container, Statistics};
use crate::jobs::inputs::card::card;
use crate::run::store::{Entry, Store};
use crate::stages::fit::fitting_preset;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner inspect checkpoints/64x64_diffusion.pt
  runner inspect training_state.pt --key ema
  runner inspect reference_stats/shapes32.npz
  runner inspect e8d67cc9")]
pub struct InspectArgs {
    /// A .pt, .pth, .safetensors, .pb, .npz, .npy or .pkl file (recognised by content), or the first digits of a stored key
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// The dictionary in a torch file or pickle, such as `ema`; `a.b` is `b` within `a`
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// One JSON object per tensor, array or file on stdout
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &InspectArgs, store: &Path) -> Result<u8> {
    let shipped = taken(Path::new(&args.what))?;
    let path = shipped.as_deref().unwrap_or(Path::new(&args.what));
    let key = args.key.as_deref();
    if !path.is_file() {
        result(&args.what, store, Form::of(args))?;
        return Ok(0);
    }
    // Told by content: files of statistics have endings of every kind.
    let container = Container::of(path)?;
    if matches!(container, Container::Npz | Container::Npy) {
        ensure!(key.is_none(), "an npz holds arrays by name, without keys");
        arrays(path, container, Form::of(args))?;
        return Ok(0);
    }
    match Checkpoint::open_key(path, key) {
        Ok(file) => checkpoint(&file, Form::of(args))?,
        // Pickles and torch files hold statistics as often as weights.
        Err(no_checkpoint) => match Statistics::read_key(path, key) {
            Ok(found) => statistics(path, &found, Form::of(args))?,
            Err(no_statistics) if container == Container::Pickle => return Err(no_statistics),
            Err(_) => return Err(no_checkpoint),
        },
    }
    Ok(0)
}

/// How it is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Json,
}

impl Form {
    fn of(args: &InspectArgs) -> Form {
        if args.json { Form::Json } else { Form::Text }
    }
}

/// `[64, 3, 3, 3]`; a scalar is `[]`.
fn shown(shape: &[usize]) -> String {
    format!("{shape:?}")
}

fn checkpoint(file: &Checkpoint, form: Form) -> Result<()> {
    let path = file.path();
    let shape = |name: &str| file.shapes().get(name).cloned().unwrap_or_default();
    let kind = |name: &str| file.kind(name).unwrap_or("?");
    if form == Form::Json {
        for name in file.names() {
            let line = json!({"name": name, "type": kind(name), "shape": shape(name)});
            out(&line.to_string())?;
        }
        for constant in file.unread() {
            let (name, kind, shape) = (&constant.name, &constant.kind, &constant.shape);
            out(&json!({"name": name, "type": kind, "shape": shape, "read": false}).to_string())?;
        }
        return Ok(());
    }
    let parameters: usize = file
        .shapes()
        .values()
        .map(|s| s.iter().product::<usize>())
        .sum();
    let size = std::fs::metadata(path)?.len();
    out(&format!(
        "{}: {}, {} tensors, {} parameters, {}, sha256 {}",
        path.display(),
        file.container(),
        file.shapes().len(),
        short(parameters as f64),
        bytes(size),
        digest_file(path)?
    ))?;
    if let Some(card) = card(file).with_context(|| format!("reading {}", path.display()))? {
        out(&format!("  {}", described(&card)))?;
    }
    match fitting_preset(file) {
        Some((preset, prefix)) if prefix.is_empty() => out(&format!("  fits preset `{preset}`"))?,
        Some((preset, prefix)) => out(&format!(
            "  fits preset `{preset}` behind the prefix `{prefix}`"
        ))?,
        None => out("  fits no preset")?,
    }
    out("")?;
    let mut rows = vec![["tensor", "type", "shape"].map(String::from).to_vec()];
    for name in file.names() {
        rows.push(vec![
            name.to_string(),
            kind(name).to_string(),
            shown(&shape(name)),
        ]);
    }
    for constant in file.unread() {
        rows.push(vec![
            constant.name.clone(),
            format!("{} (not read)", constant.kind),
            shown(&constant.shape),
        ]);
    }
    out(&table(&rows, &[]))
}

/// `unet at 32 pixels, 10 classes (circle, ...), trained for 40,000 steps`.
fn described(card: &Card) -> String {
    let kind = card.arch.title();
    let resolution = card.arch.resolution();
    let from = card.arch.low_resolution();
    let from = from.map_or(String::new(), |low| format!(" from {low}"));
    let classes = match card.classes.len() {
        0 => String::new(),
        n => format!(", {n} classes ({})", card.classes.join(", ")),
    };
    let process = card.process.as_ref().map_or(String::new(), |process| {
        let schedule = format!("{:?}", process.schedule).to_lowercase();
        let predicts = match process.predict {
            Prediction::Noise => String::new(),
            other => format!(", predicts {}", other.title()),
        };
        format!(
            ", {schedule} schedule of {} steps{predicts}",
            process.timesteps
        )
    });
    let distilled = card.distilled.map_or(String::new(), |steps| {
        let plural = if steps == 1 { "" } else { "s" };
        format!(", distilled for {steps} DDIM step{plural}")
    });
    let steps = short(card.steps as f64);
    format!(
        "{kind} at {resolution} pixels{from}{classes}{process}{distilled}, trained for {steps} steps"
    )
}

fn statistics(path: &Path, found: &Statistics, form: Form) -> Result<()> {
    let d = found.mu.len();
    let arrays = [("mu", vec![d]), ("sigma", vec![d, d])];
    if form == Form::Json {
        for (name, shape) in arrays {
            out(&json!({"name": name, "type": "float64", "shape": shape}).to_string())?;
        }
        return Ok(());
    }
    let size = bytes(std::fs::metadata(path)?.len());
    let key = found.key.as_ref();
    let key = key.map_or(String::new(), |key| format!(", key `{key}`"));
    let count = found
        .count
        .map(|n| format!(", of {} images", short(n as f64)));
    out(&format!(
        "{}: statistics of {d} features{key}{}, {size}, sha256 {}",
        path.display(),
        count.unwrap_or_default(),
        digest_file(path)?
    ))?;
    out("")?;
    let mut rows = vec![["array", "type", "shape"].map(String::from).to_vec()];
    for (name, shape) in arrays {
        rows.push(vec![name.to_string(), "float64".to_string(), shown(&shape)]);
    }
    out(&table(&rows, &[]))
}

/// A line an array, of an npz or of the one in an npy file, which has no name.
fn arrays(path: &Path, container: Container, form: Form) -> Result<()> {
    let mut npz = match container {
        Container::Npz => Some(Npz::open(path)?),
        _ => None,
    };
    let headers: Vec<(String, Result<Header>)> = match &mut npz {
        Some(file) => {
            let names = file.names().into_iter();
            names
                .map(|name| (name.clone(), file.header(&name)))
                .collect()
        }
        None => {
            let header = Header::read(&mut BufReader::new(File::open(path)?));
            vec![(String::new(), header)]
        }
    };
    let mut rows = vec![["array", "type", "shape"].map(String::from).to_vec()];
    for (name, header) in headers {
        let (kind, shape) = match &header {
            Ok(header) => (header.dtype(), shown(&header.shape)),
            // Text and Python objects say nothing of the other arrays.
            Err(why) => (format!("not read: {}", cause(why)), String::new()),
        };
        if form == Form::Json {
            let shape = header.as_ref().ok().map(|header| &header.shape);
            out(&json!({"name": name, "type": kind, "shape": shape}).to_string())?;
        }
        rows.push(vec![name, kind, shape]);
    }
    if form == Form::Json {
        return Ok(());
    }
    let size = bytes(std::fs::metadata(path)?.len());
    let digest = digest_file(path)?;
    out(&format!("{}: {size}, sha256 {digest}", path.display()))?;
    if let Some(mut file) = npz.filter(|file| file.has("meta")) {
        let meta = file.u8("meta")?.data;
        out(&format!("  {}", String::from_utf8_lossy(&meta)))?;
    }
    out("")?;
    out(&table(&rows, &[]))
}

/// The first line of what is behind an error.
fn cause(why: &anyhow::Error) -> String {
    let root = why.root_cause().to_string();
    root.lines().next().unwrap_or_default().to_string()
}

/// The stored result whose key begins with these digits.
fn entry(what: &str, store: &Store) -> Result<Entry> {
    let hex = what.chars().all(|c| c.is_ascii_hexdigit());
    ensure!(
        hex && what.len() >= 4,
        "`{what}` is neither a file nor the first digits of a key"
    );
    let wanted = &what[..what.len().min(16)];
    let all = store.entries()?.into_iter();
    let mut found: Vec<Entry> = all.filter(|entry| entry.name.starts_with(wanted)).collect();
    match found.len() {
        0 => bail!(
            "no result in {} has a key that starts with {what}",
            store.root().display()
        ),
        1 => Ok(found.swap_remove(0)),
        _ => {
            let names: Vec<String> = found
                .iter()
                .map(|e| format!("{}/{}", e.stage, e.name))
                .collect();
            bail!("{what} stands for {}; give more digits", names.join(", "))
        }
    }
}

/// A stored result by the first digits of its key.
fn result(what: &str, store: &Path, form: Form) -> Result<()> {
    let entry = entry(what, &Store::new(store))?;
    let Some(manifest) = entry.manifest() else {
        bail!(
            "{} is not finished: it has no manifest",
            entry.folder.display()
        )
    };
    if form == Form::Json {
        return out(&serde_json::to_string(&manifest)?);
    }
    out(&format!(
        "{}: {} result {}, made on {} {} in {} from {}",
        entry.folder.display(),
        entry.stage,
        manifest.key.full(),
        manifest.host,
        manifest.device,
        duration(manifest.seconds),
        manifest.started
    ))?;
    for line in entry.job().unwrap_or_default().trim_end().lines() {
        out(format!("  {line}").trim_end())?;
    }
    out("")?;
    let mut rows = vec![["file", "size", "sha256"].map(String::from).to_vec()];
    for (name, stored) in &manifest.files {
        rows.push(vec![
            name.clone(),
            bytes(stored.bytes),
            stored.sha256[..16].to_string(),
        ]);
    }
    out(&table(&rows, &[false, true, false]))?;
    for warning in &manifest.warnings {
        out(&format!("  warning: {warning}"))?;
    }
    Ok(())
}
