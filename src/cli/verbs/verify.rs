//! `runner verify`: every file of a store by its digest, or a report against the store; on request what is damaged is
//! forgotten, so that the next sweep makes it again.

use crate::cli::screen::live::Live;
use crate::cli::screen::terminal::{bytes, error, out, say, thousands};
use crate::report::verify::{self as report, TABLE};
use crate::run::store::Store;
use crate::run::verify::alive::Workers;
use crate::run::verify::problem::{Cure, Problem};
use crate::run::verify::repair::repair;
use crate::run::verify::store::{Far, verify};
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # Every file of every result in .runner
  runner verify

  # What is damaged is set aside; the sweep makes it again
  runner verify --repair
  runner sweep experiments/guidance.toml

  # The numbers of a report against the results that they came from
  runner verify reports/guidance

A store is changed by --repair alone. It renames damaged files to NAME.broken, writes short files again from their
copies, and removes leases, records and half-written files of dead processes. What others work on is left alone.

Exit status: 0 nothing wrong, or all that was wrong is mended; 1 something is wrong; 2 wrong file or flag")]
pub struct VerifyArgs {
    /// A store, or the folder of a report [default: the store]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Mend what is wrong, so that the next sweep makes again what is damaged, and nothing else
    #[arg(long)]
    pub repair: bool,
    /// One JSON object per problem on stdout, and one with the counts
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &VerifyArgs, store: &Path) -> Result<u8> {
    match &args.folder {
        Some(folder) if folder.join(TABLE).is_file() => of_report(args, folder, store),
        folder => of_store(args, folder.as_deref().unwrap_or(store)),
    }
}

fn of_store(args: &VerifyArgs, root: &Path) -> Result<u8> {
    let (store, started) = (Store::new(root), Instant::now());
    let live = Live::start();
    let found = verify(&store, &|far| live.set(told(far, started)))?;
    drop(live);
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        for problem in &found.problems {
            out(&as_json(problem, root).to_string())?;
        }
        let counts = json!({
            "finished": found.finished,
            "unfinished": found.unfinished,
            "in_work": found.in_work,
            "bytes": found.bytes,
            "seconds": seconds,
            "problems": found.problems.len(),
            "notes": found.notes,
        });
        out(&counts.to_string())?;
    } else {
        for problem in &found.problems {
            out(&line(problem, root))?;
        }
        found
            .notes
            .iter()
            .for_each(|note| say(&format!("note: {note}")));
        say(&format!(
            "{}: {} finished results, {} in {seconds:.1} s ({}/s); {} unfinished, {} in work",
            root.display(),
            thousands(found.finished as u64),
            bytes(found.bytes),
            bytes((found.bytes as f64 / seconds.max(1e-3)) as u64),
            found.unfinished,
            found.in_work
        ));
    }
    let wrong = found.problems.len();
    say(&match wrong {
        0 => "nothing is wrong".to_string(),
        1 => "1 thing is wrong".to_string(),
        n => format!("{} things are wrong", thousands(n as u64)),
    });
    if wrong == 0 {
        return Ok(0);
    }
    if !args.repair {
        return Ok(1);
    }
    mend(&store, &found.problems)
}

/// Mends one after the other; 0 where nothing is left.
fn mend(store: &Store, problems: &[Problem]) -> Result<u8> {
    if let Err(why) = store.prepare() {
        error(&why.context("nothing is mended"));
        return Ok(1);
    }
    let (mut left, living) = (0, Workers::of(store).living);
    for problem in problems {
        match repair(problem, &living) {
            Ok(done) => done.iter().for_each(|line| say(&format!("mended: {line}"))),
            Err(why) => {
                left += 1;
                error(&why);
            }
        }
        left += usize::from(matches!(problem.cure, Cure::Command(_)));
    }
    say("what was set aside is made again by the next sweep that needs it");
    Ok(u8::from(left > 0))
}

fn of_report(args: &VerifyArgs, folder: &Path, store: &Path) -> Result<u8> {
    let found = report::verify(folder, &Store::new(store))?;
    for problem in &found.problems {
        out(&if args.json {
            as_json(problem, store).to_string()
        } else {
            line(problem, store)
        })?;
    }
    if args.json {
        let counts = json!({
            "rows": found.rows,
            "compared": found.compared,
            "files": found.files,
            "problems": found.problems.len(),
            "notes": found.notes,
        });
        out(&counts.to_string())?;
    } else {
        found
            .notes
            .iter()
            .for_each(|note| say(&format!("note: {note}")));
        say(&format!(
            "{}: {} of {} finished rows compared with the store, {} files as they were written, {} things wrong",
            folder.display(),
            found.compared,
            found.rows,
            found.files,
            found.problems.len()
        ));
    }
    if args.repair && !found.problems.is_empty() {
        say("a report is not mended but written again: runner report FILE");
    }
    Ok(u8::from(!found.problems.is_empty()))
}

fn told(far: Far, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64().max(1e-3);
    format!(
        "verified {} of {} results, {} ({}/s)",
        thousands(far.done as u64),
        thousands(far.results as u64),
        bytes(far.bytes),
        bytes((far.bytes as f64 / seconds) as u64)
    )
}

/// The command that mends it.
fn command(problem: &Problem, root: &Path) -> String {
    match &problem.cure {
        Cure::Command(command) => command.clone(),
        _ => format!("runner verify {} --repair", root.display()),
    }
}

fn line(problem: &Problem, root: &Path) -> String {
    format!(
        "{}: {}   (to mend it: {})",
        problem.path.display(),
        problem.what,
        command(problem, root)
    )
}

fn as_json(problem: &Problem, root: &Path) -> serde_json::Value {
    json!({
        "path": problem.path,
        "what": problem.what,
        "mend": command(problem, root),
    })
}
