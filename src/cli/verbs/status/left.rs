//! How long a sweep will still take, by what its jobs have cost so far and what its workers say.

use crate::cli::screen::pace::Paces;
use crate::cli::screen::terminal::duration;
use crate::cli::verbs::status::queue::{Queue, Standing};
use crate::cli::verbs::status::workers::Shown;
use crate::run::plan::Plan;
use crate::run::store::State;

/// Seconds left, or why they cannot be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Left {
    /// From work that spreads evenly to work that waits for its longest chain.
    Between(f64, f64),
    /// Nobody works; so long would one worker take.
    Nobody(f64),
    Unknown(String),
}

impl Left {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Left::Between(low, high) => {
                let (low, high) = (duration(*low), duration(*high));
                if low == high {
                    format!("about {low}")
                } else {
                    format!("{low} to {high}")
                }
            }
            Left::Nobody(seconds) => format!(
                "nobody works on it; one worker would take about {}",
                duration(*seconds)
            ),
            Left::Unknown(why) => format!("not known yet: {why}"),
        }
    }
}

/// The time until all is stored that has neither failed nor waits for what has.
pub fn left(plan: &Plan, queue: &Queue, workers: &[Shown]) -> Left {
    let paces = Paces::of(plan);
    let mut seconds = vec![0.0; plan.items.len()];
    for (n, standing) in queue.standing.iter().enumerate() {
        let open = [Standing::Running, Standing::Ready];
        if !open.contains(standing) && !matches!(standing, Standing::Waiting(_)) {
            continue;
        }
        let told = by_workers(n, workers);
        let Some(own) = told.or_else(|| remaining(plan, n, &paces)) else {
            let stage = plan.items[n].job.stage();
            return Left::Unknown(format!("no {stage} job like these has been measured"));
        };
        seconds[n] = own;
    }
    let living = workers.iter().filter(|worker| !worker.silent());
    // A process that keeps no record of itself is seen by its lease.
    let leases = plan
        .items
        .iter()
        .filter(|item| matches!(item.state, State::Running(..)));
    let places = living
        .map(Shown::devices)
        .sum::<usize>()
        .max(leases.count());
    let all: f64 = seconds.iter().sum();
    match places {
        0 => Left::Nobody(all),
        n => between(all, longest(plan, &seconds), n),
    }
}

/// Any order of work that leaves no worker idle while a job is ready ends within these bounds (R. L. Graham, "Bounds on
/// multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969).
fn between(all: f64, chain: f64, places: usize) -> Left {
    let even = all / places as f64;
    let others = 1.0 - 1.0 / places as f64;
    Left::Between(even.max(chain), even + others * chain)
}

/// The seconds of the jobs of the longest chain, each of which reads the one before.
fn longest(plan: &Plan, seconds: &[f64]) -> f64 {
    let mut ends = vec![0.0_f64; seconds.len()];
    for (n, item) in plan.items.iter().enumerate() {
        let before = item.needs.iter().map(|&need| ends[need]);
        ends[n] = seconds[n] + before.fold(0.0, f64::max);
    }
    ends.into_iter().fold(0.0, f64::max)
}

/// By the rates of those who work on item `n`, together.
fn by_workers(n: usize, workers: &[Shown]) -> Option<f64> {
    let living = workers.iter().filter(|worker| !worker.silent());
    let doing = living.flat_map(|worker| worker.items.iter().zip(&worker.record.doing));
    let own = doing.filter(|(item, _)| **item == Some(n));
    let (mut rate, mut open) = (0.0, None::<u64>);
    for (_, doing) in own {
        rate += doing.per_second.unwrap_or(0.0);
        let left = doing.total.saturating_sub(doing.done);
        open = Some(open.map_or(left, |open| open.min(left)));
    }
    open.filter(|_| rate > 0.0).map(|open| open as f64 / rate)
}

/// By jobs of its kind, as far as its result is not there.
fn remaining(plan: &Plan, n: usize, paces: &Paces) -> Option<f64> {
    let mark = match &plan.items[n].state {
        State::Running(_, mark) | State::Partial(mark) => mark.as_ref(),
        _ => None,
    };
    let there = mark.filter(|mark| mark.total > 0);
    let there = there.map_or(0.0, |mark| mark.done as f64 / mark.total as f64);
    Some(paces.expected(plan, n)? * (1.0 - there.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_has_one_time_and_several_a_range() {
        assert_eq!(between(100.0, 30.0, 1), Left::Between(100.0, 100.0));
        assert_eq!(between(100.0, 30.0, 4), Left::Between(30.0, 47.5));
        assert_eq!(between(100.0, 10.0, 2), Left::Between(50.0, 55.0));
    }

    #[test]
    fn what_is_left_is_told_in_words() {
        assert_eq!(Left::Between(20.0, 20.2).text(), "about 20 s");
        assert_eq!(Left::Between(60.0, 90.0).text(), "1 min 00 s to 1 min 30 s");
        assert_eq!(
            Left::Nobody(20.0).text(),
            "nobody works on it; one worker would take about 20 s"
        );
        let why = "no sample job like these has been measured".to_string();
        assert_eq!(
            Left::Unknown(why).text(),
            "not known yet: no sample job like these has been measured"
        );
    }
}
