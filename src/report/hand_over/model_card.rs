//! The results of a study as a model card of the Hugging Face Hub: `model-index` in the YAML at its head (the field
//! `model-index` of hub-docs' `modelcard.md`), the table below it.

use crate::experiment::file::experiment::{Eval, Experiment};
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::report::hand_over::columns::Columns;
use crate::report::hand_over::yaml::Yaml;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::values::at;
use crate::report::table::caption::{sha256, stem};
use crate::run::results::{Row, Score};
use std::collections::HashMap;
use std::path::Path;

/// The Hub's task for images that no text and no other image asks for. It has none of its own for images of given classes.
const TASK: &str = "unconditional-image-generation";

/// The card: a result a finished cell, the others named in a comment; then `table`, the table in Markdown.
pub fn card(report: &Report, table: &str) -> String {
    let (done, open): (Vec<&Row>, Vec<&Row>) =
        report.rows.iter().partition(|row| row.missing.is_none());
    let mut text = String::from("---\n");
    let of = report.rows.len();
    text += &format!("# {} of {of} cells", done.len());
    for (n, row) in open.iter().enumerate() {
        let before = if n == 0 { "; missing:" } else { "," };
        // The reason may be any error; a comment ends with its line.
        let why = row.missing.as_deref().unwrap_or_default();
        let why: String = why.chars().filter(|c| !c.is_control()).collect();
        text += &format!("{before} cell {} ({why})", row.cell);
    }
    text.push('\n');
    let cells = report.sweep.cells.iter();
    let specs: HashMap<usize, &Experiment> = cells.map(|cell| (cell.index, &cell.spec)).collect();
    let columns = Columns::of(report);
    let results = done.into_iter().filter_map(|row| {
        let spec = specs.get(&row.cell)?;
        result(report, &columns, (row, spec))
    });
    let model = Yaml::map([
        ("name", Yaml::text(&report.sweep.name)),
        ("results", Yaml::List(results.collect())),
    ]);
    text += &Yaml::map([("model-index", Yaml::List(vec![model]))]).document();
    text += &format!("---\n\n# {}\n\n{table}", report.sweep.name);
    text
}

/// The scores of one cell; none where it has none.
fn result(report: &Report, columns: &Columns, (row, spec): (&Row, &Experiment)) -> Option<Yaml> {
    let scores = columns.metrics.iter();
    let scores = scores.filter_map(|name| names::score(row, name));
    let place: Vec<(String, Yaml)> = columns
        .keys
        .iter()
        .filter_map(|key| Some((key.clone(), of_toml(at(row, key)?))))
        .collect();
    let scores: Vec<Yaml> = scores
        .map(|score| metric(report, (row, spec), &place, score))
        .collect();
    if scores.is_empty() {
        return None;
    }
    let keys = report.axes.varying().map(|axis| axis.key.as_str());
    let place = report.axes.place(row, keys);
    let comma = if place.is_empty() { "" } else { ", " };
    let task = [
        ("type", Yaml::text(TASK)),
        (
            "name",
            Yaml::text(format!("Image generation{comma}{place}")),
        ),
    ];
    Some(Yaml::map([
        ("task", Yaml::map(task)),
        ("dataset", dataset(row, spec.scores())),
        ("metrics", Yaml::List(scores)),
    ]))
}

/// The reference that samples were measured against.
fn dataset(row: &Row, eval: Option<&Eval>) -> Yaml {
    let Some(eval) = eval else {
        let name = "measured by a program of the study";
        return Yaml::map([("name", Yaml::text(name)), ("type", Yaml::text("unknown"))]);
    };
    let path = eval.reference.display().to_string();
    let digest = sha256(row, &path).map(|digest| ("reference_sha256", Yaml::text(digest)));
    let args = [("reference", file(&eval.reference))]
        .into_iter()
        .chain(digest);
    Yaml::map([
        ("name", Yaml::text(stem(&path))),
        ("type", Yaml::text(stem(&path))),
        ("args", Yaml::map(args)),
    ])
}

/// A score; under `args` what it takes to read it: its interval, its count, whose rules, which nets, and which cell, whose
/// values are `place`.
fn metric(
    report: &Report,
    (row, spec): (&Row, &Experiment),
    place: &[(String, Yaml)],
    score: &Score,
) -> Yaml {
    let published = |eval: &&Eval| FeatureSpace::named(&eval.features).is_published();
    let preset = spec.scores().filter(published);
    let preset = preset.map(|eval| Yaml::text(eval.preset.to_string()));
    let mut fields = vec![
        ("type", Yaml::text(&score.metric)),
        (
            "name",
            Yaml::text(names::label(&score.metric, report.world())),
        ),
        ("value", Yaml::Float(score.value)),
    ];
    fields.extend(preset.map(|preset| ("config", preset)));
    let mut args: Vec<(String, Yaml)> = Vec::new();
    let mut add = |key: &str, value: Yaml| args.push((key.to_string(), value));
    if score.low.is_finite() && score.high.is_finite() {
        add("interval_95_low", Yaml::Float(score.low));
        add("interval_95_high", Yaml::Float(score.high));
    }
    if score.count > 0 {
        add("count", Yaml::Integer(score.count as i64));
    }
    let nets = spec.scores().map(|eval| ("feature_net", &eval.weights));
    let checkpoint = spec.model.checkpoint.as_ref();
    let nets = nets
        .into_iter()
        .chain(checkpoint.map(|path| ("checkpoint", path)));
    for (name, path) in nets {
        add(name, file(path));
        if let Some(digest) = sha256(row, &path.display().to_string()) {
            add(&format!("{name}_sha256"), Yaml::text(digest));
        }
    }
    if let Some(step) = row.step.and_then(|step| i64::try_from(step).ok()) {
        add("training_steps", Yaml::Integer(step));
    }
    add("cell", Yaml::Integer(row.cell as i64));
    args.extend_from_slice(place);
    fields.push(("args", Yaml::Map(args)));
    Yaml::map(fields)
}

/// A file by its name: a card is published, and where a file lies on the author's machine is nobody's business. The digest
/// beside it says which file it is.
fn file(path: &Path) -> Yaml {
    let name = path.file_name().unwrap_or(path.as_os_str());
    Yaml::text(name.to_string_lossy())
}

fn of_toml(value: &toml::Value) -> Yaml {
    match value {
        toml::Value::String(text) => Yaml::text(text),
        toml::Value::Integer(number) => Yaml::Integer(*number),
        toml::Value::Float(number) if number.is_finite() => Yaml::Float(*number),
        toml::Value::Boolean(value) => Yaml::Bool(*value),
        other => Yaml::text(other.to_string()),
    }
}
