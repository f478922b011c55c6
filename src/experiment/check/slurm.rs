//! Values of `[slurm]` that cannot be meant: sbatch would refuse them only when all is ready, or do what a sweep undoes.

use crate::experiment::check::ranges::Range;
use crate::experiment::check::typo::told;
use crate::experiment::file::slurm::{MOST_SECONDS, Slurm};
use anyhow::{Result, anyhow, bail, ensure};

/// Options of sbatch that decide how the sweep finds its workers again, or that have a key of their own: long name, short
/// name, and what to do instead.
const OWN: &[(&str, &str, &str)] = &[
    (
        "array",
        "a",
        "the sweep sets it; say how many with `workers`",
    ),
    (
        "dependency",
        "d",
        "the sweep submits a stage when it is ready",
    ),
    ("job-name", "J", "the sweep finds its workers by it"),
    ("output", "o", "the logs are kept in the store"),
    ("error", "e", "the logs are kept in the store"),
    ("open-mode", "", "the logs are kept in the store"),
    ("parsable", "", "the sweep reads what sbatch prints"),
    ("quiet", "Q", "the sweep reads what sbatch prints"),
    ("verbose", "v", "the sweep reads what sbatch prints"),
    ("test-only", "", "nothing would be submitted"),
    ("help", "h", "nothing would be submitted"),
    ("usage", "", "nothing would be submitted"),
    ("version", "V", "nothing would be submitted"),
    ("wait", "W", "the sweep waits by itself"),
    ("wrap", "", "the sweep writes the script"),
    ("requeue", "", "lost workers are replaced by the sweep"),
    ("no-requeue", "", "it is set already"),
    (
        "clusters",
        "M",
        "the sweep asks one cluster: start it there",
    ),
    ("cluster", "", "the sweep asks one cluster: start it there"),
    ("signal", "", "use the key `signal_before`"),
    ("chdir", "D", "workers run where the sweep was started"),
    ("export", "", "use the key `env`"),
    ("export-file", "", "use the key `env`"),
    ("get-user-env", "", "use the key `setup`"),
    ("nodes", "N", "a worker is one process on one node"),
    ("ntasks", "n", "a worker is one process on one node"),
    ("ntasks-per-node", "", "a worker is one process on one node"),
    ("partition", "p", "use the key `partition`"),
    ("account", "A", "use the key `account`"),
    ("qos", "q", "use the key `qos`"),
    ("constraint", "C", "use the key `constraint`"),
    ("time", "t", "use the key `time`"),
    ("cpus-per-task", "c", "use the key `cpus`"),
    ("mem", "", "use the key `mem`"),
    ("gres", "", "use the key `gres`"),
    ("gpus", "G", "use the key `gpus`"),
];

/// Long options that are no beginnings of those above though they look it.
const LIKE_OWN: [&str; 1] = ["exclude"];

/// The user's own file, whose keys stand at the top.
///
/// # Errors
/// What is no such file, with line and column; a value that cannot be meant.
pub fn read(text: &str) -> Result<Slurm> {
    let slurm: Slurm = toml::from_str(text).map_err(|error| anyhow!(told(&error)))?;
    check(&slurm, "")?;
    Ok(slurm)
}

/// Everything that can be wrong with `[slurm]`, or, below `at`, with a table of one stage.
///
/// # Errors
/// The first value that cannot be meant, with its key.
pub fn check(slurm: &Slurm, at: &str) -> Result<()> {
    let key = |name: &str| format!("{at}{name}");
    check_resources(slurm, at)?;
    check_times(slurm, at)?;
    for line in slurm.setup.iter().flatten() {
        ensure!(!line.contains('\0'), "{} holds a NUL", key("setup"));
    }
    for variable in slurm.env.iter().flatten() {
        check_variable(variable, &key("env"))?;
    }
    for option in slurm.extra.iter().flatten() {
        check_option(option, &key("extra"))?;
    }
    for (name, stage) in slurm.stage.iter().flat_map(|stages| stages.all()) {
        let below = format!("{at}stage.{name}.");
        ensure!(
            stage.stage.is_none(),
            "{below}stage: a stage has no stages of its own"
        );
        ensure!(
            stage.resubmits.is_none(),
            "{below}resubmits: lost workers of all stages are counted together\nhint: write `resubmits` in [slurm] itself"
        );
        check(stage, &below)?;
    }
    Ok(())
}

fn check_resources(slurm: &Slurm, at: &str) -> Result<()> {
    for (name, value) in [
        ("partition", &slurm.partition),
        ("account", &slurm.account),
        ("qos", &slurm.qos),
        ("constraint", &slurm.constraint),
        ("mem", &slurm.mem),
        ("gres", &slurm.gres),
    ] {
        let Some(text) = value else { continue };
        ensure!(
            !text.trim().is_empty() && !text.contains(|c: char| c.is_control()),
            "{at}{name} = {text:?} is no value for sbatch"
        );
    }
    if let Some(mem) = &slurm.mem {
        let digits = mem.trim_end_matches(['K', 'M', 'G', 'T']);
        ensure!(
            mem.len() <= digits.len() + 1 && digits.parse::<u64>().is_ok(),
            "{at}mem = \"{mem}\" is no amount of memory\nhint: write a whole number and K, M, G or T, such as \"16G\""
        );
    }
    ensure!(
        slurm.gpus.is_none() || slurm.gres.is_none(),
        "{at}gpus and {at}gres both say which GPUs a worker has\nhint: take one of the two out"
    );
    for (name, value) in [("cpus", slurm.cpus), ("workers", slurm.workers)] {
        if let Some(value) = value {
            Range::FromOne.check(&format!("{at}{name}"), value)?;
        }
    }
    Ok(())
}

fn check_times(slurm: &Slurm, at: &str) -> Result<()> {
    if let Some(before) = slurm.signal_before {
        ensure!(
            (1..=MOST_SECONDS).contains(&before),
            "{at}signal_before = {before} is outside 1..={MOST_SECONDS} seconds"
        );
    }
    if let Some(time) = &slurm.time {
        let seconds = seconds(time);
        ensure!(
            seconds.is_some_and(|seconds| seconds > 0),
            "{at}time = \"{time}\" is no time that sbatch takes\nhint: write hours:minutes:seconds, such as \"04:00:00\", days-hours, such as \"2-00\", or a number of minutes"
        );
    }
    Ok(())
}

/// The seconds of a time limit as sbatch(1) has it: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
/// `days-hours:minutes` and `days-hours:minutes:seconds`.
pub fn seconds(text: &str) -> Option<u64> {
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u64>().ok()).flatten()
    };
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let parts: Option<Vec<u64>> = rest.split(':').map(number).collect();
    let [hours, minutes, seconds] = match (days, parts?.as_slice()) {
        (None, [minutes]) => [0, *minutes, 0],
        (None, [minutes, seconds]) => [0, *minutes, *seconds],
        (Some(_), [hours]) => [*hours, 0, 0],
        (Some(_), [hours, minutes]) => [*hours, *minutes, 0],
        (_, [hours, minutes, seconds]) => [*hours, *minutes, *seconds],
        _ => return None,
    };
    let days = days.unwrap_or(0).checked_mul(86400)?;
    let hours = hours.checked_mul(3600)?;
    let minutes = minutes.checked_mul(60)?;
    days.checked_add(hours)?
        .checked_add(minutes)?
        .checked_add(seconds)
}

fn check_variable(text: &str, key: &str) -> Result<()> {
    let name = text.split('=').next().unwrap_or_default();
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    ensure!(
        !name.is_empty()
            && name.chars().all(letter)
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains('\0'),
        "{key} has {text:?}, which is neither NAME nor NAME=VALUE"
    );
    Ok(())
}

fn check_option(option: &str, key: &str) -> Result<()> {
    ensure!(
        option.starts_with('-')
            && option.len() > 1
            && option != "--"
            && !option.contains(|c: char| c.is_control()),
        "{key} has {option:?}, which is no option of sbatch\nhint: write each option and its value as one text, such as \"--exclude=n1\""
    );
    let refuse = |(_, _, instead): &(&str, &str, &str)| -> Result<()> {
        bail!("{key} has \"{option}\", which is not for a file to set\nhint: {instead}")
    };
    if let Some(long) = option.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        // sbatch takes any beginning of a name that fits one alone.
        let beginning = |own: &&(&str, &str, &str)| own.0 == name || own.0.starts_with(name);
        let known = LIKE_OWN.contains(&name);
        return match OWN.iter().find(beginning).filter(|_| !known) {
            Some(own) => refuse(own),
            None => Ok(()),
        };
    }
    let short = &option[1..];
    match OWN
        .iter()
        .find(|own| !own.1.is_empty() && short.starts_with(own.1))
    {
        Some(own) => refuse(own),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_as_sbatch_reads_them() {
        let read = [
            "90",
            "90:30",
            "4:00:00",
            "2-0",
            "1-2:3",
            "1-02:03:04",
            "",
            "4h",
            "-1",
            "1-",
            "1:2:3:4",
            "99999999999999999999",
        ]
        .map(seconds);
        let days = 86400;
        let some = [5400, 5430, 14400, 2 * days, days + 7380, days + 7384].map(Some);
        assert_eq!(read[..6], some);
        assert_eq!(read[6..], [None; 6]);
    }
}
