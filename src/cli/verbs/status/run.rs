//! The command: what is asked for, once or again and again.

use crate::cli::open::{Choice, Opened, open};
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::status::cell::one_cell;
use crate::cli::verbs::status::cells::{all_cells, tally, watched_cells};
use crate::cli::verbs::status::html;
use crate::cli::verbs::status::json;
use crate::cli::verbs::status::overview::Overview;
use crate::io::disk;
use anyhow::Result;
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  runner status experiments/guidance.toml --watch
  runner status experiments/guidance.toml 3

  # Who works on it, what is left and what has failed, without the table of cells
  runner status experiments/guidance.toml --workers

  # The same for programs: one JSON object a worker, then one with the queue, every failure and the time left
  runner status experiments/guidance.toml --json --workers

  # A page to look at from elsewhere, written again every 10 seconds until all is done
  runner status experiments/guidance.toml --html status.html --watch

Without --workers, --json prints one object a cell. A worker is shown with the time since its last heartbeat, by the clocks
of this machine and of the file system; one that has been silent for more than 90 seconds has probably ended. The time left
is a range: from work that spreads evenly over the workers to work that has to wait for its longest chain of jobs. It takes
for granted that jobs take as long as those of their kind that are stored.")]
pub struct StatusArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// The number of a cell: show its keys, its error and the end of its log
    #[arg(value_name = "CELL", conflicts_with_all = ["workers", "html"])]
    pub cell: Option<usize>,
    /// Redraw every 2 seconds; with --html write the page every 10 seconds
    #[arg(long)]
    pub watch: bool,
    /// One JSON object per cell on stdout; with --workers one per worker and one of the queue
    #[arg(long)]
    pub json: bool,
    /// Only the workers, the queue and the failures, without the cells
    #[arg(long)]
    pub workers: bool,
    /// Write a page that needs nothing else to this file
    #[arg(long, value_name = "OUT.html", conflicts_with_all = ["json", "workers"])]
    pub html: Option<PathBuf>,
}

const WATCH_EVERY: Duration = Duration::from_secs(2);
const PAGE_EVERY: Duration = Duration::from_secs(10);

/// Tells where the sweep stands. The exit status is 0 whatever has failed.
pub fn run(args: &StatusArgs, store: &Path) -> Result<u8> {
    let mut told = false;
    loop {
        let opened = open(&args.choice, store, None)?;
        let again = args.watch && !opened.plan.to_run().is_empty();
        if let Some(path) = &args.html {
            write_page(&opened, args, path, again)?;
            if !told {
                say(&format!("wrote {}", path.display()));
                told = true;
            }
        } else {
            let clear = args.watch && std::io::stdout().is_terminal();
            let clear = if clear { "\x1b[2J\x1b[H" } else { "" };
            out(&format!("{clear}{}", text(&opened, args)?))?;
        }
        if !again {
            return Ok(0);
        }
        std::thread::sleep(match args.html {
            Some(_) => PAGE_EVERY,
            None => WATCH_EVERY,
        });
    }
}

fn text(opened: &Opened, args: &StatusArgs) -> Result<String> {
    if let Some(cell) = args.cell {
        return one_cell(opened, cell);
    }
    if args.json && !args.workers {
        return json::cells(opened);
    }
    let overview = Overview::of(opened);
    if args.json {
        return json::workers(opened, &overview);
    }
    let file = args.choice.file.display().to_string();
    let cells = match (args.workers, args.watch) {
        (true, _) => String::new(),
        (false, true) => watched_cells(opened, &file),
        (false, false) => all_cells(opened),
    };
    let overview = overview.text(opened, &file);
    let between = if overview.is_empty() { "\n" } else { "\n\n" };
    // The tally is the last line, where the eye is.
    let parts = [cells, overview, tally(&opened.plan)];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    Ok(parts.collect::<Vec<_>>().join(between))
}

/// Replaces the page as a whole; a page that will be written again asks the browser to look again.
fn write_page(opened: &Opened, args: &StatusArgs, path: &Path, again: bool) -> Result<()> {
    let every = again.then(|| PAGE_EVERY.as_secs());
    let file = args.choice.file.display().to_string();
    let page = html::page(opened, &Overview::of(opened), &html::Asked { file, every });
    disk::write_atomic(path, |out| Ok(out.write_all(page.as_bytes())?))
}
