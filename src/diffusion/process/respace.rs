//! Which of the T steps of a process are kept when fewer are drawn (IDDPM, arXiv:2102.09672, section 4; the
//! release's `space_timesteps`).

use crate::experiment::file::drawing::sampling::TRAILING;
use candle_core::{Result, bail};

/// Kept timesteps of `0..total`, ascending. `spec` is a count (`250`), counts of equal sections (`10,10,5`),
/// DDIM's fixed stride (`ddim25`), evenly down from the last timestep (`trailing4`: "Common Diffusion Noise Schedules and
/// Sample Steps are Flawed", arXiv:2305.08891, table 2), or empty for all.
///
/// # Errors
/// Where `spec` is none of these, asks for more steps than there are, or keeps none.
pub fn space_timesteps(total: usize, spec: &str) -> Result<Vec<usize>> {
    let spec = spec.trim();
    let kept = if spec.is_empty() {
        (0..total).collect()
    } else if let Some(count) = spec.strip_prefix(TRAILING) {
        trailing(total, number(count, spec)?)?
    } else if let Some(count) = spec.strip_prefix("ddim") {
        strided(total, number(count, spec)?)?
    } else {
        let counts: Vec<usize> = spec
            .split(',')
            .map(|count| number(count, spec))
            .collect::<Result<_>>()?;
        sections(total, &counts, spec)?
    };
    if kept.is_empty() {
        bail!("steps = \"{spec}\" keeps no step; 1 to {total} are allowed");
    }
    Ok(kept)
}

fn number(text: &str, spec: &str) -> Result<usize> {
    let Ok(number) = text.trim().parse() else {
        bail!(
            "steps = \"{spec}\": \"{text}\" is not a whole number\n\
             hint: write a count (250), a section list (\"10,10,5\") or a stride (\"ddim25\")"
        );
    };
    Ok(number)
}

/// round(T k / S) - 1 for k of 1..=S. Every second one of twice as many steps, from the last, is one of these: what
/// halving the steps of a net by distillation stands on.
fn trailing(total: usize, count: usize) -> Result<Vec<usize>> {
    if !(1..=total).contains(&count) {
        bail!("{count} steps are outside 1..={total}");
    }
    let end = |k: usize| (total * k) as f64 / count as f64;
    // A tie goes to the even number, as numpy rounds.
    Ok((1..=count)
        .map(|k| end(k).round_ties_even() as usize - 1)
        .collect())
}

/// Multiples of the smallest stride that gives exactly `count` steps; starts at 0 and rarely reaches the last step.
fn strided(total: usize, count: usize) -> Result<Vec<usize>> {
    match (1..total).find(|stride| total.div_ceil(*stride) == count) {
        Some(stride) => Ok((0..total).step_by(stride).collect()),
        None => bail!(
            "steps = \"ddim{count}\": no whole stride takes {count} of {total} steps\n\
             hint: {}",
            neighbours(total, count)
        ),
    }
}

/// The nearest counts that a whole stride can give.
fn neighbours(total: usize, count: usize) -> String {
    let mut counts: Vec<usize> = (1..total).map(|stride| total.div_ceil(stride)).collect();
    counts.dedup();
    let below = counts.iter().find(|c| **c < count);
    let above = counts.iter().rev().find(|c| **c > count);
    match (below, above) {
        (Some(below), Some(above)) => format!("ddim{below} and ddim{above} are possible"),
        (Some(only), None) | (None, Some(only)) => format!("ddim{only} is possible"),
        (None, None) => format!("write the count alone: \"{count}\""),
    }
}

/// Equal sections of the process, each with its own evenly spread count.
fn sections(total: usize, counts: &[usize], spec: &str) -> Result<Vec<usize>> {
    let (size, extra) = (total / counts.len(), total % counts.len());
    let mut kept = Vec::new();
    let mut start = 0;
    for (section, &count) in counts.iter().enumerate() {
        let size = size + usize::from(section < extra);
        if count > size {
            bail!(
                "steps = \"{spec}\": section {section} has {size} of the {total} steps and cannot give {count}; \
                 0 to {size} are allowed"
            );
        }
        let stride = match count {
            0 | 1 => 1.0,
            _ => (size - 1) as f64 / (count - 1) as f64,
        };
        // The position is accumulated, not multiplied: the release's rounding depends on it.
        let mut position = 0.0f64;
        for _ in 0..count {
            kept.push(start + position.round_ties_even() as usize);
            position += stride;
        }
        start += size;
    }
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}
