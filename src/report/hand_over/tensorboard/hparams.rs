//! The grid as TensorBoard's HParams plugin takes it: every key of the cells with its values, every metric, and for each cell
//! where it stands and how it ended.

use crate::report::hand_over::columns::Columns;
use crate::report::hand_over::tensorboard::messages::{
    Content, Dim, End, Experiment, HParamInfo, HParams, Kind, List, Metadata, MetricInfo,
    MetricName, Plugin, Scalar, Session, Shape, Start, Tensor, Value,
};
use crate::report::rows::axes::short;
use crate::report::rows::input::Report;
use crate::report::rows::names;
use crate::report::rows::values::{at, distinct, number, varies};
use crate::run::results::{Made, Row};
use prost::Message;

/// What the table of TensorBoard has for columns: the keys of the cells, then each metric with its interval.
pub struct Table<'a> {
    metrics: &'a [String],
    keys: Vec<Key>,
}

/// A key of the cells.
struct Key {
    key: String,
    /// The shortest end of the key that no other has.
    name: String,
    values: Vec<toml::Value>,
    kind: Type,
}

impl<'a> Table<'a> {
    pub fn of(report: &Report, columns: &'a Columns) -> Table<'a> {
        let keys = &columns.keys;
        let keys = keys.iter().zip(short(keys, &[])).map(|(key, name)| {
            let values = distinct(report.rows, key);
            Key {
                key: key.clone(),
                name,
                kind: Type::of(&values),
                values,
            }
        });
        Table {
            metrics: &columns.metrics,
            keys: keys.collect(),
        }
    }

    /// The columns, for the whole study.
    pub fn experiment(&self, report: &Report, created: f64) -> Value {
        let hparams = self.keys.iter().map(|key| HParamInfo {
            name: key.key.clone(),
            display_name: key.name.clone(),
            kind: key.kind as i32,
            domain: Some(List {
                values: key.values.iter().map(|v| key.kind.scalar(v)).collect(),
            }),
            differs: varies(report.rows, &key.key),
        });
        let experiment = Experiment {
            description: String::new(),
            created,
            hparams: hparams.collect(),
            metrics: self.metrics(report),
            name: report.sweep.name.clone(),
        };
        value("experiment", Session::Experiment(experiment))
    }

    /// Each metric, its interval behind it where a cell has one.
    fn metrics(&self, report: &Report) -> Vec<MetricInfo> {
        let mut all = Vec::new();
        for metric in self.metrics {
            let label = names::label(metric, report.world());
            let bounded = |row: &Row| names::score(row, metric).is_some_and(|s| s.low.is_finite());
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
    pub fn start(&self, row: &Row) -> Value {
        let places = self.keys.iter().filter_map(|key| {
            let place = key.kind.scalar(at(row, &key.key)?);
            Some((key.key.clone(), place))
        });
        let start = Start {
            hparams: places.collect(),
            started: row.made.map_or(0.0, |made: Made| made.started),
        };
        value("session_start_info", Session::Start(start))
    }
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
