//! The ranges of other people's programs and images: `command` in `[sample]`, `[train]` and `[eval]`, `from` in `[sample]`.

use crate::experiment::check::ranges::Range;
use crate::experiment::external::duration::parse;
use crate::experiment::file::experiment::{Adopted, CommandSample, Experiment, Program, Training};
use crate::experiment::grid::template::{fill, names};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::time::Duration;

/// Names that a sampling command may use, each filled when it is started.
pub const SAMPLE_NAMES: [&str; 13] = [
    "out", "count", "first", "last", "shard", "shards", "seed", "devices", "port", "cell", "cache",
    "config", "train",
];
/// Names that a training command may use.
pub const TRAIN_NAMES: [&str; 7] = ["out", "seed", "devices", "port", "cell", "cache", "config"];
/// Names that a measuring command may use.
pub const EVAL_NAMES: [&str; 9] = [
    "out", "count", "devices", "port", "cell", "cache", "config", "images", "npz",
];

/// `timeout` of `table`.
///
/// # Errors
/// Text that is no length of time above 0.
pub fn timeout(table: &str, text: &str) -> Result<Duration> {
    parse(text).with_context(|| format!("{table}.timeout"))
}

impl Program {
    /// The names that its arguments and its environment use.
    ///
    /// # Errors
    /// A brace that is not closed.
    pub fn names(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for text in self.command.iter().chain(self.env.values()) {
            found.extend(names(text)?);
        }
        Ok(found)
    }

    pub fn uses(&self, name: &str) -> bool {
        self.names().is_ok_and(|names| names.contains(name))
    }

    /// Whether image i depends on i and the seed alone, so that any range of images can be asked for.
    pub fn is_elastic(&self) -> bool {
        self.uses("first")
    }
}

/// A program of `table`, which may use the names `allowed`.
fn check_program(table: &str, program: &Program, allowed: &[&str]) -> Result<()> {
    let first = program.command.first();
    ensure!(
        first.is_some_and(|program| !program.is_empty()),
        "{table}.command names no program\nhint: write the program and its arguments as a list, such as [\"python\", \"sample.py\", \"--out\", \"{{out}}\"]"
    );
    for name in program
        .names()
        .with_context(|| format!("{table}.command"))?
    {
        ensure!(
            allowed.contains(&name.as_str()),
            "{table}.command uses {{{name}}}, which is neither a key of the file nor one of {}",
            allowed.join(", ")
        );
    }
    if let Some(text) = &program.timeout {
        timeout(table, text)?;
    }
    let variables = program.env.keys().chain(&program.pass);
    for name in variables {
        ensure!(
            !name.is_empty() && !name.contains(['=', '\0']),
            "{table}: {name:?} cannot be the name of a variable"
        );
    }
    for name in &program.pass {
        ensure!(
            !program.env.contains_key(name),
            "{table}: `{name}` is in env and in pass\nhint: what decides the outcome belongs to env alone"
        );
    }
    let cards = "CUDA_VISIBLE_DEVICES";
    ensure!(
        !program.env.contains_key(cards) && !program.pass.iter().any(|p| p == cards),
        "{table}: {cards} is set to the devices that the command is given\nhint: ask for them with `devices = N`"
    );
    Ok(())
}

fn needs_out(table: &str, program: &Program, what: &str) -> Result<()> {
    ensure!(
        program.uses("out"),
        "{table}.command does not use {{out}}, the folder that it writes {what} to\nhint: hand it on, such as \"--sample-dir\", \"{{out}}\""
    );
    Ok(())
}

/// `[sample] command` and what stands beside it.
pub(crate) fn check_command_sample(spec: &Experiment, sample: &CommandSample) -> Result<()> {
    let (program, images) = (&sample.program, &sample.images);
    check_program("sample", program, &SAMPLE_NAMES)?;
    needs_out("sample", program, "its images")?;
    Range::FromOne.check("sample.count", images.count)?;
    Range::FromOne.check("sample.part", images.part)?;
    if let Some(size) = images.size {
        Range::FromOne.check("sample.size", size)?;
    }
    if let Some(pattern) = &images.collect {
        let literal = fill(pattern, &mut |name| {
            bail!("{{{name}}} is known only when the command runs")
        });
        let glob = literal.and_then(|text| Ok(glob::Pattern::new(&text)?));
        glob.with_context(|| {
            format!("sample.collect = \"{pattern}\" is no pattern of file names")
        })?;
    }
    if !program.is_elastic() {
        for name in ["last", "shard", "shards"] {
            ensure!(
                !program.uses(name),
                "sample.command uses {{{name}}} without {{first}}, the index of the first image that a call makes"
            );
        }
    }
    ensure!(
        spec.train.is_none() || program.uses("train"),
        "[train] makes a checkpoint that sample.command does not use\nhint: hand it on as {{train}}, or take the table out"
    );
    ensure!(
        spec.train.is_some() || !program.uses("train"),
        "sample.command uses {{train}}, and there is no [train]"
    );
    no_net_of_ours(spec)
}

/// `[sample] from`.
pub(crate) fn check_adopted(spec: &Experiment, files: &Adopted) -> Result<()> {
    ensure!(!files.from.trim().is_empty(), "sample.from is empty");
    for (key, value) in [("sample.count", files.count), ("sample.size", files.size)] {
        if let Some(value) = value {
            Range::FromOne.check(key, value)?;
        }
    }
    ensure!(
        spec.train.is_none(),
        "[train] makes weights, and sample.from takes images that are there\nhint: take one of the two out"
    );
    no_net_of_ours(spec)
}

/// What works on a net of ours is no use for images from elsewhere.
fn no_net_of_ours(spec: &Experiment) -> Result<()> {
    let guide = spec.guidance.as_ref();
    if guide.is_some_and(|g| g.train.is_some()) {
        bail!(
            "[guidance.train] trains a classifier for a net of `runner`, and [sample] takes its images from elsewhere\nhint: take the table out"
        );
    }
    ensure!(
        spec.upsample.as_ref().is_none_or(|u| u.is_none()),
        "[upsample] enlarges samples of a net of `runner`, and [sample] takes its images from elsewhere\nhint: take the table out"
    );
    Ok(())
}

/// `[train] command`.
pub(crate) fn check_command_train(spec: &Experiment) -> Result<()> {
    let Some(Training::Command(train)) = &spec.train else {
        return Ok(());
    };
    check_program("train", &train.program, &TRAIN_NAMES)?;
    needs_out("train", &train.program, "its checkpoint")?;
    ensure!(
        spec.net_sample().is_none(),
        "train.command makes a checkpoint for a program, and [sample] draws with a net of `runner`\nhint: sample with a command too, which gets the checkpoint's folder as {{train}}"
    );
    Ok(())
}

/// `[eval] command`.
pub(crate) fn check_measuring(program: &Program) -> Result<()> {
    check_program("eval", program, &EVAL_NAMES)?;
    ensure!(
        program.uses("images") || program.uses("npz"),
        "eval.command uses neither {{images}}, a folder with the cell's images as PNG files, nor {{npz}}, one array file of them, so that every cell would get the same numbers"
    );
    Ok(())
}
