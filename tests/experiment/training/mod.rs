//! How a training calculates: what it may be asked for, and what of it tells results apart.

mod microbatch;
mod precision;

use fidrunner::experiment::grid::sweep::cells;
use fidrunner::jobs::of_cell::jobs_of;

const FILE: &str = "name = \"a\"\n[model]\npreset = \"shapes16\"\n[train]\ndata = \"shapes\"\nsteps = 100\nbatch = 8\n\
    learning_rate = 1e-3\n";

/// The same of a net of another kind.
fn of_kind(kind: &str) -> String {
    let model = format!("[model]\nkind = \"{kind}\"\npreset = \"shapes-features\"\n");
    FILE.replace("[model]\npreset = \"shapes16\"\n", &model)
}

/// The key of the first cell's training under `--set`, or the message.
fn key_of(file: &str, set: &[&str]) -> Result<String, String> {
    let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
    let cells = cells(file, &set, &[]).map_err(|e| format!("{e:#}"))?;
    let jobs = jobs_of(&cells[0]).map_err(|e| format!("{e:#}"))?;
    Ok(jobs[0].key().unwrap().full().to_string())
}
