//! The schema of the whole experiment file.

use crate::experiment::file::experiment::Experiment;
use crate::experiment::grid::axis::NO_VALUES;
use crate::experiment::schema::forms::{WHOLE, rules};
use crate::experiment::schema::mirror::{Mirror, referenced};
use crate::experiment::schema::texts::{PATH, TEMPLATE, paths};
use crate::experiment::schema::tidy::tidy;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// JSON Schema of the experiment file, in draft 7: the newest that Taplo, which most editors read TOML with, knows.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut root = generator.into_root_schema_for::<Experiment>().to_value();
    tidy(&mut root);
    root["title"] = json!("Experiment file of runner");
    root["$comment"] = json!("Printed by `runner schema`.");
    let mut definitions = taken(&mut root, "definitions");
    let mut keys = taken(&mut root, "properties");
    let values = values_of_cells(&keys);
    if let Some(root) = root.as_object_mut() {
        root.remove("required");
    }
    for (name, table) in definitions.iter_mut() {
        if let Some(table) = table
            .as_object_mut()
            .filter(|_| !WHOLE.contains(&name.as_str()))
        {
            table.remove("required");
        }
    }
    definitions.insert(PATH.into(), paths());
    allow_templates(&values, &mut definitions);
    mirror(&values, &mut keys, &mut definitions);
    let mut generator = SchemaSettings::draft07().into_generator();
    let rules = rules(&mut generator, &mut definitions);
    root["properties"] = Value::Object(keys);
    root["allOf"] = Value::Array(rules);
    root["definitions"] = Value::Object(definitions);
    root
}

/// The text that `runner schema` prints: a value that fits into a line stands in one.
pub fn text() -> String {
    let mut text = String::new();
    print(&schema(), 0, &mut text);
    text.push('\n');
    text
}

fn print(value: &Value, depth: usize, text: &mut String) {
    const WIDTH: usize = 120;
    let whole = value.to_string();
    let (open, close, items) = match value {
        Value::Object(object) if whole.len() > WIDTH => {
            let items = object
                .iter()
                .map(|(key, value)| (format!("{}: ", json!(key)), value));
            ("{", "}", items.collect::<Vec<_>>())
        }
        Value::Array(items) if whole.len() > WIDTH => (
            "[",
            "]",
            items.iter().map(|value| (String::new(), value)).collect(),
        ),
        _ => return text.push_str(&whole),
    };
    text.push_str(open);
    for (n, (key, value)) in items.into_iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\n{}{key}", " ".repeat(depth + 1));
        print(value, depth + 1, text);
    }
    let _ = write!(text, "\n{}{close}", " ".repeat(depth));
}

fn taken(schema: &mut Value, keyword: &str) -> Map<String, Value> {
    match schema.get_mut(keyword).map(Value::take) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The tables of the file that hold values of its cells.
fn values_of_cells(keys: &Map<String, Value>) -> Map<String, Value> {
    let of_cells =
        |(name, _): &(&String, &Value)| *name != "name" && !NO_VALUES.contains(&name.as_str());
    let keys = keys.iter().filter(of_cells);
    keys.map(|(name, schema)| (name.clone(), schema.clone()))
        .collect()
}

/// Lets a text take another value where one of a set of words is expected. Numbers and `true` cannot be given as text.
fn allow_templates(values: &Map<String, Value>, definitions: &mut Map<String, Value>) {
    let template = json!({
        "description": "A text with `{key}`, which takes another value of the same cell.",
        "type": "string",
        "pattern": TEMPLATE,
    });
    let mut tables: Vec<String> = values.values().filter_map(referenced).collect();
    let mut seen = 0;
    while let Some(name) = tables.get(seen).cloned() {
        seen += 1;
        let keys = definitions
            .get_mut(&name)
            .and_then(|table| table.get_mut("properties"));
        for schema in keys
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(|keys| keys.values_mut())
        {
            match referenced(schema) {
                Some(inner) if !tables.contains(&inner) => tables.push(inner),
                Some(_) => {}
                None => template_in(schema),
            }
        }
    }
    definitions.insert("Template".into(), template);
}

fn template_in(schema: &mut Value) {
    let template = json!({ "$ref": "#/definitions/Template" });
    if let Some(Value::Array(words)) = schema.get_mut("oneOf") {
        words.push(template);
    } else if schema.get("enum").is_some() {
        let Some(words) = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("enum"))
        else {
            return;
        };
        schema["anyOf"] = json!([{ "enum": words }, template]);
    } else if let Some(items) = schema.get_mut("items")
        && referenced(items).is_some()
    {
        *items = json!({ "anyOf": [items, template] });
    }
}

fn mirror(
    values: &Map<String, Value>,
    keys: &mut Map<String, Value>,
    definitions: &mut Map<String, Value>,
) {
    for place in Mirror::ALL {
        let whole = place.of_file(values, definitions);
        definitions.insert(place.of("File"), whole);
    }
    let file = |place: Mirror| json!({ "$ref": format!("#/definitions/{}", place.of("File")) });
    for (key, place) in [
        ("grid", Mirror::Grid),
        ("zip", Mirror::Zip),
        ("case", Mirror::Case),
    ] {
        let Some(schema) = keys.get_mut(key) else {
            continue;
        };
        if schema.get("items").is_some() {
            schema["items"] = file(place);
        } else {
            schema["allOf"] = json!([file(place)]);
        }
    }
    for (table, key) in [
        ("Chart", "at"),
        ("Published", "at"),
        ("Claim", "better"),
        ("Claim", "than"),
        ("Claim", "at"),
    ] {
        let schema = definitions
            .get_mut(table)
            .and_then(|table| table.get_mut("properties"));
        if let Some(schema) = schema.and_then(|keys| keys.get_mut(key)) {
            schema["allOf"] = json!([file(Mirror::Point)]);
        }
    }
}
