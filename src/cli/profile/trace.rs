//! Traces in Chrome's format, an event a line: written for one process, and several put together.

use crate::io::disk::write_atomic;
use crate::machine::profile::Operation;
use crate::machine::profile::recorder::{Found, Total};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::SystemTime;

/// What stands in a trace of which nothing is known yet.
const EMPTY: &str = "[\n]\n";
/// How the first event of every other trace begins.
const FIRST: &str = "[\n{\"name\":\"totals\",\"ph\":\"M\"";

/// What one process found, as its trace's first event holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Totals {
    /// What the process is: `sweep`, or the place of a worker.
    pub process: String,
    /// When it began, seconds since 1970.
    pub began: f64,
    /// Seconds that it took; that at least one thread worked; that none did and one waited.
    pub wall: f64,
    pub worked: f64,
    pub waited: f64,
    /// Threads that had spans.
    pub threads: usize,
    /// Spans, and how many of them stand in the trace.
    pub spans: u64,
    pub kept: u64,
    pub operations: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// `work` or `wait`.
    pub kind: String,
    pub calls: u64,
    /// Without spans inside, added up over threads.
    pub seconds: f64,
}

/// A line of a trace.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<String>,
    ph: String,
    /// Microseconds since the profile began.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<T>,
}

fn metadata<T>(name: &str, (pid, tid): (u32, usize), args: T) -> Line<T> {
    Line {
        name: name.to_string(),
        cat: None,
        ph: "M".to_string(),
        ts: None,
        dur: None,
        pid,
        tid,
        args: Some(args),
    }
}

/// Whether the file is such a trace, whole or just begun.
pub fn is_ours(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
    file.take(FIRST.len() as u64).read_to_end(&mut start)?;
    Ok(start == FIRST.as_bytes() || start == EMPTY.as_bytes() || start.is_empty())
}

/// An empty trace, so that a file that cannot be written shows before the work.
pub fn begin(path: &Path) -> Result<()> {
    write_atomic(path, |out| Ok(out.write_all(EMPTY.as_bytes())?))
}

/// The totals of what this process found.
pub fn totals(found: &Found, process: &str) -> Totals {
    let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
    let since = found.began.duration_since(SystemTime::UNIX_EPOCH);
    let row = |(operation, Total { calls, own }): &(Operation, Total)| Row {
        name: operation.name().to_string(),
        kind: operation.kind().name().to_string(),
        calls: *calls,
        seconds: seconds(*own),
    };
    let operations: Vec<Row> = found.totals.iter().map(row).collect();
    let kept = found.threads.iter().map(|(_, _, events)| events.len());
    Totals {
        process: process.to_string(),
        began: since.map_or(0.0, |since| since.as_secs_f64()),
        wall: seconds(found.wall),
        worked: seconds(found.worked),
        waited: seconds(found.waited),
        threads: found.threads.len(),
        spans: operations.iter().map(|row| row.calls).sum(),
        kept: kept.sum::<usize>() as u64,
        operations,
    }
}

/// A worker's trace, and what its process is called.
pub struct Worker<'a> {
    pub path: &'a Path,
    pub process: &'a str,
}

/// Writes what this process found, and the traces of its workers behind it, on this process's clock. The totals of those
/// workers that left a trace.
pub fn write(
    path: &Path,
    found: &Found,
    totals: &Totals,
    workers: &[Worker],
) -> Result<Vec<Totals>> {
    let mut theirs = Vec::new();
    write_atomic(path, |out| {
        let pid = std::process::id();
        writeln!(out, "[")?;
        line(out, "", &metadata("totals", (pid, 0), totals))?;
        let named = serde_json::json!({ "name": totals.process });
        line(out, ",\n", &metadata("process_name", (pid, 0), named))?;
        for (id, name, events) in &found.threads {
            let named = serde_json::json!({ "name": name });
            line(out, ",\n", &metadata("thread_name", (pid, *id), named))?;
            for event in events {
                let (name, kind) = (event.operation.name(), event.operation.kind().name());
                let (start, length) = (event.start as f64 / 1e3, event.length as f64 / 1e3);
                write!(
                    out,
                    ",\n{{\"name\":\"{name}\",\"cat\":\"{kind}\",\"ph\":\"X\",\"ts\":{start:.3},\"dur\":{length:.3},\"pid\":{pid},\"tid\":{id}}}"
                )?;
            }
        }
        for worker in workers {
            theirs.extend(append(out, worker, totals.began)?);
        }
        Ok(writeln!(out, "\n]")?)
    })?;
    Ok(theirs)
}

fn line<T: Serialize>(out: &mut dyn Write, before: &str, line: &Line<T>) -> Result<()> {
    Ok(write!(out, "{before}{}", serde_json::to_string(line)?)?)
}

/// Copies a worker's trace, its times moved to a profile that began at `began`; None where it has left none.
fn append(out: &mut dyn Write, worker: &Worker, began: f64) -> Result<Option<Totals>> {
    let Ok(file) = File::open(worker.path) else {
        return Ok(None);
    };
    let (mut totals, mut later) = (None, 0.0);
    for text in BufReader::new(file).lines() {
        let text = text.with_context(|| format!("reading {}", worker.path.display()))?;
        let text = text.trim_end_matches(',');
        if text == "[" || text == "]" {
            continue;
        }
        let reading = || format!("reading {}", worker.path.display());
        let Some(found) = &totals else {
            let first: Line<Totals> = serde_json::from_str(text).with_context(reading)?;
            let mut found = first.args.with_context(reading)?;
            found.process = worker.process.to_string();
            later = (found.began - began) * 1e6;
            line(out, ",\n", &metadata("totals", (first.pid, 0), &found))?;
            totals = Some(found);
            continue;
        };
        let mut event: Line<serde_json::Value> =
            serde_json::from_str(text).with_context(reading)?;
        event.ts = event.ts.map(|ts| ts + later);
        if event.name == "process_name" {
            event.args = Some(serde_json::json!({ "name": found.process }));
        }
        line(out, ",\n", &event)?;
    }
    Ok(totals)
}
