//! An interval of guidance on the steps of a draw: asked for in one measure, and told in all three.

use crate::diffusion::process::level::Level;
use crate::experiment::file::drawing::rules::Interval;

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

/// The steps of `levels` `[S]` that `asked` holds, in timesteps of the process that end half-way to the steps beside them:
/// one interval for all that hold the same steps. None where it holds every step.
pub fn settled(asked: Interval, levels: &[Level], timestep: f64) -> Option<Interval> {
    let [low, high] = within(asked, levels, timestep);
    let inside = |level: &Level| (low..=high).contains(&level.timestep);
    let at = |k: usize| levels[k].timestep / timestep;
    let ends = match (
        levels.iter().position(inside),
        levels.iter().rposition(inside),
    ) {
        (Some(0), Some(last)) if last + 1 == levels.len() => return None,
        (Some(first), Some(last)) => {
            let noisy = match first {
                0 => at(0) + 1.0,
                _ => 0.5 * (at(first - 1) + at(first)),
            };
            let clean = if last + 1 == levels.len() {
                0.0
            } else {
                0.5 * (at(last) + at(last + 1))
            };
            [clean, noisy]
        }
        // Holds no timestep.
        _ => [1.0, 0.0],
    };
    Some(Interval::Timesteps(ends))
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
        for interval in asked {
            let one = settled(interval, &levels, 1.0);
            assert_eq!(one, Some(Interval::Timesteps([150.0, 350.0])));
        }
        let none = within(Interval::Sigma([50.0, 60.0]), &levels, 1.0);
        assert!(told(none, &levels, 1.0).contains("none of the 4 steps"));
    }
    #[test]
    fn what_is_settled_holds_the_same_steps() {
        // Half a timestep on the nets' clock is one of the process.
        let (levels, timestep) = (levels(), 0.5);
        let shares = [0.0, 0.25, 0.5, 0.75, 1.0];
        for (first, last) in shares.iter().flat_map(|a| shares.map(|b| (*a, b))) {
            let asked = Interval::Steps([first, last]);
            let steps = |range: [f64; 2]| {
                let inside = |level: &&Level| (range[0]..=range[1]).contains(&level.timestep);
                levels.iter().filter(inside).count()
            };
            let held = steps(within(asked, &levels, timestep));
            let again = match settled(asked, &levels, timestep) {
                Some(interval) => steps(within(interval, &levels, timestep)),
                None => 4,
            };
            assert_eq!(again, held, "{asked:?}");
        }
        let none = settled(Interval::Steps([0.5, 0.5]), &levels, timestep);
        assert_eq!(
            none,
            settled(Interval::Sigma([50.0, 60.0]), &levels, timestep)
        );
    }
}
