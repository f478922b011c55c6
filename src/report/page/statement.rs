//! The paragraph at the head of the page.

use crate::experiment::file::experiment::{Experiment, Sampling, Steps};
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::report::findings::trained::trained;
use crate::report::rows::axes::{Axis, GUIDANCE};
use crate::report::rows::input::Report;
use crate::report::rows::seeds;
use crate::report::rows::values::{self, thousands, varies};
use crate::report::table::{caption, sheet};
use crate::run::results::Row;

/// What was measured, in one paragraph.
pub fn statement(report: &Report) -> String {
    let mut text = cells(report) + ". ";
    if let Some(train) = report.spec().and_then(Experiment::net_train)
        && !varies(report.rows, "train.steps")
    {
        text.push_str(&format!(
            "The net was trained for {} steps. ",
            thousands(train.updates() as usize)
        ));
    }
    if let Some(sentence) = trained(report) {
        text.push_str(&format!("{sentence} "));
    }
    text.push_str(&drawn(report));
    if let Some(eval) = report.eval() {
        let metrics = sheet::metrics(report).into_iter().map(|m| m.label);
        text.push_str(&format!(
            "They were scored by {} on the features of the {} net. ",
            metrics.collect::<Vec<_>>().join(", "),
            eval.features
        ));
        if !FeatureSpace::named(&eval.features).is_published() && caption::asks_frechet(report) {
            text.push_str(
                "Fréchet distances on these features are not comparable with those on Inception features.",
            );
        }
    }
    text.trim_end().to_string()
}

/// `12 cells: resolution [16, 32, 64] × scale [0, 1, 5, 10]`; where seeds repeat them `14 cells: heads [1, 2, 4], each with
/// 2 seeds`; where axes move together `18 cells: 6 combinations of noised, res_blocks and pool`.
fn cells(report: &Report) -> String {
    let axes = axes(report.rows, &report.axes.changing().collect::<Vec<_>>());
    let seeds = match seeds::count(report.rows) {
        0 | 1 => String::new(),
        n if axes.is_empty() => format!("{n} seeds"),
        n => format!(", each with {n} seeds"),
    };
    match report.rows.len() {
        1 => "One cell".to_string(),
        n if axes.is_empty() && seeds.is_empty() => format!("{n} cells"),
        n => format!("{n} cells: {axes}{seeds}"),
    }
}

/// The axes with their values: first those of which not every combination is there, because they are zipped or stand in
/// cases, then those of which each value stands at all that the others say.
fn axes(rows: &[Row], axes: &[&Axis]) -> String {
    let kinds = |axes: &[&Axis]| {
        let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
        values::places(rows, &keys)
    };
    let all = kinds(axes);
    let crossed = |axis: &&Axis| {
        let others: Vec<&Axis> = axes.iter().copied().filter(|a| a.key != axis.key).collect();
        kinds(&others) * kinds(&[axis]) == all
    };
    let (crossed, together): (Vec<&Axis>, Vec<&Axis>) = axes.iter().copied().partition(crossed);
    let told = |axis: &&Axis| format!("{} [{}]", axis.name, values::told(&axis.values));
    let first = match &together[..] {
        [] => None,
        [_] | [_, _] => Some(together.iter().map(told).collect::<Vec<_>>().join(" with ")),
        [before @ .., last] => {
            let before: Vec<&str> = before.iter().map(|axis| axis.name.as_str()).collect();
            Some(format!(
                "{} combinations of {} and {}",
                kinds(&together),
                before.join(", "),
                last.name
            ))
        }
    };
    let parts = first.into_iter().chain(crossed.iter().map(told));
    parts.collect::<Vec<_>>().join(" × ")
}

/// How images were drawn, as far as it is common to all cells.
fn drawn(report: &Report) -> String {
    let Some(sample) = report.sample() else {
        return String::new();
    };
    let fixed = |key: &str| !varies(report.rows, key);
    let asked = match sample.count() {
        Some(count) if fixed("sample.count") => {
            format!("{} images a cell were asked for", thousands(count))
        }
        _ => "Images were asked for".to_string(),
    };
    let seed = match sample.seed() {
        Some(seed) if fixed("sample.seed") => format!(" from seed {seed}"),
        _ => String::new(),
    };
    let sources = report
        .sweep
        .cells
        .iter()
        .filter_map(|c| c.spec.sample.as_ref());
    let kind = std::mem::discriminant(sample);
    if !sources
        .map(std::mem::discriminant)
        .all(|other| other == kind)
    {
        return format!("{asked}{seed}, from different sources. ");
    }
    let sample = match sample {
        Sampling::Net(sample) => sample,
        Sampling::Command(command) => {
            let words = &command.program.command;
            // An interpreter alone says little.
            let script = words.iter().skip(1).find(|word| word.ends_with(".py"));
            let program = words.first().into_iter().chain(script).map(String::as_str);
            let program = program.collect::<Vec<_>>().join(" ");
            return format!("{asked} of a command ({program}){seed}. ");
        }
        Sampling::Files(_) => return "The images existed before. ".to_string(),
    };
    let mut text = asked;
    if fixed("sample.sampler") {
        text.push_str(&format!(" with {}", sample.sampler.title()));
    }
    if fixed("sample.steps") {
        text.push_str(&format!(" in {}", steps(&sample.steps)));
    }
    text.push_str(&seed);
    text.push_str(". ");
    text.push_str(&enlarged(report));
    if fixed("sample.seed") && varies(report.rows, GUIDANCE) {
        text.push_str("Cells that differ in guidance alone share the noise and the class of every image index. ");
    }
    text
}

/// How a second net made them larger, as far as it is common to the cells that have one.
fn enlarged(report: &Report) -> String {
    let cells = || report.sweep.cells.iter();
    let stages = || cells().filter_map(|c| c.spec.upsample.as_ref().filter(|u| !u.is_none()));
    let Some(stage) = stages().next() else {
        return String::new();
    };
    let everywhere = stages().count() == report.sweep.cells.len();
    let mut text = if everywhere {
        "A super-resolution net made them larger".to_string()
    } else {
        "In some cells a super-resolution net made them larger".to_string()
    };
    if stages().all(|other| other.sampler == stage.sampler && other.steps == stage.steps) {
        let steps = steps(&stage.steps);
        let sampler = stage.sampler.title();
        text.push_str(&format!(" with {sampler} in {steps}"));
    }
    text + ", each from its stored pixels and with its label. "
}

fn steps(steps: &Steps) -> String {
    match steps {
        Steps::Count(n) => format!("{n} steps"),
        Steps::Sections(s) => format!("the steps `{s}`"),
    }
}
