//! What the types say about Rust and TOML has no use for: nulls, integer formats, line breaks of comments.

use serde_json::{Map, Value, json};

/// Makes the schema of a TOML file out of the one that the types give.
pub fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            without_null(object);
            without_format(object);
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = one_line(text);
            }
            for (keyword, inner) in object.iter_mut() {
                // Values of the user's own, in which nothing is a keyword.
                if !matches!(keyword.as_str(), "default" | "examples" | "enum" | "const") {
                    tidy(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// TOML has no null: what may be none in Rust is left out of the file.
fn without_null(object: &mut Map<String, Value>) {
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    let null = json!("null");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(forms)) = object.get_mut("anyOf") else {
        return;
    };
    forms.retain(|form| form.get("type") != Some(&null));
    if let [Value::Object(only)] = forms.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (keyword, value) in only {
            object.entry(keyword).or_insert(value);
        }
    }
}

/// A format names a Rust type; its bounds are what matters.
fn without_format(object: &mut Map<String, Value>) {
    if object.remove("format") == Some(json!("uint32")) {
        object.entry("maximum").or_insert(json!(u32::MAX));
    }
}

/// Comments break lines where the source does; an empty line is a new paragraph.
fn one_line(text: &str) -> String {
    let paragraphs = text.split("\n\n");
    let paragraphs = paragraphs.map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
