//! `runner report`, and the end of every sweep: the table on stdout, the files in `reports/NAME`.

use crate::cli::open::{Choice, Opened, open};
use crate::cli::screen::terminal::{out, say, warning, width};
use crate::report::page::write::{Format, write};
use crate::report::rows::input::Report;
use crate::report::table::{sheet, terminal};
use crate::run::results::{rows, warnings};
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner report experiments/guidance.toml
  runner report experiments/guidance.toml --format md,csv --sort fd --out results")]
pub struct ReportArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// html, csv, parquet, md, tex, svg, png [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub format: Vec<String>,
    /// Where to write [default: reports/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Order the tables by an axis or a metric
    #[arg(long, value_name = "KEY")]
    pub sort: Option<String>,
}

pub fn run(args: &ReportArgs, store: &Path) -> Result<u8> {
    let opened = open(&args.choice, store, None)?;
    let formats = match args.format.is_empty() {
        true => Format::ALL.to_vec(),
        false => {
            let each = args.format.iter().map(|name| name.parse());
            each.collect::<Result<Vec<Format>>>().context("--format")?
        }
    };
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&opened));
    let written = make(&opened, &formats, &folder, args.sort.as_deref(), true)?;
    tell(&written);
    let open = missing(&opened);
    if open > 0 {
        let (all, file) = (opened.plan.cells.len(), args.choice.file.display());
        warning(&format!(
            "{open} of {all} cells are missing; run `runner status {file}`"
        ));
    }
    Ok(0)
}

/// The end of a sweep: the report, or where the results lie when nothing was to be scored.
pub fn after_sweep(opened: &Opened, whole: bool, quiet: bool) -> Result<()> {
    let scored = opened
        .sweep
        .cells
        .iter()
        .any(|cell| cell.spec.eval.is_some());
    if !scored || !whole {
        tell_results(opened);
        return Ok(());
    }
    let folder = default_folder(opened);
    tell(&make(opened, &Format::ALL, &folder, None, !quiet)?);
    Ok(())
}

fn default_folder(opened: &Opened) -> PathBuf {
    Path::new("reports").join(&opened.sweep.name)
}

fn make(
    opened: &Opened,
    formats: &[Format],
    folder: &Path,
    sort: Option<&str>,
    show: bool,
) -> Result<Vec<PathBuf>> {
    let rows = rows(&opened.plan, &opened.store);
    let warnings = warnings(&opened.plan);
    let report = Report {
        sweep: &opened.sweep,
        resolved: &opened.sweep.resolved,
        rows: &rows,
        warnings: &warnings,
        sort,
    };
    if show {
        let sheet = sheet::sheet(&report)?;
        out(terminal::table(&sheet, width()).trim_end())?;
        out(terminal::caption(&report, &sheet).trim_end())?;
        out("")?;
        warnings.iter().for_each(|line| warning(line));
    }
    write(&report, folder, formats).with_context(|| format!("writing {}", folder.display()))
}

/// The folder of every cell's last result, each once.
fn tell_results(opened: &Opened) {
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
