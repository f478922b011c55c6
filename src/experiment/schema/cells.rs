//! What a page says of one key: what it takes, its default, its meaning, an example.

use crate::experiment::nets::presets;
use serde_json::{Value, json};

/// What the key takes, in words.
pub fn takes(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return match name.rsplit('/').next() {
            Some("Metric") => "a [metric](#metrics)".into(),
            _ => "a table".into(),
        };
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(forms) = schema.get(keyword).and_then(Value::as_array) {
            return either(forms);
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let path = all
            .iter()
            .any(|one| one["$ref"] == json!("#/definitions/PathOrFetched"));
        return if path {
            "a path or `fetch:NAME`".into()
        } else {
            "a table".into()
        };
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let is_preset = |word: &Value| presets::NAMES.iter().any(|name| word == name);
        return if words.iter().all(is_preset) {
            "a [preset](#presets)".into()
        } else {
            listed(words)
        };
    }
    match &schema["type"] {
        Value::Array(types) => {
            let forms = types.iter().map(|name| {
                let mut form = schema.clone();
                form["type"] = name.clone();
                form
            });
            either(&forms.collect::<Vec<_>>())
        }
        name => of_type(name.as_str().unwrap_or_default(), schema),
    }
}

fn either(forms: &[Value]) -> String {
    let words: Vec<Value> = forms
        .iter()
        .filter_map(|form| form.get("const").cloned())
        .collect();
    let others = forms
        .iter()
        .filter(|form| form.get("const").is_none())
        .map(takes);
    let words = (!words.is_empty()).then(|| listed(&words));
    words
        .into_iter()
        .chain(others)
        .collect::<Vec<_>>()
        .join(", or ")
}

fn listed(words: &[Value]) -> String {
    words
        .iter()
        .map(|word| format!("`{}`", toml(word)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Of one type, by JSON Schema's name for it.
fn of_type(name: &str, schema: &Value) -> String {
    match name {
        "integer" => format!("a whole number{}", range(schema)),
        "number" => format!("a number{}", range(schema)),
        "boolean" => "`true` or `false`".into(),
        "string" => "a text".into(),
        "array" => list_of(schema),
        "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => {
                format!("a table, of each name {}", takes(values))
            }
            _ => "a table of axes".into(),
        },
        _ => String::new(),
    }
}

fn list_of(schema: &Value) -> String {
    let item = takes(&schema["items"]);
    let of = if item == "a text" {
        "texts".to_string()
    } else if item == "a [metric](#metrics)" {
        "[metrics](#metrics)".to_string()
    } else if item.ends_with(", or a text") {
        "texts and whole numbers".to_string()
    } else if let Some(range) = item.strip_prefix("a whole number") {
        format!("whole numbers{range}")
    } else if let Some(range) = item.strip_prefix("a number") {
        format!("numbers{range}")
    } else {
        item
    };
    let least = match schema.get("minItems") {
        Some(_) => ", not empty",
        None => "",
    };
    format!("a list of {of}{least}")
}

/// ` from 0 to 1`, ` above 0`, ` from 1`: the bounds that a schema has.
fn range(schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).map(Value::to_string);
    let least = match (bound("minimum"), bound("exclusiveMinimum")) {
        (Some(least), _) => format!(" from {least}"),
        (_, Some(least)) => format!(" above {least}"),
        _ => String::new(),
    };
    match (bound("maximum"), bound("exclusiveMaximum")) {
        (Some(most), _) => format!("{least} to {most}"),
        (_, Some(most)) => format!("{least} to below {most}"),
        _ => least,
    }
}

/// The default, or that there is none and the key is needed.
pub fn default_of(schema: &Value, is_required: bool) -> String {
    match schema.get("default") {
        _ if is_required => "**required**".into(),
        Some(value) if value.is_null() || value.is_object() => String::new(),
        Some(value) => format!("`{}`", toml(value)),
        None => String::new(),
    }
}

/// What the key means, then each of its words.
pub fn meaning(schema: &Value) -> String {
    let mut text = schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_string();
    let forms = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    let forms: Vec<&Value> = forms.filter_map(Value::as_array).flatten().collect();
    let nested = forms
        .iter()
        .filter_map(|form| form.get("oneOf"))
        .filter_map(Value::as_array);
    let words: Vec<String> = forms
        .iter()
        .copied()
        .chain(nested.flatten())
        .filter_map(|form| {
            let said = form.get("description")?.as_str()?;
            Some(format!(
                "`{}`: {}",
                toml(form.get("const")?),
                first_sentence(said)
            ))
        })
        .collect();
    if !words.is_empty() {
        text = format!("{text} {}.", words.join("; "));
    }
    text
}

/// Without its point.
pub fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// The examples, as they stand behind `key =`.
pub fn example_of(schema: &Value) -> String {
    let examples = schema.get("examples").and_then(Value::as_array);
    let examples = examples
        .into_iter()
        .flatten()
        .map(|value| format!("`{}`", toml(value)));
    examples.collect::<Vec<_>>().join(", ")
}

/// A value as TOML has it.
pub fn toml(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}
