//! `KEY=VALUE` texts and dotted keys: reading them, and laying values over the file's table.

use anyhow::{Context, Result, bail};

/// `guidance.scale=4` → the key and the text of the value.
pub fn pair(text: &str) -> Result<(&str, &str)> {
    let split = text.split_once('=').map(|(k, v)| (k.trim(), v.trim()));
    match split {
        Some((key, value)) if !value.is_empty() && key.split('.').all(|part| !part.is_empty()) => {
            Ok((key, value))
        }
        _ => bail!("`{text}` is not KEY=VALUE, such as `sample.steps=50`"),
    }
}

/// A TOML value; what is none, such as `ddim` or a path, is taken as text.
///
/// # Errors
/// A value that begins as a quoted text or a list and is neither.
pub fn value(text: &str) -> Result<toml::Value> {
    let read = toml::from_str::<toml::Table>(&format!("v = {text}"));
    match read {
        Ok(mut table) if table.len() == 1 => table.remove("v").context("no value"),
        _ if text.starts_with(['"', '\'', '[']) => bail!(
            "`{text}` is not a TOML value, such as `4`, `\"ddim\"` or `[1, 2]`\nhint: texts in a list stand in quotes, `[\"ddpm\", \"ddim\"]`, and every quote and bracket is closed"
        ),
        _ => Ok(toml::Value::String(text.to_string())),
    }
}

/// What a key takes in place of a text, by the words with which the parser refuses it; none where it takes texts too.
pub fn instead_of_text(refusal: &str) -> Option<&'static str> {
    let expected = refusal
        .strip_prefix("invalid type: string ")?
        .rsplit_once(", expected ")?
        .1
        .lines()
        .next()?;
    Some(match expected {
        "usize" | "u64" | "u32" => "a whole number, such as `1000`",
        "f64" | "f32" => "a number, such as `0.5`",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list, such as `[\"a\", \"b\"]`",
        _ => return None,
    })
}

/// Lays `value` over `table` at the dotted `key`, making the tables on the way.
pub fn assign(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<()> {
    let Some((head, rest)) = key.split_once('.') else {
        table.insert(key.to_string(), value);
        return Ok(());
    };
    let inner = table
        .entry(head)
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    match inner {
        toml::Value::Table(inner) => assign(inner, rest, value),
        _ => bail!("`{head}` is not a table, so `{key}` cannot be set in it"),
    }
}

/// The value at the dotted `key`; none where there is nothing or a table.
pub fn leaf<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    let mut segments = key.split('.');
    let first = table.get(segments.next()?)?;
    let value = segments.try_fold(first, |value, name| value.as_table()?.get(name))?;
    (!value.is_table()).then_some(value)
}

/// Every leaf of nested tables with its dotted key, in file order.
pub fn leaves(table: &toml::Table, prefix: &str) -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let key = match prefix {
            "" => name.clone(),
            _ => format!("{prefix}.{name}"),
        };
        match value {
            toml::Value::Table(inner) => found.extend(leaves(inner, &key)),
            other => found.push((key, other.clone())),
        }
    }
    found
}

/// Equal as values: 0 and 0.0 are one.
pub fn same(a: &toml::Value, b: &toml::Value) -> bool {
    let number = |v: &toml::Value| {
        v.as_float()
            .or_else(|| v.as_integer().map(|whole| whole as f64))
    };
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x == y,
        _ => a == b,
    }
}

/// A value as a person writes it beside `=`: text without quotes, whole floats without `.0`.
pub fn show(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(x) => x.to_string(),
        toml::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
