//! Which form `[sample]` and `[train]` have in a cell, where an axis decides it.

use crate::experiment::grid::axis::Axis;
use toml::{Table, Value};

/// Keys that only a program's `[sample]` has.
const OF_PROGRAMS: [&str; 9] = [
    "command", "inputs", "devices", "env", "pass", "timeout", "retries", "collect", "size",
];

/// Keys of `[sample]` that say something to whoever makes the images.
const OF_ALL: [&str; 3] = ["count", "seed", "part"];

/// In a sweep whose axes choose between programs and nets, takes out of a cell's `[sample]` and `[train]` the keys of the
/// other form: `command = []` is a net's cell, any other a program's. A file without such an axis keeps every key, and a
/// key that does not belong there is refused.
pub fn choose(table: &mut Table, axes: &[Axis]) {
    let chosen = |key: &str| {
        axes.iter()
            .any(|axis| axis.lists.iter().any(|(k, _)| k == key))
    };
    let is_program = |inner: &Table| match inner.get("command") {
        Some(Value::Array(arguments)) => !arguments.is_empty(),
        other => other.is_some(),
    };
    if chosen("sample.command")
        && let Some(Value::Table(sample)) = table.get_mut("sample")
    {
        let program = is_program(sample);
        sample.retain(|key, _| {
            let programs = OF_PROGRAMS.contains(&key);
            OF_ALL.contains(&key) || programs == program
        });
    }
    if chosen("train.command")
        && let Some(Value::Table(train)) = table.get_mut("train")
        && !is_program(train)
    {
        train.retain(|key, _| key != "seed" && !OF_PROGRAMS.contains(&key));
        if train.is_empty() {
            table.remove("train");
        }
    }
}
