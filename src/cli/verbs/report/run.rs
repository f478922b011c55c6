//! `runner report`, and the end of every sweep: the table on stdout, the files in `reports/NAME`. What `--set` or
//! `--only` makes of a study has a folder of its own there, so that no slice takes the place of the whole.

use crate::cli::open::{Choice, Opened, open};
use crate::cli::screen::terminal::{out, say, warning, width};
use crate::cli::verbs::report::bundle;
use crate::cli::verbs::report::current::Current;
use crate::machine::profile::{Operation, span};
use crate::report::grids::mosaic::MOST;
use crate::report::page::write::{Format, write};
use crate::report::paper::bundle::Given;
use crate::report::rows::input::Report;
use crate::report::rows::names::slug;
use crate::report::table::{sheet, terminal};
use crate::run::damage::look::look;
use crate::run::results::{rows, warnings};
use anyhow::{Context, Result};
use clap::Args;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner report experiments/guidance.toml
  runner report experiments/guidance.toml --format md,csv --sort fd --out results

  # The grid in TensorBoard: a run a cell, and the HParams table
  runner report experiments/guidance.toml --format tensorboard
  tensorboard --logdir reports/guidance/tensorboard

  # The results as the head of a model card for the Hugging Face Hub: card.md
  runner report experiments/guidance.toml --format card

  # For a paper: the charts as PDF and the works that the study names as BibTeX; or all in one file
  runner report experiments/guidance.toml --format tex,pdf,bib
  runner report experiments/guidance.toml --bundle paper.zip

table.csv and table.parquet have a column `step` where the training step of a cell's net is known; other programs that
import tables look for it. tensorboard and card have the measured cells alone, not the [[published]] lines.

A bundle holds the page, the tables, the charts as PDF and SVG, references.bib, the experiment file as it was given and with
every default written out, the sha256 of each of them and of what the results rest on (digests.txt), and README.txt.")]
pub struct ReportArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// html, csv, parquet, md, tex, svg, png [default: these], pdf, bib, tensorboard, card
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub format: Vec<String>,
    /// Where to write [default: reports/NAME; with --set or --only a folder in it]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One zip file with all that a paper needs, in place of the folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "out"])]
    pub bundle: Option<PathBuf>,
    /// Order the tables by an axis or a metric
    #[arg(long, value_name = "KEY")]
    pub sort: Option<String>,
}

/// Characters of a slice's folder that tell its options, before the digest that tells them all.
const READABLE: usize = 48;

/// Where a report is written.
enum Place<'a> {
    Folder(&'a Path, &'a [Format]),
    Bundle(&'a Path, Given),
}

/// What is written, and where.
struct Wanted<'a> {
    place: Place<'a>,
    sort: Option<&'a str>,
    table: OnStdout,
}

/// Whether the table is printed too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnStdout {
    Table,
    Nothing,
}

pub fn run(args: &ReportArgs, store: &Path) -> Result<u8> {
    let mut opened = open(&args.choice, store, None)?;
    tell_damage(&mut opened);
    let formats = if args.format.is_empty() {
        Format::ALL.to_vec()
    } else {
        let each = args.format.iter().map(|name| name.parse());
        each.collect::<Result<Vec<Format>>>().context("--format")?
    };
    let own = folder(&opened, &args.choice);
    let place = match &args.bundle {
        Some(path) => Place::Bundle(
            path,
            bundle::given(&opened, (&args.choice, args.sort.as_deref()), path)?,
        ),
        None => Place::Folder(args.out.as_deref().unwrap_or(&own), &formats),
    };
    let wanted = Wanted {
        place,
        sort: args.sort.as_deref(),
        table: OnStdout::Table,
    };
    let (open, all) = (missing(&opened), opened.plan.cells.len());
    tell(&make(opened, &wanted)?);
    if open > 0 {
        let file = args.choice.file.display();
        warning(&format!(
            "{open} of {all} cells are missing; run `runner status {file}`"
        ));
    }
    if args.out.is_none() && args.bundle.is_none() {
        tell_slice(&args.choice, &own);
    }
    Ok(0)
}

/// Says which stored results that a report reads are damaged; they count as not stored from here on.
pub fn tell_damage(opened: &mut Opened) {
    let looked = look(&mut opened.plan, &opened.store, MOST as u64);
    looked.lines.iter().for_each(|line| warning(line));
    if looked.unseen > 0 {
        say(&format!(
            "the images of {} results are too many to be checked on the way; `runner verify` checks them",
            looked.unseen
        ));
    }
}

/// The end of a sweep: the report, or where the results lie when nothing was to be scored.
///
/// # Errors
/// Where the report cannot be made or written.
pub fn after_sweep(opened: Opened, choice: &Choice, table: OnStdout) -> Result<()> {
    let _span = span(Operation::Report);
    let mut cells = opened.sweep.cells.iter();
    let scored = cells.any(|cell| cell.spec.eval.is_some());
    if !scored {
        tell_results(&opened);
        return Ok(());
    }
    let folder = folder(&opened, choice);
    let wanted = Wanted {
        place: Place::Folder(&folder, &Format::ALL),
        sort: None,
        table,
    };
    let current = Current::of(&opened, &folder);
    if current.as_ref().is_some_and(Current::is_written) {
        show(&opened, &wanted)?;
        say(&format!("{} is up to date", folder.display()));
    } else {
        tell(&make(opened, &wanted)?);
        if let Some(current) = current {
            current.written();
        }
    }
    tell_slice(choice, &folder);
    Ok(())
}

/// Prints the table, where it is wanted, and writes nothing.
fn show(opened: &Opened, wanted: &Wanted) -> Result<()> {
    if wanted.table == OnStdout::Nothing {
        return Ok(());
    }
    let rows = rows(&opened.plan, &opened.store);
    let mut report = Report::new(&opened.sweep, &rows);
    report.sort = wanted.sort;
    print(&report, &warnings(&opened.plan))
}

fn print(report: &Report, warnings: &[String]) -> Result<()> {
    let sheet = sheet::sheet(report)?;
    out(terminal::table(&sheet, width()).trim_end())?;
    out(terminal::caption(report, &sheet).trim_end())?;
    out("")?;
    warnings.iter().for_each(|line| warning(line));
    Ok(())
}

/// `reports/NAME`; for a slice a folder in it.
fn folder(opened: &Opened, choice: &Choice) -> PathBuf {
    let whole = Path::new("reports").join(&opened.sweep.name);
    match slice(choice) {
        Some(slice) => whole.join(slice),
        None => whole,
    }
}

/// `slice-sample-count-100-1f2e3d4c`: the same for the same options in any order; none without `--set` and `--only`.
fn slice(choice: &Choice) -> Option<String> {
    let trimmed = |options: &[String]| options.iter().map(|o| o.trim().to_string()).collect();
    let (mut set, mut only): (Vec<String>, Vec<String>) =
        (trimmed(&choice.set), trimmed(&choice.only));
    // Of two values for one key the order decides: this sort keeps it.
    set.sort_by(|a, b| key(a).cmp(key(b)));
    only.sort();
    let named = |word: &str, options: &[String]| {
        let lines = options.iter().map(|option| format!("{word} {option}\n"));
        lines.collect::<String>()
    };
    let all = named("set", &set) + &named("only", &only);
    if all.is_empty() {
        return None;
    }
    let digest = Sha256::digest(all.as_bytes());
    let digest: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let readable = slug(&[set, only].concat().join(" "));
    let readable: String = readable.chars().take(READABLE).collect();
    Some(format!("slice-{}-{digest}", readable.trim_matches('-')))
}

fn key(option: &str) -> &str {
    option.split('=').next().unwrap_or(option).trim()
}

fn tell_slice(choice: &Choice, folder: &Path) {
    if slice(choice).is_some() {
        say(&format!(
            "the report of this slice is in {}; that of the whole study stays as it is",
            folder.display()
        ));
    }
}

fn make(opened: Opened, wanted: &Wanted) -> Result<Vec<PathBuf>> {
    let Opened {
        sweep, store, plan, ..
    } = opened;
    let (rows, warnings) = (rows(&plan, &store), warnings(&plan));
    // The jobs and manifests of a large study take more memory than its rows, which say all that a report shows.
    drop(plan);
    let mut report = Report::new(&sweep, &rows);
    report.warnings = &warnings;
    report.sort = wanted.sort;
    if wanted.table == OnStdout::Table {
        print(&report, &warnings)?;
    }
    match &wanted.place {
        Place::Folder(folder, formats) => {
            write(&report, folder, formats).with_context(|| format!("writing {}", folder.display()))
        }
        Place::Bundle(path, given) => bundle::write(&report, given, path),
    }
}

/// The folder of every cell's last result, each once.
pub fn tell_results(opened: &Opened) {
    let plan = &opened.plan;
    let mut last: Vec<usize> = plan
        .of_cell
        .iter()
        .filter_map(|of| of.last().copied())
        .collect();
    last.sort();
    last.dedup();
    for n in last {
        let item = &plan.items[n];
        if item.state.stored() {
            let folder = opened.store.folder(item.job.stage(), &item.key);
            say(&format!("{}: {}", item.job.stage(), folder.display()));
        }
    }
}

/// `wrote reports/x/index.html`, files of one name and one folder on a line.
fn tell(written: &[PathBuf]) {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for path in written {
        let ending = path.extension().map(|e| e.to_string_lossy().into_owned());
        let stem = path.with_extension("").display().to_string();
        let ending = ending.unwrap_or_default();
        match lines.iter_mut().find(|(known, _)| *known == stem) {
            Some((_, endings)) => endings.push(ending),
            None => lines.push((stem, vec![ending])),
        }
    }
    for (n, (stem, endings)) in lines.iter().enumerate() {
        let word = if n == 0 { "wrote" } else { "     " };
        match endings.as_slice() {
            [ending] if ending.is_empty() => say(&format!("{word} {stem}/")),
            [ending] => say(&format!("{word} {stem}.{ending}")),
            many => say(&format!("{word} {stem}.{{{}}}", many.join(","))),
        }
    }
}

fn missing(opened: &Opened) -> usize {
    let plan = &opened.plan;
    let done = |items: &&Vec<usize>| items.iter().all(|&at| plan.items[at].state.stored());
    plan.of_cell.len() - plan.of_cell.iter().filter(done).count()
}

#[cfg(test)]
mod tests {
    use super::{Choice, slice};

    fn named(set: &[&str], only: &[&str]) -> Option<String> {
        let owned = |options: &[&str]| options.iter().map(|o| o.to_string()).collect();
        slice(&Choice {
            file: "a.toml".into(),
            set: owned(set),
            only: owned(only),
            cache: Default::default(),
        })
    }

    #[test]
    fn a_slice_has_one_name_for_the_same_options_in_any_order() {
        assert_eq!(named(&[], &[]), None);
        let one = named(&["a=1", "b=2"], &["c=3", "d=4"]).unwrap();
        assert!(one.starts_with("slice-a-1-b-2-c-3-d-4-"), "{one}");
        assert_eq!(named(&["b=2", "a=1"], &["d=4", "c=3"]).unwrap(), one);
    }

    #[test]
    fn options_that_read_alike_have_different_names() {
        let names = [
            named(&[], &["guidance.scale=0,5"]),
            named(&[], &["guidance.scale=0.5"]),
            named(&["guidance.scale=0.5"], &[]),
            named(&["a=1", "a=2"], &[]),
            named(&["a=2", "a=1"], &[]),
        ];
        for (i, name) in names.iter().enumerate() {
            assert!(!names[..i].contains(name), "{name:?}");
        }
    }
}
