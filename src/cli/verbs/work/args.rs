//! What `runner work` takes.

use crate::cli::cache::Cache;
use crate::cli::open::Choice;
use crate::cli::profile::session::Profile;
use crate::jobs::stage::Stage;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  # On each machine that shares the store: until nothing is left
  runner work experiments/guidance.toml --store /shared/store

  # In a job with a time limit of four hours: ends by itself before that, and loses nothing
  runner work experiments/guidance.toml --for 3h50m

  # On machines without a GPU: what needs none
  runner work experiments/guidance.toml --stages metrics --wait

A worker takes results, and parts of results, that nobody works on, until nothing is left that it can take. SIGTERM, \
SIGUSR2, Ctrl-C and the end of its time stop it after the batch or the training step at hand, which is kept. A worker \
that is killed loses the part that it was at; others take it over, at once on the same machine, after 90 seconds from \
another. `runner sweep` starts workers by itself and writes the report.

Exit status: 0 nothing is left, 1 some job failed, 2 wrong file or flag, 130 stopped")]
pub struct WorkArgs {
    /// Experiment files, or names of studies that ship; worked on one after the other
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Override a value of the files, such as `sample.count=1000`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Keep these cells of the grid, such as `guidance.scale=0,4`
    #[arg(long, value_name = "KEY=VALUE[,VALUE]")]
    pub only: Vec<String>,
    /// Take jobs of these stages alone: train, sample, upsample, features, metrics [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub stages: Vec<Stage>,
    /// `cpu`, `cpu:2` for two workers, or `cuda:0,cuda:1` [default: all CUDA devices, else cpu]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// Stop after this time, such as `3h50m`, `90m` or `300s`
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub time: Option<Duration>,
    /// With --stages: wait for results of other stages also while nobody makes them
    #[arg(long, requires = "stages")]
    pub wait: bool,
    /// One JSON object per event on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub profile: Profile,
    #[command(flatten)]
    pub cache: Cache,
    /// Stop when standard input ends: whoever started this worker is gone
    #[arg(long, hide = true)]
    pub with_parent: bool,
    /// `1/2`: calculate on the first half of the cores
    #[arg(long, hide = true)]
    pub core_share: Option<String>,
}

impl WorkArgs {
    /// The cells of one of the files.
    pub fn choice(&self, file: &std::path::Path) -> Choice {
        Choice {
            file: file.to_path_buf(),
            set: self.set.clone(),
            only: self.only.clone(),
            cache: self.cache.clone(),
        }
    }
}

/// `3h50m`, `90s`, `1d`: numbers, each with a unit of d, h, m or s.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a time\nhint: write it such as `3h50m`, `90m` or `300s`, with d, h, m and s"
        )
    };
    let (mut seconds, mut digits) = (0u64, String::new());
    for character in text.chars() {
        let unit = match character {
            '0'..='9' => {
                digits.push(character);
                continue;
            }
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let more = number.checked_mul(unit).ok_or_else(wrong)?;
        seconds = seconds.checked_add(more).ok_or_else(wrong)?;
        digits.clear();
    }
    if !digits.is_empty() || seconds == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_numbers_with_units() {
        let seconds = |text| time(text).map(|time| time.as_secs());
        assert_eq!(seconds("3h50m"), Ok(13_800));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1d1s"), Ok(86_401));
        for wrong in [
            "",
            "90",
            "h",
            "3h5",
            "-1h",
            "1.5h",
            "0s",
            "99999999999999999999h",
        ] {
            let error = time(wrong).unwrap_err();
            assert!(
                error.contains("\nhint: write it such as `3h50m`"),
                "{wrong}: {error}"
            );
        }
    }
}
