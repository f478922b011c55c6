//! The grid as TensorBoard's HParams plugin takes it: every key of the cells with its values, every metric, and for each cell
//! where it stands and how it ended.

use crate::report::hand_over::metrics::of_cells;
use crate::report::hand_over::tensorboard::messages::{
    Content, Dim, End, Experiment, HParamInfo, HParams, Kind, List, Metadata, MetricInfo,
    MetricName, Plugin, Scalar, Session, Shape, Start, Tensor, Value,
};
use crate::report::rows::axes::short;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::values::{at, distinct, number, varies};
use crate::report::table::frame;
use crate::run::results::{Made, Row};
use prost::Message;

/// What the table of TensorBoard has for columns: the keys of the cells, then each metric with its interval.
pub fn experiment(report: &Report, created: f64) -> Value {
    let keys = frame::keys(report.rows);
    let hparams = keys.iter().zip(short(&keys, &[])).map(|(key, name)| {
        let values = distinct(report.rows, key);
        let kind = Type::of(&values);
        HParamInfo {
            name: key.clone(),
            display_name: name,
            kind: kind as i32,
            domain: Some(List {
                values: values.iter().map(|value| kind.scalar(value)).collect(),
            }),
            differs: varies(report.rows, key),
        }
    });
    let experiment = Experiment {
        description: String::new(),
        created,
        hparams: hparams.collect(),
        metrics: metrics(report),
        name: report.sweep.name.clone(),
    };
    value("experiment", Session::Experiment(experiment))
}

/// Each metric, its interval behind it where a cell has one.
fn metrics(report: &Report) -> Vec<MetricInfo> {
    let mut all = Vec::new();
    for metric in of_cells(report.rows) {
        let label = names::label(&metric, report.world());
        let bounded = |row: &Row| names::score(row, &metric).is_some_and(|s| s.low.is_finite());
        let mut add = |end: &str, what: &str, description: &str| {
            all.push(MetricInfo {
                name: Some(MetricName {
                    tag: format!("{metric}{end}"),
                }),
                display_name: format!("{label}{what}"),
                description: description.to_string(),
            });
        };
        add("", "", "");
        if report.rows.iter().any(bounded) {
            add("_low", " low", "lower end of the 95 % interval");
            add("_high", " high", "upper end of the 95 % interval");
        }
    }
    all
}

/// Where a cell stands in the grid.
pub fn start(report: &Report, row: &Row) -> Value {
    let keys = frame::keys(report.rows);
    let places = keys.iter().filter_map(|key| {
        let kind = Type::of(&distinct(report.rows, key));
        Some((key.clone(), kind.scalar(at(row, key)?)))
    });
    let start = Start {
        hparams: places.collect(),
        started: row.made.map_or(0.0, |made: Made| made.started),
    };
    value("session_start_info", Session::Start(start))
}

/// How a cell ended; none where it is still to be made.
pub fn end(row: &Row) -> Option<Value> {
    let status = match row.missing.as_deref() {
        None => 1,
        Some("failed") => 2,
        Some(_) => return None,
    };
    let end = End {
        status,
        ended: row.made.map_or(0.0, |made: Made| made.ended),
    };
    Some(value("session_end_info", Session::End(end)))
}

/// The plugin reads the metadata alone; the tensor of no elements is there because a value must have content.
fn value(tag: &str, data: Session) -> Value {
    let content = HParams { data: Some(data) }.encode_to_vec();
    Value {
        tag: format!("_hparams_/{tag}"),
        metadata: Some(Metadata {
            plugin: Some(Plugin {
                name: "hparams".to_string(),
                content,
            }),
            display_name: String::new(),
            description: String::new(),
        }),
        content: Some(Content::Tensor(Tensor {
            dtype: 1,
            shape: Some(Shape {
                dims: vec![Dim { size: 0 }],
            }),
        })),
    }
}

/// What all values of a key are, as the plugin numbers types.
#[derive(Clone, Copy)]
enum Type {
    Text = 1,
    Bool = 2,
    Number = 3,
}

impl Type {
    fn of(values: &[toml::Value]) -> Type {
        if values.iter().all(|value| number(value).is_some()) {
            Type::Number
        } else if values.iter().all(toml::Value::is_bool) {
            Type::Bool
        } else {
            Type::Text
        }
    }

    fn scalar(self, value: &toml::Value) -> Scalar {
        let text = || match value {
            toml::Value::String(text) => Kind::Text(text.clone()),
            other => Kind::Text(other.to_string()),
        };
        let kind = match self {
            Type::Text => None,
            Type::Bool => value.as_bool().map(Kind::Bool),
            Type::Number => number(value).map(Kind::Number),
        };
        Scalar {
            kind: Some(kind.unwrap_or_else(text)),
        }
    }
}
