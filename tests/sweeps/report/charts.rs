//! Charts: their names and pixels, lines that are combinations of axes, and points that are means.

use crate::support::reports::{EXPERIMENT, parse, report, rows};
use fidrunner::report::chart::figures::figures;
use fidrunner::run::results::Score;

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
    figures(&report(&sweep, &rows)).unwrap().remove(0).svg()
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
    let error = fidrunner::experiment::grid::sweep::sweep(&wrong, &[], &[]).unwrap_err();
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

#[test]
fn charts_name_their_series_and_have_pixels() {
    let sweep = parse(EXPERIMENT);
    let rows = rows(&sweep);
    let figures = figures(&report(&sweep, &rows)).unwrap();
    let named = |name: &str| figures.iter().find(|f| f.name == name).unwrap();
    let seed_study = named("fd-vs-resolution").svg();
    for name in [
        "scale 0",
        "scale 1",
        "scale 5",
        "scale 10",
        "resolution (pixels a side)",
    ] {
        assert!(
            seed_study.contains(&format!("\n{name}\n").replace('\n', "")),
            "{name}"
        );
    }
    let trade = named("precision-vs-recall").svg();
    assert!(trade.contains("resolution 64") && trade.contains("guidance scale"));
    let png = image::load_from_memory(&named("fd-vs-scale").png().unwrap())
        .unwrap()
        .to_rgb8();
    assert_eq!(png.dimensions(), (1520, 960));
    let coloured = png.pixels().filter(|p| p[0].abs_diff(p[2]) > 60).count();
    assert!(coloured > 2000, "{coloured} coloured pixels");
}

#[test]
fn points_over_an_unshown_axis_are_averaged_and_said_to_be() {
    let with_seeds = EXPERIMENT.replace("[grid]\n", "[grid]\nsample.seed = [0, 1]\n");
    let sweep = parse(&with_seeds);
    let rows = rows(&sweep);
    assert_eq!(rows.len(), 24);
    let figures = figures(&report(&sweep, &rows)).unwrap();
    let svg = figures[0].svg();
    assert!(svg.contains("mean FD (shapes)"));
    assert!(svg.contains("each point is the mean over 2 seeds"));
}
