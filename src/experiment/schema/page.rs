//! docs/keys.md: every key of the experiment file, for people; made from the types that read it.

use crate::experiment::external::schema::{EVAL, Form, Forms, SAMPLE, TRAIN, joined};
use crate::experiment::file::claim::Claim;
use crate::experiment::file::defaults::Defaults;
use crate::experiment::file::drawing::rules::{Apg, Blur};
use crate::experiment::file::experiment::{
    ArchChanges, Chart, Distill, Experiment, Guidance, Model, PowerEma, ProcessChanges, Published,
    ReportOptions, Slurm, Upsample,
};
use crate::experiment::schema::adm::FLAGS;
use crate::experiment::schema::cells::{default_of, example_of, meaning, takes};
use crate::experiment::schema::forms::required;
use crate::experiment::schema::presets_table::presets_table;
use crate::experiment::schema::tidy::tidy;
use crate::experiment::scoring::metric::Metric;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::fmt::Write as _;

const HEAD: &str = include_str!("page_head.md");
const AXES: &str = include_str!("page_axes.md");

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_string();
    page += &section(
        "The file itself",
        &[Experiment::<(), (), ()>::json_schema],
        Rows::Plain,
    );
    page += &section("`[model]`", &[Model::json_schema], Rows::All);
    page += &section(
        "`[model.arch]`, `[guidance.arch]`",
        &[ArchChanges::json_schema],
        Rows::All,
    );
    page += &section(
        "`[model.process]`",
        &[ProcessChanges::json_schema],
        Rows::All,
    );
    page += &forms("`[train]`, `[guidance.train]`", &TRAIN);
    page += &section("`[train.power_ema]`", &[PowerEma::json_schema], Rows::All);
    page += &section("`[train.distill]`", &[Distill::json_schema], Rows::All);
    page += &section("`[guidance]`", &[Guidance::json_schema], Rows::All);
    page += &section("`[guidance.apg]`", &[Apg::json_schema], Rows::All);
    page += &section("`[guidance.blur]`", &[Blur::json_schema], Rows::All);
    page += &forms("`[sample]`", &SAMPLE);
    page += &section("`[upsample]`", &[Upsample::json_schema], Rows::All);
    page += &forms("`[eval]`", &EVAL);
    page += &metrics();
    page += AXES;
    page += &section("`[defaults]`", &[Defaults::json_schema], Rows::All);
    page += &section("`[[chart]]`", &[Chart::json_schema], Rows::All);
    page += &section("`[report]`", &[ReportOptions::json_schema], Rows::All);
    page += &section("`[slurm]`", &[Slurm::json_schema], Rows::All);
    page += &section("`[[published]]`", &[Published::json_schema], Rows::All);
    page += &section("`[[claim]]`", &[Claim::json_schema], Rows::All);
    page += &presets_table();
    page += &flags();
    page
}

/// Which keys of a table have a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    /// Those that are no tables.
    Plain,
}

fn section(title: &str, parts: &[Form], which: Rows) -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let said = parts.first().map(|part| part(&mut generator).to_value());
    let said = said.unwrap_or_default();
    let said = said["description"]
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ");
    format!("\n## {title}\n\n{said}\n{}", rows(parts, which))
}

fn rows(parts: &[Form], which: Rows) -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut keys = Value::Object(joined(parts, &mut generator));
    tidy(&mut keys);
    let needed = required(parts, &mut generator);
    let mut text =
        "\n| key | takes | default | meaning | example |\n|---|---|---|---|---|\n".to_string();
    for (key, schema) in keys.as_object().unwrap_or(&Map::new()) {
        let takes = takes(schema);
        let is_table = takes == "a table" || schema.get("properties").is_some();
        if is_table || (which == Rows::Plain && !["name", "vars"].contains(&key.as_str())) {
            continue;
        }
        let is_required = needed.iter().any(|name| name == key);
        let cells = [
            format!("`{key}`"),
            takes,
            default_of(schema, is_required),
            meaning(schema),
            example_of(schema),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// A table of several forms, each with its keys.
fn forms(title: &str, forms: &Forms) -> String {
    let mut text = section(title, forms.net, Rows::All);
    for (key, parts) in forms.told_by {
        let _ = write!(
            text,
            "\n### {title} with `{key}`\n{}",
            rows(parts, Rows::All)
        );
    }
    text
}

fn metrics() -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut metric = Metric::json_schema(&mut generator).to_value();
    tidy(&mut metric);
    let mut text = "\n## Metrics\n\nWhich of them a preset prints, and by which rules: [evaluators.md](evaluators.md).\n\n| metric | is |\n|---|---|\n".to_string();
    for word in metric["oneOf"].as_array().into_iter().flatten() {
        let (name, said) = (&word["const"], &word["description"]);
        let said = said.as_str().unwrap_or_default();
        let _ = writeln!(text, "| `{}` | {said} |", name.as_str().unwrap_or_default());
    }
    text
}

fn flags() -> String {
    let mut text = "\n## guided-diffusion's flags\n\n`runner import --flags \"...\"` makes a file of a whole command line. A checkpoint of another size needs the preset that is nearest and what differs from it, such as\n\n```toml\n[model]\npreset = \"imagenet256-uncond\"\ncheckpoint = \"ema_0.9999_100000.pt\"\narch = { channels = 128, channel_mult = [1, 2, 2, 2], attention = [16], heads = 4 }\n```\n\n`runner plan` compares names and shapes with the file before anything runs. Of a classifier's checkpoint, the same options stand in `[guidance.arch]`.\n\n| flag | key | mind |\n|---|---|---|\n".to_string();
    for (flag, key, mind) in FLAGS {
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("`{key}`")
        };
        let _ = writeln!(text, "| `--{flag}` | {key} | {mind} |");
    }
    text
}
