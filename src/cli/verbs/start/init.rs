//! `runner init`: the studies that ship, and one of them as a file of the working folder.

use crate::cli::screen::terminal::{out, say, table};
use crate::cli::shipped::share::needed;
use crate::cli::shipped::studies::{Study, about, studies, study};
use crate::experiment::schema::whole;
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
A study that ships runs by its name alone, `runner sweep guidance`. `runner init` writes it into the
working folder, to be changed: NAME.toml, and beside it what it starts from, the programs that it
runs, and the schema by which editors complete and check its keys. Nets and reference statistics stay where they are installed: a path of the file that leads
nowhere from the working folder and from the file's own leads there.

Examples:
  # The studies that ship
  runner init

  # guidance.toml, to be changed and run
  runner init guidance
  runner plan guidance.toml

  # imagenet/guidance.toml
  runner init imagenet/guidance")]
pub struct InitArgs {
    /// The study to write, such as `guidance` or `imagenet/guidance`; without it all are listed
    #[arg(value_name = "NAME", conflicts_with = "list")]
    pub name: Option<String>,
    /// List the studies that ship
    #[arg(long)]
    pub list: bool,
}

/// The schema beside a study, so that editors find it whatever version of the program wrote the study.
const SCHEMA: &str = "runner.schema.json";

/// A file that is to be written.
struct Copy {
    to: PathBuf,
    text: String,
}

pub fn run(args: &InitArgs) -> Result<u8> {
    let share = needed()?;
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        list(&share)?;
        return Ok(0);
    };
    let study = study(&share, name).with_context(|| name.to_string())?;
    let copies = copies(&study)?;
    refuse_overwriting(&copies)?;
    for copy in &copies {
        write(copy).with_context(|| copy.to.display().to_string())?;
    }
    let file = copies[0].to.display();
    say(&format!(
        "\n`runner plan {file}` shows what it would run, `runner sweep {file}` runs it"
    ));
    Ok(0)
}

fn list(share: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for study in studies(share)? {
        let about = about(&read(&study.path)?);
        rows.push(vec![study.name, about]);
    }
    out(&table(&rows, &[false, false]))?;
    say("\n`runner sweep NAME` runs one, `runner init NAME` writes it here to be changed");
    Ok(())
}

/// The study's file first, then what it starts from and the programs that stand beside it.
fn copies(study: &Study) -> Result<Vec<Copy>> {
    let target = PathBuf::from(format!("{}.toml", study.name));
    let folder = target.parent().unwrap_or(Path::new(""));
    let mut copies = Vec::new();
    let mut waiting = vec![study.path.clone()];
    while let Some(path) = waiting.pop() {
        let text = read(&path)?;
        let to = folder.join(path.file_name().unwrap_or_default());
        if copies.iter().any(|copy: &Copy| copy.to == to) {
            continue;
        }
        for name in beside(&text).with_context(|| path.display().to_string())? {
            let other = path.with_file_name(name);
            waiting.extend(other.is_file().then_some(other));
        }
        copies.push(Copy {
            text: renamed(&text, &to),
            to,
        });
    }
    copies.push(Copy {
        to: folder.join(SCHEMA),
        text: whole::text(),
    });
    Ok(copies)
}

/// The files of its own folder that an experiment names: what it starts from, and the inputs of its programs.
fn beside(text: &str) -> Result<Vec<String>> {
    let Ok(file) = toml::from_str::<toml::Table>(text) else {
        // A program, which names nothing.
        return Ok(Vec::new());
    };
    let value = |table: &str, key: &str| file.get(table).and_then(|inner| inner.get(key));
    let from = value("defaults", "from").into_iter();
    let inputs = ["sample", "train", "eval"].into_iter();
    let inputs = inputs.filter_map(|table| value(table, "inputs")?.as_array());
    let named = from.chain(inputs.flatten()).filter_map(|one| one.as_str());
    let plain = |name: &&str| Path::new(name).file_name() == Some(name.as_ref());
    Ok(named.filter(plain).map(String::from).collect())
}

/// The commands in a study's comments call it by its path among the shipped files, and its first line names their schema;
/// the copy has others.
fn renamed(text: &str, to: &Path) -> String {
    let to = to.display().to_string();
    let lines = text.lines().map(|line| {
        if line.starts_with("#:schema ") {
            return format!("#:schema ./{SCHEMA}\n");
        }
        let mut line = line.to_string();
        for folder in ["experiments/", "examples/"] {
            let shipped = format!("{folder}{to}");
            if line.starts_with('#') && line.contains("runner ") {
                line = line.replace(&shipped, &to);
            }
        }
        line + "\n"
    });
    lines.collect()
}

fn refuse_overwriting(copies: &[Copy]) -> Result<()> {
    let there = copies.iter().filter(|copy| {
        let is_there = fs::symlink_metadata(&copy.to).is_ok() && !copy.to.ends_with(SCHEMA);
        let is_same = fs::read_to_string(&copy.to).is_ok_and(|text| text == copy.text);
        // What a study starts from may lie there, written for another.
        is_there && !(is_same && copy.to != copies[0].to)
    });
    let there: Vec<String> = there.map(|copy| copy.to.display().to_string()).collect();
    ensure!(
        there.is_empty(),
        "{}: there is such a file already, and nothing was written\nhint: move it away, or run `runner init` in another folder",
        there.join(", ")
    );
    Ok(())
}

/// Nothing that came in the meantime is overwritten either.
fn write(copy: &Copy) -> Result<()> {
    if fs::symlink_metadata(&copy.to).is_ok() {
        say(&format!("{} is there already", copy.to.display()));
        return Ok(());
    }
    if let Some(folder) = copy.to.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&copy.to)?;
    file.write_all(copy.text.as_bytes())?;
    say(&format!("wrote {}", copy.to.display()));
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| anyhow!("reading {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::renamed;
    use std::path::Path;

    #[test]
    fn commands_in_comments_call_the_copy() {
        let text = "#:schema ../schema.json\n# Beside experiments/adagn.toml.\n#   runner sweep experiments/imagenet/a.toml\nx = \"experiments/imagenet/a.toml\"\n";
        let want = "#:schema ./runner.schema.json\n# Beside experiments/adagn.toml.\n#   runner sweep imagenet/a.toml\nx = \"experiments/imagenet/a.toml\"\n";
        assert_eq!(renamed(text, Path::new("imagenet/a.toml")), want);
    }
}
