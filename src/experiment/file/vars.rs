//! `[vars]`: values of the user's own, which texts of the file take by `{vars.NAME}`.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A table of single values. What a name must not hold would not be found again: a dot ends a key's segment, and braces
/// and `=` end the places where it is written.
pub fn single_values<'a, D: Deserializer<'a>>(from: D) -> Result<toml::Table, D::Error> {
    let table = toml::Table::deserialize(from)?;
    for (name, value) in &table {
        if name.is_empty() || name.contains(['.', '{', '}', '=']) {
            return Err(D::Error::custom(format!(
                "vars.\"{name}\" is not a name that a text can ask for; letters, digits, `-` and `_` are"
            )));
        }
        let kind = match value {
            toml::Value::Table(_) => "a table",
            toml::Value::Array(_) => "a list",
            toml::Value::Datetime(_) => "a date",
            _ => continue,
        };
        return Err(D::Error::custom(format!(
            "vars.{name} is {kind}, and a variable is a text, a number, true or false\nhint: {}",
            match value {
                toml::Value::Array(_) =>
                    format!("several values are an axis: `[grid] vars.{name} = {value}`"),
                toml::Value::Table(_) => "give each of its values a name of its own".to_string(),
                _ => format!("write it as text: `{name} = \"{value}\"`"),
            }
        )));
    }
    Ok(table)
}
