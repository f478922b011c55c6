//! `runner evaluator`: what guided-diffusion's evaluator.py prints of a reference batch and a sample batch, line by line.

use crate::cli::cache::place;
use crate::cli::screen::terminal::{out, say};
use crate::cli::verbs::score::args::EvaluatorArgs;
use crate::cli::verbs::score::beside::Beside;
use crate::cli::verbs::score::scoring::{KEPT, Net, Task};
use crate::cli::verbs::score::table;
use crate::cli::watched::{INTERRUPTED, unless_stopped, until_stopped};
use crate::experiment::scoring::preset::Preset;
use crate::io::statistics::Which;
use crate::run::work::sharing::LateClaims;
use crate::stages::describe::described::PART;
use crate::stages::score::measured::Measured;
use crate::stages::score::sides::Setup;
use anyhow::{Result, ensure};
use std::path::Path;

pub fn run(args: &EvaluatorArgs, store: &Path) -> Result<u8> {
    let samples = place(&args.samples, &args.cache)?;
    let reference = place(&args.reference, &args.cache)?;
    let (key, device) = (args.key.as_deref(), args.device.as_deref());
    let beside = Beside::of(device, args.beside.as_deref())?;
    let net = Net::open(
        args.weights.as_deref(),
        key,
        Some(beside.device()),
        &args.cache,
    )?;
    let claims = LateClaims::new(store, beside.device());
    let space = net.extractor.space();
    ensure!(
        space.presets.contains(&Preset::Adm),
        "the evaluator's lines are numbers of Inception's features, and the weights are another net's\nhint: name Inception's weights, or let another net measure: runner score SAMPLES --reference REF --weights FILE"
    );
    let rules = space.rules_of_images(Preset::Adm);
    let task = Task {
        setup: Setup {
            extractor: &net.extractor,
            weights: &net.weights,
            rules: &[rules],
            store,
            part: PART,
            share: beside.share(),
            claims: &claims,
        },
        sets: vec![vec![samples]],
        references: vec![reference],
        which: Which::default(),
        chosen: &[(Preset::Adm.to_string(), rules)],
        compat: false,
        stop: until_stopped("part")?,
    };
    let _others = beside.start()?;
    let Some(outcome) = unless_stopped(task.run(), KEPT)? else {
        return Ok(INTERRUPTED);
    };
    if beside.is_other() {
        return Ok(0);
    }
    let scored = &outcome.scored;
    say(&table::numbers(scored));
    for line in table::notes(scored) {
        say(&line);
    }
    let columns = scored.iter().flat_map(|scored| &scored.columns);
    for line in columns.flat_map(|column| &column.measured).filter_map(line) {
        out(&line)?;
    }
    Ok(0)
}

/// `FID: 3.9425574129223264`; nothing for what could not be measured.
fn line(measured: &Measured) -> Option<String> {
    let value = measured.number()?.score.value;
    Some(format!("{}: {}", measured.name, as_python(value)))
}

/// A number as Python's `repr` has it: the fewest digits that give it back, a point always, and from 1e16 up and below 1e-4
/// an exponent of at least two digits.
fn as_python(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_string();
    }
    // Rust's own bounds for an exponent are the same; only the exponent's form differs.
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, power) = match exponent.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', exponent),
    };
    // Python writes `1e+16` where Rust writes `1e16`, and both `1.5e..`.
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    format!("{digits}e{sign}{power:0>2}")
}

#[cfg(test)]
mod tests {
    use super::as_python;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        // What `print(float)` of CPython 3.12 writes.
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (215.8370361328125, "215.8370361328125"),
            (3.9425574129223264, "3.9425574129223264"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (-1.25e-7, "-1.25e-07"),
            (5e-324, "5e-324"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1e100, "1e+100"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(as_python(value), text);
        }
    }
}
