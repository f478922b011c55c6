//! The training log: interval means, loss by timestep quartile (ADM's logger), as CSV that a resumed run continues.

use anyhow::{Context, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One value an image: its name and, where there is one, the quartile of its timestep.
pub struct Term {
    pub name: &'static str,
    pub values: Vec<f32>,
    /// 0..4 for each value, or empty.
    pub quartiles: Vec<usize>,
}

/// A term that may still be in the making on a GPU, which whoever reads it waits for.
pub struct Unread {
    pub name: &'static str,
    /// `[n]` f32, part of no graph.
    pub values: Tensor,
    /// As in [`Term`].
    pub quartiles: Vec<usize>,
}

impl Unread {
    /// # Errors
    /// Those of the device.
    pub fn read(self) -> candle_core::Result<Term> {
        Ok(Term {
            name: self.name,
            values: self.values.to_vec1()?,
            quartiles: self.quartiles,
        })
    }
}

/// Means since the last line, and the file that the lines go to.
pub struct Journal {
    path: PathBuf,
    columns: Vec<String>,
    sums: BTreeMap<String, (f64, u64)>,
}

impl Journal {
    /// Opens `log.csv` with `names` as columns behind those that every log has; lines past `step`, left by a run that was
    /// killed, are dropped.
    pub fn open(path: &Path, names: &[String], step: u64) -> Result<Self> {
        let mut columns = vec![
            "step".to_string(),
            "seconds".into(),
            "learning_rate".into(),
            "gradient_norm".into(),
        ];
        columns.extend(names.iter().cloned());
        let header = columns.join(",");
        let mut kept = vec![header.clone()];
        if let Ok(old) = fs::read_to_string(path) {
            let lines = old.lines().skip(1);
            kept.extend(
                lines
                    .filter(|l| first_number(l).is_some_and(|s| s <= step))
                    .map(str::to_string),
            );
        }
        kept.push(String::new());
        fs::write(path, kept.join("\n")).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self {
            path: path.to_path_buf(),
            columns,
            sums: BTreeMap::new(),
        })
    }

    pub fn add(&mut self, term: &Term) {
        for (i, &value) in term.values.iter().enumerate() {
            self.count(term.name.to_string(), value as f64);
            if let Some(q) = term.quartiles.get(i) {
                self.count(format!("{}_q{q}", term.name), value as f64);
            }
        }
    }

    pub fn scalar(&mut self, name: &str, value: f64) {
        self.count(name.to_string(), value);
    }

    /// The mean of `name` since the last line.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.sums.get(name).map(|(sum, n)| sum / *n as f64)
    }

    /// Writes one line and starts the next interval.
    pub fn line(&mut self, step: u64, seconds: f64) -> Result<()> {
        self.sums.insert("step".into(), (step as f64, 1));
        self.sums
            .insert("seconds".into(), ((seconds * 10.0).round() / 10.0, 1));
        let cells: Vec<String> = self
            .columns
            .iter()
            .map(|c| self.mean(c).map_or(String::new(), |v| significant(c, v)))
            .collect();
        let mut file = OpenOptions::new()
            .append(true)
            .open(&self.path)
            .with_context(|| format!("writing {}", self.path.display()))?;
        writeln!(file, "{}", cells.join(","))
            .with_context(|| format!("writing {}", self.path.display()))?;
        self.sums.clear();
        Ok(())
    }

    fn count(&mut self, name: String, value: f64) {
        let entry = self.sums.entry(name).or_default();
        entry.0 += value;
        entry.1 += 1;
    }
}

fn significant(column: &str, value: f64) -> String {
    match column {
        "step" | "seconds" => format!("{value}"),
        _ => format!("{value:.5e}"),
    }
}

fn first_number(line: &str) -> Option<u64> {
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_log_drops_the_lines_that_are_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        let names = ["loss", "loss_q0", "loss_q1", "loss_q2", "loss_q3"].map(String::from);
        let mut journal = Journal::open(&path, &names, 0).unwrap();
        for step in [10, 20] {
            journal.add(&Term {
                name: "loss",
                values: vec![1.0, 3.0],
                quartiles: vec![0, 3],
            });
            journal.line(step, 1.0).unwrap();
        }
        Journal::open(&path, &names, 10).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "step,seconds,learning_rate,gradient_norm,loss,loss_q0,loss_q1,loss_q2,loss_q3"
        );
        assert_eq!(lines[1], "10,1,,,2.00000e0,1.00000e0,,,3.00000e0");
        assert_eq!(lines.len(), 2);
    }
}
