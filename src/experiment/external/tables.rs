//! Other people's programs and images in the tables of a file: `command` in `[sample]`, `[train]` and `[eval]`, `from` in
//! `[sample]`.

use crate::experiment::check::ranges::Range;
use crate::experiment::file::drawing::sampling::Sample;
use crate::experiment::file::eval::Eval;
use crate::experiment::file::training::train::Train;
use crate::experiment::schema::texts::{duration, not_blank};
use schemars::{JsonSchema, json_schema};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// A program that is run: a list of arguments, never a shell's line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The program and its arguments, as a list. `{name}` stands for a key of the file, or for what is known when it runs:
    /// `{out}`, the folder that it writes to, `{count}`, `{seed}` and others.
    // See `crate::experiment::grid::template`.
    #[schemars(example = ["python", "sample.py", "--cfg", "{vars.cfg}", "--out", "{out}"])]
    pub command: Vec<String>,
    /// Files whose contents decide the outcome: paths, folders and patterns such as `diffusion/**/*.py`. A change in one of
    /// them makes the results again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = Vec::<String>::new()), example = ["sample.py", "diffusion/**/*.py"])]
    pub inputs: Vec<String>,
    /// How many devices the command gets for itself; 0 runs it beside anything.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(extend("default" = one()), example = 2)]
    pub devices: usize,
    /// Variables of the command's environment that decide the outcome.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = json_schema!({ "HF_HUB_OFFLINE": "1" }))]
    pub env: BTreeMap<String, String>,
    /// Names of variables that are passed on from the environment of `runner` and decide nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = Vec::<String>::new()), example = ["HF_HOME", "LD_LIBRARY_PATH"])]
    pub pass: Vec<String>,
    /// After how long the command is ended: a number with its unit. Left out, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = duration, example = &"4h", example = &"1h 30m")]
    pub timeout: Option<String>,
    /// How often the command is tried again after a failure.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(extend("default" = 0), example = 1)]
    pub retries: u32,
}

/// `[sample] command`: a program that writes images.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSample {
    pub program: Program,
    pub images: AskedImages,
}

/// What of `[sample]` a program is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedImages {
    /// How many images each cell has; the command gets it as `{count}`.
    #[schemars(transform = Range::FromOne, example = 50_000)]
    pub count: usize,
    /// The seed that the command gets as `{seed}`.
    #[serde(default)]
    #[schemars(example = 1)]
    pub seed: u64,
    /// Which files below `{out}` are the images, as a pattern; left out, all pictures, or the one array file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"*/*.png")]
    pub collect: Option<String>,
    /// Side of the square images, in pixels; others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 256)]
    pub size: Option<usize>,
    /// Images of one call, for a command that uses `{first}`.
    #[serde(default = "part")]
    #[schemars(transform = Range::FromOne, example = 250)]
    pub part: usize,
}

/// `[sample] from`: images that are there already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// Images that are there already: a folder, archive or array file. `{name}` stands for a key of the file.
    #[schemars(transform = not_blank, example = &"samples/cfg-{vars.cfg}-seed-{sample.seed}.npz")]
    pub from: String,
    /// The first so many of the images; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 50_000)]
    pub count: Option<usize>,
    /// The seed that the images were made from, for tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1)]
    pub seed: Option<u64>,
    /// Side of the square images, in pixels; others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = Range::FromOne, example = 256)]
    pub size: Option<usize>,
}

/// `[train] command`: a program that makes a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandTrain {
    pub program: Program,
    pub seed: u64,
}

/// What of `[train]` a program is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskedTraining {
    /// The seed that the command gets as `{seed}`.
    #[serde(default)]
    #[schemars(example = 1)]
    seed: u64,
}

/// `[sample]`: where a cell's images come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampling {
    Net(Sample),
    Command(CommandSample),
    Files(Adopted),
}

/// `[train]`: what makes a cell's weights.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // one a cell
pub enum Training {
    Net(Train),
    Command(CommandTrain),
}

/// `[eval]`: scores on features, a program that measures, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    pub scores: Option<Eval>,
    pub program: Option<Program>,
}

impl Sampling {
    /// How many images are asked for; none where it is all that are there.
    pub fn count(&self) -> Option<usize> {
        match self {
            Sampling::Net(sample) => Some(sample.count),
            Sampling::Command(command) => Some(command.images.count),
            Sampling::Files(files) => files.count,
        }
    }

    /// The seed of all images, where it is known.
    pub fn seed(&self) -> Option<u64> {
        match self {
            Sampling::Net(sample) => Some(sample.seed),
            Sampling::Command(command) => Some(command.images.seed),
            Sampling::Files(files) => files.seed,
        }
    }
}

/// Keys of [`Program`].
const PROGRAM: [&str; 7] = [
    "command", "inputs", "devices", "env", "pass", "timeout", "retries",
];

/// The keys of a program, and the others.
fn parted(table: toml::Table) -> (toml::Table, toml::Table) {
    table
        .into_iter()
        .partition(|(key, _)| PROGRAM.contains(&key.as_str()))
}

/// A table read as `T`.
fn read<T: DeserializeOwned, E: Error>(table: toml::Table) -> Result<T, E> {
    T::deserialize(table).map_err(|error| E::custom(error.to_string().trim_end()))
}

/// What stands beside a program's keys read as `T`; a key that is unknown is told with all that are allowed.
fn read_beside<T: DeserializeOwned, E: Error>(table: toml::Table) -> Result<T, E> {
    T::deserialize(table).map_err(|error| {
        let text = error.to_string();
        let known = PROGRAM.map(|key| format!("`{key}`")).join(", ");
        let parts = text
            .split_once("expected one of ")
            .or(text.split_once("expected "));
        E::custom(match parts {
            Some((head, tail)) if head.starts_with("unknown field") => {
                format!("{head}expected one of {known}, {}", tail.trim_end())
            }
            _ => text.trim_end().to_string(),
        })
    })
}

fn joined<S: Serializer>(
    to: S,
    program: &Program,
    rest: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    use serde::ser::Error;
    let mut whole = toml::Table::try_from(program).map_err(S::Error::custom)?;
    whole.extend(toml::Table::try_from(rest).map_err(S::Error::custom)?);
    whole.serialize(to)
}

impl<'de> Deserialize<'de> for CommandSample {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (program, images) = parted(toml::Table::deserialize(from)?);
        Ok(CommandSample {
            program: read(program)?,
            images: read_beside(images)?,
        })
    }
}

impl Serialize for CommandSample {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        joined(to, &self.program, &self.images)
    }
}

impl<'de> Deserialize<'de> for CommandTrain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (program, rest) = parted(toml::Table::deserialize(from)?);
        let rest: AskedTraining = read_beside(rest)?;
        Ok(CommandTrain {
            program: read(program)?,
            seed: rest.seed,
        })
    }
}

impl Serialize for CommandTrain {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        joined(to, &self.program, &AskedTraining { seed: self.seed })
    }
}

impl<'de> Deserialize<'de> for Evaluation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (program, scores) = parted(toml::Table::deserialize(from)?);
        let program = if program.is_empty() {
            None
        } else {
            Some(read(program)?)
        };
        let asked = !scores.is_empty() || program.is_none();
        Ok(Evaluation {
            scores: if asked {
                Some(read_beside(scores)?)
            } else {
                None
            },
            program,
        })
    }
}

impl Serialize for Evaluation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (&self.program, &self.scores) {
            (Some(program), Some(scores)) => joined(to, program, scores),
            (Some(program), None) => program.serialize(to),
            (None, scores) => scores.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Sampling {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(from)?;
        if table.contains_key("command") {
            read(table).map(Sampling::Command)
        } else if table.contains_key("from") {
            read(table).map(Sampling::Files)
        } else {
            read(table).map(Sampling::Net)
        }
    }
}

impl Serialize for Sampling {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Sampling::Net(sample) => sample.serialize(to),
            Sampling::Command(command) => command.serialize(to),
            Sampling::Files(files) => files.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Training {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(from)?;
        if table.contains_key("command") {
            read(table).map(Training::Command)
        } else {
            read(table).map(Training::Net)
        }
    }
}

impl Serialize for Training {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Training::Net(train) => train.serialize(to),
            Training::Command(command) => command.serialize(to),
        }
    }
}

fn one() -> usize {
    1
}
fn is_one(n: &usize) -> bool {
    *n == 1
}
fn is_zero(n: &u32) -> bool {
    *n == 0
}
fn part() -> usize {
    1000
}
