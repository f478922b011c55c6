//! Charts whose lines are combinations of axes.

mod report_fixture;

use report_fixture::{parse, rows};
use runner::report::chart::figures::figures;
use runner::report::rows::input::Report;
use runner::run::results::Score;

const STEPS: &str = r#"
name = "steps"
[model]
checkpoint = "unet.safetensors"
[sample]
steps = 5
count = 100
[eval]
features = "shapes"
weights = "features.safetensors"
reference = "shapes16.npz"
metrics = ["fd"]
[[zip]]
sample.sampler = ["ddpm", "ddpm", "ddim"]
sample.variance = ["learned", "fixed_small", "learned"]
[grid]
sample.steps = [5, 10, 20]
[[chart]]
x = "sample.steps"
y = ["fd"]
by = ["sample.sampler", "sample.variance"]
"#;

/// The chart's only figure, of scores that rise from cell to cell.
fn svg(text: &str) -> String {
    let sweep = parse(text);
    let mut rows = rows(&sweep);
    for row in &mut rows {
        row.scores = vec![Score {
            metric: "fd".into(),
            value: 1.0 + row.cell as f64,
            low: 0.5 + row.cell as f64,
            high: 1.5 + row.cell as f64,
            count: 100,
        }];
    }
    let report = Report::new(&sweep, &rows);
    figures(&report).unwrap().remove(0).svg()
}

#[test]
fn every_combination_that_a_cell_has_is_a_line() {
    let svg = svg(STEPS);
    for name in [
        "sampler ddpm, variance learned",
        "sampler ddpm, variance fixed_small",
        "sampler ddim, variance learned",
    ] {
        assert!(svg.contains(name), "{name}");
    }
    // No cell has it.
    assert!(!svg.contains("sampler ddim, variance fixed_small"));
    assert!(!svg.contains("mean over"));
}

#[test]
fn a_line_by_one_axis_is_the_mean_over_the_other() {
    let svg = svg(&STEPS.replace(
        "[\"sample.sampler\", \"sample.variance\"]",
        "\"sample.sampler\"",
    ));
    assert!(svg.contains("sampler ddpm") && !svg.contains("sampler ddpm, variance"));
    assert!(svg.contains("variance = learned, fixed_small"));
}

#[test]
fn an_axis_that_is_none_is_named_with_the_axes() {
    let wrong = STEPS.replace("\"sample.variance\"]\n", "\"sample.eta\"]\n");
    let error = runner::experiment::grid::sweep::sweep(&wrong, &[], &[]).unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("by = \"sample.eta\" is not an axis"),
        "{text}"
    );
}

#[test]
fn names_too_long_to_stand_beside_the_data_are_told_from_the_first_row() {
    let text = STEPS.replace("sample.sampler", "sample.temperature");
    let text = text.replace(
        "[\"ddpm\", \"ddpm\", \"ddim\"]",
        "[0.98765432109, 0.98765432109, 1.0]",
    );
    let svg = svg(&text);
    let told = |name: &str| svg.lines().any(|line| line.trim() == name);
    for name in ["base", "variance fixed_small", "temperature 1"] {
        assert!(told(name), "{name} in {svg}");
    }
    assert!(svg.contains(
        "base: temperature 0.98765432109, variance learned; the others by what they change"
    ));
}
