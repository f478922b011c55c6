//! An interval of guidance on the steps of a draw: asked for in one measure, and told in all three.

use crate::diffusion::process::level::Level;
use crate::experiment::file::drawing::guidance::Interval;

/// The timesteps on the nets' clock, both included, in which the asked steps stand. `levels` `[S]` are those of the steps,
/// from the noise; a timestep of the process is `timestep` on the nets' clock.
pub fn within(asked: Interval, levels: &[Level], timestep: f64) -> [f64; 2] {
    let count = levels.len() as f64;
    let steps = |share: f64| (share * count).floor() as usize;
    let chosen = match asked {
        Interval::Timesteps([low, high]) => return [low * timestep, high * timestep],
        Interval::Sigma([low, high]) => {
            let inside = |level: &&Level| (low..=high).contains(&level.noise_ratio());
            levels.iter().filter(inside).collect::<Vec<_>>()
        }
        Interval::Steps([first, last]) => {
            let (first, last) = (steps(first), steps(last).min(levels.len()));
            levels[first.min(last)..last].iter().collect()
        }
    };
    match (chosen.last(), chosen.first()) {
        (Some(low), Some(high)) => [low.timestep, high.timestep],
        // Holds no timestep.
        _ => [1.0, 0.0],
    }
}

/// Where a draw is guided, in words.
pub fn told([low, high]: [f64; 2], levels: &[Level], timestep: f64) -> String {
    let inside = |level: &Level| (low..=high).contains(&level.timestep);
    let of = levels.len();
    let first = levels.iter().position(inside);
    let last = levels.iter().rposition(inside);
    let (Some(first), Some(last)) = (first, last) else {
        return format!("guided at none of the {of} steps: the interval holds no step");
    };
    let (noisy, clean) = (levels[first], levels[last]);
    format!(
        "guided at steps {} to {} of {of}: timesteps {:.4} to {:.4}, sigma {:.4} to {:.4}",
        first + 1,
        last + 1,
        noisy.timestep / timestep,
        clean.timestep / timestep,
        noisy.noise_ratio(),
        clean.noise_ratio()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> Vec<Level> {
        let level = |k: usize| Level {
            timestep: 100.0 * (4 - k) as f64,
            alpha_bar: 0.2 * (k + 1) as f64,
        };
        (0..4).map(level).collect()
    }

    #[test]
    fn three_measures_name_the_same_steps() {
        let levels = levels();
        // Sigma of alpha_bar 0.4 and 0.6: 1.22 and 0.82.
        let asked = [
            Interval::Timesteps([200.0, 300.0]),
            Interval::Sigma([0.8, 1.3]),
            Interval::Steps([0.25, 0.75]),
        ];
        for interval in asked {
            let range = within(interval, &levels, 1.0);
            assert_eq!(range, [200.0, 300.0], "{interval:?}");
            let text = told(range, &levels, 1.0);
            assert!(
                text.starts_with("guided at steps 2 to 3 of 4: timesteps 300"),
                "{text}"
            );
        }
        let none = within(Interval::Sigma([50.0, 60.0]), &levels, 1.0);
        assert!(told(none, &levels, 1.0).contains("none of the 4 steps"));
    }
}
