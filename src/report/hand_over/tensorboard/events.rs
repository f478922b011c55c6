//! What a report's cells become in event files. The same results give the same bytes: times are those of the stored
//! results, and files have fixed names.

use crate::report::grids::mosaic::Mosaic;
use crate::report::hand_over::columns::Columns;
use crate::report::hand_over::tensorboard::hparams::{self, Table};
use crate::report::hand_over::tensorboard::messages::{
    Content, Event, Image, Metadata, Summary, Value, What,
};
use crate::report::hand_over::tensorboard::records::record;
use crate::report::hand_over::tensorboard::runs;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::values::thousands;
use crate::run::results::{Row, Score};
use anyhow::{Context, Result};
use prost::Message;
use std::collections::HashMap;

/// TensorBoard reads files whose names hold `tfevents`.
const FILE: &str = "events.out.tfevents.0.runner";

/// Files by their paths from the folder `tensorboard`: at its top the experiment of the HParams plugin, and in a folder a
/// cell where the cell stands, its scores (f32, as TensorBoard stores scalars) with `_low` and `_high` for the ends of their
/// intervals, and its sample grid, at the cell's training step or 0. A cell that is missing has a folder without scores.
///
/// # Errors
/// Where a training step or a picture is too large for the format.
pub fn files(report: &Report, grids: &HashMap<usize, &Mosaic>) -> Result<Vec<(String, Vec<u8>)>> {
    let made = report.rows.iter().filter_map(|row| row.made);
    let created = made.map(|made| made.started).reduce(f64::min);
    let created = created.unwrap_or(0.0);
    let mut top = File::new(created);
    let columns = Columns::of(report);
    let table = Table::of(report, &columns);
    top.add(0, table.experiment(report, created));
    let mut files = vec![(FILE.to_string(), top.bytes)];
    let width = runs::width(report.rows);
    for row in report.rows {
        let folder = runs::folder(&report.axes, width, row);
        let grid = grids.get(&row.cell).copied();
        let file = cell(report, (&columns, &table), row, grid, created)?;
        files.push((format!("{folder}/{FILE}"), file));
    }
    Ok(files)
}

fn cell(
    report: &Report,
    (columns, table): (&Columns, &Table),
    row: &Row,
    grid: Option<&Mosaic>,
    created: f64,
) -> Result<Vec<u8>> {
    let step = i64::try_from(row.step.unwrap_or(0)).context("the training step")?;
    let mut file = File::new(row.made.map_or(created, |made| made.ended));
    file.add(0, table.start(row));
    for metric in &columns.metrics {
        let Some(score) = names::score(row, metric) else {
            continue;
        };
        let label = names::label(metric, report.world());
        for value in scalars(&label, score) {
            file.add(step, value);
        }
    }
    if let Some(grid) = grid {
        file.add(step, image(grid)?);
    }
    if let Some(end) = hparams::end(row) {
        file.add(0, end);
    }
    Ok(file.bytes)
}

/// The score, and the ends of its interval where it has one.
fn scalars(label: &str, score: &Score) -> Vec<Value> {
    let scalar = |end: &str, name: &str, value: f64| Value {
        tag: format!("{}{end}", score.metric),
        metadata: Some(Metadata {
            plugin: None,
            display_name: format!("{label}{name}"),
            description: match score.count {
                0 => String::new(),
                n => format!("n = {}", thousands(n)),
            },
        }),
        content: Some(Content::Scalar(value as f32)),
    };
    let mut values = vec![scalar("", "", score.value)];
    if score.low.is_finite() && score.high.is_finite() {
        values.push(scalar("_low", ", 95 % interval from", score.low));
        values.push(scalar("_high", ", 95 % interval to", score.high));
    }
    values
}

fn image(grid: &Mosaic) -> Result<Value> {
    let side = |pixels: usize| i32::try_from(pixels).context("the size of a sample grid");
    Ok(Value {
        tag: "samples".to_string(),
        metadata: None,
        content: Some(Content::Image(Image {
            height: side(grid.height)?,
            width: side(grid.width)?,
            colorspace: 3,
            encoded: grid.png.clone(),
        })),
    })
}

/// Events in the making, all at one time.
struct File {
    wall_time: f64,
    bytes: Vec<u8>,
}

impl File {
    fn new(wall_time: f64) -> File {
        let mut file = File {
            wall_time,
            bytes: Vec::new(),
        };
        // The first event of every file says how the others are to be read.
        file.event(0, What::FileVersion("brain.Event:2".to_string()));
        file
    }

    fn add(&mut self, step: i64, value: Value) {
        let summary = Summary {
            values: vec![value],
        };
        self.event(step, What::Summary(summary));
    }

    fn event(&mut self, step: i64, what: What) {
        let event = Event {
            wall_time: self.wall_time,
            step,
            what: Some(what),
        };
        self.bytes.extend(record(&event.encode_to_vec()));
    }
}
