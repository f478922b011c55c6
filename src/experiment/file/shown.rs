//! What the file wants shown, `[[chart]]` and `[report]`, against its axes and metrics.

use crate::experiment::check::ranges::not_empty;
use crate::experiment::grid::axis::{Axis, all_of};
use crate::experiment::grid::overlay::{leaves, same, show};
use crate::experiment::scoring::metric::Metric;
use anyhow::{Result, bail, ensure};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Line charts, one for each metric of `y`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// What the horizontal axis shows: an axis of the file by its dotted key, `case`, a metric, or `evaluations`, how often
    /// the denoising nets are asked for an image.
    #[schemars(example = &"guidance.scale", example = &"recall")]
    pub x: String,
    /// The metrics that are drawn, one chart each; `all` stands for every metric that is asked for.
    #[schemars(transform = not_empty, example = ["fd", "recall"])]
    pub y: Vec<String>,
    /// The axes that make the lines, one line for each combination of their values: a name alone, or a list of names.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_more"
    )]
    #[schemars(schema_with = "text_or_texts", example = &"model.resolution", example = ["sample.sampler", "sample.steps"])]
    pub by: Vec<String>,
    /// Axes on which the cells stand that are drawn: `at.guidance.scale = 0`. Left out, all cells.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(schema_with = "open_table", example = json_schema!({ "guidance": { "scale": 0 } }))]
    pub at: toml::Table,
}

fn open_table(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

impl Chart {
    /// Where its cells stand, by dotted keys.
    pub fn place(&self) -> Vec<(String, toml::Value)> {
        leaves(&self.at, "")
    }
}

/// What the report shows beyond the table of scores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportOptions {
    /// A second table, of differences between rows with their intervals. `true` compares with the first row; the dotted key
    /// of an axis compares along that axis, all else equal; `false` leaves it out.
    #[schemars(example = &"sample.variance")]
    pub deltas: Deltas,
    /// Which grids of samples are written.
    #[schemars(example = &"overview")]
    pub grids: Grids,
    /// The column of a paper that the charts are laid out for as PDF, with text of 8 points at that width. Left out, they are
    /// as on the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"single")]
    pub column: Option<Column>,
    /// How the numbers of `table.tex` are set.
    #[serde(skip_serializing_if = "Latex::is_plain")]
    #[schemars(example = &"siunitx", extend("default" = "plain"))]
    pub latex: Latex,
}

/// The widths that a chart has in a paper of two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Column {
    /// One column: 3.25 inches.
    Single,
    /// Across both: 6.75 inches.
    Double,
}

/// How numbers are set in LaTeX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Latex {
    /// As text, from the left.
    #[default]
    Plain,
    /// Aligned at their points, by the package siunitx.
    Siunitx,
}

impl Latex {
    fn is_plain(&self) -> bool {
        *self == Latex::Plain
    }
}

/// Sample grids: cells under each other, and every cell by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Grids {
    /// The cells under each other, and each cell by itself.
    #[default]
    All,
    /// Only the cells under each other.
    Overview,
    /// No samples.
    None,
}

/// What a row is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected true, false, or the axis along which rows are compared"
)]
#[schemars(inline)]
pub enum Deltas {
    /// With the first row, or with none.
    First(bool),
    /// Along this axis.
    Along(String),
}

impl Default for Deltas {
    fn default() -> Self {
        Deltas::First(false)
    }
}

impl ReportOptions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `"a"` as well as `["a", "b"]`.
fn one_or_more<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a name or a list of names")]
    enum Names {
        One(String),
        More(Vec<String>),
    }
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::More(names) => names,
    })
}

fn text_or_texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
}

/// The width of charts is asked for where there are charts.
pub fn check_column(report: &ReportOptions, charts: &[Chart]) -> Result<()> {
    ensure!(
        report.column.is_none() || !charts.is_empty(),
        "report.column is the width of charts, and the file has no [[chart]]\nhint: add a [[chart]], or leave \
         report.column out"
    );
    Ok(())
}

/// Rows are compared along an axis that there is.
pub fn check_deltas(report: &ReportOptions, axes: &[Axis]) -> Result<()> {
    let Deltas::Along(key) = &report.deltas else {
        return Ok(());
    };
    let names = axes.iter().flat_map(|axis| axis.lists.iter());
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    ensure!(
        names.contains(&key.as_str()),
        "report.deltas = \"{key}\" is not an axis ({})",
        if names.is_empty() {
            "there is none".to_string()
        } else {
            names.join(", ")
        }
    );
    Ok(())
}

/// The column of how often the denoising nets are asked for an image.
pub const EVALUATIONS: &str = "evaluations";

/// The columns of a report's table.
pub struct Columns<'a> {
    /// The values of each axis.
    pub values: &'a [(String, Vec<toml::Value>)],
    pub metrics: &'a [Metric],
    /// `eval.command` adds columns whose names only its output tells.
    pub measured_by_program: bool,
}

/// What a chart names must be an axis or a metric of the file.
pub fn check_charts(charts: &[Chart], axes: &[Axis], columns: &Columns) -> Result<()> {
    let names: Vec<&str> = axes
        .iter()
        .flat_map(|axis| axis.lists.iter().map(|(name, _)| name.as_str()))
        .collect();
    let metrics: Vec<&str> = columns.metrics.iter().map(|metric| metric.id()).collect();
    let is_column = |name: &str| columns.measured_by_program || metrics.contains(&name);
    let list = |names: &[&str]| {
        if names.is_empty() {
            "none here".to_string()
        } else {
            names.join(", ")
        }
    };
    for (n, chart) in charts.iter().enumerate() {
        let place = format!("[[chart]] {}", n + 1);
        ensure!(
            names.contains(&chart.x.as_str()) || is_column(&chart.x) || chart.x == EVALUATIONS,
            "{place}: x = \"{}\" is neither an axis ({}) nor a metric ({}) nor \"{EVALUATIONS}\"",
            chart.x,
            list(&names),
            list(&metrics),
        );
        ensure!(!chart.y.is_empty(), "{place}: y names no metric");
        for y in chart.y.iter().filter(|y| *y != "all") {
            ensure!(
                is_column(y),
                "{place}: y = \"{y}\" is not a metric of [eval] ({})",
                list(&metrics),
            );
        }
        for by in &chart.by {
            ensure!(
                names.contains(&by.as_str()),
                "{place}: by = \"{by}\" is not an axis ({})",
                list(&names),
            );
        }
        for (key, value) in chart.place() {
            let axis = columns.values.iter().find(|(name, _)| *name == key);
            let Some((_, values)) = axis else {
                bail!("{place}: at.{key} is not an axis ({})", list(&names));
            };
            ensure!(
                values.iter().any(|v| same(v, &value)),
                "{place}: at.{key} = {} is not on the axis, which has {}",
                show(&value),
                all_of(values)
            );
        }
    }
    Ok(())
}
